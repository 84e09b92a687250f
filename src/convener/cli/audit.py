"""`convener audit`: what a dictionary does to a corpus, or which labels a model's recipe doubts."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convener.cli import options
from convener.cli.console import out, rounds, table
from convener.cli.label import summary_lines
from convener.dictionary.audit import Audit, Record
from convener.errors import ConfigError
from convener.files import check_no_folder, keep_apart, open_output

if TYPE_CHECKING:
    from convener.dictionary.patch import Change
    from convener.evaluation.page import Section

_SHOWN, _LISTED = 10, 200


def audit(
    first: Annotated[
        str, typer.Argument(metavar="CORPUS|MODEL", help="A corpus; or a model, to audit labels.")
    ],
    second: Annotated[
        str, typer.Argument(metavar="DICTIONARY|CORPUS", help="Names; or the labelled corpus.")
    ],
    names_label: options.DictionaryLabel = None,
    case: options.DictionaryCase = options.CaseOption.SMART,
    stop: options.Stop = None,
    possessives: options.Possessives = False,
    plurals: options.Plurals = False,
    gold: Annotated[
        str | None, typer.Option(help="The same documents with labels that a person made.")
    ] = None,
    report: Annotated[str | None, typer.Option(help="Write all of it as a page.")] = None,
    patch: Annotated[
        str | None, typer.Option(help="Write the changes that a model suggests to this file.")
    ] = None,
    folds: Annotated[int, typer.Option(help="Experts that judge what they never saw.")] = 3,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Show what a dictionary does to a corpus, or which labels of a corpus are doubtful.

    Example: `convener audit notes.txt drugs.csv --report audit.html`

    Example: `convener audit drug-ner labelled.jsonl --patch patch.jsonl`
    """
    matching = options.Matching(names_label, case, stop, possessives, plurals)
    for output in (report, patch):
        keep_apart(output, first, second, gold, stop)
    from convener.inference.manifest import CONFIG

    if (Path(first) / CONFIG).is_file():
        if gold or report or matching != options.Matching() or patch is None:
            raise ConfigError("a model writes its doubts to a patch: give --patch FILE and no more")
        _doubts(first, second, patch, folds, on_error)
        return
    if patch is not None:
        raise ConfigError("--patch is what a model suggests: give its folder and labelled text")
    from convener.dictionary.audit import audit as audited

    names = options.gazetteer(second, matching, on_error)
    truth = list(options.documents(gold, on_error)) if gold else None
    result = audited(options.documents(first, on_error), names, truth)
    lead = lead_lines(result)
    for line in lead:
        out.print(line, markup=False)
    for part in sections(result, _SHOWN):
        if part.rows:
            rows = [[_plain(cell) for cell in row] for row in part.rows]
            table(part.columns, rows, title=part.heading)
    if report is not None:
        from convener.evaluation.page import render

        with open_output(report) as stream:
            stream.write(render("A dictionary on a corpus", lead, sections(result, _LISTED)))


def _doubts(model: str, corpus: str, patch: str, folds: int, on_error: options.OnError) -> None:
    from convener.dictionary.patch import write_patch
    from convener.dictionary.review import suggested
    from convener.inference import manifest
    from convener.recipes.audit import judge
    from convener.recipes.run_config import parse_config

    check_no_folder(Path(patch))
    run = manifest.read_config(Path(model)).card.run
    if "bond" not in run:
        raise ConfigError(
            f"expected a model that convener train made, got {model}, which has no recipe to train "
            "judges by: give such a model"
        )
    config = parse_config(run)
    documents = list(options.documents(corpus, on_error))
    with rounds() as listener:
        judged = judge(documents, config, folds, listener)
    changes = suggested((j.document, j.answers, j.outside) for j in judged)
    write_patch(patch, changes)
    kinds = Counter(change.change for change in changes)
    figures = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "none"
    accepted = sum(change.accept for change in changes)
    out.print(f"changes: {figures}; accepted to begin with: {accepted}", markup=False)
    rows = [(c.change, c.surface, c.label, _target(c), c.confidence) for c in changes[:_SHOWN]]
    if rows:
        table(["change", "name", "type", "to", "confidence"], rows)
    out.print(f"wrote {patch}: review it with convener review {patch}", markup=False)


def _target(change: "Change") -> str | None:
    return None if change.to is None else f"{change.to.label} {change.to.start}-{change.to.end}"


def lead_lines(result: Audit) -> list[str]:
    """Coverage, and where there is gold how good the labels are."""
    lines = summary_lines(result.summary)
    names = f"names that never match: {len(result.absent)}"
    if result.absent:
        names += ", such as " + ", ".join(entry.surface for entry in result.absent[:5])
    lines.append(names)
    if small := result.passed_over:
        words = {entry.surface.lower(): times for entry, times in small.items()}
        lines.append(
            f"names in lower case that are passed over: {len(words)}, {sum(words.values())} times, "
            f"such as {small.most_common(1)[0][0].surface}: --case ignore matches them"
        )
    if result.gold_entities:
        lines.append(
            f"by gold: precision {100 * result.precision:.1f} %, recall {100 * result.recall:.1f} %"
        )
    return lines


def sections(result: Audit, most: int) -> "list[Section]":
    """The lists of an audit, each of at most so many rows."""
    from convener.evaluation.page import Section

    def counted(heading: str, note: str, column: str, records: list[Record]) -> Section:
        attribute = column.replace(" ", "_")
        rows = [[*_name(r), r.matches, getattr(r, attribute)] for r in records[:most]]
        return Section(heading, note, ("name", "type", "matches", column), rows)

    overall = result.precision
    return [
        Section(
            "Wrong most often",
            "Expected precision draws a name that gold seldom judged to the whole dictionary's.",
            ("name", "type", "matches", "wrong", "judged", "expected precision"),
            [
                [*_name(r), r.matches, r.judged - r.right, r.judged, round(r.precision(overall), 2)]
                for r in result.least_precise()[:most]
            ],
        ),
        Section(
            "Several types",
            "These matches stay ambiguous: training allows any of the types.",
            ("name", "types", "matches"),
            [
                [records[0].surface, ", ".join(r.label for r in records), records[0].matches]
                for records in result.ambiguous()[:most]
            ],
        ),
        counted(
            "Also an ordinary word",
            "Written with a capital here, but more frequent in lower case: keep the case exact.",
            "plain",
            result.ordinary_words(),
        ),
        Section(
            "Passed over in lower case",
            "Written with a capital in the dictionary, and no common words: case ignore matches.",
            ("name", "type", "times"),
            [[e.surface, e.label, n] for e, n in result.passed_over.most_common(most)],
        ),
        counted(
            "Mostly matched in lower case",
            "Written with a capital in the dictionary, in lower case in most of the text.",
            "in lower case",
            result.in_lower_case(),
        ),
        counted(
            "Only inside longer names",
            "These never label anything: a longer name always covers them.",
            "hidden",
            result.always_hidden(),
        ),
        Section(
            "Sources that disagree",
            "Labels that the corpus brought, against those of the dictionary on the same words.",
            ("corpus says", "dictionary says", "times"),
            [[*pair, count] for pair, count in result.conflicts.most_common(most)],
        ),
        Section(
            "Most frequent",
            "The names that label most, with examples.",
            ("name", "type", "matches", "examples"),
            [[*_name(r), r.matches, r.examples] for r in result.most_frequent()[:most]],
        ),
    ]


def _name(record: Record) -> Sequence[str]:
    return record.surface, record.label


def _plain(cell: object) -> object:
    """A cell as the terminal shows it: of examples, the first."""
    if isinstance(cell, list):
        return "".join(cell[0]) if cell else ""
    return cell

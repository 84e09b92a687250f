"""`convener label`: raw text and a dictionary in, distantly labelled documents out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from convener.cli import options
from convener.cli.console import err
from convener.dictionary import Labeller, Summary
from convener.dictionary.labeller import SOURCE
from convener.dictionary.writing import unlisted_names
from convener.errors import ConfigError
from convener.files import check_no_folder, keep_apart
from convener.text.documents import Document
from convener.text.formats import write


class Voting(StrEnum):
    """Who is right where sources differ; see `convener.dictionary.votes`."""

    MAJORITY = "majority"
    PRIORITY = "priority"
    ACCURACY = "accuracy"


def label(
    texts: Annotated[str, typer.Argument(help="Text, JSONL or CoNLL file; - is standard input.")],
    dictionary: Annotated[str, typer.Argument(help="Names: a table, a list, or compiled.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where to write; - is stdout.")],
    names_label: options.DictionaryLabel = None,
    case: options.DictionaryCase = options.CaseOption.SMART,
    abstain: Annotated[
        bool, typer.Option(help="Mark unlisted words that look like names as unknown.")
    ] = False,
    nested: options.Nested = False,
    stop: options.Stop = None,
    possessives: options.Possessives = False,
    plurals: options.Plurals = False,
    workers: Annotated[int, typer.Option(min=1, help="How many processes label.")] = 1,
    rules: Annotated[Path | None, typer.Option(help="JSON file of rules that label too.")] = None,
    vote: Annotated[
        Voting, typer.Option(help="How the dictionary and the rules settle what they dispute.")
    ] = Voting.MAJORITY,
    patch: Annotated[Path | None, typer.Option(help="Changes that convener audit wrote.")] = None,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Label raw text by a dictionary.

    Example: `convener label notes.txt drugs.csv -o labelled.jsonl`
    """
    from convener.dictionary.patch import Patch, read_changes

    if rules is not None and nested:
        raise ConfigError("a vote settles on entities that do not overlap: leave out --nested")
    keep_apart(output, texts, dictionary, stop, rules, patch)
    check_no_folder(Path(output))
    matching = options.Matching(names_label, case, stop, possessives, plurals)
    gazetteer = options.gazetteer(dictionary, matching, on_error)
    changes = Patch(read_changes(patch)) if patch is not None else Patch([])
    gazetteer = changes.names(gazetteer)
    labeller = Labeller(gazetteer, abstain and rules is None, nested)
    brought = Brought()
    documents = labeller.label(brought.watch(options.documents(texts, on_error)), workers)
    reports: Callable[[], list[str]] = list
    if rules is not None:
        documents, reports = _voted(documents, rules, vote, abstain)
    summary = Summary(gazetteer)
    write(output, summary.watch(changes.label(documents)))
    unused = [f"{len(changes.unused)} changes of {patch} fit nothing here"] * bool(changes.unused)
    for line in [*brought.lines(), *summary_lines(summary), *reports(), *unused]:
        err.print(line, markup=False)


class Brought:
    """Labels that documents have before a dictionary's take their place."""

    def __init__(self) -> None:
        self.labels = 0

    def watch(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Pass documents on and count their labels."""
        for document in documents:
            self.labels += len(document.entities)
            yield document

    def lines(self) -> list[str]:
        """What became of the labels, in words, if there were any."""
        replaced = f"labels that the text brought, replaced by the dictionary's: {self.labels}"
        return [replaced] if self.labels else []


def _voted(
    documents: Iterator[Document], rules: Path, vote: Voting, abstain: bool
) -> tuple[Iterator[Document], Callable[[], list[str]]]:
    """Documents on which the dictionary's labels and the rules have voted, and what they did."""
    from convener.dictionary.patterns import read_rules
    from convener.dictionary.rules import Source
    from convener.dictionary.votes import Vote

    said = Source(SOURCE, lambda document: document.entities)
    votes = Vote([said, *read_rules(rules)], vote.value)
    settled = votes.label(documents)
    if abstain:
        settled = (replace(d, unknown=unlisted_names(d)) for d in settled)

    def reports() -> list[str]:
        lines = []
        for one in votes.report():
            learned = "" if one.accuracy is None else f", accuracy {100 * one.accuracy:.0f} %"
            lines.append(
                f"{one.name}: {one.proposed} proposed, {100 * one.conflicts:.0f} % contradicted"
                f"{learned}"
            )
            if one.failures:
                lines.append(f"{one.name} broke on {one.failures}: {one.first_failure}")
        return lines

    return settled, reports


def summary_lines(summary: Summary) -> list[str]:
    """What a labeller did, in words."""
    lines = [
        f"documents: {summary.documents}, with a match: {summary.documents_with_match} "
        f"({_share(summary.documents_with_match, summary.documents)})",
        f"words: {summary.words}, covered: {summary.words_covered} "
        f"({_share(summary.words_covered, summary.words)})",
        f"matches: {summary.matches}",
        *(f"  {label}: {count}" for label, count in sorted(summary.types.items())),
    ]
    if not summary.matches:
        lines.append("no name was found: check which column holds the names, and --case")
    if summary.passed_over:
        most = ", ".join(f"{word} {count}" for word, count in summary.passed_over.most_common(5))
        lines.append(
            f"listed with a capital, passed over in lower case: {summary.passed_over.total()} "
            f"({most}); --case ignore takes them"
        )
    if summary.words_unknown:
        lines.append(f"words marked unknown: {summary.words_unknown}")
    if summary.ambiguous:
        lines.append(f"ambiguous matches: {summary.ambiguous.total()}")
        lines += [f"  {name}: {count}" for name, count in summary.ambiguous.most_common(10)]
    return lines


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"

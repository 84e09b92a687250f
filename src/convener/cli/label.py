"""`convener label`: raw text and a dictionary in, distantly labelled documents out."""

from typing import Annotated

import typer

from convener.cli import options
from convener.cli.console import err
from convener.dictionary import Labeller, Summary
from convener.text.formats import write


def label(
    texts: Annotated[str, typer.Argument(help="Text, JSONL or CoNLL file; - is standard input.")],
    dictionary: Annotated[str, typer.Argument(help="Names: CSV, TSV, JSONL, or one a line.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where to write; - is stdout.")],
    names_label: options.DictionaryLabel = None,
    case: options.DictionaryCase = options.CaseOption.SMART,
    abstain: Annotated[
        bool, typer.Option(help="Mark unlisted words that look like names as unknown.")
    ] = False,
    nested: options.Nested = False,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Label raw text by a dictionary.

    Example: `convener label notes.txt drugs.csv -o labelled.jsonl`
    """
    gazetteer = options.gazetteer(dictionary, names_label, case)
    labeller = Labeller(gazetteer, abstain, nested)
    summary = Summary()
    labelled = summary.watch(labeller.label(options.documents(texts, on_error)))
    write(output, labelled)
    for line in summary_lines(summary):
        err.print(line, markup=False)


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
    if summary.words_unknown:
        lines.append(f"words marked unknown: {summary.words_unknown}")
    if summary.ambiguous:
        lines.append(f"ambiguous matches: {summary.ambiguous.total()}")
        lines += [f"  {name}: {count}" for name, count in summary.ambiguous.most_common(10)]
    return lines


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"

"""`convener evaluate`: a model against gold labels."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convener.cli import options
from convener.cli.console import err, out, table
from convener.errors import ConfigError
from convener.files import keep_apart, open_output

if TYPE_CHECKING:
    from convener.evaluation.result import Evaluation


def evaluate(
    model: Annotated[Path, typer.Argument(help="Folder of a model.")],
    data: Annotated[str, typer.Argument(help="Gold-labelled JSONL or CoNLL file.")],
    dictionary: Annotated[
        str | None,
        typer.Option(help="Also score it, alone and at the model's side; recall of listed names."),
    ] = None,
    names_label: options.DictionaryLabel = None,
    case: options.DictionaryCase = options.CaseOption.SMART,
    stop: options.Stop = None,
    possessives: options.Possessives = False,
    plurals: options.Plurals = False,
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json", help="Write all scores to this file; - is stdout, without the table."
        ),
    ] = None,
    html_file: Annotated[
        str | None,
        typer.Option("--report", help="Write a page with scores and mistakes to this file."),
    ] = None,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Score a model on gold labels.

    Example: `convener evaluate drug-ner test.jsonl --json scores.json`
    """
    from convener import api

    for output in (json_file, html_file):
        keep_apart(output, model, data, dictionary, stop)
    if json_file == html_file is not None:
        raise ConfigError(f"expected two files for --json and --report, got {json_file} for both")
    matching = options.Matching(names_label, case, stop, possessives, plurals)
    names = options.given_gazetteer(dictionary, matching, on_error)
    documents = options.documents(data, on_error)
    if html_file is None:
        result = api.evaluate(model, documents, names)
    else:
        result, page = api.report(model, documents, names)
        with open_output(html_file) as stream:
            stream.write(page)
    if "-" not in (json_file, html_file):
        show(result)
    options.tell_malformed(result.malformed)
    if result.unknown_labels:
        unknown = ", ".join(result.unknown_labels)
        err.print(f"the model does not know these labels, which it misses: {unknown}", markup=False)
    if json_file is not None:
        with open_output(json_file) as stream:
            json.dump(result.as_dict(), stream, indent=1)
            stream.write("\n")


def show(result: "Evaluation") -> None:
    """Print scores as a table."""
    scores = result.scores
    rows = [
        ("exact", scores.exact),
        ("type-blind", scores.type_blind),
        ("overlap", scores.overlap),
        *scores.types.items(),
        ("dictionary alone", result.listed),
        ("with dictionary", result.beside),
    ]
    table(
        ["", "precision", "recall", "F1", "gold"],
        [
            (name, 100 * s.precision, 100 * s.recall, 100 * s.f1, s.gold)
            for name, s in rows
            if s is not None
        ],
    )
    low, high = result.interval
    out.print(f"F1 {100 * scores.exact.f1:.2f}, 95 % interval {100 * low:.2f} to {100 * high:.2f}")
    out.print(f"macro F1 over types {100 * scores.macro_f1:.2f}")
    if result.calibration_error is not None:
        out.print(f"calibration error of the scores {result.calibration_error:.3f}")
    for name, known in (("seen", scores.seen), ("unseen", scores.unseen)):
        if known is not None and known.gold:
            out.print(f"recall on {name} names {100 * known.recall:.2f} of {known.gold}")

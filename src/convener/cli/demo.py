"""`convener demo`: the whole job on the bundled corpus, in a few minutes."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from convener.cli.console import err, out, rounds, table
from convener.cli.label import summary_lines
from convener.dictionary import Labeller, Summary
from convener.files import open_output
from convener.text.documents import Document

if TYPE_CHECKING:
    from convener.evaluation.result import Evaluation

NAMES = {
    "dictionary": "dictionary",
    "stage1": "stage I",
    "bond": "one expert (the default)",
    "bond-moe": "panel of three",
}
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red")
SHOWN = 6
EXPERTS, ROUND_STEPS = 3, 40


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the trained model.")
    ] = Path("convener-demo"),
    json_file: Annotated[
        str | None, typer.Option("--json", help="Write the scores to this file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Train from raw text and a dictionary that knows half of the names; keep the default's model.

    Example: `convener demo`
    """
    began = time.monotonic()
    from convener.demo import load_data
    from convener.demo.compare import compare
    from convener.inference import manifest
    from convener.recipes.run_config import RunConfig, override

    manifest.check_target(output)
    data = load_data()
    summary = Summary()
    for document in Labeller(data.gazetteer).label(data.texts):
        summary.add(document)
    out.print(f"{len(data.texts)} sentences of raw text, {len(data.gazetteer)} dictionary entries")
    for line in summary_lines(summary):
        out.print(line, markup=False)
    results: dict[str, Evaluation] = {}

    def on_method(method: str, evaluation: "Evaluation") -> None:
        results[method] = evaluation
        err.print(f"{NAMES[method]}: F1 {100 * evaluation.scores.exact.f1:.2f}", markup=False)

    settings = {"seed": seed, "bond.experts": EXPERTS, "bond.round_steps": ROUND_STEPS}
    config = override(RunConfig(), settings)
    with rounds() as listener:
        model = compare(data, listener, on_method, config)
    rows = [_row(method, evaluation) for method, evaluation in results.items()]
    table(
        ["", "precision", "recall", "F1", "recall, unseen names"],
        [(NAMES[str(r["method"])], *list(r.values())[1:]) for r in rows],
        title=f"{len(data.test)} test sentences",
    )
    for document in model.annotate(data.test[:: len(data.test) // SHOWN][:SHOWN]):
        out.print(coloured(document, model.labels))
    model.save_pretrained(output)
    out.print(f"saved {output}: convener predict {output} --text 'Your text.'", markup=False)
    if json_file is not None:
        with open_output(json_file) as stream:
            summary_json = {
                "rows": rows,
                "seconds": round(time.monotonic() - began, 1),
                "peak_rss_mb": peak_rss_mb(),
            }
            json.dump(summary_json, stream, indent=1)
            stream.write("\n")


def _row(method: str, evaluation: "Evaluation") -> dict[str, object]:
    exact = evaluation.scores.exact
    unseen = evaluation.scores.unseen
    return {
        "method": method,
        "precision": round(100 * exact.precision, 2),
        "recall": round(100 * exact.recall, 2),
        "f1": round(100 * exact.f1, 2),
        "unseen_recall": round(100 * unseen.recall, 2) if unseen is not None else None,
    }


def coloured(document: Document, labels: tuple[str, ...]) -> Text:
    """A text with its entities in the colour of their type, the type behind each."""
    text, position = Text("  "), 0
    for entity in document.entities:
        colour = COLOURS[labels.index(entity.label) % len(COLOURS)]
        text.append(document.text[position : entity.start])
        text.append(document.surface(entity), style=f"bold {colour}")
        text.append(f" {entity.label}", style=f"dim {colour}")
        position = entity.end
    text.append(document.text[position:])
    return text


def peak_rss_mb() -> int:
    """The most memory that this process has held, in MB."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))

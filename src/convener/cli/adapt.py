"""`convener adapt`: a library of experts and unlabelled text become a model for a new domain."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convener.cli import options
from convener.cli.console import err, out, rounds, table
from convener.errors import ConfigError, short
from convener.files import keep_apart, open_output
from convener.text.formats.lines import numbered_lines

if TYPE_CHECKING:
    from convener.experts import Adaptation


class Vote(StrEnum):
    """How experts are ranked by performance without labels."""

    BEYOND_BASE = "beyond-base"
    MAJORITY = "majority"


def adapt(
    library: Annotated[Path, typer.Argument(help="Folder of a library of experts.")],
    target: Annotated[str, typer.Argument(help="Unlabelled text of the new domain.")],
    types: Annotated[
        Path, typer.Option(help="The types, one a line, or a JSON object of their questions.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the model.")],
    labelled: Annotated[
        str | None, typer.Option(help="A small labelled sample, in place of the experts' vote.")
    ] = None,
    vote: Annotated[
        Vote, typer.Option(help="Scores experts by what others say beyond the base, or most say.")
    ] = Vote.BEYOND_BASE,
    experts: Annotated[int, typer.Option(help="How many experts each selection merges.")] = 3,
    sentences: Annotated[int, typer.Option(help="How many sentences the experts are asked.")] = 50,
    merge: Annotated[str, typer.Option(help="How weights are merged.")] = "ties",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    report: Annotated[
        str | None, typer.Option(help="Write a page on the choice to this file.")
    ] = None,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Select and merge experts for a new domain; nothing is trained.

    Example: `convener adapt experts songs.txt --types types.txt -o music-ner`
    """
    from convener.experts import adapt_library
    from convener.inference import manifest
    from convener.recipes.adapt import AdaptConfig
    from convener.recipes.settings import parsed

    manifest.check_target(output)
    keep_apart(report, target, types, labelled)
    settings = {"experts": experts, "sentences": sentences, "seed": seed, "vote": vote.value}
    config = parsed(AdaptConfig, settings | {"merge": {"method": merge, "seed": seed}})
    with rounds() as listener:
        made = adapt_library(
            library,
            options.documents(target, on_error),
            wanted_types(types),
            config=config,
            gold=options.documents(labelled, on_error) if labelled else None,
            listener=listener,
        )
    for kind, ranking in made.adapted.rankings.items():
        chosen = made.adapted.chosen[kind]
        rows = [(r.name, r.score, r.spread, "merged" if r.name in chosen else "") for r in ranking]
        table(["expert", "score", "spread", ""], rows, title=f"by {kind}")
        if not any(ranked.score > 0 for ranked in ranking):
            near = kind == "performance" and "similarity" in made.adapted.rankings
            chosen_by = "similarity" if near else "name"
            err.print(f"by {kind} no expert is above 0: chosen by {chosen_by}", markup=False)
    if len(made.adapted.panel.experts) == 1 and len(made.adapted.chosen) > 1:
        err.print("both selections agree: one merged model answers")
    made.model.save_pretrained(output)
    if report is not None:
        with open_output(report) as stream:
            stream.write(page(made))
    out.print(f"saved {output}", markup=False)


def wanted_types(path: Path) -> list[str] | dict[str, str]:
    """Types from a file: a JSON object of questions by type, or a type a line."""
    from convener.models.questions import read_questions

    if path.suffix == ".json":
        return read_questions(path)
    types = [text for line in numbered_lines(path) if (text := line.text.strip())]
    if not types:
        raise ConfigError(f"{path}: expected a type a line, got none")
    table = next((line for line in types if "," in line or "\t" in line), None)
    if table is not None:
        raise ConfigError(f"{path}: expected a type a line, got {short(table)}: leave the rest out")
    return types


def page(made: "Adaptation") -> str:
    """The report of an adaptation."""
    from convener.evaluation.choice import Choice, render

    rankings = {
        kind: [(r.name, r.score, r.spread) for r in ranking]
        for kind, ranking in made.adapted.rankings.items()
    }
    answers = list(made.model.annotate(made.sample[:20]))
    choice = Choice(rankings, made.adapted.chosen, made.places, made.target)
    return render(choice, answers)

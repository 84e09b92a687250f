"""`convener distill`: a panel teaches one model, which answers like it and costs less."""

from pathlib import Path
from typing import Annotated

import typer

from convener.cli import options
from convener.cli.console import out, rounds
from convener.cli.stopping import stoppable
from convener.files import keep_apart


def distill(
    panel: Annotated[Path, typer.Argument(help="Folder of the panel that teaches.")],
    corpus: Annotated[str, typer.Argument(help="All the text there is; labels are not read.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the model.")],
    dev: Annotated[str | None, typer.Option(help="Gold-labelled file to choose by.")] = None,
    rounds_: Annotated[int, typer.Option("--rounds", min=1, help="Rounds of training.")] = 4,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of a round.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    resume: Annotated[bool, typer.Option(help="Take up a run that was stopped.")] = False,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Make one model that answers as a panel does.

    Example: `convener distill drug-ner notes.txt -o drug-ner-small`
    """
    from convener.inference import manifest

    output = output.resolve()
    manifest.check_target(output)
    keep_apart(output, panel)
    documents = list(options.documents(corpus, on_error))
    gold = list(options.documents(dev, on_error)) if dev else None
    from convener import api

    with stoppable(output, resume) as (folder, resume):
        with rounds() as listener:
            model = api.distill(
                panel,
                documents,
                dev=gold,
                config={"seed": seed, "rounds": rounds_, "round_steps": steps},
                listener=listener,
                checkpoint=folder,
                resume=resume,
            )
        model.save_pretrained(output)
    out.print(f"saved {output}", markup=False)

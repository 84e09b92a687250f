"""`convener experts`: what a library of experts holds."""

import json
from pathlib import Path
from typing import Annotated

import typer

from convener.cli.console import out, table
from convener.errors import ModelError

app = typer.Typer(help="Look after a library of experts.")
Folder = Annotated[Path, typer.Argument(help="Folder of a library.")]
Name = Annotated[str, typer.Argument(help="Name of an expert.")]


@app.command("list")
def list_(library: Folder) -> None:
    """List the experts of a library.

    Example: `convener experts list experts`
    """
    from convener.inference.shelf import Library

    rows = [
        (name, ", ".join(card.types), card.documents, card.dev_f1, card.licence)
        for name, card in Library.open(library).cards().items()
    ]
    table(["expert", "types", "documents", "F1 on dev", "licence"], rows)


@app.command()
def show(library: Folder, name: Name) -> None:
    """Show the card of an expert as JSON.

    Example: `convener experts show experts news`
    """
    from convener.inference.shelf import Library

    content = Library.open(library).card(name).model_dump(mode="json")
    content["embedding"] = f"{len(content['embedding'])} numbers"
    print(json.dumps(content, indent=1))


@app.command()
def add(
    library: Folder, source: Annotated[Path, typer.Argument(help="Folder of an expert.")]
) -> None:
    """Add an expert from a folder, such as one of another library.

    Example: `convener experts add experts other-experts/films`
    """
    from convener.inference.shelf import Library

    out.print(f"added {Library.open(library).add(source).name}", markup=False)


@app.command()
def remove(library: Folder, name: Name) -> None:
    """Remove an expert.

    Example: `convener experts remove experts films`
    """
    from convener.inference.shelf import Library

    Library.open(library).remove(name)
    out.print(f"removed {name}", markup=False)


@app.command()
def check(library: Folder) -> None:
    """Check that every expert is whole and fits the base.

    Example: `convener experts check experts`
    """
    from convener.inference.shelf import Library

    shelf = Library.open(library)
    wrong = shelf.check()
    if wrong:
        raise ModelError("; ".join(wrong.values()))
    out.print(f"{len(shelf.names)} of {len(shelf.names)} experts are whole", markup=False)

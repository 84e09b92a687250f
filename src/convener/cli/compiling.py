"""`convener compile`: a dictionary of any size into one file that is ready at once."""

from pathlib import Path
from typing import Annotated

import typer

from convener.cli import options
from convener.cli.console import out
from convener.files import keep_apart


def compile(  # noqa: A001 - the verb's name
    dictionary: Annotated[str, typer.Argument(help="Names: CSV, TSV, JSONL, or one a line.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write.")],
    names_label: options.DictionaryLabel = None,
    case: options.DictionaryCase = options.CaseOption.SMART,
    possessives: options.Possessives = False,
    plurals: options.Plurals = False,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Compile a dictionary; every verb that takes a dictionary takes the file too.

    Example: `convener compile drugs.csv -o drugs.names`
    """
    keep_apart(output, dictionary)
    matching = options.Matching(names_label, case, possessives=possessives, plurals=plurals)
    gazetteer = options.gazetteer(dictionary, matching, on_error)
    gazetteer.save(output)
    size = output.stat().st_size / 1e6
    out.print(f"{len(gazetteer)} names in {output}, {size:.1f} MB", markup=False)

"""`convener convert`: any format of documents into any other."""

from typing import Annotated

import typer

from convener.cli import options
from convener.cli.console import Skipped, err
from convener.files import keep_apart
from convener.text.formats import Format, told


def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="File or folder; - is stdin.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="Where to write; - is stdout.")],
    source_format: Annotated[
        Format | None, typer.Option("--from", help="Format of IN, else told from content.")
    ] = None,
    target_format: Annotated[
        Format | None, typer.Option("--to", help="Format of OUT, else told from its name.")
    ] = None,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Convert labelled documents, and count what the other format cannot hold.

    Example: `convener convert labelled.jsonl labelled.spacy`
    """
    from convener.text.formats import conversion

    keep_apart(target, source)
    skipped = Skipped()
    done = conversion.convert(
        source,
        target,
        source_format,
        target_format,
        skipped if on_error is options.OnError.SKIP else None,
    )
    skipped.report()
    err.print(f"documents: {done.documents}")
    if done.unread:
        err.print(f"not read: {told(done.unread)}", markup=False)
    if done.lost:
        err.print(f"not carried over: {told(done.lost)}", markup=False)

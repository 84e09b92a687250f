"""`convener predict`: text in, entities out as JSON Lines."""

from pathlib import Path
from typing import Annotated

import typer

from convener.cli import options
from convener.errors import ConfigError
from convener.text.documents import Document
from convener.text.formats import write


def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a model.")],
    source: Annotated[
        str, typer.Argument(help="Text, JSONL or CoNLL file; - is standard input.")
    ] = "-",
    text: Annotated[str | None, typer.Option(help="Read this text instead of a file.")] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(help="Ask a reader this instead of its own, as TYPE=QUESTION; repeatable."),
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="Where to write.")] = "-",
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Find entities: one JSON line for each document, in order.

    Example: `convener predict drug-ner notes.txt -o found.jsonl`
    """
    from convener import api

    if text is not None and source != "-":
        raise ConfigError(f"expected a file or --text, got both ({source})")
    recogniser = api.load(model)
    if question:
        recogniser = recogniser.ask(dict(map(_question, question)))
    documents = iter([Document(text)]) if text is not None else options.documents(source, on_error)
    write(output, recogniser.annotate(documents))


def _question(text: str) -> tuple[str, str]:
    label, equals, asked = text.partition("=")
    if not equals or not label.strip():
        raise ConfigError(f"expected --question TYPE=QUESTION, got {text!r}")
    return label.strip(), asked.strip()

"""`convener serve`: models behind HTTP, with a page for people."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from convener.cli import options
from convener.cli.console import out
from convener.errors import ConfigError, misfit
from convener.text.formats.lines import numbered_lines

TOKEN = "CONVENER_TOKEN"


def serve(
    models: Annotated[
        list[Path],
        typer.Argument(help="Folders of models, or their names on the hub.", metavar="MODEL..."),
    ],
    dictionary: options.DictionaryBeside = None,
    names_label: options.DictionaryLabel = None,
    case: options.DictionaryCase = options.CaseOption.SMART,
    stop: options.Stop = None,
    possessives: options.Possessives = False,
    plurals: options.Plurals = False,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"File with a token that requests must bring; or set {TOKEN}."),
    ] = None,
    texts: Annotated[int, typer.Option(min=1, help="Most texts of a request.")] = 256,
    characters: Annotated[int, typer.Option(min=1, help="Longest text.")] = 100_000,
    body: Annotated[int, typer.Option(min=1, help="Largest request in bytes.")] = 2_000_000,
    queue: Annotated[int, typer.Option(min=1, help="Texts that may wait; then 429.")] = 2_048,
    seconds: Annotated[float, typer.Option(min=0.1, help="Longest time for a request.")] = 30.0,
    batch: Annotated[int, typer.Option(min=1, help="Most texts answered together.")] = 64,
) -> None:
    """Serve models over HTTP, and a page to look at what they find, until Ctrl-C.

    Example: `convener serve drug-ner --port 8000`

    Example: `convener serve drug-ner --dictionary drugs.csv`
    """
    token = read_token(token_file)
    matching = options.Matching(names_label, case, stop, possessives, plurals)
    matching.check(dictionary)
    try:
        from convener.serving.run import listen, run, url
    except ImportError as error:
        raise ConfigError(
            f"expected the packages of the server, {error.name} is missing: "
            "pip install 'convener[serve]'"
        ) from None
    from pydantic import ValidationError

    from convener.serving.limits import Limits

    try:
        limits = Limits(
            texts=texts,
            characters=characters,
            body_bytes=body,
            queue=queue,
            seconds=seconds,
            batch_texts=batch,
        )
    except ValidationError as error:
        raise ConfigError(misfit(error.errors())) from None
    names = options.given_gazetteer(dictionary, matching, options.OnError.STOP)
    listener = listen(host, port)

    from convener.serving.app import create_app
    from convener.serving.catalogue import load

    recognisers = load(models)
    if names is not None:
        for name, model in recognisers.items():
            options.tell_unknown(f"{name}: --dictionary", names.labels, model.labels)
        recognisers = {name: model.beside(names) for name, model in recognisers.items()}
    app = create_app(recognisers, limits, token)

    def tell() -> None:
        names = ", ".join(recognisers)
        out.print(f"serving {names} at {url(listener)} until Ctrl-C", markup=False)

    run(app, listener, limits, tell)


def read_token(path: Path | None) -> str | None:
    """The token in the file or the environment, if there is one.

    Raises:
        ConfigError: it is empty, or nothing that a header can hold.
    """
    token, where = os.environ.get(TOKEN), TOKEN
    if path is not None:
        token, where = "\n".join(line.text for line in numbered_lines(path)), str(path)
    if token is None:
        return None
    if not re.fullmatch("[!-~]+", token.strip()):
        raise ConfigError(f"{where}: expected one token of ASCII characters without blanks")
    return token.strip()

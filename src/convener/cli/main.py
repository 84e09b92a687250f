"""The `convener` command: its verbs, and what a user sees when something is wrong.

A mistake that the user can mend, one of options included, is one line on standard error and exit
code 2; Ctrl-C is 130, and SIGTERM, by which schedulers end work, is taken for it.
"""

import os
import signal
import sys
from typing import Annotated

import typer
from safetensors import SafetensorError

from convener import __version__
from convener.cli import (
    adapt,
    audit,
    compiling,
    convert,
    demo,
    distill,
    evaluate,
    experts,
    export,
    info,
    label,
    predict,
    review,
    serve,
    train,
)
from convener.errors import ConvenerError, short


def _tell_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


app = typer.Typer(
    name="convener",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS = (
    *(demo.demo, compiling.compile, label.label, train.train, evaluate.evaluate),
    *(predict.predict, info.info, adapt.adapt, convert.convert),
    *(audit.audit, review.review, export.export, distill.distill, serve.serve),
)


@app.callback()
def _of_all(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Its number.")
    ] = False,
) -> None:
    """Named-entity recognition from raw text and a dictionary, without hand labels."""


for verb in VERBS:
    app.command()(verb)
app.add_typer(experts.app, name="experts")


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        given = sys.argv[1:] or ["--help"]
        sys.exit(app(given, prog_name="convener", standalone_mode=False))
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        verb = context.command_path if context is not None else "convener"
        _leave(f"{error.format_message().rstrip('.')}; see {verb} --help")
    except ConvenerError as error:
        _leave(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _leave(f"{place}{error.strerror or error}")
    except UnicodeEncodeError as error:
        _leave(f"a text holds characters that UTF-8 cannot write: {short(error.object)}")
    except SafetensorError as error:
        _leave(f"a file of tensors could not be written or read: {error}")


def _leave(message: str) -> None:
    line = " ".join(message.split())
    print(f"convener: {line}", file=sys.stderr)
    sys.exit(2)

"""`convener export`: a model as a graph that runs without torch."""

from pathlib import Path
from typing import Annotated

import typer

from convener.cli.console import err


def export(
    model: Annotated[Path, typer.Argument(help="Folder of a model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the exported model.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="Write an ONNX graph, as always.")] = True,
    int8: Annotated[
        bool, typer.Option("--int8", help="Round weights to whole numbers: smaller and faster.")
    ] = False,
) -> None:
    """Write a model in a form that answers faster, used as any other model folder.

    Example: `convener export drug-ner -o drug-ner-fast --onnx --int8`
    """
    from convener import api
    from convener.inference import manifest

    del onnx
    manifest.check_target(output)
    api.export(model, output, int8=int8)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    err.print(f"{output}: {size / 1e6:.0f} MB", markup=False)

"""`convener info`: what a model folder says of itself."""

import json
from pathlib import Path
from typing import Annotated

import typer

from convener.cli.console import out


def info(
    model: Annotated[Path, typer.Argument(help="Folder of a model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """Show what a model is, what it was trained on, and how.

    Example: `convener info drug-ner`
    """
    from convener.inference.hub import local
    from convener.inference.manifest import read_config

    model = local(model)
    config = read_config(model)
    if as_json:
        print(config.model_dump_json(indent=1))
        return
    card = config.card
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    facts = {
        "kind": config.kind,
        "form": "weights" if config.exported is None else f"ONNX, {config.exported.precision}",
        "types": ", ".join(config.labels),
        "experts": config.experts,
        "encoder": card.encoder,
        "size": f"{size / 1e6:.0f} MB",
        "training documents": f"{card.documents} in {card.groups} groups",
        "labels left out": card.left_out,
        "training data": f"sha256 {card.data_sha256[:16]}",
        "F1 on the dev set": "none was given" if card.dev_f1 is None else card.dev_f1,
        "temperature of scores": card.temperature,
        "seed": card.run.get("seed"),
        "versions": ", ".join(f"{name} {number}" for name, number in card.versions.items()),
        "settings": json.dumps(card.run.get("bond")),
    }
    if config.reader is not None:
        facts["entities"] = "nested" if config.reader.nested else "flat"
        asked = config.reader.questions or {}
        facts |= {f"question, {label}": question for label, question in asked.items()}
    width = max(map(len, facts))
    for name, value in facts.items():
        out.print(f"{name:<{width}}  {value}", markup=False)

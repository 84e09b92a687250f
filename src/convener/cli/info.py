"""`convener info`: what a model folder says of itself."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convener.cli.console import out

if TYPE_CHECKING:
    from convener.inference.card import Card


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
        "kind": config.kind if config.experts > 1 else config.kind.removeprefix("panel of ")[:-1],
        "form": "weights" if config.exported is None else f"ONNX, {config.exported.precision}",
        "types": ", ".join(config.labels),
        "experts": config.experts,
        "encoder": card.encoder,
        "size": f"{size / 1e6:.0f} MB",
        "recipe": card.recipe,
        **_origin(card),
        "F1 on the dev set": "none was given" if card.dev_f1 is None else card.dev_f1,
        "temperature of scores": card.temperature,
        "versions": ", ".join(f"{name} {number}" for name, number in card.versions.items()),
    }
    if config.reader is not None:
        facts["entities"] = "nested" if config.reader.nested else "flat"
        asked = config.reader.questions or {}
        facts |= {f"question, {label}": question for label, question in asked.items()}
    width = max(map(len, facts))
    for name, value in facts.items():
        out.print(f"{name:<{width}}  {value}", markup=False)


def _origin(card: "Card") -> dict[str, object]:
    """What it was made from: experts of other domains, or labels, perhaps by way of a panel."""
    documents = f"{card.documents} in {card.groups} groups"
    data = f"sha256 {card.data_sha256[:16]}"
    chosen = card.run.get("chosen")
    if isinstance(chosen, Mapping):
        merged = {f"merged by {kind}": ", ".join(names) for kind, names in chosen.items()}
        return {**merged, "target documents": documents, "target text": data}
    facts: dict[str, object] = {
        "training documents": documents,
        "labels left out": card.left_out,
        "training data": data,
        "seed": card.run.get("seed"),
        "settings": json.dumps(card.run.get("bond")),
    }
    if card.distilled is not None:
        taught = f"{card.distilled['experts']} experts on {card.distilled['documents']} documents"
        facts["taught by"] = taught
    return facts

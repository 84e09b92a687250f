"""A panel as a folder, and back.

    config.json             what it is, with the SHA-256 of every other file
    README.md               the model card
    run.json                the configuration of the run that made it
    encoder/                architecture and tokenizer
    shared.safetensors      tensors that all experts have in common
    expert-0.safetensors …  the rest, expert by expert

The folder appears only when complete. Loading checks every file against its fingerprint. Nothing
is pickled, and no code from the folder is run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from convener.errors import ModelError
from convener.files import new_folder, sha256
from convener.inference.card import Card, render
from convener.models.expert import Expert
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.models.tagger import Tagger, TaggerConfig
from convener.panel.panel import Panel, Rule
from convener.training.checkpoints import apart

SCHEMA = 1

_CONFIG = "config.json"
_SHARED = "shared.safetensors"


class ModelConfig(BaseModel):
    """What `config.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    kind: Literal["panel of taggers", "panel of readers"]
    experts: int = Field(ge=1)
    rule: Rule = "mean"
    labels: tuple[str, ...]
    tagger: TaggerConfig | None = None
    reader: ReaderConfig | None = None
    card: Card
    files: dict[str, str]


def save(panel: Panel, card: Card, folder: str | Path) -> None:
    """Write a panel to a folder, replacing an older model there.

    Raises:
        ModelError: `folder` exists and is no model folder.
    """
    target = Path(folder)
    check_target(target)
    first = panel.experts[0]
    assert isinstance(first, Tagger | Reader)
    states = [expert.state_dict() for expert in panel.experts]
    common = _common(states) if len(states) > 1 else set()
    with new_folder(target) as fresh:
        (fresh / "encoder").mkdir()
        first.encoder.save_architecture(fresh / "encoder")
        if common:
            _save_tensors({name: states[0][name] for name in common}, fresh / _SHARED)
        for index, state in enumerate(states):
            rest = {name: values for name, values in state.items() if name not in common}
            _save_tensors(rest, fresh / _expert_file(index))
        (fresh / "README.md").write_text(render(card, panel.labels), encoding="utf-8")
        (fresh / "run.json").write_text(json.dumps(card.run, indent=1) + "\n", encoding="utf-8")
        names = sorted(p.relative_to(fresh).as_posix() for p in fresh.rglob("*") if p.is_file())
        config = ModelConfig(
            kind="panel of taggers" if isinstance(first, Tagger) else "panel of readers",
            experts=len(states),
            rule=panel.rule,
            labels=panel.labels,
            tagger=first.config if isinstance(first, Tagger) else None,
            reader=first.config if isinstance(first, Reader) else None,
            card=card,
            files={name: sha256(fresh / name) for name in names},
        )
        (fresh / _CONFIG).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")


def check_target(folder: Path) -> None:
    """Raise ModelError if a model may not be written there, before any work is done for it."""
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"expected a folder for the model, got the file {folder}")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _CONFIG).is_file():
        raise ModelError(f"{folder} is a folder with other things in it: choose another name")


def load(folder: str | Path) -> tuple[Panel, Card]:
    """The panel and the card of a model folder.

    Raises:
        ModelError: the folder is missing, is of another kind or schema, or was damaged.
    """
    source = Path(folder)
    config = read_config(source)
    for name, expected in config.files.items():
        if not (source / name).is_file():
            raise ModelError(f"{source}: {name} is missing: the model is incomplete, save it again")
        if sha256(source / name) != expected:
            raise ModelError(
                f"{source}: {name} is not the file that was saved (its SHA-256 differs): "
                "restore it or save the model again"
            )
    shared = load_file(source / _SHARED) if _SHARED in config.files else {}
    first = _architecture(source, config)
    experts = [first, *(first.clone() for _ in range(config.experts - 1))]
    for index, expert in enumerate(experts):
        state = shared | load_file(source / _expert_file(index))
        try:
            expert.load_state_dict(state)
        except RuntimeError:
            raise ModelError(
                f"{source}: {_CONFIG} does not fit the weights, it was altered: restore it"
            ) from None
        expert.eval()
    return Panel(experts, config.rule), config.card


def read_config(folder: Path) -> ModelConfig:
    """What a model folder says of itself, without loading it."""
    path = folder / _CONFIG
    if not folder.is_dir():
        raise ModelError(f"no model folder at {folder}: give the folder that training wrote")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is no model folder: it has no {_CONFIG}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is damaged ({error}): save the model again") from None
    schema = content.get("schema_version") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise ModelError(
            f"{path}: expected schema_version {SCHEMA}, got {schema!r}: "
            "load it with the version of convener that saved it"
        )
    try:
        return ModelConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelError(f"{path} is damaged ({place}: {first['msg']})") from None


def _architecture(source: Path, config: ModelConfig) -> Expert:
    if config.tagger is not None:
        return Tagger.from_folder(source / "encoder", config.labels, config.tagger)
    if config.reader is not None:
        return Reader.from_folder(source / "encoder", config.labels, config.reader)
    raise ModelError(f"{source}: {_CONFIG} describes no expert, it was altered: restore it")


def _expert_file(index: int) -> str:
    return f"expert-{index}.safetensors"


def _common(states: list[dict[str, Tensor]]) -> set[str]:
    first, *others = states
    return {
        name
        for name, values in first.items()
        if all(torch.equal(values, other[name]) for other in others)
    }


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file(apart(tensors), path)

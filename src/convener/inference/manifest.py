"""What `config.json` says of a model folder, whatever runs the model.

Reading it needs no torch, so it is known at once what a folder holds and whether it is whole.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from convener.errors import ModelError, misfit
from convener.files import sha256
from convener.inference.card import Card, render
from convener.models.generator_config import GeneratorConfig
from convener.models.pieces import Frame
from convener.models.reader_config import ReaderConfig
from convener.models.tag_layout import TaggerConfig
from convener.panel.joint import Rule

SCHEMA = 1
CONFIG = "config.json"

_CARD = "README.md"


class Exported(BaseModel):
    """How an exported model reads: `window` sub-words, after a question of at most `longest`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    precision: Literal["float32", "int8"]
    frame: Frame
    window: int = Field(ge=1)
    longest: int = Field(default=0, ge=0)


class ModelConfig(BaseModel):
    """What `config.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    kind: Literal["panel of taggers", "panel of readers", "panel of generators"]
    experts: int = Field(ge=1)
    rule: Rule = "mean"
    labels: tuple[str, ...]
    tagger: TaggerConfig | None = None
    reader: ReaderConfig | None = None
    generator: GeneratorConfig | None = None
    exported: Exported | None = None
    card: Card
    files: dict[str, str] = {}


def write_manifest(folder: Path, config: ModelConfig) -> None:
    """Complete a model folder: its card, the configuration of its run, its fingerprints."""
    (folder / _CARD).write_text(
        render(config.card, config.labels, config.experts), encoding="utf-8"
    )
    run = json.dumps(config.card.run, indent=1)
    (folder / "run.json").write_text(run + "\n", encoding="utf-8")
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    files = {name: sha256(folder / name) for name in names if name != _CARD}
    content = config.model_copy(update={"files": files}).model_dump_json(indent=1)
    (folder / CONFIG).write_text(content + "\n", encoding="utf-8")


def check_target(folder: Path) -> None:
    """Raise ModelError if a model may not be written there, before any work is done for it."""
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"expected a folder for the model, got the file {folder}")
    if folder.is_dir() and any(folder.iterdir()) and not _describes_panel(folder / CONFIG):
        raise ModelError(f"{folder} is a folder with other things in it: choose another name")


def _describes_panel(path: Path) -> bool:
    """Whether a file is the configuration of a model of this or another version, not some other."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    kind = content.get("kind") if isinstance(content, dict) else None
    return isinstance(kind, str) and kind.startswith("panel of ")


def check_files(folder: Path, config: ModelConfig) -> None:
    """Raise ModelError if a file is missing or is not the one that was saved."""
    for name, expected in config.files.items():
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: {name} is missing: the model is incomplete, save it again")
        if sha256(folder / name) != expected:
            raise ModelError(
                f"{folder}: {name} is not the file that was saved (its SHA-256 differs): "
                "restore it or save the model again"
            )


def read_config(folder: Path) -> ModelConfig:
    """What a model folder says of itself, without loading it.

    Raises:
        ModelError: the folder is missing, is of another kind or schema, or was damaged.
    """
    path = folder / CONFIG
    if not folder.is_dir():
        raise ModelError(f"no model folder at {folder}: give the folder that training wrote")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is no model folder: it has no {CONFIG}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is damaged ({error}): save the model again") from None
    schema = content.get("schema_version") if isinstance(content, dict) else None
    if schema is None:
        raise ModelError(
            f"{folder} is no model that convener trained: "
            "if it is an encoder of Hugging Face, train with --encoder"
        )
    if schema != SCHEMA:
        raise ModelError(
            f"{path}: expected schema_version {SCHEMA}, got {schema!r}: "
            "load it with the version of convener that saved it"
        )
    try:
        return ModelConfig.model_validate(content)
    except ValidationError as error:
        raise ModelError(f"{path} is damaged ({misfit(error.errors())})") from None

"""What is known of a library and its experts: enough to choose among them without loading any."""

import re
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from convener.errors import ConfigError, short
from convener.models.generator_config import GeneratorConfig
from convener.models.reader_config import ReaderConfig
from convener.panel.selection import Vector

SCHEMA = 1
INDEX, BASE = "library.json", "base.safetensors"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def check_name(name: str) -> None:
    """Raise ConfigError if no expert can have that name, which is that of its folder."""
    if not re.fullmatch(_NAME, name) or name in (INDEX, BASE):
        raise ConfigError(
            "expected a name of letters and digits, with . _ - between, and not "
            f"{INDEX} or {BASE}, got {short(name)}: choose another"
        )


class LibraryConfig(BaseModel):
    """What `library.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    reader: ReaderConfig | None = None
    generator: GeneratorConfig | None = None
    base: str

    @model_validator(mode="after")
    def _one_base(self) -> Self:
        if (self.reader is None) == (self.generator is None):
            raise ValueError("expected one base, a reader or a generator")
        return self

    @property
    def pretrained(self) -> str:
        """The encoder, or the language model, that the base begins from."""
        if self.generator is not None:
            return self.generator.model
        assert self.reader is not None
        return self.reader.encoder


class ExpertCard(BaseModel):
    """The card of one expert.

    `base` is the fingerprint of what it changes, `types` its questions by type, `embedding` the
    mean of the normalised embeddings of `sentences` training sentences and `spread` the mean of one
    minus their cosines with it, `width` the widest span that it was taught.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME)
    base: str
    types: dict[str, str]
    width: int = Field(ge=1)
    nested: bool
    embedding: tuple[float, ...]
    spread: float
    sentences: int
    documents: int
    dev_f1: float | None
    licence: str
    source: str
    data_sha256: str
    versions: dict[str, str]
    run: dict[str, object]

    @property
    def vector(self) -> Vector:
        """The mean embedding, [dim]."""
        return np.array(self.embedding, dtype=np.float32)

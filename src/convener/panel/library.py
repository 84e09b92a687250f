"""What is known of the experts of a library: enough to choose among them without loading any."""

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from convener.panel.selection import Vector


class ExpertCard(BaseModel):
    """The card of one expert.

    `base` is the fingerprint of what it changes, `types` its questions by type, `embedding` the
    mean of the normalised embeddings of `sentences` training sentences and `spread` the mean of one
    minus their cosines with it, `width` the widest span that it was taught.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
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

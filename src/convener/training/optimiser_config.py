"""The settings of an expert's optimiser."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["float32", "bf16"]


class OptimiserConfig(BaseModel):
    """How an expert learns."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    learning_rate: float = Field(default=1e-4, gt=0)
    """The highest rate of the encoder."""
    head_learning_rate: float = Field(default=1e-3, gt=0)
    """The highest rate of all that is new."""
    weight_decay: float = Field(default=1e-2, ge=0)
    """Of AdamW."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of a stage's steps in which rates rise, before they fall to zero."""
    clip: float = Field(default=1.0, gt=0)
    """The largest norm of a gradient."""
    batch_pieces: int = Field(default=2048, gt=0)
    """Padded sub-words a step, at most."""
    batch_sentences: int = Field(default=16, gt=0)
    """Windows a step, at most."""
    precision: Precision = "float32"
    """Of the arithmetic; weights stay in float32."""

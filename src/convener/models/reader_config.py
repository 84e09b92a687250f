"""What a reader is made of: the settings that the paper leaves open, and those it fixes."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from convener.models.featurise import EncoderConfig


class ReaderConfig(EncoderConfig):
    """What a reader is made of."""

    window: int = Field(default=192, ge=16)
    """Sub-words of text that are read at a time."""
    overlap: int = Field(default=96, ge=0)
    """Sub-words that two windows share; a span across their edge is found up to half of it."""
    questions: dict[str, str] | None = None
    """Questions by type; left open, those of a known scheme, or of the words of the label."""
    attention: Literal["types", "positions", "none"] = "types"
    """Between the types at each word; over all types and words; or none, which is BERT-MRC."""
    attention_layers: int = Field(default=1, ge=1)
    """Layers of attention between types."""
    attention_heads: int = Field(default=8, ge=1)
    """Heads of each of these layers."""
    heads: Literal["per-type", "shared"] = "per-type"
    """Start, end and span heads of each type, or shared by all, for types never trained on."""
    shared_layers: int = Field(default=0, ge=0)
    """Lower layers that read questions and text apart, each once; 0 is the paper's."""
    inside: bool = True
    """Whether a span is judged by all of its words, or by its ends alone, as in the paper."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Dropout of heads and attention between types."""
    span_weight: float = Field(default=0.1, ge=0)
    """Weight of the span loss beside 1 for starts and 1 for ends."""
    negatives: int | None = Field(default=None, ge=0)
    """Types without an entity that a sentence is asked about in training; left open, all."""
    balance: float = Field(default=0.0, ge=0, le=1)
    """b weighs a type of n entities by n^−b, at most ten times as much as the lightest."""
    type_weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] | None = None
    """A weight for each type; left open, those of `balance`."""
    width: int | None = Field(default=None, ge=1)
    """Words of the widest span that is found; left open, read off the training documents."""
    nested: bool | None = None
    """Whether entities may share words; left open, read off the training documents."""

    @field_validator("type_weights")
    @classmethod
    def _some(cls, weights: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if weights is not None and not any(weights):
            raise ValueError("expected a weight above 0 of some type")
        return weights

"""What a reader is made of: the settings that the paper leaves open, and those it fixes."""

from typing import Literal

from pydantic import Field

from convener.models.featurise import EncoderConfig


class ReaderConfig(EncoderConfig):
    """What a reader is made of.

    `questions` by label; left open, they are those of a known scheme or of the labels' words.
    `shared_layers` lower layers read questions and contexts apart, 0 is the paper's. With
    `inside` a span is judged by all of its words and their number, without it by its ends alone,
    as in the paper.
    `negatives` is how many types without an entity a sentence is asked about in training, left open
    all. `balance` b weighs a type of n entities by n^−b. Spans of more than `width` words are never
    found; left open, and `nested` likewise, they are read off the training documents.
    """

    window: int = Field(default=192, ge=16)
    overlap: int = Field(default=96, ge=0)
    questions: dict[str, str] | None = None
    attention: Literal["types", "positions", "none"] = "types"
    attention_layers: int = Field(default=1, ge=1)
    attention_heads: int = Field(default=8, ge=1)
    heads: Literal["per-type", "shared"] = "per-type"
    shared_layers: int = Field(default=0, ge=0)
    inside: bool = True
    dropout: float = Field(default=0.3, ge=0, lt=1)
    span_weight: float = Field(default=0.1, ge=0)
    negatives: int | None = Field(default=None, ge=0)
    balance: float = Field(default=0.0, ge=0)
    type_weights: tuple[float, ...] | None = None
    width: int | None = Field(default=None, ge=1)
    nested: bool | None = None

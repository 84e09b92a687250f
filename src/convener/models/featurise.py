"""Documents as an encoder reads them: windows of sub-words with shapes and the places of words.

Every kind of expert reads text in this way; what it then makes of the words is its own affair.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from convener.errors import DataError
from convener.models.pieces import WordPieces
from convener.text.documents import Document, Entity, Offsets, crossing
from convener.text.tokens import shape
from convener.text.windows import Window, windows

if TYPE_CHECKING:
    from convener.models.encoders import Encoder

MINILM = "minilm"


class EncoderConfig(BaseModel):
    """How an expert reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    encoder: str = MINILM
    """`minilm`, which comes with convener, a local folder, or a hub id."""
    shapes: bool = True
    """Whether the encoder is told the shape of each word, which one without capitals needs."""
    hidden_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout inside the encoder."""
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the encoder's attention."""
    train_embeddings: bool = False
    """Whether the word embeddings learn too."""
    window: int = Field(default=128, ge=16)
    """Sub-words that are read at a time."""
    overlap: int = Field(default=32, ge=0)
    """Sub-words that two windows of a text share."""

    def prepare(self, encoder: "Encoder") -> None:
        """Set dropout, and freeze the word embeddings unless they are to be trained."""
        from convener.models.dropout import set_dropout

        set_dropout(encoder.model, self.hidden_dropout, self.attention_dropout)
        if not self.train_embeddings:
            encoder.model.get_input_embeddings().requires_grad_(False)


@dataclass(frozen=True, slots=True)
class Cut:
    """One window of a document: sub-words, the shape of each, and each word's first sub-word.

    Special tokens are not among them. `places` has an entry for each word of the window.
    """

    window: Window
    ids: list[int]
    shapes: list[int]
    places: NDArray[np.int32]


def cuts(words: WordPieces, document: Document, limit: int, overlap: int) -> Iterator[Cut]:
    """Windows of at most `limit` sub-words; a word longer than that keeps its beginning."""
    text, offsets = document.text, document.words()
    surfaces = [text[start:end] for start, end in offsets]
    spaced = [
        f" {word}" if start == 0 or text[start - 1].isspace() else word
        for word, (start, _) in zip(surfaces, offsets, strict=True)
    ]
    pieces = [ids[:limit] for ids in words(spaced)]
    lengths = [len(ids) for ids in pieces]
    shapes = [shape(word) + 1 for word in surfaces]
    for window in windows(lengths, limit, min(overlap, limit // 2)):
        covered = range(window.start, window.stop)
        places = np.cumsum([0, *lengths[window.start : window.stop]], dtype=np.int32)[:-1]
        yield Cut(
            window,
            [piece for word in covered for piece in pieces[word]],
            [shapes[word] for word in covered for _ in pieces[word]],
            places,
        )


def refuse_overlaps(document: Document, advice: str) -> None:
    """Raise DataError if entities share text without sharing both boundaries."""
    if pair := crossing(document.entities):
        left, right = (f"{document.surface(e)!r} ({e.label})" for e in pair)
        raise DataError(f"entities overlap: {left} and {right}: {advice}")


def unsought(labels: Sequence[str], document: Document) -> list[int]:
    """Numbers of the labels that nobody looked for in a document."""
    if document.types is None:
        return []
    return [number for number, label in enumerate(labels) if label not in document.types]


def label_number(labels: Sequence[str], label: str) -> int:
    """The place of a label among those that a model knows, or DataError."""
    try:
        return labels.index(label)
    except ValueError:
        raise DataError(
            f"unknown label {label!r}: the model knows {', '.join(labels)}: "
            "name it among the types, or leave it out of the data"
        ) from None


def entity_of_words(
    offsets: Sequence[Offsets], first: int, stop: int, label: str, score: float
) -> Entity:
    """The entity that covers words `[first, stop)` of those at the offsets."""
    return Entity(offsets[first][0], offsets[stop - 1][1], label, score=round(score, 4))

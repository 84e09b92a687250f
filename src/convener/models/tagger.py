"""The tagger: a linear head over the first sub-word of each word.

A row is a word, a class is a BIO tag. Decoding takes the most probable sequence in which each I-
continues an entity of its own type.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from convener.errors import ConfigError
from convener.models.dropout import Dropout
from convener.models.encoders import Encoder
from convener.models.expert import Allowed, Batch, Example, Expert, Rows
from convener.models.featurise import (
    EncoderConfig,
    WordIndex,
    cuts,
    entity_of_words,
    label_number,
    refuse_overlaps,
    unsought,
)
from convener.models.seeding import seeded
from convener.text.documents import Document, Entity, by_span
from convener.text.tags import spans_from_tags


class TaggerConfig(EncoderConfig):
    """What a tagger is made of: an encoder, dropout, and a head."""

    dropout: float = Field(default=0.1, ge=0, lt=1)


class Tagger(Expert):
    """An expert that tags words."""

    def __init__(self, encoder: Encoder, labels: Sequence[str], config: TaggerConfig) -> None:
        super().__init__()
        if not labels:
            raise ConfigError(
                "expected at least one entity type, got none: the training documents hold no label"
            )
        self.config = config
        self.labels = tuple(labels)
        self.tags = ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]
        self.encoder = encoder
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(encoder.dim, len(self.tags))
        config.prepare(encoder)
        self.window = min(config.window, encoder.max_pieces)

    @classmethod
    def create(cls, labels: Sequence[str], config: TaggerConfig, seed: int) -> "Tagger":
        """A tagger with pretrained encoder and a head drawn from the seed."""
        with seeded(seed):
            encoder = Encoder.from_pretrained(config.encoder, config.shapes)
        with seeded(seed):
            return cls(encoder, labels, config)

    @classmethod
    def from_folder(cls, folder: Path, labels: Sequence[str], config: TaggerConfig) -> "Tagger":
        """The architecture of a saved tagger, weights not yet loaded."""
        with seeded(0):
            return cls(Encoder.from_folder(folder, config.shapes), labels, config)

    def new_parameters(self) -> list[nn.Parameter]:
        """Head and shape embedding."""
        shapes = self.encoder.shapes
        return [*self.head.parameters(), *(shapes.parameters() if shapes is not None else ())]

    def examples(self, documents: Sequence[Document]) -> list[Example]:
        """Windows of the documents, each word's first sub-word giving its row."""
        return [
            example
            for index, document in enumerate(documents)
            for example in self._examples(index, document)
        ]

    def _examples(self, index: int, document: Document) -> Iterator[Example]:
        frame = self.encoder.words
        for cut in cuts(self.encoder, document, self.window, self.config.overlap):
            window = cut.window
            owned = cut.places[window.own_start - window.start : window.own_stop - window.start]
            yield Example(
                document=index,
                start=window.own_start,
                stop=window.own_stop,
                ids=np.array([frame.first, *cut.ids, frame.last], dtype=np.int32),
                shapes=np.array([0, *cut.shapes, 0], dtype=np.int8),
                positions=owned + 1,
                cost=len(cut.ids) + 2,
            )

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad on the right to the longest example."""
        owned = [len(example.positions) for example in examples]
        return Batch.of(examples, owned, self.encoder.words.padding)

    def forward(self, batch: Batch) -> Tensor:
        """Log-probabilities [words, tags]."""
        hidden = self.encoder(batch.ids, batch.mask, batch.shapes)
        words = self.dropout(hidden[batch.rows[0], batch.rows[1]])
        return torch.log_softmax(self.head(words).float(), dim=-1)

    def embed(self, batch: Batch) -> Tensor:
        """Mean hidden state of each example's sub-words."""
        return self.encoder.mean(batch.ids, batch.mask, batch.shapes)

    def allowed(self, document: Document) -> Allowed:
        """Tags that the labels allow; words that an entity touches belong to it whole."""
        refuse_overlaps(document, "a tagger learns flat entities only, keep one of the two")
        index = WordIndex(document)
        allowed = np.zeros((len(index), len(self.tags)), dtype=np.bool_)
        allowed[:, 0] = True
        for kind in unsought(self.labels, document):
            allowed[:, 1 + 2 * kind : 3 + 2 * kind] = True
        for span in document.unknown:
            allowed[slice(*index.words(span))] = True
        for span, entities in by_span(document.entities):
            first, stop = index.words(span)
            allowed[first:stop] = False
            for entity in entities if first < stop else ():
                begin = 1 + 2 * label_number(self.labels, entity.label)
                allowed[first, begin] = True
                allowed[first + 1 : stop, begin + 1] = True
        return allowed

    def decode(self, document: Document, probabilities: Rows) -> tuple[Entity, ...]:
        """The best valid tag sequence; an entity's score is the mean probability of its tags."""
        path = best_path(probabilities)
        spans = spans_from_tags([self.tags[tag] for tag in path])
        chosen = probabilities[np.arange(len(path)), path]
        offsets = document.words()
        return tuple(
            entity_of_words(offsets, start, end, label, float(chosen[start:end].mean()))
            for start, end, label in spans
        )


def best_path(probabilities: Rows) -> NDArray[np.int64]:
    """The most probable tag sequence in which every I- follows its own B- or I-, [words].

    Tag 0 is O, odd tags are B-, the even ones after them I-. Where the best tag of each word
    already makes a valid sequence, that is the answer; otherwise the Viterbi algorithm finds it.
    """
    path: NDArray[np.int64] = probabilities.argmax(axis=1)
    inside = (path > 0) & (path % 2 == 0)
    before = np.concatenate([[0], path[:-1]])
    if not np.any(inside & (before != path) & (before != path - 1)):
        return path
    scores = np.log(np.maximum(probabilities, 1e-12))
    tags = scores.shape[1]
    insides = np.arange(2, tags, 2)
    pointers = np.zeros(scores.shape, dtype=np.int64)
    best = scores[0].copy()
    best[insides] = -np.inf
    for word in range(1, len(scores)):
        top = int(best.argmax())
        arrived = np.full(tags, best[top])
        pointers[word] = top
        stays = best[insides] >= best[insides - 1]
        pointers[word, insides] = np.where(stays, insides, insides - 1)
        arrived[insides] = np.maximum(best[insides], best[insides - 1])
        best = arrived + scores[word]
    path = np.zeros(len(scores), dtype=np.int64)
    path[-1] = best.argmax()
    for word in range(len(scores) - 1, 0, -1):
        path[word - 1] = pointers[word, path[word]]
    return path

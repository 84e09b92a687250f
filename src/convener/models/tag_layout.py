"""How a tagger reads and writes: a row is a word, a class is a BIO tag.

Decoding takes the most probable sequence in which each I- continues an entity of its own type.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from convener.errors import ConfigError
from convener.models.featurise import (
    EncoderConfig,
    cuts,
    entity_of_words,
    label_number,
    refuse_overlaps,
    unsought,
)
from convener.models.layout import Allowed, Example, Layout, Rows
from convener.models.pieces import WordPieces
from convener.text.documents import Document, Entity, WordIndex, by_span
from convener.text.tags import spans_from_tags


class TaggerConfig(EncoderConfig):
    """What a tagger is made of: an encoder, dropout, and a head."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout before the head."""


class TagLayout(Layout):
    """Tags over words, read in windows of at most `window` sub-words."""

    def __init__(self, words: WordPieces, labels: Sequence[str], window: int, overlap: int) -> None:
        if not labels:
            raise ConfigError(
                "expected at least one entity type, got none: the training documents hold no label"
            )
        super().__init__(words, labels)
        self.tags = ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]
        self.window = window
        self.overlap = overlap

    def examples(self, documents: Sequence[Document]) -> list[Example]:
        """Windows of the documents, each word's first sub-word giving its row."""
        return [e for index, d in enumerate(documents) for e in self._examples(index, d)]

    def _examples(self, index: int, document: Document) -> Iterator[Example]:
        frame = self.words.frame
        for cut in cuts(self.words, document, self.window, self.overlap):
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

    def owned(self, example: Example) -> int:
        """All words that are read give rows."""
        return len(example.positions)

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

    def said_by(self, first: int, stop: int, label: str) -> list[int]:
        """The rows of the words."""
        label_number(self.labels, label)
        return list(range(first, stop))

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

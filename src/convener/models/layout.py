"""What a kind of expert makes of documents, weights aside: rows of numbers, and entities of rows.

An expert is a layout and a model. The layout turns documents into *examples* (windows that an
encoder can read at once), says what labels allow in the rows that the model gives, and turns rows
back into entities. It needs no torch, so any engine that runs the model can answer with it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convener.models.pieces import WordPieces
from convener.text.documents import Document, Entity

Rows = NDArray[np.float32]
Allowed = NDArray[np.bool_]
Frequency = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Example:
    """One window of one document.

    `ids` and `shapes` are its sub-words; `positions` are the indices of the sub-words that stand
    for words. It gives rows `[start, stop)` of document number `document`. `cost`, its length, is
    the number of sub-words that an encoder reads for it.
    """

    document: int
    start: int
    stop: int
    ids: NDArray[np.int32]
    shapes: NDArray[np.int8]
    positions: NDArray[np.int32]
    cost: int

    def __len__(self) -> int:
        return self.cost


@dataclass(frozen=True, slots=True)
class Padded:
    """Examples as rectangles: `ids`, `mask`, `shapes` [batch, pieces], and where words are read.

    `rows` [2, n] holds for each word its example and its position. `owned` [batch] counts the
    words of each example, its first ones, that give rows.
    """

    ids: Numbers
    mask: Numbers
    shapes: Numbers
    rows: Numbers
    owned: Numbers


class Layout(ABC):
    """How a kind of expert for the types `labels` reads documents and writes entities."""

    def __init__(self, words: WordPieces, labels: Sequence[str]) -> None:
        self.words = words
        self.labels = tuple(labels)

    @property
    def flat(self) -> bool:
        """Whether its entities never overlap."""
        return True

    @abstractmethod
    def examples(self, documents: Sequence[Document]) -> list[Example]:
        """Windows of the documents, in order."""

    @abstractmethod
    def owned(self, example: Example) -> int:
        """How many words of an example, its first ones, give rows."""

    @abstractmethod
    def allowed(self, document: Document) -> Allowed:
        """The classes that the labels of a document allow in each row, [rows, classes].

        The four states of a distant label are one thing here: typed and outside allow one class,
        ambiguous several, unknown all.

        Raises:
            DataError: a label that the expert does not know, or entities that it can't express.
        """

    @abstractmethod
    def said_by(self, first: int, stop: int, label: str) -> list[int]:
        """The rows by which a label of the words `[first, stop)` is said.

        Raises:
            DataError: a label that the expert does not know.
        """

    @abstractmethod
    def decode(self, document: Document, probabilities: Rows) -> tuple[Entity, ...]:
        """Entities of a document from the probabilities [rows, classes] of its rows."""

    def frequency(self, rows: Rows) -> Frequency:
        """How much the rows of a document believe in each class, [rows of a word, classes]."""
        frequency: Frequency = rows.sum(axis=0, keepdims=True, dtype=np.float64)
        return frequency

    def padded(self, examples: Sequence[Example]) -> Padded:
        """Examples padded on the right to the longest."""
        size = (len(examples), max(len(example.ids) for example in examples))
        ids = np.full(size, self.words.frame.padding, dtype=np.int64)
        mask = np.zeros(size, dtype=np.int64)
        shapes = np.zeros(size, dtype=np.int64)
        for row, example in enumerate(examples):
            length = len(example.ids)
            ids[row, :length] = example.ids
            mask[row, :length] = 1
            shapes[row, :length] = example.shapes
        owners = np.repeat(np.arange(len(examples)), [len(e.positions) for e in examples])
        positions = np.concatenate([example.positions for example in examples])
        rows = np.stack([owners, positions.astype(np.int64)])
        owned = np.array([self.owned(example) for example in examples], dtype=np.int64)
        return Padded(ids, mask, shapes, rows, owned)


def of_documents(found: Iterable[tuple[Example, Rows]], documents: int) -> list[Rows]:
    """The rows of each document, from those of its examples in any order."""
    pieces: list[list[tuple[int, Rows]]] = [[] for _ in range(documents)]
    for example, rows in found:
        pieces[example.document].append((example.start, rows))
    empty = next((rows[:0] for parts in pieces for _, rows in parts), np.zeros((0, 1), np.float32))
    return [
        np.concatenate([empty, *(rows for _, rows in sorted(parts, key=lambda part: part[0]))])
        for parts in pieces
    ]

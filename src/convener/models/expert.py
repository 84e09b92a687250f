"""The interface of an expert: all that panels, recipes and prediction know of one.

An expert turns documents into *examples* (windows that its encoder can read at once) and examples
into *beliefs*: log-probabilities [rows, classes], the rows of a document's examples laid end to
end being the rows of the document. Supervision has the same shape, one row of classes for each
row of beliefs. What a row and a class mean is the expert's own affair: a tagger has a row a word
and a class a tag. So experts of one kind can be averaged, scored and taught without their panel
knowing what they are.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convener.text.documents import Document, Entity

Rows = NDArray[np.float32]
Allowed = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Example:
    """One window of one document.

    `ids` and `shapes` are its sub-words, special tokens included; `positions` are the indices of
    the sub-words that give rows, which are rows `[start, stop)` of document number `document`.
    """

    document: int
    start: int
    stop: int
    ids: NDArray[np.int32]
    shapes: NDArray[np.int8]
    positions: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded examples: `ids`, `mask`, `shapes` [batch, pieces], and where each row is read.

    `rows` [2, n] holds for each row its example and its position.
    """

    ids: Tensor
    mask: Tensor
    shapes: Tensor
    rows: Tensor

    def to(self, device: object) -> "Batch":
        """The same batch on another device."""
        return Batch(*(getattr(self, f).to(device) for f in ("ids", "mask", "shapes", "rows")))


class Expert(nn.Module, ABC):
    """One model that recognises entities of the types `labels`."""

    labels: tuple[str, ...]

    @abstractmethod
    def examples(self, documents: Sequence[Document]) -> list[Example]:
        """Windows of the documents, in order."""

    @abstractmethod
    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples into one batch; its rows are those of the examples laid end to end."""

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Beliefs: log-probabilities [rows, classes], float32."""

    @abstractmethod
    def embed(self, batch: Batch) -> Tensor:
        """What each example is about: vectors [examples, dim], float32."""

    @abstractmethod
    def allowed(self, document: Document) -> Allowed:
        """The classes that the labels of a document allow in each row, [rows, classes].

        The four states of a distant label are one thing here: typed and outside allow one class,
        ambiguous several, unknown all.

        Raises:
            DataError: a label that the expert does not know, or entities that it can't express.
        """

    @abstractmethod
    def decode(self, document: Document, probabilities: Rows) -> tuple[Entity, ...]:
        """Entities of a document from the probabilities [rows, classes] of its rows."""

    @abstractmethod
    def new_parameters(self) -> list[nn.Parameter]:
        """Parameters that are not pretrained, which learn at a rate of their own."""

    def clone(self) -> Self:
        """A copy that learns on its own; parameters that do not learn are shared, not copied."""
        frozen = {id(p): p for p in self.parameters() if not p.requires_grad}
        return copy.deepcopy(self, frozen)

    def learned_state(self) -> dict[str, Tensor]:
        """The parameters that learn, by name: all in which clones can differ."""
        return {name: p.detach() for name, p in self.named_parameters() if p.requires_grad}

    def load_learned_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over parameters that `learned_state` gave."""
        parameters = dict(self.named_parameters())
        with torch.no_grad():
            for name, values in state.items():
                parameters[name].copy_(values)

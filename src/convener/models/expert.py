"""The interface of an expert: all that panels, recipes and prediction know of one.

An expert turns documents into *examples* (windows that its encoder can read at once) and examples
into *beliefs*: log-probabilities [rows, classes], the rows of a document's examples laid end to
end being the rows of the document. Supervision has the same shape, one row of classes for each
row of beliefs. What a row and a class mean is the affair of the expert's layout: a tagger has a row
a word and a class a tag. So experts of one kind can be averaged, scored and taught without their
panel knowing what they are.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from convener.models.layout import Allowed, Example, Layout, Padded, Rows
from convener.text.documents import Document, Entity


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded examples: `ids`, `mask`, `shapes` [batch, pieces], and where each word is read.

    `rows` [2, n] holds for each word its example and its position. `owned` [batch] counts the
    words of each example, its first ones, that give rows. In training `taught` [rows, classes] is
    the supervision: allowed classes, or target probabilities.
    """

    ids: Tensor
    mask: Tensor
    shapes: Tensor
    rows: Tensor
    owned: Tensor
    taught: Tensor | None = None

    def to(self, device: str | torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(
            self.ids.to(device),
            self.mask.to(device),
            self.shapes.to(device),
            self.rows.to(device),
            self.owned.to(device),
            None if self.taught is None else self.taught.to(device),
        )

    def words(self) -> tuple[Tensor, Tensor]:
        """The sub-word of each word [batch, words], and where there is a word."""
        owners, positions = self.rows
        counts = torch.bincount(owners, minlength=len(self.ids))
        real = torch.arange(int(counts.max()), device=counts.device) < counts[:, None]
        places = torch.zeros_like(real, dtype=torch.long)
        places[real] = positions
        return places, real

    @classmethod
    def of(cls, padded: Padded) -> "Batch":
        """Padded examples as tensors."""
        arrays = (padded.ids, padded.mask, padded.shapes, padded.rows, padded.owned)
        return cls(*map(torch.from_numpy, arrays))


class Expert(nn.Module, ABC):
    """One model that recognises entities."""

    layout: Layout

    @property
    def labels(self) -> tuple[str, ...]:
        """The types that it knows."""
        return self.layout.labels

    @property
    def flat(self) -> bool:
        """Whether its entities never overlap."""
        return self.layout.flat

    def examples(self, documents: Sequence[Document]) -> list[Example]:
        """Windows of the documents, in order."""
        return self.layout.examples(documents)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples into one batch; its rows are those of the examples laid end to end."""
        return Batch.of(self.layout.padded(examples))

    def allowed(self, document: Document) -> Allowed:
        """The classes that labels allow, as `convener.models.layout.Layout.allowed` has it."""
        return self.layout.allowed(document)

    def decode(self, document: Document, probabilities: Rows) -> tuple[Entity, ...]:
        """Entities of a document from the probabilities [rows, classes] of its rows."""
        return self.layout.decode(document, probabilities)

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Beliefs: log-probabilities [rows, classes], float32."""

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Beliefs in training, and how much each row counts in the loss, [rows]; None is alike."""
        return self(batch), None

    @abstractmethod
    def embed(self, batch: Batch) -> Tensor:
        """What each example is about: vectors [examples, dim], float32."""

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

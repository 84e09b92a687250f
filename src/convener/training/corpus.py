"""A corpus as one kind of expert reads it: examples, groups, and what its labels allow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from convener.models.expert import Expert
from convener.models.layout import Allowed, Example, Rows
from convener.text.documents import Document, group_indices
from convener.training.loop import Objective
from convener.training.losses import allowed_log_likelihood, allowed_loss


class Corpus:
    """Documents featurised once for all experts of a panel.

    `examples` are the windows, `allowed` the supervision of each document [rows, classes],
    `groups` the documents of each group, `group_of` the group of each document, and `telling` the
    groups in which labels say anything about any row.
    """

    def __init__(self, documents: Sequence[Document], expert: Expert) -> None:
        self.documents = documents
        self.examples = expert.examples(documents)
        self.allowed: list[Allowed] = [expert.allowed(document) for document in documents]
        self.groups = group_indices(documents)
        self.group_of = np.empty(len(documents), dtype=np.int64)
        for number, members in enumerate(self.groups):
            self.group_of[members] = number
        said = [int((~allowed.all(axis=1)).sum()) for allowed in self.allowed]
        self._said = np.bincount(self.group_of, said, minlength=len(self.groups))
        self.telling = torch.from_numpy(self._said).nonzero()[:, 0]

    def examples_of(self, groups: Sequence[bool]) -> list[Example]:
        """Examples of the chosen groups; `groups` has a flag for each."""
        return [e for e in self.examples if groups[self.group_of[e.document]]]

    def distant_objective(self) -> Objective:
        """The loss −log p(allowed) against the corpus's own labels (eq 1)."""
        return DistantObjective(self.allowed)

    def group_log_likelihood(self, log_beliefs: Sequence[Rows]) -> Tensor:
        """Mean over each group's informative rows of log p(allowed), [groups] (eq 4)."""
        sums = np.zeros(len(self.groups))
        for index, (beliefs, allowed) in enumerate(zip(log_beliefs, self.allowed, strict=True)):
            rows = allowed_log_likelihood(torch.from_numpy(beliefs), torch.from_numpy(allowed))
            sums[self.group_of[index]] += float(rows.double().sum())
        return torch.from_numpy(sums / np.maximum(self._said, 1))


@dataclass(frozen=True, slots=True)
class DistantObjective:
    """−log p(allowed): `allowed` has the rows of each document."""

    allowed: Sequence[Allowed]

    def supervision(self, examples: Sequence[Example]) -> list[Tensor]:
        """The allowed classes."""
        return [gather(self.allowed, examples)]

    def loss(self, beliefs: Tensor, weights: Tensor | None, supervision: list[Tensor]) -> Tensor:
        """Mean over the rows that say something."""
        return allowed_loss(beliefs, supervision[0], weights)


@dataclass(frozen=True, slots=True)
class SoftObjective:
    """A divergence from target distributions, each row with its own weight."""

    targets: Sequence[Rows]
    weights: Sequence[Rows]
    divergence: Callable[[Tensor, Tensor, Tensor], Tensor]

    def supervision(self, examples: Sequence[Example]) -> list[Tensor]:
        """Targets and weights."""
        return [gather(self.targets, examples), gather(self.weights, examples)]

    def loss(self, beliefs: Tensor, weights: Tensor | None, supervision: list[Tensor]) -> Tensor:
        """Mean over rows by the product of both weights."""
        targets, kept = supervision
        return self.divergence(beliefs, targets, kept if weights is None else kept * weights)


def gather(rows: Sequence[Allowed] | Sequence[Rows], examples: Sequence[Example]) -> Tensor:
    """The rows of the examples laid end to end, as a batch lays them."""
    chosen = [rows[example.document][example.start : example.stop] for example in examples]
    return torch.from_numpy(np.concatenate(chosen))

"""A panel of experts that answer together, by one of the rules of `convener.panel.joint`.

A single expert is a panel of one. All experts of a panel are of one kind and know the same types;
the panel asks nothing else of them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convener.errors import ConfigError
from convener.models.expert import Expert
from convener.models.layout import Example, Layout, Rows, of_documents
from convener.models.stacked import Stacked
from convener.panel.joint import Rule, answered, decoded, mean_probabilities
from convener.text.documents import Document
from convener.training.batching import length_batches, rows_of_each

BATCH_PIECES = 8192
CPU_BATCH_PIECES = 512


class Panel:
    """Experts and their joint answer."""

    def __init__(self, experts: Sequence[Expert], rule: Rule = "mean") -> None:
        if not experts:
            raise ConfigError("expected at least one expert, got none")
        self.experts = list(experts)
        self.rule = rule
        if len({(type(expert), expert.labels) for expert in experts}) > 1:
            raise ConfigError("expected experts of one kind that know the same types")

    def to(self, device: str | torch.device) -> "Panel":
        """Move all experts to a device and return the panel."""
        for expert in self.experts:
            expert.to(device)
        return self

    @property
    def layout(self) -> Layout:
        """How its experts read documents and write entities."""
        return self.experts[0].layout

    @property
    def labels(self) -> tuple[str, ...]:
        """The types that the panel knows."""
        return self.experts[0].labels

    @property
    def alone(self) -> "list[Panel]":
        """Each expert as a panel of one."""
        return [Panel([expert]) for expert in self.experts]

    @property
    def flat(self) -> bool:
        """Whether entities never overlap."""
        return self.layout.flat

    def probabilities(
        self, documents: Sequence[Document], examples: Sequence[Example] | None = None
    ) -> list[Rows]:
        """Mean probabilities of the experts for each document, [rows, classes] each.

        `examples` are those of the documents, where the caller has them already.
        """
        if examples is None:
            examples = self.experts[0].examples(documents)
        return mean_probabilities(
            [log_beliefs(expert, examples, len(documents)) for expert in self.experts]
        )

    def annotate(
        self, documents: Sequence[Document], examples: Sequence[Example] | None = None
    ) -> list[Document]:
        """The documents with the panel's entities in place of any they had."""
        if examples is None:
            examples = self.experts[0].examples(documents)
        beliefs = [log_beliefs(expert, examples, len(documents)) for expert in self.experts]
        return answered(self.experts[0].layout, documents, beliefs, self.rule)


def annotate_each(stacked: Stacked, documents: Sequence[Document]) -> list[list[Document]]:
    """What a panel of each of the stacked experts alone would annotate."""
    layout = stacked.reader.layout
    answers = log_beliefs(stacked, stacked.examples(documents), len(documents))
    return [
        decoded(layout, documents, [np.exp(r[:, expert]) if len(r) else r for r in answers])
        for expert in range(len(stacked.experts))
    ]


def log_beliefs(
    expert: Expert | Stacked, examples: Sequence[Example], documents: int
) -> list[Rows]:
    """Log-probabilities of one expert for each document, dropout off, no gradients.

    Of stacked experts they are [rows, experts, classes].
    """
    return of_documents(_beliefs(expert, examples), documents)


def _beliefs(
    expert: Expert | Stacked, examples: Sequence[Example]
) -> Iterator[tuple[Example, Rows]]:
    expert.eval()
    device = next(expert.parameters()).device
    with torch.inference_mode():

        def rows(batch: Sequence[Example]) -> Rows:
            beliefs: Rows = expert(expert.collate(batch).to(device)).cpu().numpy()
            return beliefs

        yield from rows_of_each(examples, _budget(device), rows)


def _budget(device: torch.device) -> int:
    return CPU_BATCH_PIECES if device.type == "cpu" else BATCH_PIECES


def agreement(log_rows: Sequence[Sequence[Rows]]) -> float:
    """How far experts agree: of the rows where any departs from class 0, the share where all agree.

    1.0 where no expert departs from it anywhere.
    """
    same = total = 0
    for document in zip(*log_rows, strict=True):
        answers = np.stack([rows.argmax(axis=1) for rows in document])
        active = answers.any(axis=0)
        total += int(active.sum())
        same += int((answers == answers[0]).all(axis=0)[active].sum())
    return same / total if total else 1.0


def group_embeddings(
    expert: Expert, examples: Sequence[Example], group_of: NDArray[np.int64]
) -> Tensor:
    """Mean embedding of the examples of each group, [groups, dim]."""
    expert.eval()
    device = next(expert.parameters()).device
    sums = torch.zeros(int(group_of.max()) + 1, 0)
    counts = torch.zeros(len(sums), 1)
    with torch.inference_mode():
        for indices in length_batches([len(example) for example in examples], _budget(device)):
            batch = [examples[index] for index in indices]
            vectors = expert.embed(expert.collate(batch).to(device)).cpu()
            owners = torch.from_numpy(group_of[[example.document for example in batch]])
            if not sums.shape[1]:
                sums = sums.new_zeros(len(sums), vectors.shape[1])
            sums.index_add_(0, owners, vectors)
            counts.index_add_(0, owners, torch.ones(len(owners), 1))
    return (sums / counts.clamp(min=1)).clone()

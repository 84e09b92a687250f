"""Which distant labels are wrong: judged by experts that did not train on the document.

1. The real documents of a corpus are dealt into folds, and for each fold an expert is trained on
   the labels of all others (stage I of `convener.recipes.bond`, which stops before it memorises).
2. Each expert answers the documents it has never seen.
3. A label against which the expert holds another entity, of other boundaries or another type, is
   doubted as much as the expert believes in that entity. Where it sees no entity at all, the label
   is doubted as much as the expert believes in that, and comes after those.
4. Entities that it finds where there is no label are missing ones.

What makes a label doubtful is a rival, not a low probability: names that an expert merely does not
know look improbable too, and are right more often than not. `docs/audit.md` has the figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convener.errors import ConfigError
from convener.models.layout import Layout, Rows
from convener.panel.panel import Panel
from convener.recipes.run import train_panel
from convener.recipes.run_config import RunConfig, override
from convener.text.documents import Document, Entity, WordIndex, group_indices, labels_of
from convener.training.progress import Listener


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled document, and what an expert that never saw it answers.

    `outside` is for each entity of the document how far the expert believes that there is none.
    """

    document: Document
    answers: tuple[Entity, ...]
    outside: tuple[float, ...]


def judge(
    documents: Sequence[Document],
    config: RunConfig,
    folds: int = 3,
    listener: Listener | None = None,
) -> list[Judged]:
    """Steps 1 and 2, for documents in their order.

    Raises:
        ConfigError: fewer real documents than folds, or labels in too few of them.
        DataError: documents that the expert can't learn from.
    """
    groups = group_indices(documents)
    if not 2 <= folds <= len(groups):
        raise ConfigError(
            f"expected from 2 folds to one for each of {len(groups)} documents, got {folds}: "
            "choose another number, or give more documents"
        )
    plain = override(
        config,
        {
            "bond.experts": 1,
            "bond.self_training": False,
            "exchanges": 0,
            "labels": config.labels or labels_of(documents),
        },
    )
    order = np.random.default_rng(config.seed).permutation(len(groups))
    judged: dict[int, Judged] = {}
    for fold in range(folds):
        held = sorted(index for group in order[fold::folds] for index in groups[group])
        seen = sorted(set(range(len(documents))) - set(held))
        taught = [documents[index] for index in seen]
        if not any(document.entities for document in taught):
            raise ConfigError(
                f"expected labels in more than one of {folds} folds: choose another number of "
                "--folds, or give more labelled documents"
            )
        trained = train_panel(taught, plain, listener=listener)
        answers = _answers(trained.panel, [documents[index] for index in held])
        judged.update(zip(held, answers, strict=True))
    return [judged[index] for index in range(len(documents))]


def _answers(panel: Panel, documents: Sequence[Document]) -> list[Judged]:
    expert = panel.experts[0]
    beliefs = panel.probabilities(documents)
    return [
        Judged(
            document,
            expert.decode(document, rows) if len(rows) else (),
            tuple(_outside(expert.layout, document, rows)),
        )
        for document, rows in zip(documents, beliefs, strict=True)
    ]


def _outside(layout: Layout, document: Document, rows: Rows) -> Iterator[float]:
    """For each entity the mean belief in class 0, over the rows that it says something about."""
    index = WordIndex(document)
    for entity in document.entities:
        first, stop = index.words(entity.span)
        said = layout.said_by(first, stop, entity.label) if first < stop else []
        yield float(rows[said, 0].mean()) if said else 0.0

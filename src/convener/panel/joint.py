"""How the beliefs of several experts become one answer.

By the rule `mean` the mean of their probabilities is decoded; by the rule `union` each answers for
itself and the answers are joined (`convener.panel.selection.integrate`). Nothing here needs torch,
so it serves whatever computed the beliefs.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from convener.models.layout import Layout, Rows
from convener.panel.selection import integrate
from convener.text.documents import Document

Rule = Literal["mean", "union"]


def answered(
    layout: Layout, documents: Sequence[Document], log_rows: Sequence[Sequence[Rows]], rule: Rule
) -> list[Document]:
    """The documents with the entities that experts of one layout find together.

    `log_rows` are the log-probabilities [rows, classes] of each expert for each document.
    """
    if rule == "mean":
        return decoded(layout, documents, mean_probabilities(log_rows))
    alone = [decoded(layout, documents, [np.exp(rows) for rows in expert]) for expert in log_rows]
    return [
        replace(found[0], entities=integrate([d.entities for d in found], layout.flat))
        for found in zip(*alone, strict=True)
    ]


def decoded(
    layout: Layout, documents: Sequence[Document], answers: Sequence[Rows]
) -> list[Document]:
    """The documents with the entities of their probabilities in place of any labels they had."""
    return [
        document.relabelled(layout.decode(document, rows) if len(rows) else ())
        for document, rows in zip(documents, answers, strict=True)
    ]


def mean_probabilities(log_rows: Sequence[Sequence[Rows]]) -> list[Rows]:
    """Mean over experts of their probabilities, document by document."""
    return [
        np.mean([np.exp(rows) for rows in document], axis=0, dtype=np.float32)
        for document in zip(*log_rows, strict=True)
    ]

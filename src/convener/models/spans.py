"""Spans of words on a grid, and the choice among them.

A grid has for each word and type the values `start`, `end`, and one for each span that begins at
the word, by its width: [words, 2 + widths, types]. It is what a reader believes and is taught.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convener.models.featurise import label_number, unsought
from convener.text.documents import Document, WordIndex, by_span

START, END, SPANS = 0, 1, 2
NEVER = -12.0
"""The logit of a span that is no candidate."""


@dataclass(frozen=True, slots=True)
class Span:
    """Words `[first, stop)` of type number `type`, with a probability."""

    first: int
    stop: int
    type: int
    score: float


def allowed_grid(
    document: Document, labels: Sequence[str], width: int, nested: bool
) -> NDArray[np.bool_]:
    """What a document's labels allow: of each cell no, and yes, [words, 2 + widths, types, 2].

    No everywhere but at entities; both where labels are ambiguous, where a word or the first or
    last word of a span is unknown, or where a type was not looked for. Several labels of one span
    are ambiguous if a source proposed them; those that a person gave to a nested reader are all
    true.
    """
    index = WordIndex(document)
    grid = np.zeros((len(index), SPANS + width, len(labels), 2), dtype=np.bool_)
    grid[..., 0] = True
    grid[:, :, unsought(labels, document)] = True
    for span in document.unknown:
        first, stop = index.words(span)
        grid[first:stop] = True
        for before in range(max(0, first - width + 1), first):
            grid[before, SPANS + first - before : SPANS + stop - before] = True
    for span, entities in by_span(document.entities):
        first, stop = index.words(span)
        proposed = not nested or any(entity.source for entity in entities)
        ambiguous = proposed and len({entity.label for entity in entities}) > 1
        for entity in entities if first < stop else ():
            kind = label_number(labels, entity.label)
            for word, row in cells(first, stop, width):
                grid[word, row, kind, 0] &= ambiguous
                grid[word, row, kind, 1] = True
    return grid


def cells(first: int, stop: int, width: int) -> list[tuple[int, int]]:
    """The word and the value of it, of each cell that the span `[first, stop)` is said by.

    They are its start, its end, and itself unless it is wider than the grid.
    """
    said = [(first, START), (stop - 1, END), (first, SPANS + stop - first - 1)]
    return said[: 3 if stop - first <= width else 2]


def positive(grid: NDArray[np.float32], threshold: float = 0.5) -> list[Span]:
    """Spans whose start, end and span are all above the threshold (BERT-MRC's rule).

    The score is the geometric mean of the three. In reading order, longer ones first.
    """
    firsts, widths, types = np.nonzero(grid[:, SPANS:] > threshold)
    lasts = firsts + widths
    edges = np.minimum(grid[firsts, START, types], grid[lasts, END, types])
    kept = edges > threshold
    firsts, widths, types, lasts = firsts[kept], widths[kept], types[kept], lasts[kept]
    parts = (
        grid[firsts, START, types],
        grid[lasts, END, types],
        grid[firsts, SPANS + widths, types],
    )
    scores = np.exp(sum(np.log(part.astype(np.float64)) for part in parts) / 3)
    found = zip(firsts.tolist(), (lasts + 1).tolist(), types.tolist(), scores.tolist(), strict=True)
    return sorted((Span(*span) for span in found), key=lambda s: (s.first, -s.stop, s.type))


def best_apart(spans: Sequence[Span]) -> list[Span]:
    """The set of spans without overlap whose scores have the largest sum, in reading order.

    Weighted interval scheduling, exact.
    """
    ordered = sorted(spans, key=lambda s: (s.stop, s.first, s.type))
    stops = [span.stop for span in ordered]
    best = [0.0]
    taken: list[int | None] = [None]
    for index, span in enumerate(ordered):
        before = bisect_right(stops, span.first, hi=index)
        with_it = best[before] + span.score
        better = with_it > best[-1]
        best.append(with_it if better else best[-1])
        taken.append(before if better else None)
    chosen: list[Span] = []
    index = len(ordered)
    while index:
        before_it = taken[index]
        if before_it is None:
            index -= 1
        else:
            chosen.append(ordered[index - 1])
            index = before_it
    return chosen[::-1]

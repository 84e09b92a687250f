"""Windows over a long text, so that an encoder of limited length reads all of it.

Words are cut into sub-words; a window is a run of whole words whose sub-words fit the encoder.
Neighbouring windows overlap, and each word is *owned* by the one window in which it has most
context around it: scores are taken from the owner only, so joining is exact and nothing is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Window:
    """Words `[start, stop)` are read, words `[own_start, own_stop)` are scored."""

    start: int
    stop: int
    own_start: int
    own_stop: int


def windows(lengths: Sequence[int], limit: int, overlap: int) -> list[Window]:
    """Cover words that have `lengths` sub-words each by windows of at most `limit` sub-words.

    `overlap` is the number of sub-words that two neighbours share, as far as whole words allow.
    Each word must fit a window by itself. The windows own every word exactly once, in order.
    """
    if not 0 <= overlap < limit:
        raise ValueError(f"expected 0 <= overlap < limit, got overlap {overlap}, limit {limit}")
    if any(length > limit for length in lengths):
        raise ValueError(f"a word of {max(lengths)} sub-words does not fit a window of {limit}")
    spans = _runs(lengths, limit, overlap)
    bounds = [0]
    for (_, stop), (start, _) in pairwise(spans):
        bounds.append((start + stop + 1) // 2)
    bounds.append(len(lengths))
    return [Window(start, stop, bounds[i], bounds[i + 1]) for i, (start, stop) in enumerate(spans)]


def _runs(lengths: Sequence[int], limit: int, overlap: int) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    start = 0
    while start < len(lengths):
        stop, used = start, 0
        while stop < len(lengths) and used + lengths[stop] <= limit:
            used += lengths[stop]
            stop += 1
        runs.append((start, stop))
        if stop == len(lengths):
            break
        following, shared = stop, 0
        room = min(overlap, limit - lengths[stop])
        while following - 1 > start and shared + lengths[following - 1] <= room:
            following -= 1
            shared += lengths[following]
        start = following
    return runs

"""Spans on a grid and the choice among them, held against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.models.spans import END, SPANS, START, Span, best_apart, positive

FAST = settings(deadline=None, max_examples=100)

spans = st.builds(
    lambda first, width, kind, score: Span(first, first + width, kind, score),
    st.integers(0, 9),
    st.integers(1, 4),
    st.integers(0, 2),
    st.floats(0.01, 1),
)


def apart(chosen: tuple[Span, ...]) -> bool:
    return all(a.stop <= b.first or b.stop <= a.first for a, b in itertools.combinations(chosen, 2))


@FAST
@given(st.lists(spans, max_size=8))
def test_best_apart_is_the_best_of_all_subsets(candidates: list[Span]) -> None:
    subsets = itertools.chain.from_iterable(
        itertools.combinations(candidates, size) for size in range(len(candidates) + 1)
    )
    best = max(sum(span.score for span in subset) for subset in subsets if apart(subset))
    chosen = best_apart(candidates)
    assert apart(tuple(chosen))
    assert all(span in candidates for span in chosen)
    assert chosen == sorted(chosen, key=lambda span: span.first)
    assert sum(span.score for span in chosen) == pytest.approx(best)


@FAST
@given(st.integers(0, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_positive_is_a_search_of_every_span(words: int, width: int, types: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    grid = draw.uniform(0.2, 1, (words, SPANS + width, types)).astype(np.float32)
    for word, wide in itertools.product(range(words), range(width)):
        if word + wide >= words:
            grid[word, SPANS + wide] = 0
    expected = {}
    for first, wide, kind in itertools.product(range(words), range(width), range(types)):
        if first + wide < words:
            cells = (
                grid[first, START, kind],
                grid[first + wide, END, kind],
                grid[first, SPANS + wide, kind],
            )
            if min(cells) > 0.5:
                expected[first, first + wide + 1, kind] = np.prod(cells, dtype=np.float64) ** (
                    1 / 3
                )
    found = positive(grid)
    assert {(s.first, s.stop, s.type): s.score for s in found} == pytest.approx(expected)
    assert len(found) == len(expected)
    assert [(s.first, -s.stop, s.type) for s in found] == sorted(
        (first, -stop, kind) for first, stop, kind in expected
    )

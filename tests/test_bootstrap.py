"""The bootstrap: an interval that is where it should be and as wide as it should be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.evaluation.bootstrap import f1_interval, share_above
from convener.evaluation.scores import Score

FAST = settings(deadline=None, max_examples=25)


@st.composite
def parts(draw: st.DrawFn) -> Score:
    right, missed, wrong = (draw(st.integers(0, 4)) for _ in range(3))
    return Score(predicted=right + wrong, right=right, gold=right + missed, found=right)


corpora = st.lists(parts(), min_size=1, max_size=12)


@FAST
@given(corpora, st.integers(0, 5))
def test_bounds_are_in_order_and_repeat_with_the_seed(corpus: list[Score], seed: int) -> None:
    low, high = f1_interval(corpus, samples=60, seed=seed)
    assert 0 <= low <= high <= 1
    assert f1_interval(corpus, samples=60, seed=seed) == (low, high)


@FAST
@given(corpora)
def test_the_interval_lies_between_the_worst_and_the_best_unit(corpus: list[Score]) -> None:
    low, high = f1_interval(corpus, samples=60)
    told = [part.f1 for part in corpus if part.predicted + part.gold]
    empty = [0.0] if len(told) < len(corpus) else []
    assert low >= min(told + empty) - 1e-12
    assert high <= max(told + empty) + 1e-12


@FAST
@given(corpora)
def test_more_confidence_is_a_wider_interval(corpus: list[Score]) -> None:
    low, high = f1_interval(corpus, confidence=0.99, samples=60)
    inner_low, inner_high = f1_interval(corpus, confidence=0.8, samples=60)
    assert low <= inner_low <= inner_high <= high


@FAST
@given(parts(), st.integers(1, 10))
def test_units_that_are_all_alike_leave_no_doubt(part: Score, count: int) -> None:
    low, high = f1_interval([part] * count, samples=20)
    assert low == high == pytest.approx(part.f1)


def test_the_width_shrinks_with_the_root_of_the_number_of_units() -> None:
    pair = [Score(2, 2, 2, 2), Score(2, 0, 2, 0)]
    few, many = f1_interval(pair * 20), f1_interval(pair * 500)
    assert few[0] < many[0] < 0.5 < many[1] < few[1]
    assert (few[1] - few[0]) / (many[1] - many[0]) == pytest.approx(5, rel=0.15)


def test_the_interval_is_that_of_the_binomial_law() -> None:
    corpus = [Score(1, 1, 1, 1)] * 60 + [Score(1, 0, 1, 0)] * 40
    drawn = np.random.default_rng(1).binomial(100, 0.6, size=20_000) / 100
    expected = np.percentile(drawn, [2.5, 97.5])
    assert f1_interval(corpus) == pytest.approx(tuple(expected), abs=0.02)


def test_units_of_groups_are_drawn_whole() -> None:
    right, wrong = Score(1, 1, 1, 1), Score(1, 0, 1, 0)
    sentences = f1_interval([right, wrong] * 40)
    groups = f1_interval([sum([part] * 8, Score()) for part in [right, wrong] * 5])
    assert groups[1] - groups[0] > 2 * (sentences[1] - sentences[0])


@FAST
@given(corpora, st.integers(0, 5))
def test_a_model_is_never_above_itself_and_one_of_two_at_most(
    corpus: list[Score], seed: int
) -> None:
    other = corpus[::-1]
    assert share_above(corpus, corpus, samples=40, seed=seed) == 0
    either = share_above(corpus, other, 40, seed) + share_above(other, corpus, 40, seed)
    assert either <= 1


def test_pairs_are_drawn_together() -> None:
    hard, easy = Score(4, 0, 4, 0), Score(4, 3, 4, 3)
    better = [part + Score(1, 1, 1, 1) for part in (hard, easy)]
    worse = [part + Score(1, 0, 1, 0) for part in (hard, easy)]
    assert share_above(better * 10, worse * 10) == 1
    assert share_above(worse * 10, better * 10) == 0

"""Batches: every index once, within budget and cap, in an order that the generator alone sets."""

from itertools import islice, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.training.batching import endless_batches, length_batches, shuffled_batches

FAST = settings(deadline=None, max_examples=80)
lengths_lists = st.lists(st.integers(1, 50), max_size=120)
budgets = st.integers(1, 200)
caps = st.integers(1, 8)


def within(batches: list[list[int]], lengths: list[int], budget: int) -> bool:
    return all(
        len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget
        for batch in batches
    )


@FAST
@given(lengths_lists, budgets)
def test_batches_by_length_hold_each_index_once_shortest_first(
    lengths: list[int], budget: int
) -> None:
    batches = length_batches(lengths, budget)
    order = [index for batch in batches for index in batch]
    assert order == sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    assert all(batches)
    assert within(batches, lengths, budget)


@FAST
@given(lengths_lists, budgets)
def test_batches_by_length_are_as_full_as_the_budget_allows(
    lengths: list[int], budget: int
) -> None:
    batches = length_batches(lengths, budget)
    for batch, following in pairwise(batches):
        assert lengths[following[0]] * (len(batch) + 1) > budget


@FAST
@given(lengths_lists, budgets, caps, st.integers(0, 99))
def test_a_pass_holds_each_index_once_within_budget_and_cap(
    lengths: list[int], budget: int, cap: int, seed: int
) -> None:
    batches = shuffled_batches(lengths, budget, cap, np.random.default_rng(seed))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= cap for batch in batches)
    assert within(batches, lengths, budget)


@FAST
@given(lengths_lists, budgets, caps, st.integers(0, 99))
def test_the_order_depends_on_the_generator_alone(
    lengths: list[int], budget: int, cap: int, seed: int
) -> None:
    np.random.seed(seed)
    first = shuffled_batches(lengths, budget, cap, np.random.default_rng(7))
    np.random.seed(seed + 1)
    assert shuffled_batches(lengths, budget, cap, np.random.default_rng(7)) == first


def test_passes_and_seeds_differ() -> None:
    lengths = [1 + i % 9 for i in range(60)]
    generator = np.random.default_rng(0)
    first, second = (shuffled_batches(lengths, 64, 8, generator) for _ in "ab")
    other = shuffled_batches(lengths, 64, 8, np.random.default_rng(1))
    assert first != second
    assert first != other
    neighbours = [{frozenset(batch) for batch in batches} for batches in (first, second)]
    assert neighbours[0] != neighbours[1]


def test_items_of_like_length_share_a_batch() -> None:
    lengths = [5, 40] * 32
    batches = shuffled_batches(lengths, 1000, 8, np.random.default_rng(0))
    assert all(len({lengths[i] for i in batch}) == 1 for batch in batches)


@FAST
@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), budgets, caps)
def test_endless_batches_are_pass_after_pass(lengths: list[int], budget: int, cap: int) -> None:
    generator = np.random.default_rng(3)
    passes = [shuffled_batches(lengths, budget, cap, generator) for _ in range(3)]
    expected = [batch for batches in passes for batch in batches]
    stream = endless_batches(lengths, budget, cap, np.random.default_rng(3))
    assert list(islice(stream, len(expected))) == expected

"""Batches of examples of like length, under a budget of sub-words and a cap on their number.

Small corpora need many small steps, so the cap matters as much as the budget. The order depends
on the generator alone.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from convener.models.layout import Example, Rows

_POOL = 32


def length_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in batches of at most `budget` padded sub-words, shortest first.

    An item longer than the budget gets a batch of its own.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if batches and lengths[index] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def rows_of_each(
    examples: Sequence[Example], budget: int, rows_of: Callable[[Sequence[Example]], Rows]
) -> Iterator[tuple[Example, Rows]]:
    """Each example with its rows, in any order; `rows_of` gives those of a batch end to end."""
    for indices in length_batches([len(example) for example in examples], budget):
        batch = [examples[index] for index in indices]
        sizes = [example.stop - example.start for example in batch]
        yield from zip(batch, np.split(rows_of(batch), np.cumsum(sizes)[:-1]), strict=True)


def shuffled_batches(
    lengths: Sequence[int], budget: int, cap: int, generator: np.random.Generator
) -> list[list[int]]:
    """One pass over all indices in random batches of at most `cap` items of like length.

    Items are shuffled, sorted by length within pools of some batches, cut, and the batches
    shuffled: padding stays small while neighbours change from pass to pass.
    """
    order = generator.permutation(len(lengths))
    batches: list[list[int]] = []
    for begin in range(0, len(order), cap * _POOL):
        pool = sorted(order[begin : begin + cap * _POOL].tolist(), key=lambda i: lengths[i])
        batch: list[int] = []
        for index in pool:
            if batch and (len(batch) == cap or lengths[index] * (len(batch) + 1) > budget):
                batches.append(batch)
                batch = []
            batch.append(index)
        batches.append(batch)
    return [batches[i] for i in generator.permutation(len(batches))]


def endless_batches(
    lengths: Sequence[int], budget: int, cap: int, generator: np.random.Generator
) -> Iterator[list[int]]:
    """Pass after pass of shuffled batches, for a loop that counts steps.

    Raises:
        ValueError: there is nothing to make batches of.
    """
    if not lengths:
        raise ValueError("expected examples to make batches of, got none")
    while True:
        yield from shuffled_batches(lengths, budget, cap, generator)

"""How sure a score is: the percentile bootstrap over documents, or over their groups."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convener.evaluation.scores import Score

SAMPLES = 1000


def f1_interval(
    parts: Sequence[Score], confidence: float = 0.95, samples: int = SAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Bounds of the interval of exact F1, each in [0, 1], when the parts are drawn anew.

    `parts` are the counts of independent units: groups of documents where documents have groups,
    since sentences of one document rise and fall together.
    """
    tail = 50 * (1 - confidence)
    low, high = np.percentile(_drawn(parts, samples, seed), [tail, 100 - tail])
    return float(low), float(high)


def share_above(
    parts: Sequence[Score], others: Sequence[Score], samples: int = SAMPLES, seed: int = 0
) -> float:
    """How often, in [0, 1], exact F1 is above that of `others` when both are drawn anew alike.

    The two are counts of the same units in the same order, by two models: a paired bootstrap.

    Raises:
        ValueError: they are not as many.
    """
    if len(parts) != len(others):
        raise ValueError(f"expected counts of the same units, got {len(parts)} and {len(others)}")
    return float((_drawn(parts, samples, seed) > _drawn(others, samples, seed)).mean())


def _drawn(parts: Sequence[Score], samples: int, seed: int) -> NDArray[np.float64]:
    """Exact F1 of each sample; as many parts are drawn alike from the same seed."""
    counts = np.array([(p.predicted, p.right, p.gold) for p in parts], dtype=np.int64)
    generator = np.random.default_rng(seed)
    return np.array(
        [_f1(counts[generator.integers(len(parts), size=len(parts))]) for _ in range(samples)]
    )


def _f1(counts: NDArray[np.int64]) -> float:
    predicted, right, gold = counts.sum(axis=0)
    return 2 * right / (predicted + gold) if predicted + gold else 0.0

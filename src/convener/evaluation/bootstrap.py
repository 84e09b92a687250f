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
    counts = np.array([(p.predicted, p.right, p.gold) for p in parts], dtype=np.int64)
    generator = np.random.default_rng(seed)
    f1 = np.array(
        [_f1(counts[generator.integers(len(parts), size=len(parts))]) for _ in range(samples)]
    )
    tail = 50 * (1 - confidence)
    low, high = np.percentile(f1, [tail, 100 - tail])
    return float(low), float(high)


def _f1(counts: NDArray[np.int64]) -> float:
    predicted, right, gold = counts.sum(axis=0)
    return 2 * right / (predicted + gold) if predicted + gold else 0.0

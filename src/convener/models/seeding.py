"""Randomness that depends on a seed and leaves the caller's generators alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch draws from `seed` inside, and goes on as before afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield

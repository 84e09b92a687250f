"""The losses of the benchmark's baselines, row by row as their papers write them."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
"""Beliefs of four words in outside and two types."""


@pytest.fixture(scope="module")
def bench(benches: Path) -> ModuleType:
    """The baselines' module."""
    del benches
    import baselines  # type: ignore[import-not-found]

    return baselines


def allowed(*classes: tuple[int, ...]) -> torch.Tensor:
    """Which classes each word's label allows."""
    rows = torch.zeros(len(classes), 3, dtype=torch.bool)
    for row, those in enumerate(classes):
        rows[row, list(those)] = True
    return rows


def test_bond_as_published_is_linear_in_logits(bench: ModuleType) -> None:
    q = np.array([[0.98, 0.01, 0.01], [0.3, 0.4, 0.3], [0.02, 0.96, 0.02]])
    logits = np.array([[3.0, -1.0, 0.5], [0.0, 0.0, 0.0], [1.0, 2.0, -4.0]])
    t = q**2 / q.sum(axis=0)
    t /= t.sum(axis=1, keepdims=True)
    assert list(t.max(axis=1) > 0.9) == [True, False, True]
    rows = [sum(t[i, c] * (np.log(t[i, c]) - logits[i, c]) for c in range(3)) for i in (0, 2)]
    loss = bench.LinearObjective([]).loss(torch.tensor(logits), None, [torch.tensor(q)])
    assert loss.item() == pytest.approx(np.mean(rows))


def test_generalised_cross_entropy_of_trusted_words(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = allowed((1,), (1, 2), (0, 1, 2), (2,))
    trusted = torch.tensor([1.0, 1.0, 1.0, 0.0])
    objective = bench.RobustObjective([], [])
    found = objective.loss(torch.tensor(P).log(), None, [labels, trusted])
    rows = [(1 - p**0.7) / 0.7 for p in (0.2, 0.9)]
    assert found.item() == pytest.approx(np.mean(rows))
    labels, trusted = allowed((1,), (0,), (1, 2), (2,)), torch.tensor([1.0, 1.0, 0.0, 0.0])
    for dropped, kept in ((1.0, [0.2]), (0.0, [0.2, 0.1])):
        monkeypatch.setattr(bench, "DROPPED", dropped)
        found = objective.loss(torch.tensor(P).log(), None, [labels, trusted])
        assert found.item() == pytest.approx(np.mean([(1 - p**0.7) / 0.7 for p in kept]))


@pytest.mark.parametrize("prior", [0.1, 0.9])
def test_the_risk_of_unlabelled_words_is_never_negative(bench: ModuleType, prior: float) -> None:
    labels = allowed((0,), (1,), (0,), (2,))
    priors = torch.tensor([0.0, prior, prior / 2])
    found = bench.UnlabelledRisk([], priors).loss(torch.tensor(P).log(), None, [labels])
    positive = prior * (1 - P[1, 1]) + prior / 2 * (1 - P[3, 2])
    outside = prior * (1 - P[1, 0]) + prior / 2 * (1 - P[3, 0])
    free = np.mean([1 - P[0, 0], 1 - P[2, 0]])
    assert found.item() == pytest.approx(positive + max(0.0, free - outside))

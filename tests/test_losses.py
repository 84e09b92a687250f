"""Losses: what a set of allowed labels, and a target distribution, pull at."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from convener.training.losses import (
    allowed_log_likelihood,
    allowed_loss,
    kl_divergence,
)

FAST = settings(deadline=None, max_examples=50)
seeds = st.integers(0, 2**31)


def logits(seed: int, rows: int = 6, classes: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)


def loss_and_gradient(loss: Tensor, leaf: Tensor) -> tuple[float, Tensor]:
    (gradient,) = torch.autograd.grad(loss, leaf)
    return float(loss.detach()), gradient


@FAST
@given(seeds)
def test_one_allowed_class_is_cross_entropy(seed: int) -> None:
    leaf = logits(seed).requires_grad_()
    targets = torch.randint(4, (6,), generator=torch.Generator().manual_seed(seed))
    allowed = torch.nn.functional.one_hot(targets, 4).bool()
    value, gradient = loss_and_gradient(allowed_loss(leaf.log_softmax(-1), allowed), leaf)
    expected, slope = loss_and_gradient(torch.nn.functional.cross_entropy(leaf, targets), leaf)
    assert value == pytest.approx(expected)
    torch.testing.assert_close(gradient, slope)


@FAST
@given(seeds)
def test_all_classes_allowed_pull_at_nothing(seed: int) -> None:
    leaf = logits(seed).requires_grad_()
    allowed = torch.ones(6, 4, dtype=torch.bool)
    value, gradient = loss_and_gradient(allowed_loss(leaf.log_softmax(-1), allowed), leaf)
    assert value == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-12)


@FAST
@given(seeds, st.lists(st.lists(st.booleans(), min_size=4, max_size=4).filter(any), min_size=6))
def test_several_allowed_classes_count_by_their_sum(seed: int, rows: list[list[bool]]) -> None:
    allowed = torch.tensor(rows[:6])
    probabilities = logits(seed).softmax(-1)
    expected = (probabilities * allowed).sum(-1).log()
    found = allowed_log_likelihood(probabilities.log(), allowed)
    torch.testing.assert_close(found, expected)
    assert bool((found <= 0).all())


@FAST
@given(seeds)
def test_rows_that_say_nothing_leave_the_mean_alone(seed: int) -> None:
    beliefs = logits(seed).log_softmax(-1)
    allowed = torch.zeros(6, 4, dtype=torch.bool)
    allowed[:, :2] = True
    allowed[3:] = True
    expected = allowed_loss(beliefs[:3], allowed[:3])
    torch.testing.assert_close(allowed_loss(beliefs, allowed), expected)


@FAST
@given(seeds)
def test_kl_is_zero_where_the_target_is_met(seed: int) -> None:
    leaf = logits(seed).requires_grad_()
    targets = leaf.detach().softmax(-1)
    loss = kl_divergence(leaf.log_softmax(-1), targets, torch.ones(6).double())
    value, gradient = loss_and_gradient(loss, leaf)
    assert value == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-12)


@FAST
@given(seeds, seeds)
def test_kl_is_not_negative_and_equals_torch(seed: int, other: int) -> None:
    beliefs, targets = logits(seed).log_softmax(-1), logits(other).softmax(-1)
    found = kl_divergence(beliefs, targets, torch.ones(6).double())
    expected = torch.nn.functional.kl_div(beliefs, targets, reduction="batchmean")
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-9)
    assert float(found) >= -1e-12


@FAST
@given(seeds, seeds)
def test_kl_pulls_as_cross_entropy_does(seed: int, other: int) -> None:
    leaf, targets = logits(seed).requires_grad_(), logits(other).softmax(-1)
    weights = torch.tensor([1.0, 0.0, 1.0, 0.5, 0.0, 1.0]).double()
    losses = torch.nn.functional.cross_entropy(leaf, targets, reduction="none")
    one = loss_and_gradient((losses * weights).sum() / weights.sum(), leaf)
    two = loss_and_gradient(kl_divergence(leaf.log_softmax(-1), targets, weights), leaf)
    torch.testing.assert_close(one[1], two[1])
    entropy = -(targets * targets.log()).sum(-1)
    assert one[0] - two[0] == pytest.approx(float((entropy * weights).sum() / weights.sum()))


def test_rows_without_weight_count_for_nothing() -> None:
    beliefs, targets = logits(0).log_softmax(-1), logits(1).softmax(-1)
    weights = torch.tensor([1, 0, 1, 0, 0, 1]).double()
    kept = weights.bool()
    torch.testing.assert_close(
        kl_divergence(beliefs, targets, weights),
        kl_divergence(beliefs[kept], targets[kept], weights[kept]),
    )
    assert float(kl_divergence(beliefs, targets, torch.zeros(6).double())) == 0


def test_hard_targets_have_a_finite_kl() -> None:
    beliefs = logits(0).log_softmax(-1)
    targets = torch.eye(4).double()[[0, 1, 2, 3, 0, 1]]
    weights = torch.ones(6).double()
    torch.testing.assert_close(
        kl_divergence(beliefs, targets, weights),
        torch.nn.functional.cross_entropy(logits(0), targets),
    )

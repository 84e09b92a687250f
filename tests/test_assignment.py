"""Assignment: Sinkhorn's marginals, and no expert that starves."""

import math

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from convener.panel.assignment import (
    clustered_start,
    fair_assignment,
    greedy_assignment,
    random_start,
    report,
    sinkhorn,
    spread,
)

FAST = settings(deadline=None, max_examples=50)
TAUS = st.sampled_from([0.3, 1.0, 5.0])


@st.composite
def score_tables(draw: st.DrawFn, groups_per_expert: int = 1) -> Tensor:
    experts = draw(st.integers(1, 5))
    groups = draw(st.integers(groups_per_expert * experts, 16))
    values = st.sampled_from([-2.0, -1.0, -0.5, 0.0]) | st.floats(-2, 0)
    row = st.lists(values, min_size=experts, max_size=experts)
    return torch.tensor(draw(st.lists(row, min_size=groups, max_size=groups)), dtype=torch.float64)


def sizes(chosen: Tensor, experts: int) -> list[int]:
    return torch.bincount(chosen, minlength=experts).tolist()


@FAST
@given(score_tables(), TAUS)
def test_sinkhorn_meets_both_marginals(scores: Tensor, tau: float) -> None:
    groups, experts = scores.shape
    plan = sinkhorn(scores, tau, iterations=5000).exp()
    torch.testing.assert_close(plan.sum(dim=1), torch.full((groups,), 1 / groups).double())
    assert float((plan.sum(dim=0) - 1 / experts).abs().max()) <= 1e-8


def test_the_plan_is_fair_where_one_expert_leads_everywhere() -> None:
    ahead = torch.rand(30, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plan = sinkhorn(ahead + torch.tensor([0.0, 50.0, 0.0]), 1.0).exp()
    assert plan.sum(dim=0).tolist() == pytest.approx([1 / 3] * 3, abs=1e-6)


def test_those_are_moved_whose_move_costs_least() -> None:
    """One group is the second expert's; all others lean to the first alike, number 4 least."""
    leads = torch.tensor([-50.0, 1.004, 1.003, 1.002, 1.0, 1.001, 1.005, 1.006])
    scores = torch.stack([leads, torch.zeros(8)], dim=1).double()
    plan = sinkhorn(scores / spread(scores), 1.0)
    assert plan.argmax(dim=1).tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert fair_assignment(scores, 1.0).tolist() == [1, 0, 0, 0, 1, 0, 0, 0]


@FAST
@given(score_tables(), TAUS)
def test_sinkhorn_equals_optimal_transport(scores: Tensor, tau: float) -> None:
    groups, experts = scores.shape
    expected = ot.bregman.sinkhorn_log(
        np.full(groups, 1 / groups),
        np.full(experts, 1 / experts),
        -scores.numpy(),
        reg=tau,
        numItermax=5000,
        stopThr=1e-10,
    )
    plan = sinkhorn(scores, tau, iterations=5000, tolerance=1e-12).exp()
    np.testing.assert_allclose(plan.numpy(), expected, rtol=1e-6, atol=1e-9)


@FAST
@given(score_tables(), st.data())
def test_what_all_experts_or_all_groups_share_changes_no_plan(
    scores: Tensor, data: st.DataObject
) -> None:
    groups, experts = scores.shape
    ease = data.draw(st.lists(st.floats(-3, 3), min_size=groups, max_size=groups))
    skill = data.draw(st.lists(st.floats(-3, 3), min_size=experts, max_size=experts))
    moved = scores + torch.tensor(ease).double()[:, None] + torch.tensor(skill).double()
    plan, again = (sinkhorn(s, 1.0, 5000, 1e-12).exp() for s in (scores, moved))
    torch.testing.assert_close(again, plan, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tau", [1e-9, 1e-3, 1e9])
def test_no_tau_is_too_small_or_too_large(tau: float) -> None:
    scores = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    plan = sinkhorn(scores, tau)
    assert not plan.isnan().any()
    torch.testing.assert_close(plan.exp().sum(dim=1), torch.full((20,), 1 / 20).double())


@pytest.mark.parametrize("tau", [0.0, -1.0])
def test_tau_must_be_positive(tau: float) -> None:
    with pytest.raises(ValueError, match="expected tau > 0"):
        sinkhorn(torch.zeros(2, 2), tau)


@FAST
@given(score_tables(), TAUS)
def test_fair_assignment_never_starves_an_expert(scores: Tensor, tau: float) -> None:
    groups, experts = scores.shape
    chosen = fair_assignment(scores, tau)
    assert len(chosen) == groups
    assert min(sizes(chosen, experts)) >= max(1, groups // (2 * experts))
    assert torch.equal(fair_assignment(scores, tau), chosen)


@pytest.mark.parametrize(("groups", "experts"), [(2, 2), (3, 2), (5, 3), (100, 7)])
def test_equal_scores_starve_nobody(groups: int, experts: int) -> None:
    found = sizes(fair_assignment(torch.zeros(groups, experts), 1.0), experts)
    assert min(found) >= max(1, groups // (2 * experts))


def test_one_expert_that_is_best_at_everything_does_not_take_everything() -> None:
    scores = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    scores[:, 1] += 50
    assert sizes(greedy_assignment(scores), 3) == [0, 60, 0]
    assert min(sizes(fair_assignment(scores, 1.0), 3)) >= 10


@FAST
@given(score_tables(groups_per_expert=2), TAUS)
def test_a_plan_that_starves_nobody_is_followed(scores: Tensor, tau: float) -> None:
    groups, experts = scores.shape
    best = sinkhorn(scores / spread(scores), tau).argmax(dim=1)
    if min(sizes(best, experts)) >= max(1, groups // (2 * experts)):
        assert torch.equal(fair_assignment(scores, tau), best)


def test_greedy_assignment_takes_the_best_and_the_first_of_equals() -> None:
    scores = torch.tensor([[0.0, 2.0, 1.0], [1.0, 1.0, 1.0], [-3.0, -3.0, -2.0]])
    assert greedy_assignment(scores).tolist() == [1, 0, 2]


@FAST
@given(st.integers(1, 5), st.integers(0, 20), st.integers(0, 9))
def test_a_random_start_is_even_and_repeats_with_the_seed(
    experts: int, more: int, seed: int
) -> None:
    first, again = (
        random_start(experts + more, experts, torch.Generator().manual_seed(seed)) for _ in "ab"
    )
    found = sizes(first, experts)
    assert max(found) - min(found) <= 1
    assert torch.equal(first, again)


def test_random_starts_differ() -> None:
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(random_start(50, 2, generator), random_start(50, 2, generator))


@pytest.mark.parametrize("spread", [0.0, 1.0])
@FAST
@given(st.integers(1, 4), st.integers(0, 12), st.integers(0, 9))
def test_a_clustered_start_starves_nobody_and_repeats_with_the_seed(
    spread: float, experts: int, more: int, seed: int
) -> None:
    groups = experts + more
    points = 1 + spread * torch.randn(groups, 3, generator=torch.Generator().manual_seed(seed))
    first, again = (
        clustered_start(points, experts, torch.Generator().manual_seed(seed)) for _ in "ab"
    )
    assert min(sizes(first, experts)) >= max(1, groups // (2 * experts))
    assert torch.equal(first, again)


@pytest.mark.parametrize("seed", range(5))
def test_a_clustered_start_finds_clusters(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    cluster = torch.randperm(30, generator=generator) % 3
    points = torch.eye(3)[cluster] + 0.1 * torch.randn(30, 3, generator=generator)
    chosen = clustered_start(points, 3, generator)
    assert len({(int(a), int(b)) for a, b in zip(cluster, chosen, strict=True)}) == 3


def test_the_report_tells_sizes_evenness_and_movement() -> None:
    before, after = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    even, uneven = report(before, 2, None), report(after, 2, before)
    assert (even.sizes, even.moved) == ((2, 2), None)
    assert even.entropy == pytest.approx(1)
    assert (uneven.sizes, uneven.moved) == ((1, 3), 0.25)
    assert uneven.entropy == pytest.approx(-0.25 * math.log2(0.25) - 0.75 * math.log2(0.75))
    assert report(torch.zeros(4, dtype=torch.int64), 3, before).sizes == (4, 0, 0)
    assert report(torch.zeros(4, dtype=torch.int64), 3, before).entropy == pytest.approx(0)
    assert report(torch.zeros(4, dtype=torch.int64), 1, None).entropy == 1


def test_a_few_groups_that_nobody_fits_do_not_unbalance_the_rest() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = -0.01 * torch.rand(300, 3, generator=generator)
    scores[:30] -= 3 * torch.rand(30, 3, generator=generator)
    assert min(sizes(fair_assignment(scores, 0.1), 3)) > 80

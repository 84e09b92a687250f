"""Who trains on what: the E-step of hard EM with fair assignment (BOND-MoE, eqs 4-8).

Groups are real documents: a choice by token would split entities. Scores are mean log-likelihoods
[groups, experts]. Sinkhorn works on S = exp(scores / τ) in the log domain, so no τ is too small.
Pure functions on tensors; the same input gives the same answer.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


def greedy_assignment(scores: Tensor) -> Tensor:
    """The best expert of each group, ties to the first, [groups] (eq 5)."""
    return scores.argmax(dim=1)


def sinkhorn(scores: Tensor, tau: float, iterations: int = 500, tolerance: float = 1e-9) -> Tensor:
    """The fair plan, as logarithms [groups, experts] (eqs 6-8).

    Scales S = exp(scores / τ) by rows and columns until each group has mass 1/groups and each
    expert 1/experts. Rows are met exactly, columns within `tolerance` unless iterations run out.
    """
    if tau <= 0:
        raise ValueError(f"expected tau > 0, got {tau}")
    groups, experts = scores.shape
    log_s = scores.double() / tau
    log_b = torch.zeros(experts, dtype=torch.float64)
    for _ in range(iterations):
        log_a = -math.log(groups) - torch.logsumexp(log_s + log_b, dim=1)
        mass = torch.logsumexp(log_s + log_a[:, None] + log_b, dim=0)
        if float((mass.exp() - 1 / experts).abs().max()) <= tolerance:
            break
        log_b = log_b - mass - math.log(experts)
    log_a = -math.log(groups) - torch.logsumexp(log_s + log_b, dim=1)
    return log_s + log_a[:, None] + log_b


def fair_assignment(scores: Tensor, tau: float, floor: float = 0.5) -> Tensor:
    """Each group's highest expert in the fair plan, no expert starving, [groups].

    τ is in units of the scores' spread, since scores draw together as experts learn.
    The arg max of a fair plan is not balanced by itself (equal scores would send every group to
    one expert), so experts left with less than `floor` of an even share are given the groups
    whose move costs least plan log-mass, taken from experts that are above it.
    """
    plan = sinkhorn(scores / spread(scores), tau)
    chosen = plan.argmax(dim=1)
    groups, experts = plan.shape
    least = max(math.floor(floor * groups / experts), min(1, groups // experts))
    sizes = torch.bincount(chosen, minlength=experts)
    for hungry in range(experts):
        cost = plan.gather(1, chosen[:, None])[:, 0] - plan[:, hungry]
        for group in torch.argsort(cost, stable=True).tolist():
            if sizes[hungry] >= least:
                break
            giver = int(chosen[group])
            if giver != hungry and sizes[giver] > least:
                chosen[group] = hungry
                sizes[giver] -= 1
                sizes[hungry] += 1
    return chosen


def spread(scores: Tensor) -> float:
    """Median distance of scores from what rows and columns explain; 1 where there is none.

    The median, since the few groups that no expert fits would set any mean.
    """
    scores = scores.double()
    rest = scores - scores.mean(dim=0) - scores.mean(dim=1, keepdim=True) + scores.mean()
    return float(rest.abs().median()) or 1.0


def random_start(groups: int, experts: int, generator: torch.Generator) -> Tensor:
    """An even random assignment, [groups]."""
    return torch.randperm(groups, generator=generator) % experts


def clustered_start(
    embeddings: Tensor, experts: int, generator: torch.Generator, iterations: int = 20
) -> Tensor:
    """A fair assignment of groups by embeddings [groups, dim]: k-means with fair steps.

    Embeddings are compared by cosine; first centres are groups far from one another.
    """
    points = torch.nn.functional.normalize(embeddings.double(), dim=1)
    first = int(torch.randint(len(points), (1,), generator=generator))
    centres = points[first : first + 1]
    while len(centres) < experts:
        nearest = (points @ centres.T).max(dim=1).values
        centres = torch.cat([centres, points[nearest.argmin()][None]])
    chosen = fair_assignment(points @ centres.T, tau=0.1)
    for _ in range(iterations):
        means = torch.stack([points[chosen == expert].mean(dim=0) for expert in range(experts)])
        centres = torch.nn.functional.normalize(means, dim=1)
        again = fair_assignment(points @ centres.T, tau=0.1)
        if torch.equal(again, chosen):
            break
        chosen = again
    return chosen


@dataclass(frozen=True, slots=True)
class AssignmentReport:
    """Sizes by expert, entropy in [0, 1] (1 is even), and the share of groups that moved."""

    sizes: tuple[int, ...]
    entropy: float
    moved: float | None


def report(chosen: Tensor, experts: int, previous: Tensor | None) -> AssignmentReport:
    """Describe an assignment against the one before it."""
    sizes = torch.bincount(chosen, minlength=experts)
    shares = sizes.double() / sizes.sum()
    entropy = float(-torch.special.xlogy(shares, shares).sum())
    moved = None if previous is None else float((chosen != previous).double().mean())
    return AssignmentReport(
        sizes=tuple(sizes.tolist()),
        entropy=entropy / math.log(experts) if experts > 1 else 1.0,
        moved=moved,
    )

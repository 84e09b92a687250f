"""Several experts of one base merged into one: their changes combined, without training.

SaM (arXiv 2506.22813) merges the experts that it selects. Here are the usual ways, for changes τ_i
and weights w_i: weighted means, task arithmetic (Ilharco et al., arXiv 2212.04089), TIES (Yadav et
al., 2306.01708), DARE (Yu et al., 2311.03099), and two that keep factors low-rank. PEFT's mixes A
and B of different experts, which adds cross terms; here the products are combined, in float32, one
module at a time. What an expert does not change is zero.

At density 1 and scale 1, merging one expert with weight 1 is the identity, and so is merging
identical experts, but for task arithmetic, which sums. At density d < 1:

- ties and magnitude give, for one expert or for identical ones, that expert trimmed: the share
  d of its entries that is left (rounded down, at least one by module) holds at least that share
  of its squared norm. Merging the trimmed expert by itself is the identity.
- dare-ties gives one expert back only in expectation. Identical experts add up even there: an entry
  is τ/d wherever any of K draws kept it, which is (1 − (1 − d)^K) / d times τ in expectation.

So an expert chosen alone is better taken as it is than merged.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from convener.errors import ConfigError, short
from convener.models.adapter import Adapter, Change, LowRank, dense, finite


class MergeConfig(BaseModel):
    """How experts become one.

    - `linear`: Σ w_i τ_i, dense.
    - `task-arithmetic`: Σ w_i τ_i with the weights as they are given; ones are the paper's sum.
    - `ties`: each τ_i trimmed to its `density` largest entries, a sign elected for each entry, and
      the mean of those that agree. The paper trims over all of an expert at once; here, as in
      PEFT and mergekit, each module is trimmed by itself, so that modules can be streamed.
    - `dare-ties`: entries of τ_i dropped at random but for `density`, the rest divided by it, then
      as above. The draw depends on `seed`, the module's name and the expert's place.
    - `magnitude`: trimmed, then Σ w_i τ_i.
    - `cat`: the linear merge, exactly, as low-rank factors put side by side.
    - `svd`: the best approximation of that of `rank`, left open the largest among the experts'.

    Weights are shares, so only their ratios matter, except in task arithmetic. `scale` is λ: it
    multiplies the merged change, whatever the method.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["linear", "task-arithmetic", "ties", "dare-ties", "magnitude", "cat", "svd"] = (
        "ties"
    )
    density: float = Field(default=0.5, gt=0, le=1)
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    rank: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)


def merge(
    adapters: Sequence[Adapter], weights: Sequence[float], config: MergeConfig
) -> dict[str, Change]:
    """Merge experts of one base, given in order with their weights.

    Dense tensors come back, or by `cat` and `svd` low-rank changes; with these a change that is
    dense in some expert is the dense weighted sum.

    Raises:
        ConfigError: no experts; weights that are negative, not finite, all zero or of another
            number; shapes that differ between experts; NaN or infinity in an expert.
    """
    return dict(stream(adapters, weights, config))


def stream(
    adapters: Sequence[Adapter], weights: Sequence[float], config: MergeConfig
) -> Iterator[tuple[str, Change]]:
    """As `merge`, but each module's change by itself, so that not all need fit in memory.

    No expert is read before its turn and none is read twice: errors of shape and value come when
    their module does.
    """
    shares = _shares(len(adapters), weights, config.method)
    names = dict.fromkeys(name for adapter in adapters for name in adapter)
    return ((name, _merge_one(name, adapters, shares, config)) for name in names)


def _shares(experts: int, weights: Sequence[float], method: str) -> list[float]:
    if not experts:
        raise ConfigError("expected at least one expert to merge, got none: select some first")
    if len(weights) != experts:
        raise ConfigError(
            f"expected a weight for each of {experts} experts, got {len(weights)}: give as many"
        )
    total = sum(weights)
    if any(weight < 0 for weight in weights) or not 0 < total < math.inf:
        raise ConfigError(
            "expected weights that are finite, none negative and not all zero, "
            f"got {short(list(weights))}: leave such experts out"
        )
    return [weight / (1.0 if method == "task-arithmetic" else total) for weight in weights]


def _merge_one(
    name: str, adapters: Sequence[Adapter], shares: Sequence[float], config: MergeConfig
) -> Change:
    places = [place for place, adapter in enumerate(adapters) if name in adapter]
    changes = [adapters[place][name] for place in places]
    weights = [shares[place] for place in places]
    _check(name, places, changes)
    low_rank = [change for change in changes if isinstance(change, LowRank)]
    if config.method in ("cat", "svd") and len(low_rank) == len(changes):
        together = concatenate(low_rank, [config.scale * weight for weight in weights])
        if config.method == "cat":
            return together
        return truncate(together, config.rank or max(change.rank for change in low_rank))
    merged: Tensor
    if config.method == "ties":
        merged = elect([trim(dense(change), config.density) for change in changes], weights)
    elif config.method == "dare-ties":
        kept = (
            drop(dense(change), config.density, _generator(config.seed, name, place))
            for place, change in zip(places, changes, strict=True)
        )
        merged = elect(list(kept), weights)
    elif config.method == "magnitude":
        merged = weighted_sum((trim(dense(change), config.density) for change in changes), weights)
    else:
        merged = weighted_sum((dense(change) for change in changes), weights)
    return merged.mul_(config.scale)


def _check(name: str, places: Sequence[int], changes: Sequence[Change]) -> None:
    shapes = sorted({tuple(change.shape) for change in changes})
    if len(shapes) > 1:
        raise ConfigError(
            f"{name}: expected one shape, got {' and '.join(str([*shape]) for shape in shapes)}: "
            "merge experts of the same base"
        )
    for place, change in zip(places, changes, strict=True):
        if not finite(change):
            raise ConfigError(
                f"{name}: expected finite numbers, got NaN or infinity in expert {place + 1} of "
                "those to merge: leave it out or train it again"
            )


def _generator(seed: int, name: str, place: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed} {place} {name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


def weighted_sum(deltas: Iterable[Tensor], weights: Sequence[float]) -> Tensor:
    """Σ w_i τ_i of tensors of one shape, taken one after the other."""
    total: Tensor | None = None
    for delta, weight in zip(deltas, weights, strict=True):
        total = delta * weight if total is None else total.add_(delta, alpha=weight)
    if total is None:
        raise ValueError("expected at least one tensor, got none")
    return total


def trim(delta: Tensor, density: float) -> Tensor:
    """The share `density` of entries that are largest by magnitude, the others zero (TIES, step 1).

    Entries as large as the smallest one kept are kept too, so the answer depends on no order.
    """
    values = delta.abs().flatten().cpu().numpy()
    kept = max(1, int(density * values.size))
    # torch's own selection takes 4 to 7 times as long
    threshold = float(np.partition(values, values.size - kept)[values.size - kept])
    return delta * (delta.abs() >= threshold)


def drop(delta: Tensor, density: float, generator: torch.Generator) -> Tensor:
    """Each entry kept with probability `density` and divided by it, else zero (DARE).

    Drawn on the CPU, so that every device merges alike.
    """
    kept = torch.rand(delta.shape, generator=generator) < density
    return (delta * kept.to(delta.device)).div_(density)


def elect(deltas: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted mean of the entries that have the elected sign (TIES, steps 2 and 3).

    Elected is the sign of Σ w_i τ_i; where that is zero nobody wins, and the entry is zero.
    """
    elected = weighted_sum(deltas, weights).sign_()
    total, mass = torch.zeros_like(elected), torch.zeros_like(elected)
    for delta, weight in zip(deltas, weights, strict=True):
        agrees = (delta.sign() == elected) * weight
        mass += agrees
        total += agrees.mul_(delta)
    return total.div_(mass.masked_fill_(mass == 0, 1.0))


def concatenate(changes: Sequence[LowRank], weights: Sequence[float]) -> LowRank:
    """Σ w_i U_i D_i exactly, as one change whose rank is the sum of ranks."""
    down = torch.cat([change.down.float() for change in changes])
    up = [change.up.float() * weight for change, weight in zip(changes, weights, strict=True)]
    return LowRank(down=down, up=torch.cat(up, dim=1))


def truncate(change: LowRank, rank: int) -> LowRank:
    """The best approximation of a change by one of at most `rank` (Eckart and Young).

    With U = Q R and Dᵀ = P S, the singular values of U D are those of the small R Sᵀ, so the
    product is never written out.
    """
    left, left_core = torch.linalg.qr(change.up.float())
    right, right_core = torch.linalg.qr(change.down.float().T)
    u, values, vt = torch.linalg.svd(left_core @ right_core.T, full_matrices=False)
    return LowRank(down=vt[:rank] @ right.T, up=left @ (u[:, :rank] * values[:rank]))

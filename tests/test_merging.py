"""Merging: the laws of each method, TIES by hand, PEFT where it is right, and bounded memory."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from peft.utils import merge_utils
from pydantic import ValidationError
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from convener.errors import ConfigError
from convener.models.adapter import Adapter, Change, LowRank, dense
from convener.panel.merging import (
    MergeConfig,
    concatenate,
    drop,
    elect,
    merge,
    stream,
    trim,
    truncate,
    weighted_sum,
)

FAST = settings(deadline=None, max_examples=50)
METHODS = ["linear", "task-arithmetic", "ties", "dare-ties", "magnitude", "cat", "svd"]
SEEDS = st.integers(0, 999)
WEIGHTS = st.floats(0.1, 10)
DENSITIES = st.floats(0.05, 1)
SHAPES = {"query": (6, 5), "value": (4, 7), "head": (3, 4), "bias": (3,)}


def expert(seed: int, rank: int = 2, names: Sequence[str] = tuple(SHAPES)) -> dict[str, Change]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    drawn: dict[str, Change] = {}
    for name, shape in SHAPES.items():
        if name in ("query", "value"):
            drawn[name] = LowRank(down=draw(rank, shape[1]), up=draw(shape[0], rank))
        else:
            drawn[name] = draw(*shape)
    return {name: drawn[name] for name in names}


def same(found: Adapter, expected: Adapter, tolerance: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for name, change in expected.items():
        torch.testing.assert_close(
            dense(found[name]), dense(change), rtol=tolerance, atol=tolerance, msg=name
        )


def identical(found: Adapter, expected: Adapter) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(dense(found[name]), dense(change)) for name, change in expected.items()
    )


def linear(experts: Sequence[Adapter], weights: Sequence[float]) -> dict[str, Change]:
    total = sum(weights)
    return {
        name: sum(
            (
                weight / total * dense(adapter[name])
                for adapter, weight in zip(experts, weights, strict=True)
            ),
            torch.zeros(shape),
        )
        for name, shape in SHAPES.items()
    }


@st.composite
def panels(draw: st.DrawFn) -> tuple[list[dict[str, Change]], list[float]]:
    ranks = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    experts = [expert(draw(SEEDS), rank) for rank in ranks]
    return experts, [draw(WEIGHTS) for _ in experts]


@pytest.mark.parametrize("method", METHODS)
@FAST
@given(SEEDS, WEIGHTS, st.integers(1, 4))
def test_one_expert_is_merged_into_itself(method: str, seed: int, weight: float, rank: int) -> None:
    one = expert(seed, rank)
    config = MergeConfig(method=method, density=1.0)
    same(merge([one], [1.0 if method == "task-arithmetic" else weight], config), one)
    if method != "svd":
        assert identical(merge([one], [1.0], config), one)


@pytest.mark.parametrize("method", METHODS)
@FAST
@given(SEEDS, st.lists(WEIGHTS, min_size=1, max_size=5))
def test_identical_experts_are_merged_into_themselves(
    method: str, seed: int, weights: list[float]
) -> None:
    one = expert(seed)
    scale = 1 / sum(weights) if method == "task-arithmetic" else 1.0
    config = MergeConfig(method=method, density=1.0, scale=scale)
    same(merge([one] * len(weights), weights, config), one)


@pytest.mark.parametrize("method", ["ties", "magnitude"])
@FAST
@given(SEEDS, st.lists(WEIGHTS, min_size=1, max_size=5), DENSITIES)
def test_below_density_one_an_expert_or_identical_ones_are_merged_into_the_trimmed_one(
    method: str, seed: int, weights: list[float], density: float
) -> None:
    one, config = expert(seed), MergeConfig(method=method, density=density)
    merged = merge([one] * len(weights), weights, config)
    same(merged, {name: trim(dense(change), density) for name, change in one.items()})
    alone = merge([one], [1.0], config)
    assert identical(merge([alone], [1.0], config), alone)
    for name, change in one.items():
        whole, kept = dense(change), dense(alone[name])
        share = max(1, int(density * whole.numel())) / whole.numel()
        assert float(kept.square().sum()) >= share * float(whole.square().sum()) * (1 - 1e-5)


@pytest.mark.parametrize("experts", [1, 3])
def test_below_density_one_dare_gives_identical_experts_as_is_stated(experts: int) -> None:
    one, density = {"it": torch.ones(200, 500)}, 0.4
    config = MergeConfig(method="dare-ties", density=density)
    merged = dense(merge([one] * experts, [1.0] * experts, config)["it"])
    torch.testing.assert_close(merged.unique(), torch.tensor([0, 1 / density]))
    expected = (1 - (1 - density) ** experts) / density
    assert float(merged.mean()) == pytest.approx(expected, abs=0.02)


@FAST
@given(panels())
def test_cat_and_svd_without_a_limit_equal_the_explicit_sum(
    panel: tuple[list[dict[str, Change]], list[float]],
) -> None:
    experts, weights = panel
    expected = linear(experts, weights)
    together = merge(experts, weights, MergeConfig(method="cat"))
    compressed = merge(experts, weights, MergeConfig(method="svd", rank=99))
    ranks = [change.rank for one in experts if isinstance(change := one["query"], LowRank)]
    assert isinstance(together["query"], LowRank)
    assert together["query"].rank == sum(ranks)
    assert isinstance(compressed["query"], LowRank)
    assert compressed["query"].rank == min(5, sum(ranks))
    for found in (together, compressed, merge(experts, weights, MergeConfig(method="linear"))):
        same(found, expected)


@FAST
@given(panels(), st.integers(1, 6))
def test_svd_is_the_best_approximation_of_its_rank(
    panel: tuple[list[dict[str, Change]], list[float]], rank: int
) -> None:
    experts, weights = panel
    found = merge(experts, weights, MergeConfig(method="svd", rank=rank))["query"]
    u, values, vt = torch.linalg.svd(dense(linear(experts, weights)["query"]))
    assume(rank >= len(values) or float(values[rank - 1] - values[rank]) > 1e-3)
    best = u[:, : len(values[:rank])] @ values[:rank].diag() @ vt[: len(values[:rank])]
    torch.testing.assert_close(dense(found), best, rtol=1e-3, atol=1e-4)


def test_svd_left_open_keeps_the_largest_rank_of_the_experts() -> None:
    merged = merge([expert(0, 1), expert(1, 3)], [1, 1], MergeConfig(method="svd"))
    assert isinstance(merged["query"], LowRank)
    assert merged["query"].rank == 3


def test_truncation_never_writes_the_product_out() -> None:
    change = LowRank(down=torch.randn(2, 4000), up=torch.randn(4000, 2))
    with Peak() as peak:
        truncate(change, 1)
    assert peak.bytes < 4000 * 4000


@pytest.mark.parametrize("method", METHODS)
@FAST
@given(panels(), st.floats(0.1, 3), st.sampled_from([0.3, 1.0]))
def test_scale_multiplies_and_only_ratios_of_weights_count(
    method: str, panel: tuple[list[dict[str, Change]], list[float]], scale: float, density: float
) -> None:
    experts, weights = panel
    plain = merge(experts, weights, MergeConfig(method=method, density=density))
    scaled = merge(experts, weights, MergeConfig(method=method, density=density, scale=scale))
    same(scaled, {name: dense(change) * scale for name, change in plain.items()})
    doubled = merge(experts, [2 * w for w in weights], MergeConfig(method=method, density=density))
    factor = 2 if method == "task-arithmetic" else 1
    same(doubled, {name: dense(change) * factor for name, change in plain.items()})


@FAST
@given(panels())
def test_task_arithmetic_with_weights_of_one_is_the_sum(
    panel: tuple[list[dict[str, Change]], list[float]],
) -> None:
    experts, _ = panel
    ones = [1.0] * len(experts)
    total = {name: dense(change) * len(experts) for name, change in linear(experts, ones).items()}
    same(merge(experts, ones, MergeConfig(method="task-arithmetic")), total)


def test_ties_by_hand() -> None:
    first = torch.tensor([[4.0, -1.0, 3.0], [0.5, -6.0, 2.0]])
    second = torch.tensor([[-2.0, 5.0, 1.0], [0.2, -3.0, 4.0]])
    third = torch.tensor([[-8.0, 0.1, 7.0], [-9.0, 0.3, 0.4]])
    # trimmed to half:  [ 4  0  3 |  0 -6  0 ]   weight 1/2
    #                   [ 0  5  0 |  0 -3  4 ]   weight 1/4
    #                   [-8  0  7 | -9  0  0 ]   weight 1/4
    # Σ w τ:            [ 0 5/4 13/4 | -9/4 -15/4 1 ], so nobody wins the first entry
    assert trim(first, 0.5).tolist() == [[4, 0, 3], [0, -6, 0]]
    merged = merge(
        [{"it": first}, {"it": second}, {"it": third}], [2, 1, 1], MergeConfig(method="ties")
    )
    expected = torch.tensor([[0.0, 5.0, (2 * 3 + 7) / 3], [-9.0, (2 * -6 - 3) / 3, 4.0]])
    torch.testing.assert_close(dense(merged["it"]), expected)
    twice = merge([{"it": first}, {"it": second}, {"it": third}], [2, 1, 1], MergeConfig(scale=2.0))
    torch.testing.assert_close(dense(twice["it"]), 2 * expected)


@FAST
@given(st.integers(1, 5), SEEDS, st.floats(0.2, 0.99), st.lists(WEIGHTS, min_size=5, max_size=5))
def test_peft_trims_sums_and_elects_alike(
    experts: int, seed: int, density: float, weights: list[float]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    deltas = [torch.randn(7, 6, generator=generator) for _ in range(experts)]
    shares = weights[:experts]
    ones, given = torch.ones(experts), torch.tensor(shares)
    total = given.sum()
    for delta in deltas:
        assert torch.equal(trim(delta, density), merge_utils.prune(delta, density, "magnitude"))
    adapters = [{"it": delta} for delta in deltas]

    def ours(method: str, weights: Sequence[float]) -> Tensor:
        return dense(merge(adapters, weights, MergeConfig(method=method, density=density))["it"])

    for expected, found in (
        (merge_utils.ties(deltas, ones, density), ours("ties", ones.tolist())),
        (
            merge_utils.task_arithmetic(deltas, given) / total,
            ours("task-arithmetic", shares) / total,
        ),
        (merge_utils.magnitude_prune(deltas, given / total, density), ours("magnitude", shares)),
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:The density 1.0:UserWarning")
@FAST
@given(st.integers(1, 5), SEEDS)
def test_peft_merges_by_dare_alike_where_nothing_is_dropped(experts: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    deltas = [torch.randn(7, 6, generator=generator) for _ in range(experts)]
    expected = merge_utils.dare_ties(deltas, torch.ones(experts), 1.0)
    config = MergeConfig(method="dare-ties", density=1.0)
    found = merge([{"it": delta} for delta in deltas], [1] * experts, config)
    torch.testing.assert_close(dense(found["it"]), expected, rtol=1e-4, atol=1e-6)


@FAST
@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]), min_size=1, max_size=30), DENSITIES)
def test_trimming_keeps_the_largest_and_all_as_large_as_the_smallest_kept(
    values: list[float], density: float
) -> None:
    trimmed = trim(torch.tensor(values), density).tolist()
    least = sorted(map(abs, values), reverse=True)[max(1, int(density * len(values))) - 1]
    assert trimmed == [value if abs(value) >= least else 0 for value in values]


@FAST
@given(SEEDS, st.integers(1, 5), st.lists(WEIGHTS, min_size=5, max_size=5))
def test_an_elected_mean_lies_between_those_that_agree(
    seed: int, experts: int, weights: list[float]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    deltas = list(torch.randint(-3, 4, (experts, 20), generator=generator).float())
    shares = [round(weight) + 1.0 for weight in weights[:experts]]
    merged, total = elect(deltas, shares), weighted_sum(deltas, shares)
    assert torch.equal(merged.sign(), total.sign())
    for entry, value in enumerate(merged.tolist()):
        column = [(float(d[entry]), w) for d, w in zip(deltas, shares, strict=True)]
        agreeing = [(d, w) for d, w in column if d * float(total[entry]) > 0]
        mass = sum(w for _, w in agreeing)
        assert value == pytest.approx(sum(d * w for d, w in agreeing) / mass if mass else 0.0)


def test_a_drop_keeps_the_expected_share_and_sum() -> None:
    delta = torch.ones(300, 300)
    kept = drop(delta, 0.25, torch.Generator().manual_seed(0))
    assert kept.unique().tolist() == [0, 4]
    assert float(kept.mean()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("method", METHODS)
@FAST
@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_modules_does_not_matter(
    method: str, panel: tuple[list[dict[str, Change]], list[float]], random: Any
) -> None:
    experts, weights = panel
    config = MergeConfig(method=method)
    shuffled = [dict(random.sample(list(e.items()), len(e))) for e in experts]
    merged = merge(experts, weights, config)
    assert identical(merge(shuffled, weights, config), merged)
    assert identical(merge(experts, weights, config), merged)
    for name in SHAPES:
        part = merge([{name: e[name]} for e in experts], weights, config)
        assert torch.equal(dense(part[name]), dense(merged[name]))


@pytest.mark.parametrize("method", ["linear", "ties", "magnitude", "cat", "svd"])
@FAST
@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_experts_does_not_matter(
    method: str, panel: tuple[list[dict[str, Change]], list[float]], random: Any
) -> None:
    pairs = list(zip(*panel, strict=True))
    experts, weights = zip(*random.sample(pairs, len(pairs)), strict=True)
    config = MergeConfig(method=method, rank=9)
    same(merge(experts, weights, config), merge(*panel, config))


def test_draws_depend_on_the_seed_the_module_and_the_expert() -> None:
    ones: Adapter = {"first": torch.ones(20, 20), "second": torch.ones(20, 20)}
    nothing: Adapter = {}

    def merged(seed: int, *experts: Adapter) -> dict[str, Change]:
        return merge(experts, [1.0] * len(experts), MergeConfig(method="dare-ties", seed=seed))

    found = merged(0, ones)
    assert identical(merged(0, ones), found)
    state = torch.get_rng_state()
    assert not torch.equal(dense(merged(1, ones)["first"]), dense(found["first"]))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(dense(found["first"]), dense(found["second"]))
    assert not torch.equal(dense(merged(0, nothing, ones)["first"]), dense(found["first"]))


@pytest.mark.parametrize("method", METHODS)
@FAST
@given(SEEDS, SEEDS, WEIGHTS, WEIGHTS)
def test_what_an_expert_lacks_is_zero(method: str, a: int, b: int, w: float, v: float) -> None:
    whole, part = expert(a), expert(b, names=("value", "bias"))
    zeros: dict[str, Change] = {
        name: part.get(name, torch.zeros(shape)) for name, shape in SHAPES.items()
    }
    config = MergeConfig(method=method, rank=9)
    same(merge([whole, part], [w, v], config), merge([whole, zeros], [w, v], config))


@pytest.mark.parametrize("method", METHODS)
def test_low_rank_and_dense_changes_of_one_module_merge(method: str) -> None:
    low, full = expert(0), {name: dense(change) for name, change in expert(1).items()}
    config = MergeConfig(method=method, rank=9)
    found = merge([low, full], [1, 2], config)
    same(found, merge([low, expert(1)], [1, 2], config))
    assert isinstance(found["query"], Tensor)


@pytest.mark.parametrize("method", METHODS)
def test_experts_stay_as_they_are_and_results_are_their_own(method: str) -> None:
    experts = [expert(0), expert(1)]
    merged = merge(experts[:1], [1], MergeConfig(method=method, density=1.0, scale=2.0))
    merge(experts, [1, 2], MergeConfig(method=method))
    assert identical(experts[0], expert(0))
    assert identical(experts[1], expert(1))
    for change in merged.values():
        for part in (change.up, change.down) if isinstance(change, LowRank) else (change,):
            part.zero_()
    assert identical(experts[0], expert(0))


@pytest.mark.parametrize("method", METHODS)
def test_half_precision_is_merged_in_float32(method: str) -> None:
    halves = [
        {name: dense(change).bfloat16() for name, change in expert(seed).items()}
        for seed in range(3)
    ]
    floats = [{name: change.float() for name, change in half.items()} for half in halves]
    config = MergeConfig(method=method)
    found = merge(halves, [1, 2, 3], config)
    assert identical(found, merge(floats, [1, 2, 3], config))
    assert {dense(change).dtype for change in found.values()} == {torch.float32}


def test_half_precision_factors_are_merged_in_float32() -> None:
    change = LowRank(down=torch.randn(2, 5).bfloat16(), up=torch.randn(4, 2).bfloat16())
    for found in (concatenate([change], [1.0]), truncate(change, 2)):
        assert found.up.dtype == found.down.dtype == torch.float32
        torch.testing.assert_close(found.delta(), change.delta())


@pytest.mark.parametrize(
    ("experts", "weights", "message"),
    [
        ([], [], "expected at least one expert to merge, got none"),
        ([{}, {}], [1.0], "expected a weight for each of 2 experts, got 1"),
        ([{}, {}], [1.0, -0.5], r"none negative and not all zero, got \[1.0, -0.5\]"),
        ([{}, {}], [0.0, 0.0], r"not all zero, got \[0.0, 0.0\]"),
        ([{}, {}], [float("nan"), 1.0], r"weights that are finite, .* got \[nan, 1.0\]"),
        ([{}, {}], [float("inf"), 1.0], r"weights that are finite, .* got \[inf, 1.0\]"),
        (
            [{"q": torch.ones(2, 3)}, {"q": LowRank(torch.ones(1, 2), torch.ones(2, 1))}],
            [1.0, 1.0],
            r"q: expected one shape, got \[2, 2\] and \[2, 3\]: merge experts of the same base",
        ),
        (
            [{"q": torch.ones(2)}, {"q": torch.tensor([1.0, torch.nan])}],
            [1.0, 0.0],
            "q: expected finite numbers, got NaN or infinity in expert 2",
        ),
        (
            [{"q": LowRank(torch.ones(1, 2), torch.full((2, 1), torch.inf))}],
            [1.0],
            "q: expected finite numbers, got NaN or infinity in expert 1",
        ),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_merged_is_refused_in_one_line(
    method: str, experts: list[Adapter], weights: list[float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        merge(experts, weights, MergeConfig(method=method))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "setting",
    [{"density": 0.0}, {"density": 1.1}, {"scale": 0.0}, {"rank": 0}, {"method": "x"}, {"x": 1}],
)
def test_settings_have_bounds(setting: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MergeConfig(**setting)


def test_nothing_to_sum_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="expected at least one tensor"):
        weighted_sum([], [])


class Peak(TorchDispatchMode):
    """The most bytes that tensors made inside held at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.live: Any = WeakIdKeyDictionary()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {id(a.untyped_storage()) for a in tree_leaves((args, kwargs)) if torch.is_tensor(a)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if torch.is_tensor(tensor) and id(tensor.untyped_storage()) not in known:
                self.live[tensor.untyped_storage()] = tensor.untyped_storage().nbytes()
        self.bytes = max(self.bytes, sum(self.live.values()))
        return result


class Recorder(Mapping[str, Change]):
    """An expert that notes which module is read."""

    def __init__(self, adapter: Adapter, reads: list[str]) -> None:
        self.adapter = adapter
        self.reads = reads

    def __getitem__(self, name: str) -> Change:
        self.reads.append(name)
        return self.adapter[name]

    def __contains__(self, name: object) -> bool:
        return name in self.adapter

    def __iter__(self) -> Iterator[str]:
        return iter(self.adapter)

    def __len__(self) -> int:
        return len(self.adapter)


def experts_of_twelve_layers(width: int, rank: int) -> list[dict[str, Change]]:
    generator = torch.Generator().manual_seed(0)
    return [
        {
            f"encoder.layer.{layer}.attention.{name}": LowRank(
                down=torch.randn(rank, width, generator=generator),
                up=torch.randn(width, rank, generator=generator),
            )
            for layer in range(12)
            for name in ("query", "key", "value", "output")
        }
        for _ in range(8)
    ]


@pytest.mark.parametrize("method", METHODS)
def test_each_module_is_read_once_and_when_its_turn_comes(method: str) -> None:
    reads: list[str] = []
    experts = [Recorder(adapter, reads) for adapter in experts_of_twelve_layers(8, 2)]
    seen = 0
    for name, _ in stream(experts, [1.0] * 8, MergeConfig(method=method)):
        assert reads[seen:] == [name] * 8
        seen = len(reads)
    assert seen == 12 * 4 * 8


@pytest.mark.parametrize("method", METHODS)
def test_memory_is_little_more_than_one_module_of_each_expert(method: str) -> None:
    experts = experts_of_twelve_layers(128, 4)
    module = 4 * 128 * 128
    with Peak() as peak:
        for _ in stream(experts, [1.0] * 8, MergeConfig(method=method)):
            pass
    assert module <= peak.bytes <= (8 + 7) * module
    if method in ("linear", "task-arithmetic", "magnitude", "cat", "svd"):
        assert peak.bytes <= 7 * module


@pytest.mark.parametrize("method", ["ties", "dare-ties", "svd"])
def test_eight_experts_of_a_usual_encoder_are_merged_in_seconds(method: str) -> None:
    experts = experts_of_twelve_layers(768, 16)
    started = time.process_time()
    for _ in stream(experts, [1.0] * 8, MergeConfig(method=method)):
        pass
    assert time.process_time() - started < 20

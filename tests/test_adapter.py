"""Adapters: what is read off PEFT and added to the base is what PEFT computes."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model, inject_adapter_in_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from convener.errors import ModelError
from convener.models.adapter import Adapter, LowRank, apply, dense, extract, flat, unflat

FAST = settings(deadline=None, max_examples=50)
INPUT = torch.randn(5, 6, generator=torch.Generator().manual_seed(7))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(6, 8)
        self.value = nn.Linear(8, 4, bias=False)
        self.words = nn.Embedding(5, 6)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.value(torch.tanh(self.query(inputs) + self.query(self.words.weight)))


class Model(nn.Module):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = nn.Sequential(Block())
        self.classifier = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.classifier(self.encoder(inputs))


def config(**changes: object) -> LoraConfig:
    values: dict[str, object] = {"r": 3, "lora_alpha": 5, "target_modules": ["query", "value"]}
    return LoraConfig(**{**values, "init_lora_weights": False, **changes})


def with_lora(**changes: object) -> PeftModel:
    model = get_peft_model(Model(), config(**changes))
    model.eval()
    return model


@pytest.fixture(autouse=True)
def _own_randomness() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("rslora", [False, True])
def test_what_is_extracted_and_applied_is_what_peft_computes(rslora: bool) -> None:
    lora = with_lora(use_rslora=rslora, lora_dropout=0.5)
    adapter = extract(lora)
    plain = Model()
    before = plain(INPUT)
    apply(plain, adapter)
    assert list(adapter) == ["encoder.0.query", "encoder.0.value"]
    assert {change.rank for change in adapter.values()} == {3}
    assert not torch.allclose(before, lora(INPUT), atol=1e-2)
    torch.testing.assert_close(plain(INPUT), lora(INPUT), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        plain.state_dict(), lora.merge_and_unload().state_dict(), rtol=1e-5, atol=1e-6
    )


def test_ranks_and_scales_may_differ_by_module() -> None:
    lora = with_lora(rank_pattern={"value": 2}, alpha_pattern={"query": 11}, use_rslora=True)
    adapter, plain = extract(lora), Model()
    apply(plain, adapter)
    assert [change.rank for change in adapter.values()] == [3, 2]
    torch.testing.assert_close(plain(INPUT), lora(INPUT), rtol=1e-5, atol=1e-5)


def test_names_know_nothing_of_wrappers() -> None:
    whole, inner = with_lora(), Model()
    inner.encoder = get_peft_model(inner.encoder, config())
    bare = inject_adapter_in_model(config(), Model())
    assert list(extract(whole)) == list(extract(inner)) == list(extract(bare))


def test_the_active_adapter_is_extracted() -> None:
    lora = with_lora()
    lora.add_adapter("other", config(r=1, target_modules=["value"]))
    first = extract(lora)
    lora.set_adapter("other")
    second = extract(lora)
    assert [change.rank for change in first.values()] == [3, 3]
    assert [(name, change.rank) for name, change in second.items()] == [("encoder.0.value", 1)]
    lora.base_model.set_adapter(["default", "other"])
    with pytest.raises(ModelError, match=r"encoder\.0\.value: expected one active adapter, got"):
        extract(lora)


def test_what_was_extracted_stays_as_training_goes_on() -> None:
    lora = with_lora(lora_alpha=3)
    adapter = extract(lora)
    before = {name: change.delta() for name, change in adapter.items()}
    with torch.no_grad():
        for values in lora.parameters():
            values.add_(1.0)
    for name, change in adapter.items():
        assert torch.equal(change.delta(), before[name])
        assert not change.up.requires_grad


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"use_dora": True}, "encoder.0.query: expected plain LoRA of a linear layer, got Dora"),
        ({"lora_bias": True, "target_modules": ["query"]}, "got a LoRA bias"),
        ({"target_modules": ["query", "words"]}, "got LoRA of Embedding"),
        (
            {"modules_to_save": ["classifier"]},
            "classifier: expected plain LoRA .* got ModulesToSave",
        ),
    ],
)
def test_other_changes_than_plain_lora_are_refused(changes: dict[str, object], got: str) -> None:
    with pytest.raises(ModelError, match=got) as raised:
        extract(with_lora(**changes))
    assert "\n" not in str(raised.value)


def test_transposed_weights_and_other_methods_are_refused() -> None:
    transposed = nn.Sequential(Conv1D(4, 6))
    lora = get_peft_model(transposed, config(target_modules=["0"], fan_in_fan_out=True))
    with pytest.raises(ModelError, match="got LoRA of Conv1D"):
        extract(lora)
    other = get_peft_model(
        Model(), IA3Config(target_modules=["query"], feedforward_modules=["query"])
    )
    with pytest.raises(ModelError, match="expected plain LoRA of a linear layer, got Linear"):
        extract(other)


def test_a_model_without_lora_is_refused() -> None:
    with pytest.raises(ModelError, match="expected a model with active LoRA layers, got Model"):
        extract(Model())


def test_dense_changes_are_added_to_parameters() -> None:
    model, before = Model(), Model()
    apply(model, {"classifier.bias": torch.ones(3), "encoder.0.words": torch.full((5, 6), 2.0)})
    changed = {
        name: (values - dict(before.named_parameters())[name]).mean().item()
        for name, values in model.named_parameters()
    }
    assert {name: round(by, 5) for name, by in changed.items() if by} == {
        "classifier.bias": 1.0,
        "encoder.0.words.weight": 2.0,
    }


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_sums_are_rounded_once_to_the_parameters_type(dtype: torch.dtype) -> None:
    model = nn.Linear(6, 4).to(dtype)
    before = model.weight.detach().clone()
    change = LowRank(down=torch.randn(2, 6), up=torch.randn(4, 2))
    apply(nn.ModuleDict({"it": model}), {"it": change})
    assert model.weight.dtype == dtype
    assert torch.equal(model.weight, (before.double() + change.delta().double()).to(dtype))


def test_adding_and_taking_away_gives_the_base_back() -> None:
    lora = with_lora()
    adapter, model = extract(lora), Model()
    apply(model, adapter)
    apply(model, {name: LowRank(change.down, -change.up) for name, change in adapter.items()})
    torch.testing.assert_close(model.state_dict(), Model().state_dict(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("encoder.1.query", (8, 6), "expected a module or parameter of the model, got 'encoder.1"),
        ("encoder", (8, 6), "expected a module or parameter of the model, got 'encoder'"),
        ("classifier", (8, 6), r"classifier: expected a change of \[8, 6\] floats, got a"),
        ("classifier.bias", (4,), r"classifier\.bias: expected a change of \[4\]"),
        ("counts", (3,), r"counts: .* got a parameter of \[3\] torch\.int8: .* not quantised"),
    ],
)
def test_a_change_that_does_not_fit_changes_nothing(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    model = Model()
    model.counts = nn.Parameter(torch.ones(3, dtype=torch.int8), requires_grad=False)
    before = {key: values.clone() for key, values in model.state_dict().items()}
    adapter: Adapter = {"classifier.weight": torch.ones(3, 4), name: torch.ones(shape)}
    with pytest.raises(ModelError, match=message) as raised:
        apply(model, adapter)
    assert "\n" not in str(raised.value)
    assert all(torch.equal(values, before[key]) for key, values in model.state_dict().items())


@FAST
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_a_low_rank_change_is_the_product_of_its_factors(
    rank: int, rows: int, columns: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    down = torch.randn(rank, columns, generator=generator).half()
    up = torch.randn(rows, rank, generator=generator).half()
    change = LowRank(down=down, up=up)
    assert (change.rank, change.shape) == (rank, (rows, columns))
    assert change.delta().dtype == torch.float32
    torch.testing.assert_close(change.delta(), torch.einsum("or,ri->oi", up.float(), down.float()))
    assert torch.equal(dense(change), dense(change.delta()))


@pytest.mark.parametrize(("down", "up"), [((2, 3), (3, 4)), ((2,), (4, 2)), ((2, 3), (4, 2, 1))])
def test_factors_that_do_not_fit_are_refused(down: tuple[int, ...], up: tuple[int, ...]) -> None:
    got = re.escape(f"got {[*up]} and {[*down]}")
    with pytest.raises(ModelError, match=rf"expected factors \[out, rank\].*{got}"):
        LowRank(down=torch.zeros(down), up=torch.zeros(up))


def test_an_adapter_is_the_same_after_a_safetensors_file(tmp_path: Path) -> None:
    adapter = {
        **extract(with_lora()),
        "transposed": LowRank(down=torch.randn(3, 2).T, up=torch.randn(2, 4).T),
        "classifier.bias": torch.randn(3),
        "classifier.weight": torch.randn(4, 3).T,
        "named.down": torch.randn(2),
        "named": torch.randn(1),
    }
    save_file(flat(adapter), tmp_path / "adapter.safetensors")
    again = unflat(load_file(tmp_path / "adapter.safetensors"))
    assert again.keys() == adapter.keys()
    for name, change in adapter.items():
        assert type(again[name]) is type(change)
        assert torch.equal(dense(again[name]), dense(change))


@pytest.mark.parametrize(
    "key", ["query.down", "query.up", "query.weight", "delta", "query", ".delta"]
)
def test_tensors_that_are_no_adapter_are_refused(key: str) -> None:
    with pytest.raises(ModelError, match=rf"expected tensors NAME\.down.*got '{key}'") as raised:
        unflat({"other.delta": torch.zeros(1), key: torch.zeros(2, 2)})
    assert "\n" not in str(raised.value)

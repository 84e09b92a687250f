"""Dropout: the rate, the expectation, and when it does nothing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoConfig, AutoModel

from convener.errors import ConfigError
from convener.models.dropout import Dropout, set_dropout
from convener.models.seeding import seeded


@given(st.floats(0.01, 0.9), st.integers(1, 7))
def test_rate_and_expectation(rate: float, odd: int) -> None:
    values = torch.ones(40_000 + odd)
    with seeded(0):
        answer = Dropout(rate)(values)
    assert (answer == 0).float().mean().item() == pytest.approx(rate, abs=0.015)
    assert answer.mean().item() == pytest.approx(1.0, rel=0.01 + 0.03 * rate / (1 - rate))
    assert len(answer.unique()) == 2


def test_neighbours_are_drawn_apart() -> None:
    with seeded(1):
        dropped = Dropout(0.5)(torch.ones(5_000, 8)) == 0
    assert torch.allclose(dropped.float().T.cov() * 4, torch.eye(8), atol=0.08)


def test_no_effect_out_of_training_or_at_rate_zero() -> None:
    values = torch.randn(3, 4)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)


def test_next_to_everything_can_be_dropped() -> None:
    with seeded(2):
        answer = Dropout(0.999)(torch.ones(10_000))
    assert answer.isfinite().all()
    assert 0 < (answer > 0).float().mean().item() < 0.01


def test_gradients_flow_through_what_is_kept() -> None:
    values = torch.ones(1000, requires_grad=True)
    answer = Dropout(0.25)(values)
    answer.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, answer.detach())


SMALL = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("bert", {}),
        ("albert", {"embedding_size": 16}),
        ("modernbert", {"pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2}),
        ("deberta-v2", {}),
        ("longformer", {"attention_window": [8]}),
    ],
)
def test_each_rate_reaches_its_places(kind: str, more: dict[str, object]) -> None:
    encoder = AutoModel.from_config(AutoConfig.for_model(kind, **SMALL, **more))
    set_dropout(encoder, 0.25, 0.5)
    rates = [module.p for module in encoder.modules() if isinstance(module, nn.Dropout)]
    rates += [
        rate
        for module in encoder.modules()
        for name in ("attention_dropout", "dropout")
        if isinstance(rate := getattr(module, name, None), float)
    ]
    assert rates.count(0.5) == 1
    assert set(rates) == {0.25, 0.5}


def test_attention_dropout_that_reaches_nothing_is_refused() -> None:
    encoder = AutoModel.from_config(
        AutoConfig.for_model("xlnet", vocab_size=50, d_model=32, n_head=2, d_inner=32, n_layer=1)
    )
    set_dropout(encoder, 0.25, 0.0)
    with pytest.raises(ConfigError, match="expected attention_dropout 0 for a XLNetModel"):
        set_dropout(encoder, 0.25, 0.5)

"""Attention between types: nothing at first, blind to order and padding, open to be looked at."""

import itertools

import pytest
import torch
from torch import Tensor

from convener.errors import ConfigError
from convener.models.type_attention import Scope, TypeAttention

BATCH, WORDS, TYPES, DIM = 2, 5, 4, 16
SCOPES: tuple[Scope, ...] = ("types", "positions")

both_scopes = pytest.mark.parametrize("scope", SCOPES)


def stirred(scope: Scope, layers: int = 2) -> TypeAttention:
    """An attention with weights far from zero."""
    torch.manual_seed(1)
    module = TypeAttention(DIM, 4, layers, scope, 0.1).eval()
    for parameter in module.parameters():
        parameter.data.normal_(std=0.5)
    return module


def words_and_present() -> tuple[Tensor, Tensor]:
    """Words of which the second example lacks two, and one of its types."""
    torch.manual_seed(2)
    present = torch.ones(BATCH, WORDS, TYPES, dtype=torch.bool)
    present[1, 3:] = False
    present[1, :, 2] = False
    return torch.randn(BATCH, WORDS, TYPES, DIM), present


@both_scopes
@pytest.mark.parametrize("training", [False, True])
def test_untrained_it_changes_nothing(scope: Scope, training: bool) -> None:
    words, present = words_and_present()
    module = TypeAttention(DIM, 4, 3, scope, 0.5).train(training)
    assert torch.equal(module(words, present), words)


@both_scopes
def test_it_follows_the_order_of_types(scope: Scope) -> None:
    words, present = words_and_present()
    module, order = stirred(scope), torch.tensor([2, 0, 3, 1])
    plain = module(words, present)
    assert (plain - words).abs().max() > 0.1
    permuted = module(words[:, :, order], present[:, :, order])
    torch.testing.assert_close(permuted, plain[:, :, order], atol=1e-5, rtol=0)
    looks = module.looks(words, present)
    permuted = module.looks(words[:, :, order], present[:, :, order])
    torch.testing.assert_close(permuted, looks[order][:, order], atol=1e-5, rtol=0)


@both_scopes
def test_what_is_not_there_is_never_looked_at(scope: Scope) -> None:
    words, present = words_and_present()
    module = stirred(scope)
    other = torch.where(present[..., None], words, 100 * torch.randn_like(words))
    expected, found = module(words, present), module(other, present)
    torch.testing.assert_close(found[present], expected[present], atol=1e-5, rtol=0)
    assert found.isfinite().all()
    torch.testing.assert_close(
        module.looks(other, present), module.looks(words, present), atol=1e-5, rtol=0
    )
    present[:, :, 2] = False
    assert not module.looks(words, present)[:, 2].any()


def test_scopes_differ_in_what_they_see() -> None:
    words, present = words_and_present()
    other = words.clone()
    other[0, 1] = torch.randn(TYPES, DIM)
    for scope, seen in (("types", False), ("positions", True)):
        module = stirred(scope)  # type: ignore[arg-type]
        change = (module(other, present) - module(words, present)).abs()
        assert change[0, 1].max() > 0.1
        assert (change[0, [0, 2, 3, 4]].max() > 1e-3) == seen
        assert change[1].max() < 1e-5


@both_scopes
def test_looks_are_shares_of_the_types_that_are_there(scope: Scope) -> None:
    words, present = words_and_present()
    looks = stirred(scope).looks(words, present)
    torch.testing.assert_close(looks.sum(dim=1), torch.ones(TYPES))
    assert looks.std() > 0.01
    present[:, :, 2] = False
    sums = stirred(scope).looks(words, present).sum(dim=1)
    torch.testing.assert_close(sums, torch.tensor([1.0, 1, 0, 1]))


@both_scopes
def test_identical_vectors_are_looked_at_alike(scope: Scope) -> None:
    present = torch.ones(BATCH, WORDS, TYPES, dtype=torch.bool)
    present[1, 3:] = False
    same = torch.randn(DIM).expand(BATCH, WORDS, TYPES, DIM)
    looks = stirred(scope).looks(same, present)
    torch.testing.assert_close(looks, torch.full((TYPES, TYPES), 1 / TYPES))


def test_looks_are_the_mean_of_layers_heads_and_words() -> None:
    words, present = words_and_present()
    module = stirred("types")
    sums = torch.zeros(TYPES, TYPES)
    for example, word in itertools.product(range(BATCH), range(WORDS)):
        there = present[example, word]
        vectors = words[example, word]
        for layer in module.layers if there.any() else ():
            query, key, _ = layer.inward(layer.norm(vectors)).view(TYPES, 3, 4, -1).unbind(1)
            scores = torch.einsum("ihd,jhd->hij", query, key) / (DIM // 4) ** 0.5
            weights = scores.masked_fill(~there, -torch.inf).softmax(dim=-1).mean(dim=0)
            sums += weights * there[:, None]
            vectors = layer(vectors[None], there[None])[0]
    expected = sums / sums.sum(dim=1, keepdim=True)
    torch.testing.assert_close(module.looks(words, present), expected, atol=1e-5, rtol=0)


def test_heads_that_do_not_divide() -> None:
    with pytest.raises(ConfigError, match=r"^expected .* divides 16, got 5$"):
        TypeAttention(DIM, 5, 1, "types", 0.1)

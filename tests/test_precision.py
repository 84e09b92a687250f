"""The precision of a training step."""

import pytest
import torch
from torch.nn.functional import linear, scaled_dot_product_attention

from convener.training.precision import computed_in


def test_on_a_cpu_attention_stays_in_float32_and_the_rest_does_not() -> None:
    query, key, value = torch.randn(3, 2, 4, 5, 8, dtype=torch.bfloat16).unbind()
    mask = torch.rand(2, 1, 5, 5) < 0.7
    mask[..., 0] = True
    exact = scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=mask)
    with computed_in("bf16", "cpu"):
        found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mapped = linear(torch.randn(2, 3), torch.randn(4, 3))
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, exact.to(torch.bfloat16))
    assert mapped.dtype == torch.bfloat16


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_gradients_reach_what_attention_reads(precision: str) -> None:
    inputs = torch.randn(3, 1, 2, 4, 8).unbind()
    wanted = [values.clone().requires_grad_() for values in inputs]
    given = [values.clone().requires_grad_() for values in inputs]
    scaled_dot_product_attention(*wanted).sum().backward()
    with computed_in(precision, "cpu"):  # type: ignore[arg-type]
        answer = scaled_dot_product_attention(*given)
    answer.sum().backward()
    for ours, exact in zip(given, wanted, strict=True):
        assert exact.grad is not None
        assert ours.grad is not None
        torch.testing.assert_close(ours.grad, exact.grad)

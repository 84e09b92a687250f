"""Mixed precision of a training step, where it pays.

With bfloat16 everything but attention is computed in it. On a CPU the backward pass of torch's
fused attention takes up to fifteen times as long in bfloat16 as in float32, longer than all other
layers together, so there attention stays in float32.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from convener.training.optimiser_config import Precision


@contextmanager
def computed_in(precision: Precision, device: str) -> Iterator[None]:
    """Compute the forward pass on that kind of device in that precision."""
    if precision == "float32":
        yield
        return
    attention = _Float32Attention() if device == "cpu" else nullcontext()
    with torch.autocast(device, torch.bfloat16), attention:
        yield


class _Float32Attention(TorchFunctionMode):
    """Attention in float32, its answer in the type that was given."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is not scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        with torch.autocast("cpu", enabled=False):
            wide = [_widened(value) for value in args]
            named = {name: _widened(value) for name, value in (kwargs or {}).items()}
            return func(*wide, **named).to(args[0].dtype)


def _widened(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value

"""Dropout of encoders, whoever wrote them, that is cheap on a CPU.

Torch draws one number of its sequential generator for each value, which takes a tenth of a
training step of a small encoder. Here one draw of 64 bits decides over eight values, so rates are
multiples of 1/256; the kept values are scaled by the exact rate, so expectations are kept.
"""

import torch
from torch import Tensor, nn

from convener.errors import ConfigError

_LEVELS = 256
_OWN = "attention_dropout"
_NAMES = (_OWN, "dropout")


class Dropout(nn.Dropout):
    """Zero values at about the rate `p` in training, as `nn.Dropout` does."""

    def forward(self, values: Tensor) -> Tensor:
        """The values [...], some zeroed and the others scaled up in training."""
        if not self.training or not self.p or values.device.type != "cpu":
            return super().forward(values)
        dropped = min(round(self.p * _LEVELS), _LEVELS - 1)
        draws = torch.empty(-(-values.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = draws.view(torch.uint8)[: values.numel()].view(values.shape) >= dropped
        return values * kept * (_LEVELS / (_LEVELS - dropped))


def set_dropout(encoder: nn.Module, hidden: float, attention: float) -> None:
    """Drop hidden values and attention weights of an encoder in training at these rates.

    Encoders keep a rate as a module or as a number. With attention dropout above 0 the fused
    attention kernel is lost.

    Raises:
        ConfigError: attention dropout of an encoder where none is known.
    """
    found = False
    for module in encoder.modules():
        places = dict(module.named_children()) | {name: getattr(module, name, 0) for name in _NAMES}
        for name, place in places.items():
            of_attention = name == _OWN or type(module).__name__.endswith("SelfAttention")
            rate = attention if of_attention else hidden
            if isinstance(place, nn.Dropout):
                module.register_module(name, Dropout(rate))
            elif isinstance(place, float) and of_attention:
                setattr(module, name, rate)
            else:
                continue
            found = found or of_attention
    if attention and not found:
        raise ConfigError(
            f"expected attention_dropout 0 for a {type(encoder).__name__}, which has none that is "
            f"known, got {attention}: leave it out"
        )

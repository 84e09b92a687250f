"""Dropout that is cheap on a CPU.

Torch draws one number of its sequential generator for each value, which takes a tenth of a
training step of a small encoder. Here one draw of 64 bits decides over eight values, so rates are
multiples of 1/256; the kept values are scaled by the exact rate, so expectations are kept.
"""

import torch
from torch import Tensor, nn

_LEVELS = 256


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

"""What an expert changes of its base: for each module a low-rank change, or a dense one.

A LoRA layer adds s B A to a weight (Hu et al., arXiv 2106.09685), where s is α/r, or α/√r in rsLoRA
(arXiv 2312.03732). Here s is folded into one factor, so that whoever merges experts needs neither
PEFT nor its settings: a change is `up @ down` and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from convener.errors import ModelError

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """The change `up @ down` of a weight [out, in]; down [rank, in], up [out, rank]."""

    down: Tensor
    up: Tensor

    def __post_init__(self) -> None:
        shapes = [*self.up.shape], [*self.down.shape]
        if not (self.up.ndim == self.down.ndim == 2 and self.up.shape[1] == self.down.shape[0]):
            raise ModelError(
                f"expected factors [out, rank] and [rank, in], got {shapes[0]} and {shapes[1]}: "
                "the adapter is damaged, make it again"
            )

    @property
    def rank(self) -> int:
        """The number of columns of `up`: no less than the rank of the change."""
        return self.down.shape[0]

    @property
    def shape(self) -> torch.Size:
        """The shape of the change, [out, in]."""
        return torch.Size((self.up.shape[0], self.down.shape[1]))

    def delta(self) -> Tensor:
        """The change itself, [out, in] in float32."""
        return self.up.float() @ self.down.float()


Change: TypeAlias = LowRank | Tensor
Adapter: TypeAlias = Mapping[str, Change]
"""Changes by name: of a parameter, or of a module whose `weight` is meant."""


def dense(change: Change) -> Tensor:
    """A change written out, in float32; a dense one may be returned itself."""
    return change.delta() if isinstance(change, LowRank) else change.float()


def extract(model: nn.Module) -> dict[str, LowRank]:
    """The active LoRA factors of a model as float32 copies, by module name without PEFT's parts.

    They are changes of the base as it is inside the model: initialisations that alter it, such as
    PiSSA, give changes of the altered base. Biases that PEFT trains in place are not seen.

    Raises:
        ModelError: no LoRA, several active adapters on one layer, or something of PEFT other than
            plain LoRA of linear layers, such as DoRA.
    """
    from peft.tuners.lora import LoraLayer
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    found: dict[str, LowRank] = {}
    for path, module in model.named_modules():
        name = path.replace("base_model.model.", "")
        if isinstance(module, LoraLayer):
            active = [adapter for adapter in module.active_adapters if adapter in module.scaling]
            if len(active) > 1:
                raise ModelError(
                    f"{name}: expected one active adapter, got {active}: choose with set_adapter"
                )
            for adapter in active:
                found[name] = _factors(name, module, adapter)
        elif isinstance(module, (BaseTunerLayer, AuxiliaryTrainingWrapper)):
            raise _other_than_lora(name, type(module).__name__)
    if not found:
        raise ModelError(
            f"expected a model with active LoRA layers, got {type(model).__name__} without any: "
            "add them by peft.get_peft_model before training"
        )
    return found


def _factors(name: str, layer: "LoraLayer", adapter: str) -> LowRank:
    base = layer.get_base_layer()
    if layer.lora_variant.get(adapter) is not None:
        raise _other_than_lora(name, type(layer.lora_variant[adapter]).__name__)
    if not isinstance(base, nn.Linear):
        raise _other_than_lora(name, f"LoRA of {type(base).__name__}")
    if layer.lora_bias[adapter]:
        raise _other_than_lora(name, "a LoRA bias")
    down, up = (
        factors[adapter].get_parameter("weight").detach().float()
        for factors in (layer.lora_A, layer.lora_B)
    )
    return LowRank(down=down.clone(), up=up * layer.scaling[adapter])


def _other_than_lora(name: str, got: str) -> ModelError:
    return ModelError(
        f"{name}: expected plain LoRA of a linear layer, got {got}: "
        "train with a LoraConfig of target_modules, r, lora_alpha and use_rslora only"
    )


def apply(model: nn.Module, adapter: Adapter) -> None:
    """Add changes to a model in place, one at a time, each sum rounded once from float32.

    Raises:
        ModelError: a name or a shape that the model lacks; then nothing was changed.
    """
    targets = _targets(model, adapter)
    with torch.no_grad():
        for name, parameter in targets.items():
            parameter.copy_(parameter + dense(adapter[name]).to(parameter.device))


def check(model: nn.Module, adapter: Adapter) -> None:
    """Raise ModelError unless the changes fit a model, with LoRA in it or not, and are finite."""
    _targets(model, adapter)
    for name, change in adapter.items():
        if not finite(change):
            raise ModelError(
                f"{name}: expected finite numbers, got NaN or infinity: train the expert again"
            )


def finite(change: Change) -> bool:
    """Whether a change has neither NaN nor infinity."""
    parts = (change.up, change.down) if isinstance(change, LowRank) else (change,)
    return all(bool(part.isfinite().all()) for part in parts)


def _targets(model: nn.Module, adapter: Adapter) -> dict[str, nn.Parameter]:
    named = model.named_parameters(remove_duplicate=False)
    parameters = {name.replace(".base_layer.", "."): parameter for name, parameter in named}
    return {name: _target(parameters, name, change) for name, change in adapter.items()}


def _target(parameters: Mapping[str, nn.Parameter], name: str, change: Change) -> nn.Parameter:
    parameter = parameters.get(name, parameters.get(f"{name}.weight"))
    if parameter is None:
        raise ModelError(
            f"expected a module or parameter of the model, got {name!r}: "
            "apply the adapter to the base that it was trained on"
        )
    if parameter.shape != change.shape or not parameter.is_floating_point():
        raise ModelError(
            f"{name}: expected a change of {[*change.shape]} floats, got a parameter of "
            f"{[*parameter.shape]} {parameter.dtype}: "
            "apply the adapter to the base that it was trained on, not quantised"
        )
    return parameter


def flat(adapter: Adapter) -> dict[str, Tensor]:
    """An adapter as tensors to be saved: `<name>.down` and `<name>.up`, or `<name>.delta`."""
    tensors: dict[str, Tensor] = {}
    for name, change in adapter.items():
        if isinstance(change, LowRank):
            tensors[f"{name}.down"] = change.down.contiguous()
            tensors[f"{name}.up"] = change.up.contiguous()
        else:
            tensors[f"{name}.delta"] = change.contiguous()
    return tensors


def unflat(tensors: Mapping[str, Tensor]) -> dict[str, Change]:
    """The adapter that `flat` made these tensors of.

    Raises:
        ModelError: a tensor of another name, or one factor without the other.
    """
    found: dict[str, Change] = {}
    for key, tensor in tensors.items():
        name, _, part = key.rpartition(".")
        partner = {"down": "up", "up": "down", "delta": "delta"}.get(part)
        if not name or f"{name}.{partner}" not in tensors:
            raise ModelError(
                f"expected tensors NAME.down with NAME.up, or NAME.delta, got {key!r}: "
                "the adapter is damaged or of another program"
            )
        if part == "delta":
            found[name] = tensor
        elif part == "down":
            found[name] = LowRank(down=tensor, up=tensors[f"{name}.up"])
    return found

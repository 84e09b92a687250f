"""LoRA experts of a reader: low-rank changes of its encoder, and the rest of it as it changes.

`inject` puts trainable low-rank factors beside the encoder's linear layers and freezes the layers;
heads, attention between types and shapes go on learning as they are. `changes` then says how the
trained reader differs from its base, which is all that is kept of an expert.
"""

import torch
from pydantic import BaseModel, ConfigDict, Field

from convener.models.adapter import Change, extract
from convener.models.reader import Reader
from convener.models.seeding import seeded

_ENCODER = "encoder.model."


class LoraSettings(BaseModel):
    """Rank r and α of ΔW = (α / r) B A, and dropout before A."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)


def inject(reader: Reader, settings: LoraSettings, seed: int) -> None:
    """Freeze the reader's encoder and let it learn by low-rank factors drawn from the seed."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        target_modules="all-linear",
    )
    with seeded(seed):
        inject_adapter_in_model(config, reader.encoder.model)


def changes(trained: Reader, base: Reader) -> dict[str, Change]:
    """How a reader with injected factors differs from its base, by module or parameter name."""
    found: dict[str, Change] = {
        f"{_ENCODER}{name}": low_rank for name, low_rank in extract(trained.encoder.model).items()
    }
    before = dict(base.named_parameters())
    for name, values in trained.named_parameters():
        if not name.startswith(_ENCODER) and values.requires_grad:
            with torch.no_grad():
                found[name] = (values.float() - before[name].to(values.device).float()).cpu()
    return found

"""What a generator is made of and how it learns, and the file that says so beside its weights.

Nothing here needs torch.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from convener.errors import ModelError, misfit

LEAST_WINDOW = 32

_CONFIG = "config.json"


class GeneratorConfig(BaseModel):
    """What a generator is made of and how it learns."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: str = ""
    """A hub id or a folder."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the weights that LoRA changes."""
    rank: int = Field(default=16, ge=1)
    """Rank of LoRA."""
    alpha: int = Field(default=32, ge=1)
    """α of LoRA."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout of LoRA."""
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """The modules that LoRA changes."""
    window: int = Field(default=384, ge=LEAST_WINDOW)
    """Tokens of text that are read at a time."""
    overlap: int = Field(default=64, ge=0)
    """Tokens that two windows share."""
    max_new_tokens: int = Field(default=256, ge=1)
    """The longest answer, in tokens."""
    nested: bool | None = None
    """Whether entities may share text; left open, read off the training documents."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """The highest rate."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the rate rises, before it falls to zero."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Of AdamW."""
    clip: float = Field(default=1.0, gt=0)
    """The largest norm of a gradient."""
    steps: int = Field(default=500, ge=1)
    """Steps of training."""
    batch: int = Field(default=8, ge=1)
    """Windows a step."""
    seed: int = 0
    """That of the run."""


class Saved(BaseModel):
    """What `config.json` of a saved generator holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    kind: Literal["generator"] = "generator"
    labels: tuple[str, ...]
    config: GeneratorConfig

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        (folder / _CONFIG).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What a folder says of the generator in it.

        Raises:
            ModelError: there is none, or it is of another version or damaged.
        """
        path = folder / _CONFIG
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            reason = misfit(error.errors())
        except UnicodeDecodeError:
            reason = "it is not UTF-8"
        except OSError as error:
            reason = f"{error.strerror}"
        raise ModelError(
            f"expected a generator's description in {path}, got none ({reason}): "
            "give a folder that a generator was saved to by this version of convener"
        )


def check_target(folder: Path) -> None:
    """Raise ModelError if a generator may not be written there."""
    if folder.is_dir() and any(folder.iterdir()):
        try:
            Saved.read(folder)
        except ModelError:
            raise ModelError(
                f"expected an empty folder or a saved generator at {folder}, got other things: "
                "choose another name"
            ) from None

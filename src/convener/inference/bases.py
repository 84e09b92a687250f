"""What the experts of a library change: a reader with heads that all types share, or a generator.

A base is known by the SHA-256 of its weights, so an expert is never put on another one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from convener.errors import ModelError
from convener.models.generator_config import GeneratorConfig
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.models.weights import fingerprint_of

if TYPE_CHECKING:
    from convener.models.generator import Generator

ANY = {"any": "?"}
"""Some question, where none matters."""

_ENCODER = "encoder.model."


def begun(
    config: ReaderConfig, seed: int, trained: Reader | None
) -> tuple[ReaderConfig, Reader, dict[str, Tensor]]:
    """The base of new readers, drawn from the seed or trained; what of it is to be kept.

    Raises:
        ConfigError: the trained reader has heads of its own types.
    """
    config = (config if trained is None else trained.config).model_copy(
        update={"heads": "shared", "questions": None, "type_weights": None}
    )
    if trained is not None:
        base = trained.asked(ANY)
        return config, base, base.learned_state()
    base = Reader.create(tuple(ANY), config.model_copy(update={"questions": ANY}), seed)
    state = base.state_dict()
    return config, base, {n: v for n, v in state.items() if not n.startswith(_ENCODER)}


def reader(config: ReaderConfig, kept: Path, base: str, questions: Mapping[str, str]) -> Reader:
    """The base reader, asked these questions, from the pretrained encoder and what was kept.

    Raises:
        ModelError: it is not the one that the experts were made for.
    """
    asked = config.model_copy(update={"questions": dict(questions)})
    made = Reader.create(tuple(questions), asked, 0)
    try:
        made.load_state_dict(load_file(kept), strict=False)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"{kept} is damaged ({error}): restore it") from None
    if fingerprint(made) != base:
        raise _other_than_its_base(f"the encoder {config.encoder!r} or {kept}")
    return made.eval()


def generator(config: GeneratorConfig, base: str, labels: Sequence[str]) -> "Generator":
    """The language model with LoRA that changes nothing yet, asked for these types.

    Raises:
        ModelError: it can't be loaded, or is not the one that the experts were made for.
    """
    from convener.models.generator import Generator

    made = Generator.from_pretrained(config.model, labels, config)
    if fingerprint(made.model) != base:
        raise _other_than_its_base(f"the language model {config.model!r}")
    return made


def fingerprint(model: nn.Module) -> str:
    """SHA-256 of all weights but those of LoRA, whether or not it is there."""
    named = {name.replace(".base_layer.", "."): v for name, v in model.state_dict().items()}
    return fingerprint_of({name: v for name, v in named.items() if ".lora_" not in name})


def _other_than_its_base(what: str) -> ModelError:
    return ModelError(f"{what} is not what the experts of this library were made for: restore it")

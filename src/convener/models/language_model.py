"""Causal language models in tokens: loading, low-rank adapters, loss of answers, greedy answers.

Any causal model of transformers will do. Weights are safetensors only, code from a model folder is
never run, and a local folder never touches the network. Sampling settings that a model was
published with are not heeded: an answer is the most probable token each time.
"""

import copy
import inspect
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from convener.errors import ConfigError, ModelError, short
from convener.models.encoders import quiet, resolve
from convener.models.generator_config import GeneratorConfig

Lesson: TypeAlias = tuple[list[int], list[int]]
"""Tokens of a prompt and of the right answer to it."""

_ADAPTER = "adapter_model.safetensors"
_PEFT = "base_model.model."
_IGNORED = -100


def load(name: str, precision: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a hub id or folder, in float32 or bfloat16, and its tokenizer.

    Raises:
        ConfigError: no name.
        ModelError: they can't be found or read, or weights are missing.
    """
    if not name:
        raise ConfigError(
            "expected a language model, got none: name it by --encoder, as a hub id or a folder"
        )
    source, local = resolve(name)
    options: dict[str, Any] = {"local_files_only": local, "trust_remote_code": False}
    loader: Any = AutoModelForCausalLM
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
            model, report = loader.from_pretrained(
                source,
                use_safetensors=True,
                dtype=getattr(torch, precision),
                output_loading_info=True,
                **options,
            )
    except Exception as error:
        raise ModelError(
            f"cannot load the language model {name!r} ({line(error)}): give a causal model of "
            "transformers as a local folder with safetensors weights, or a reachable hub id"
        ) from None
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"the language model {name!r} lacks {len(missing)} of its weights, such as "
            f"{missing[0]}: give a complete causal model"
        )
    return model, tokenizer


def adapt(model: PreTrainedModel, config: GeneratorConfig) -> None:
    """Freeze a model and put trainable low-rank factors into it, in float32.

    Raises:
        ConfigError: the modules they are for are not there, or share their weights.
    """
    wanted = config.target_modules
    lora = LoraConfig(
        base_model_name_or_path=config.model,
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=wanted if isinstance(wanted, str) else list(wanted),
    )
    targets = short(wanted if isinstance(wanted, str) else sorted(wanted))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "fan_in_fan_out")
            inject_adapter_in_model(lora, model)
    except ValueError as error:
        raise ConfigError(
            f"target_modules {targets} do not fit {type(model).__name__} ({line(error)}): "
            "name linear layers of the model, or leave it at 'all-linear'"
        ) from None
    if model.config.tie_word_embeddings and isinstance(model.get_output_embeddings(), LoraLayer):
        raise ConfigError(
            f"expected target_modules that share no weights, got {targets}: "
            "leave out the output layer, which is the input embeddings in this model"
        )
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def adapted(model: PreTrainedModel) -> bool:
    """Whether a model has low-rank factors."""
    return any(isinstance(module, LoraLayer) for module in model.modules())


def plain(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of a model without its low-rank factors: the base."""
    copied = copy.deepcopy(model)
    for name, module in list(copied.named_modules()):
        if isinstance(module, LoraLayer):
            copied.set_submodule(name, module.get_base_layer())
    copied.__dict__.pop("peft_config", None)
    return copied


def write_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Write low-rank factors and their settings, in the files that PEFT reads too."""
    injected: Any = model.peft_config
    settings = copy.copy(injected["default"])
    settings.target_modules = sorted(settings.target_modules)
    settings.save_pretrained(str(folder))
    save_file(_adapter(model), folder / _ADAPTER)


def read_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Give a model with low-rank factors those that `write_adapter` wrote.

    Raises:
        ModelError: they are missing, damaged, or of another base.
    """
    try:
        state = load_file(folder / _ADAPTER)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"expected an adapter in {folder / _ADAPTER}, got an error ({line(error)}): "
            "save the model again"
        ) from None
    own = _adapter(model)
    if {n: v.shape for n, v in own.items()} != {n: v.shape for n, v in state.items()}:
        raise ModelError(
            f"the adapter in {folder} does not fit its base: give the one that it was trained on"
        )
    named = {name.removeprefix(_PEFT): values for name, values in state.items()}
    set_peft_model_state_dict(model, named)


def answer_loss(model: PreTrainedModel, lessons: Sequence[Lesson], pad: int) -> Tensor:
    """Mean cross-entropy of the answers' tokens; where the model can, no others are scored."""
    ids, mask = _padded([[*asked, *said] for asked, said in lessons], pad, left=False)
    targets = torch.full_like(ids, _IGNORED)
    for row, (asked, said) in enumerate(lessons):
        targets[row, len(asked) : len(asked) + len(said)] = torch.tensor(said)
    first = min(len(asked) for asked, _ in lessons)
    kept = ids.shape[1] - first + 1
    sparing = "logits_to_keep" in inspect.signature(model.forward).parameters
    ids, mask, targets = (values.to(model.device) for values in (ids, mask, targets))
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        use_cache=False,
        **({"logits_to_keep": kept} if sparing else {}),
    ).logits[:, -kept:-1]
    return nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets[:, first:].flatten(), ignore_index=_IGNORED
    )


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    end: int,
    pad: int,
    longest: int,
    batch: int,
) -> list[tuple[list[int], bool]]:
    """Greedy answers to prompts, in their order, in batches of like length.

    Args:
        model: in evaluation mode.
        prompts: tokens of each.
        end: the token taught to end an answer; those of the model as published end it too.
        pad: the token that fills up.
        longest: most tokens of an answer.
        batch: how many prompts to answer at once.

    Returns:
        The tokens of each answer without its end, and whether the model came to its end.
    """
    writer: Any = model
    published = getattr(writer.generation_config, "eos_token_id", None)
    writer.generation_config = GenerationConfig(eos_token_id=published)
    ends = {end, *([published] if isinstance(published, int) else published or [])}
    how = GenerationConfig(
        do_sample=False, max_new_tokens=longest, eos_token_id=sorted(ends), pad_token_id=pad
    )
    answers: list[tuple[list[int], bool]] = [([], False)] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for begin in range(0, len(order), batch):
        indices = order[begin : begin + batch]
        ids, mask = _padded([prompts[index] for index in indices], pad, left=True)
        written = writer.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            generation_config=how,
        )
        for index, row in zip(indices, written[:, ids.shape[1] :].tolist(), strict=True):
            stop = next((place for place, token in enumerate(row) if token in ends), None)
            answers[index] = row[:stop], stop is not None
    return answers


def line(error: Exception) -> str:
    """The first line of what an error says, or else its name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _adapter(model: PreTrainedModel) -> dict[str, Tensor]:
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {f"{_PEFT}{name}": values.detach().cpu().contiguous() for name, values in state.items()}


def _padded(rows: Sequence[list[int]], pad: int, left: bool) -> tuple[Tensor, Tensor]:
    """Ids and mask [rows, longest]."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[index, place] = torch.tensor(row)
        mask[index, place] = 1
    return ids, mask

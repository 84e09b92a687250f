"""A panel as a folder, and back.

    config.json             what it is, with the SHA-256 of the other files but card and page
    README.md               the model card, which people may edit
    run.json                the configuration of the run that made it
    training.html           how that run went; not needed, and never put on the hub
    encoder/                architecture and tokenizer
    shared.safetensors      tensors that all experts have in common
    expert-0.safetensors …  the rest, expert by expert
    expert-0/ …             in place of these three: a language model, or its adapter

The folder appears only when complete. Loading checks every file against its fingerprint. Nothing
is pickled, and no code from the folder is run.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from convener.errors import ModelError
from convener.files import new_folder
from convener.inference.card import Card
from convener.inference.manifest import (
    CONFIG,
    Exported,
    ModelConfig,
    check_files,
    check_target,
    read_config,
    write_manifest,
)
from convener.models.expert import Expert
from convener.models.reader import Reader
from convener.models.tagger import Tagger
from convener.panel.panel import Panel
from convener.panel.spoken import AnyPanel, SpokenPanel
from convener.training.checkpoints import apart

_PAGE = "training.html"
_SHARED = "shared.safetensors"


def save(panel: AnyPanel, card: Card, folder: str | Path, page: str | None = None) -> None:
    """Write a panel, and the page about its training, to a folder, replacing an older model there.

    Raises:
        ModelError: `folder` exists and is no model folder.
    """
    target = Path(folder)
    check_target(target)
    with new_folder(target) as fresh:
        if isinstance(panel, Panel):
            config = _write(panel, card, fresh)
        else:
            config = _write_spoken(panel, card, fresh)
        write_manifest(fresh, config)
        if page is not None:
            (fresh / _PAGE).write_text(page, encoding="utf-8")


def _write(panel: Panel, card: Card, folder: Path) -> ModelConfig:
    first = panel.experts[0]
    assert isinstance(first, Tagger | Reader)
    states = [expert.state_dict() for expert in panel.experts]
    common = _common(states) if len(states) > 1 else set()
    (folder / "encoder").mkdir()
    first.encoder.save_architecture(folder / "encoder")
    if common:
        _save_tensors({name: states[0][name] for name in common}, folder / _SHARED)
    for index, state in enumerate(states):
        rest = {name: values for name, values in state.items() if name not in common}
        _save_tensors(rest, folder / f"{_expert(index)}.safetensors")
    return described(panel, card)


def described(panel: Panel, card: Card, exported: Exported | None = None) -> ModelConfig:
    """What the configuration of a model folder says of a panel."""
    first = panel.experts[0]
    return ModelConfig(
        kind="panel of taggers" if isinstance(first, Tagger) else "panel of readers",
        experts=len(panel.experts),
        rule=panel.rule,
        labels=panel.labels,
        tagger=first.config if isinstance(first, Tagger) else None,
        reader=first.config if isinstance(first, Reader) else None,
        exported=exported,
        card=card,
    )


def _write_spoken(panel: SpokenPanel, card: Card, folder: Path) -> ModelConfig:
    for index, expert in enumerate(panel.experts):
        expert.save_pretrained(folder / _expert(index))
    return ModelConfig(
        kind="panel of generators",
        experts=len(panel.experts),
        rule="union",
        labels=panel.labels,
        generator=panel.experts[0].config,
        card=card,
    )


def load(folder: str | Path) -> tuple[AnyPanel, Card, str | None]:
    """The panel and the card of a model folder, and the page about its training if it is there.

    Raises:
        ModelError: the folder is missing, is of another kind or schema, or was damaged.
    """
    source = Path(folder)
    config = read_config(source)
    check_files(source, config)
    page = source / _PAGE
    told = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else None
    read = _read if config.generator is None else _read_spoken
    return read(source, config), config.card, told


def _read(source: Path, config: ModelConfig) -> Panel:
    shared = load_file(source / _SHARED) if _SHARED in config.files else {}
    first = _architecture(source, config)
    experts = [first, *(first.clone() for _ in range(config.experts - 1))]
    for index, expert in enumerate(experts):
        state = shared | load_file(source / f"{_expert(index)}.safetensors")
        try:
            expert.load_state_dict(state)
        except RuntimeError:
            raise ModelError(
                f"{source}: {CONFIG} does not fit the weights, it was altered: restore it"
            ) from None
        expert.eval()
    return Panel(experts, config.rule)


def _read_spoken(source: Path, config: ModelConfig) -> SpokenPanel:
    from convener.models.generator import Generator

    folders = (source / _expert(index) for index in range(config.experts))
    return SpokenPanel([Generator.from_folder(folder) for folder in folders])


def _architecture(source: Path, config: ModelConfig) -> Expert:
    if config.tagger is not None:
        return Tagger.from_folder(source / "encoder", config.labels, config.tagger)
    if config.reader is not None:
        return Reader.from_folder(source / "encoder", config.labels, config.reader)
    raise ModelError(f"{source}: {CONFIG} describes no expert, it was altered: restore it")


def _expert(index: int) -> str:
    return f"expert-{index}"


def _common(states: list[dict[str, Tensor]]) -> set[str]:
    first, *others = states
    return {
        name
        for name, values in first.items()
        if all(torch.equal(values, other[name]) for other in others)
    }


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file(apart(tensors), path)

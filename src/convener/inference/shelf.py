"""A library of experts in a folder.

    library.json            what the experts change, and its fingerprint (`bases`)
    base.safetensors        of readers: what of the base is not the pretrained encoder's
    NAME/card.json          what is known of an expert
    NAME/adapter.safetensors    how it changes the base
    .answers/               what experts answered (`memory`)

Adding an expert is adding a folder. An expert made for another base is refused.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from convener.errors import ConfigError, ConvenerError, ModelError, misfit
from convener.files import new_folder, sha256
from convener.inference import bases
from convener.models.adapter import Adapter, check, flat, unflat
from convener.models.encoders import placed
from convener.models.generator_config import GeneratorConfig
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.panel.library import BASE, INDEX, ExpertCard, LibraryConfig
from convener.recipes.families import Family, Generators, Readers
from convener.training.checkpoints import apart

if TYPE_CHECKING:
    from convener.models.generator import Generator

_CARD, _ADAPTER = "card.json", "adapter.safetensors"
OF_EXPERTS = ("width", "nested", "balance", "type_weights")
"""Settings of readers in which the experts of a library may differ."""
_LENGTHS = ("window", "overlap", "max_new_tokens")


class Library:
    """Experts of one base, kept in a folder."""

    def __init__(self, folder: Path, config: LibraryConfig) -> None:
        self.folder = folder
        self.config = config

    @classmethod
    def create(
        cls, folder: Path, reader: ReaderConfig, seed: int, trained: Reader | None = None
    ) -> "Library":
        """A new library, whose base is drawn from the seed, or is a trained reader.

        Raises:
            ConfigError: the trained reader has heads of its own types.
            ModelError: there is something at `folder` already.
        """
        _check_new(folder)
        config, base, kept = bases.begun(reader, seed, trained)
        config = config.model_copy(update={"encoder": placed(config.encoder)})
        made = LibraryConfig(reader=config, base=bases.fingerprint(base))
        return cls._written(folder, made, kept)

    @classmethod
    def of_language_model(cls, folder: Path, config: GeneratorConfig) -> "Library":
        """A new library, whose base is a language model as it was published.

        Raises:
            ModelError: it can't be loaded, its LoRA can't be merged, or there is something at
                `folder` already.
        """
        from convener.models.generator import Generator

        _check_new(folder)
        config = config.model_copy(update={"model": placed(config.model)})
        base = Generator.from_pretrained(config.model, tuple(bases.ANY), config)
        base.changes()
        made = LibraryConfig(generator=config, base=bases.fingerprint(base.model))
        return cls._written(folder, made)

    @classmethod
    def _written(
        cls, folder: Path, config: LibraryConfig, kept: Mapping[str, Tensor] | None = None
    ) -> "Library":
        with new_folder(folder) as fresh:
            if kept is not None:
                save_file(apart(kept), fresh / BASE)
            content = config.model_dump_json(indent=1, exclude_none=True)
            (fresh / INDEX).write_text(content + "\n", encoding="utf-8")
        return cls(folder, config)

    @classmethod
    def open(cls, folder: str | Path) -> "Library":
        """The library in a folder.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        path = Path(folder) / INDEX
        try:
            return cls(Path(folder), LibraryConfig.model_validate_json(path.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            raise ModelError(
                f"no library at {folder}: make one with convener train --expert NAME --library"
            ) from None
        except ValidationError as error:
            raise ModelError(f"{path} is damaged: {misfit(error.errors())}") from None

    def reader(self, questions: Mapping[str, str], settings: ReaderConfig) -> Reader:
        """The base, asked these questions, with settings of the spans to find and of training.

        Raises:
            ConfigError: its experts are language models.
            ModelError: the encoder or the base is not the one that the experts were made for.
        """
        if self.config.reader is None:
            raise ConfigError(
                f"expected a library of readers, got {self.folder}, whose experts are language "
                "models: add --model generator"
            )
        own = {name: getattr(settings, name) for name in OF_EXPERTS}
        config = self.config.reader.model_copy(update=own)
        return bases.reader(config, self.folder / BASE, self.config.base, questions)

    def generator(
        self, labels: Sequence[str], settings: GeneratorConfig | None = None
    ) -> "Generator":
        """The base, asked for these types, with settings of LoRA and of answering.

        Raises:
            ConfigError: its experts are readers.
            ModelError: the language model is not the one that the experts were made for.
        """
        own = self.config.generator
        if own is None:
            raise ConfigError(
                f"expected a library of language models, got {self.folder}, whose experts are "
                "readers: leave --model out, or make another library"
            )
        if settings is not None and placed(settings.model) not in ("", own.model):
            raise ConfigError(
                f"the experts of {self.folder} change the language model {own.model!r}, "
                f"got {settings.model!r}: leave it out, or make another library"
            )
        same = {"model": own.model, "precision": own.precision}
        config = (settings or own).model_copy(update=same)
        return bases.generator(config, self.config.base, labels)

    def settings(self, cards: Iterable[ExpertCard]) -> ReaderConfig | GeneratorConfig:
        """How the base reads what all these experts were taught."""
        taught = list(cards)
        nested: dict[str, object] = {"nested": any(card.nested for card in taught)}
        own = self.config.generator
        if own is None:
            assert self.config.reader is not None
            width = max((card.width for card in taught), default=1)
            return self.config.reader.model_copy(update=nested | {"width": width})
        runs = [own, *(GeneratorConfig.model_validate(card.run["generator"]) for card in taught)]
        most = {name: max(getattr(run, name) for run in runs) for name in _LENGTHS}
        return own.model_copy(update=nested | most)

    def family(
        self, questions: Mapping[str, str], settings: ReaderConfig | GeneratorConfig
    ) -> Family:
        """The base, asked these questions, for `convener.recipes.adapt`."""
        if isinstance(settings, GeneratorConfig):
            return Generators(self.generator(tuple(questions), settings))
        base = bases.reader(settings, self.folder / BASE, self.config.base, questions)
        return Readers(base.clone)

    def _base(self) -> nn.Module:
        if self.config.reader is None:
            model: nn.Module = self.generator(tuple(bases.ANY)).model
            return model
        return self.reader(bases.ANY, self.config.reader)

    @property
    def names(self) -> list[str]:
        """The experts, sorted."""
        return sorted(p.parent.name for p in self.folder.glob(f"[!.]*/{_CARD}"))

    def card(self, name: str) -> ExpertCard:
        """What is known of an expert.

        Raises:
            ModelError: there is no such expert, its card is damaged, or it has another base.
        """
        self._known(name)
        return self._checked(self.folder / name)

    def _known(self, name: str) -> None:
        if name not in self.names:
            known = ", ".join(self.names) or "none"
            raise ModelError(f"no expert {name!r} in {self.folder}: it has {known}")

    def cards(self) -> dict[str, ExpertCard]:
        """All cards by name."""
        return {name: self._checked(self.folder / name) for name in self.names}

    def adapter(self, name: str) -> Adapter:
        """How an expert changes the base.

        Raises:
            ModelError: it is missing or damaged.
        """
        return _adapter(self.folder / name)

    def put(self, card: ExpertCard, changes: Adapter) -> None:
        """Add an expert, or replace the one of that name."""
        with new_folder(self.folder / card.name) as fresh:
            save_file(apart(flat(changes)), fresh / _ADAPTER)
            content = card.model_dump_json(indent=1)
            (fresh / _CARD).write_text(content + "\n", encoding="utf-8")

    def add(self, source: str | Path) -> ExpertCard:
        """Add the expert in a folder, such as one of another library.

        Raises:
            ModelError: it is damaged, has another base, or its name is taken.
        """
        card = self._checked(Path(source))
        changes = _adapter(Path(source))
        if card.name in self.names:
            raise ModelError(f"{self.folder} has an expert {card.name!r} already: remove it first")
        self.put(card, changes)
        return card

    def remove(self, name: str) -> None:
        """Remove an expert, however damaged.

        Raises:
            ModelError: there is none of that name.
        """
        self._known(name)
        shutil.rmtree(self.folder / name)

    def check(self) -> dict[str, str]:
        """What is wrong, by expert; empty if nothing is."""
        wrong: dict[str, str] = {}
        base = self._base()
        for name in self.names:
            try:
                self.card(name)
                check(base, self.adapter(name))
            except ConvenerError as error:
                wrong[name] = str(error)
        return wrong

    def changed(self, name: str) -> str:
        """The SHA-256 of how an expert changes the base."""
        return sha256(self.folder / name / _ADAPTER)

    def _checked(self, folder: Path) -> ExpertCard:
        path = folder / _CARD
        try:
            card = ExpertCard.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise ModelError(f"no expert at {folder}: it has no {_CARD}") from None
        except ValidationError as error:
            raise ModelError(f"{path} is damaged: {misfit(error.errors())}") from None
        if card.base != self.config.base:
            raise ModelError(
                f"the expert {card.name!r} was made for another base ({card.base[:12]}…) than "
                f"{self.folder} has ({self.config.base[:12]}…): train it in this library"
            )
        return card


def empty(folder: Path) -> bool:
    """Whether a folder has nothing in it."""
    return folder.is_dir() and not any(folder.iterdir())


def _check_new(folder: Path) -> None:
    if folder.exists() and not empty(folder):
        raise ModelError(f"expected a new folder for the library, got {folder}, which exists")


def _adapter(folder: Path) -> Adapter:
    path = folder / _ADAPTER
    try:
        return unflat(load_file(path))
    except (OSError, SafetensorError, ConvenerError) as error:
        raise ModelError(f"{path} is damaged ({error}): train or add the expert again") from None

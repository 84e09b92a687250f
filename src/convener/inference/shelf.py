"""A library of experts in a folder.

    library.json            what the experts change, and its fingerprint (`bases`)
    base.safetensors        of readers: what of the base is not the pretrained encoder's
    NAME/card.json          what is known of an expert
    NAME/adapter.safetensors    how it changes the base
    .answers/               what experts answered on samples, and the vectors of targets, kept for
                            the next selection

Adding an expert is adding a folder. An expert made for another base is refused.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor

from convener.errors import ConfigError, ConvenerError, ModelError
from convener.files import new_folder, sha256
from convener.inference import bases
from convener.models.adapter import Adapter, flat, unflat
from convener.models.generator_config import GeneratorConfig
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.panel.library import ExpertCard
from convener.panel.selection import Vector
from convener.recipes.families import Family, Generators, Readers
from convener.text.documents import Document
from convener.text.formats import read, write
from convener.training.checkpoints import apart

if TYPE_CHECKING:
    from convener.models.generator import Generator

SCHEMA = 1

_INDEX, _BASE, _CARD, _ADAPTER = (
    "library.json",
    "base.safetensors",
    "card.json",
    "adapter.safetensors",
)
_ANSWERS = ".answers"


class LibraryConfig(BaseModel):
    """What `library.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    reader: ReaderConfig | None = None
    generator: GeneratorConfig | None = None
    base: str

    @property
    def pretrained(self) -> str:
        """The encoder, or the language model, that the base begins from."""
        if self.generator is not None:
            return self.generator.model
        assert self.reader is not None
        return self.reader.encoder


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
        made = LibraryConfig(reader=config, base=bases.fingerprint(base))
        return cls._written(folder, made, kept)

    @classmethod
    def of_language_model(cls, folder: Path, config: GeneratorConfig) -> "Library":
        """A new library, whose base is a language model as it was published.

        Raises:
            ModelError: it can't be loaded, or there is something at `folder` already.
        """
        from convener.models.language_model import load

        _check_new(folder)
        model, _ = load(config.model, config.precision)
        return cls._written(folder, LibraryConfig(generator=config, base=bases.fingerprint(model)))

    @classmethod
    def _written(
        cls, folder: Path, config: LibraryConfig, kept: Mapping[str, Tensor] | None = None
    ) -> "Library":
        with new_folder(folder) as fresh:
            if kept is not None:
                save_file(apart(kept), fresh / _BASE)
            content = config.model_dump_json(indent=1, exclude_none=True)
            (fresh / _INDEX).write_text(content + "\n", encoding="utf-8")
        return cls(folder, config)

    @classmethod
    def open(cls, folder: str | Path) -> "Library":
        """The library in a folder.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        path = Path(folder) / _INDEX
        try:
            return cls(Path(folder), LibraryConfig.model_validate_json(path.read_bytes()))
        except FileNotFoundError:
            raise ModelError(
                f"no library at {folder}: make one with convener train --expert NAME --library"
            ) from None
        except ValidationError as error:
            raise ModelError(f"{path} is damaged: {error.errors()[0]['msg']}") from None

    def reader(self, questions: Mapping[str, str], width: int, nested: bool) -> Reader:
        """The base, asked these questions.

        Raises:
            ConfigError: its experts are language models.
            ModelError: the encoder or the base is not the one that the experts were made for.
        """
        if self.config.reader is None:
            raise ConfigError(f"{self.folder} has experts that are language models: no readers")
        config = self.config.reader.model_copy(update={"width": width, "nested": nested})
        return bases.reader(config, self.folder / _BASE, self.config.base, questions)

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
            raise ConfigError(f"{self.folder} has experts that are readers: no language models")
        if settings is not None and settings.model not in ("", own.model):
            raise ConfigError(
                f"the experts of {self.folder} change the language model {own.model!r}, "
                f"got {settings.model!r}: leave it out, or make another library"
            )
        same = {"model": own.model, "precision": own.precision}
        config = (settings or own).model_copy(update=same)
        return bases.generator(config, self.config.base, labels)

    def family(self, questions: Mapping[str, str], width: int, nested: bool) -> Family:
        """The base, asked these questions, for `convener.recipes.adapt`."""
        if self.config.generator is not None:
            settings = self.config.generator.model_copy(update={"nested": nested})
            return Generators(self.generator(tuple(questions), settings))
        return Readers(self.reader(questions, width, nested).clone)

    @property
    def names(self) -> list[str]:
        """The experts, sorted."""
        return sorted(p.parent.name for p in self.folder.glob(f"*/{_CARD}"))

    def card(self, name: str) -> ExpertCard:
        """What is known of an expert.

        Raises:
            ModelError: there is no such expert, its card is damaged, or it has another base.
        """
        if name not in self.names:
            known = ", ".join(self.names) or "none"
            raise ModelError(f"no expert {name!r} in {self.folder}: it has {known}")
        return self._checked(self.folder / name)

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
        """Remove an expert."""
        self.card(name)
        shutil.rmtree(self.folder / name)

    def check(self) -> dict[str, str]:
        """What is wrong, by expert; empty if nothing is."""
        wrong: dict[str, str] = {}
        self.family(bases.ANY, 1, False)
        for name in self.names:
            try:
                self.card(name)
                self.adapter(name)
            except ConvenerError as error:
                wrong[name] = str(error)
        return wrong

    def remembered(
        self,
        asked: str,
        names: Sequence[str],
        answer: Callable[[Sequence[str]], Iterable[tuple[str, list[Document]]]],
    ) -> dict[str, list[Document]]:
        """What experts answered to `asked`; `answer` asks those that were not asked it before.

        The base answers by an empty name.
        """
        paths = {name: self._answers(asked, name) for name in names}
        for name, answers in answer([name for name in names if not paths[name].is_file()]):
            write(paths[name], answers)
        return {name: list(read(path)) for name, path in paths.items()}

    def remembered_vector(self, asked: str, compute: Callable[[], Vector]) -> Vector:
        """The vector of a target, from the last time if it was computed before."""
        path = self.folder / _ANSWERS / f"{hashlib.sha256(asked.encode()).hexdigest()}.safetensors"
        if path.is_file():
            return load_arrays(path)["vector"]
        vector = compute()
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(f".partial-{os.getpid()}")
        save_arrays({"vector": vector}, partial)
        partial.replace(path)
        return vector

    def _answers(self, asked: str, name: str) -> Path:
        changes = sha256(self.folder / name / _ADAPTER) if name else "base"
        key = hashlib.sha256(f"{asked} {changes}".encode())
        return self.folder / _ANSWERS / f"{key.hexdigest()}.jsonl"

    def _checked(self, folder: Path) -> ExpertCard:
        path = folder / _CARD
        try:
            card = ExpertCard.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise ModelError(f"no expert at {folder}: it has no {_CARD}") from None
        except ValidationError as error:
            raise ModelError(f"{path} is damaged: {error.errors()[0]['msg']}") from None
        if card.base != self.config.base:
            raise ModelError(
                f"the expert {card.name!r} was made for another base ({card.base[:12]}…) than "
                f"{self.folder} has ({self.config.base[:12]}…): train it in this library"
            )
        return card


def _check_new(folder: Path) -> None:
    if folder.exists():
        raise ModelError(f"expected a new folder for the library, got {folder}, which exists")


def _adapter(folder: Path) -> Adapter:
    path = folder / _ADAPTER
    try:
        return unflat(load_file(path))
    except (OSError, SafetensorError, ConvenerError) as error:
        raise ModelError(f"{path} is damaged ({error}): train or add the expert again") from None

"""A library of experts in a folder.

    library.json            which encoder, what the readers are made of, the base's fingerprint
    base.safetensors        what of the base is not the pretrained encoder's
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

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor

from convener.errors import ConvenerError, ModelError
from convener.files import new_folder, sha256
from convener.models.adapter import Adapter, flat, unflat
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.panel.library import ExpertCard
from convener.panel.selection import Vector
from convener.text.documents import Document
from convener.text.formats import read, write
from convener.training.checkpoints import apart

SCHEMA = 1

_INDEX, _BASE, _CARD, _ADAPTER = (
    "library.json",
    "base.safetensors",
    "card.json",
    "adapter.safetensors",
)
_ANSWERS = ".answers"
_ANY = {"any": "?"}


class LibraryConfig(BaseModel):
    """What `library.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    reader: ReaderConfig
    base: str


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
        if folder.exists():
            raise ModelError(f"expected a new folder for the library, got {folder}, which exists")
        config = (reader if trained is None else trained.config).model_copy(
            update={"heads": "shared", "questions": None, "type_weights": None}
        )
        if trained is None:
            asked = config.model_copy(update={"questions": _ANY})
            base = Reader.create(tuple(_ANY), asked, seed)
            kept = _outside_encoder(base)
        else:
            base = trained.asked(_ANY)
            kept = base.learned_state()
        with new_folder(folder) as fresh:
            save_file(apart(kept), fresh / _BASE)
            made = LibraryConfig(reader=config, base=_fingerprint(base))
            (fresh / _INDEX).write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return cls(folder, made)

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
            ModelError: the encoder or the base is not the one that the experts were made for.
        """
        update = {"questions": dict(questions), "width": width, "nested": nested}
        reader = Reader.create(tuple(questions), self.config.reader.model_copy(update=update), 0)
        try:
            reader.load_state_dict(load_file(self.folder / _BASE), strict=False)
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ModelError(f"{self.folder / _BASE} is damaged ({error}): restore it") from None
        if _fingerprint(reader) != self.config.base:
            raise ModelError(
                f"the encoder {self.config.reader.encoder!r} or {self.folder / _BASE} is not what "
                "the experts of this library were made for: restore it"
            )
        return reader.eval()

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
        self.reader(_ANY, 1, False)
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


def _adapter(folder: Path) -> Adapter:
    path = folder / _ADAPTER
    try:
        return unflat(load_file(path))
    except (OSError, SafetensorError, ConvenerError) as error:
        raise ModelError(f"{path} is damaged ({error}): train or add the expert again") from None


def _outside_encoder(reader: Reader) -> dict[str, Tensor]:
    return {
        name: values
        for name, values in reader.state_dict().items()
        if not name.startswith("encoder.model.")
    }


def _fingerprint(reader: Reader) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(reader.state_dict().items()):
        digest.update(name.encode())
        digest.update(values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

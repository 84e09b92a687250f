"""The models of a server by name, and what each can be asked.

A name is that of the model's folder. What `reading`, `each` and `asking` return is equal for equal
requests, so that those are answered together.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from convener.errors import ConfigError
from convener.inference import hub
from convener.inference.recogniser import Recogniser
from convener.models.questions import questions_for
from convener.models.span_layout import SpanLayout
from convener.serving.batching import Work
from convener.serving.refusals import Refusal
from convener.text.documents import Document

_KEPT = 16

Questions = tuple[tuple[str, str], ...]


class Served:
    """A model that answers requests."""

    def __init__(self, name: str, recogniser: Recogniser) -> None:
        self.name = name
        self.recogniser = recogniser
        self._asked = lru_cache(_KEPT)(self._asking)
        self._alone = recogniser.alone

    @property
    def kind(self) -> Literal["taggers", "readers", "generators"]:
        """What its experts are."""
        if self.recogniser.layout is None:
            return "generators"
        return "readers" if isinstance(self.recogniser.layout, SpanLayout) else "taggers"

    @property
    def experts(self) -> int:
        """How many can be asked alone; one that was exported only answers as a whole."""
        return max(1, len(self._alone))

    @property
    def questions(self) -> dict[str, str]:
        """What its readers ask for each type; nothing of taggers."""
        layout = self.recogniser.layout
        return dict(layout.config.questions or {}) if isinstance(layout, SpanLayout) else {}

    @property
    def asks(self) -> bool:
        """Whether it can be asked about other types than its own."""
        layout = self.recogniser.layout
        if layout is None:
            return True
        shared = isinstance(layout, SpanLayout) and layout.config.heads == "shared"
        return shared and bool(self._alone)

    @property
    def nested(self) -> bool:
        """Whether its entities may lie inside one another."""
        return not self.recogniser.flat

    def reading(self, documents: list[Document]) -> Sequence[Document]:
        """The documents with all that the model itself finds."""
        return list(self.recogniser.read(documents))

    def chosen(self, documents: Iterable[Document], threshold: float, flat: bool) -> list[Document]:
        """Documents that were read, as `Recogniser.annotate` gives them."""
        return [self.recogniser.chosen(document, threshold, flat) for document in documents]

    def each(self, documents: list[Document]) -> Sequence[tuple[Document, ...]]:
        """The documents with the entities of the panel, then of each of its experts alone."""
        asked = [self.recogniser] if self.experts == 1 else [self.recogniser, *self._alone]
        return list(zip(*(r.annotate(documents) for r in asked), strict=True))

    def asking(self, questions: Mapping[str, str]) -> Work:
        """Work that answers these questions in place of the model's own."""
        return self._asked(tuple(questions.items()))

    def _asking(self, questions: Questions) -> Work:
        reader: list[Recogniser] = []

        def work(documents: list[Document]) -> Sequence[Document]:
            if not reader:
                reader.append(self.recogniser.ask(dict(questions)))
            return list(reader[0].read(documents))

        return work


class Catalogue:
    """All models of a server."""

    def __init__(self, models: Mapping[str, Recogniser]) -> None:
        self.models = {name: Served(name, model) for name, model in models.items()}

    def __getitem__(self, name: str | None) -> Served:
        """The model of that name, or the only one.

        Raises:
            Refusal: there is none, or several and no name.
        """
        names = ", ".join(self.models)
        if name is None and len(self.models) == 1:
            return next(iter(self.models.values()))
        if name is None:
            raise Refusal(422, f"expected the name of a model, got none: this server has {names}")
        if name not in self.models:
            raise Refusal(404, f"no model of that name: this server has {names}")
        return self.models[name]


def load(folders: Sequence[Path]) -> dict[str, Recogniser]:
    """The models in folders or on the hub, by their names without what is before the last slash.

    Raises:
        ConfigError: two folders of the same name.
        ModelError: a folder without a sound model.
    """
    names = [folder.resolve().name for folder in folders]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"expected models of different names, got {name!r} twice: rename one")
    return {
        name: Recogniser.from_folder(hub.local(folder))
        for name, folder in zip(names, folders, strict=True)
    }


def written(questions: Mapping[str, str | None]) -> dict[str, str]:
    """The questions, each that was left open made from the name of its type.

    Raises:
        ConfigError: see `convener.models.questions.questions_for`.
    """
    asked = {
        label: question if question is not None else questions_for([label])[label]
        for label, question in questions.items()
    }
    return questions_for(list(asked), asked)

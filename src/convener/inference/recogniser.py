"""A recogniser: the one thing that users hold, whatever kind of panel answers inside it."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, overload

import numpy as np

from convener.dictionary import Gazetteer
from convener.errors import ConfigError, short
from convener.evaluation.calibration import tempered
from convener.inference import hub
from convener.inference.beside import joined
from convener.inference.card import Card
from convener.inference.exported import ExportedPanel, open_exported
from convener.inference.keeping import checked, kept
from convener.inference.manifest import read_config
from convener.models.layout import Layout
from convener.text.documents import Document, Entity

if TYPE_CHECKING:
    from convener.panel.panel import Panel
    from convener.panel.spoken import AnyPanel

CHUNK_CHARACTERS = 100_000


class Recogniser:
    """A panel with its card: it predicts, and it can be saved and loaded.

    What needs the weights needs torch, which is imported then. `page` is about the run that
    trained it, in HTML, which quotes its text. `names` are those of a dictionary at its side.
    """

    def __init__(
        self,
        panel: "AnyPanel | ExportedPanel",
        card: Card,
        page: str | None = None,
        names: Gazetteer | None = None,
    ) -> None:
        self._answering = panel
        self.card = card
        self.page = page
        self.names = names

    @property
    def panel(self) -> "Panel":
        """The experts, which answer with probabilities.

        Raises:
            ConfigError: the model was exported, so it only answers; or its experts are language
                models.
        """
        weights = self._weights()
        from convener.panel.panel import Panel

        if not isinstance(weights, Panel):
            raise ConfigError(
                "expected a panel of taggers or readers, got one of language models, which answer "
                "in words: use another model"
            )
        return weights

    @property
    def layout(self) -> Layout | None:
        """How it reads documents and writes entities; None of language models, which answer."""
        return self._answering.layout

    @property
    def flat(self) -> bool:
        """Whether its entities never overlap."""
        return self._answering.flat

    @property
    def malformed(self) -> int:
        """How much of what language models said so far is no entity of the text; 0 of others."""
        return getattr(self._answering, "malformed", 0)

    @property
    def alone(self) -> "list[Recogniser]":
        """Each expert by itself; none of an exported model, whose experts only answer together."""
        if isinstance(self._answering, ExportedPanel):
            return []
        return [Recogniser(expert, self.card) for expert in self._answering.alone]

    @property
    def labels(self) -> tuple[str, ...]:
        """The types that the model knows, and those of a dictionary at its side."""
        own, listed = self._answering.labels, self.names.labels if self.names else ()
        return (*own, *(label for label in listed if label not in own))

    @overload
    def predict(  # type: ignore[overload-overlap]
        self, texts: str, *, threshold: float = ..., flat: bool = ...
    ) -> list[Entity]: ...

    @overload
    def predict(  # type: ignore[overload-overlap]
        self, texts: list[str], *, threshold: float = ..., flat: bool = ...
    ) -> list[list[Entity]]: ...

    @overload
    def predict(
        self, texts: Iterable[str], *, threshold: float = ..., flat: bool = ...
    ) -> Iterator[list[Entity]]: ...

    def predict(
        self, texts: str | Iterable[str], *, threshold: float = 0.0, flat: bool = False
    ) -> list[Entity] | list[list[Entity]] | Iterator[list[Entity]]:
        """Entities of a text, or of each text of many, with offsets into the caller's own string.

        A string gives a list of entities, a list of strings a list of such lists, any other
        iterable an iterator that holds only a small part of it in memory. A text of any length is
        read whole. Entities with a score below `threshold` are left out; with `flat`, of nested
        ones the best that do not overlap stay.

        Raises:
            ConfigError: the threshold is no probability, or what was given is no text.
        """
        if isinstance(texts, Path):
            raise ConfigError(
                f"expected a text or several, got the path {texts}: "
                "annotate the documents that convener.text.formats.read gives"
            )
        if isinstance(texts, str):
            (answer,) = self.annotate([Document(texts)], threshold=threshold, flat=flat)
            return list(answer.entities)
        if isinstance(texts, bytes | Mapping) or not isinstance(texts, Iterable):
            raise ConfigError(f"expected a text or several, got {short(texts)}")
        found = self.annotate(map(_text, texts), threshold=threshold, flat=flat)
        answers = (list(document.entities) for document in found)
        return list(answers) if isinstance(texts, list) else answers

    def annotate(
        self, documents: Iterable[Document], *, threshold: float = 0.0, flat: bool = False
    ) -> Iterator[Document]:
        """The documents, in order, with the model's entities in place of any they had.

        `threshold` and `flat` are those of `predict`.

        Raises:
            ConfigError: the threshold is no probability, or what was given is no document.
        """
        checked(threshold)
        return (self.chosen(document, threshold, flat) for document in self.read(documents))

    def read(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, in order, with all that the model itself finds."""
        chunks = _chunks(map(_document, documents))
        answered = itertools.chain.from_iterable(map(self._answering.annotate, chunks))
        return (tempered(document, self.card.temperature) for document in answered)

    def chosen(self, document: Document, threshold: float, flat: bool) -> Document:
        """A document that was read as `annotate` gives it."""
        found = kept(document, threshold, flat)
        if self.names is None:
            return found
        return joined(found, self.names, flat or self.flat, document.entities)

    def beside(self, names: Gazetteer | str | Path) -> "Recogniser":
        """The same model with a dictionary, or its file, at its side: it overlooks no listed name.

        See `convener.inference.beside.joined`. Listed names have no score, and the dictionary is
        not saved with the model.
        """
        return Recogniser(self._answering, self.card, self.page, Gazetteer.of(names))

    def ask(self, questions: Mapping[str, str]) -> "Recogniser":
        """A recogniser that answers other questions, by type, with the same weights.

        Language models are asked for the types by their names.

        Raises:
            ConfigError: the model is no reader, or its heads belong to its types.
        """
        weights = self._weights()
        from convener.models.reader import Reader
        from convener.panel.panel import Panel
        from convener.panel.spoken import SpokenPanel

        if isinstance(weights, SpokenPanel):
            asked = SpokenPanel([expert.asked(tuple(questions)) for expert in weights.experts])
            return Recogniser(asked, self.card, names=self.names)
        readers = [expert for expert in self.panel.experts if isinstance(expert, Reader)]
        if len(readers) < len(self.panel.experts):
            raise ConfigError(
                "expected a reader to ask questions of, got a panel of taggers: "
                "train one with --model reader --set reader.heads=shared"
            )
        asking = [reader.asked(questions) for reader in readers]
        return Recogniser(Panel(asking, self.panel.rule), self.card, names=self.names)

    def attention_between_types(self, documents: Sequence[Document]) -> list[list[float]] | None:
        """Which type's reading looks at which, from all that readers attend to; None of others.

        The mean over experts of `convener.recipes.multitask.attention_between_types`.
        """
        if isinstance(self._answering, ExportedPanel):
            return None
        from convener.models.reader import Reader
        from convener.panel.panel import Panel
        from convener.recipes.multitask import attention_between_types

        if not isinstance(self._answering, Panel):
            return None
        matrices = [
            attention_between_types(expert, documents)
            for expert in self._answering.experts
            if isinstance(expert, Reader) and expert.attention is not None
        ]
        return np.mean(matrices, axis=0).tolist() if matrices else None

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model to a folder, with the page about its training; `load` brings it back."""
        from convener.inference import storage

        storage.save(self._weights(), self.card, folder, self.page)

    def push_to_hub(
        self,
        name: str,
        *,
        licence: str = "unknown",
        private: bool | None = None,
        token: str | None = None,
    ) -> str:
        """Put the model with its card on the Hugging Face hub as `name` ("user/model").

        The page about its training stays here, since it quotes the text.
        `licence` is the hub's name of one, such as "apache-2.0". Returns the address.

        Raises:
            ModelError: the hub cannot be reached or does not allow it.
        """
        from convener.inference import storage

        card = self.card.model_copy(update={"licence": licence})
        with TemporaryDirectory() as folder:
            storage.save(self._weights(), card, folder)
            return hub.push(Path(folder), name, private, token)

    @classmethod
    def from_folder(cls, folder: str | Path, device: str | None = None) -> "Recogniser":
        """The model that `save_pretrained` or `export` wrote; never touches the network.

        It is put on `device`, left open on the machine's accelerator or, without one, its CPU. An
        exported model answers on the CPU, and torch is not imported for it.

        Raises:
            ConfigError: another device for an exported model.
        """
        config = read_config(Path(folder))
        if config.exported is not None:
            if device not in {None, "cpu"}:
                raise ConfigError(f"expected the device cpu for an exported model, got {device}")
            return cls(open_exported(Path(folder), config, config.exported), config.card)
        from convener.inference import storage
        from convener.models.devices import available

        panel, card, page = storage.load(folder)
        return cls(panel.to(device or available()), card, page)

    def _weights(self) -> "AnyPanel":
        if isinstance(self._answering, ExportedPanel):
            raise ConfigError(
                "expected a model with its weights, got one that was exported and only answers: "
                "use the folder that it was exported from"
            )
        return self._answering


def _text(given: object) -> Document:
    if not isinstance(given, str):
        raise ConfigError(f"expected a text, got {short(given)}")
    return Document(given)


def _document(given: object) -> Document:
    if not isinstance(given, Document):
        raise ConfigError(f"expected a document, got {short(given)}: predict takes texts")
    return given


def _chunks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.text) + 1
        if size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk

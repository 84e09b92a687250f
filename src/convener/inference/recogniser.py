"""A recogniser: the one thing that users hold, whatever kind of panel answers inside it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import torch

from convener.errors import ConfigError
from convener.inference import storage
from convener.inference.card import Card
from convener.models.reader import Reader
from convener.panel.panel import Panel
from convener.recipes.multitask import attention_between_types
from convener.text.documents import Document, Entity

CHUNK_CHARACTERS = 100_000


class Recogniser:
    """A panel with its card: it predicts, and it can be saved and loaded."""

    def __init__(self, panel: Panel, card: Card) -> None:
        self.panel = panel
        self.card = card

    @property
    def labels(self) -> tuple[str, ...]:
        """The types that the model knows."""
        return self.panel.labels

    @overload
    def predict(self, texts: str) -> list[Entity]: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, texts: list[str]) -> list[list[Entity]]: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, texts: Iterable[str]) -> Iterator[list[Entity]]: ...

    def predict(
        self, texts: str | Iterable[str]
    ) -> list[Entity] | list[list[Entity]] | Iterator[list[Entity]]:
        """Entities of a text, or of each text of many, with offsets into the caller's own string.

        A string gives a list of entities, a list of strings a list of such lists, any other
        iterable an iterator that holds only a small part of it in memory. A text of any length is
        read whole.
        """
        if isinstance(texts, str):
            return list(self.panel.annotate([Document(texts)])[0].entities)
        answers = (list(d.entities) for d in self.annotate(map(Document, texts)))
        return list(answers) if isinstance(texts, list) else answers

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, in order, with the model's entities in place of any they had."""
        for chunk in _chunks(documents):
            yield from self.panel.annotate(chunk)

    def ask(self, questions: Mapping[str, str]) -> "Recogniser":
        """A recogniser that answers other questions, by type, with the same weights.

        Raises:
            ConfigError: the model is no reader, or its heads belong to its types.
        """
        readers = [expert for expert in self.panel.experts if isinstance(expert, Reader)]
        if len(readers) < len(self.panel.experts):
            raise ConfigError(
                "expected a reader to ask questions of, got a panel of taggers: "
                "train one with --model reader --set reader.heads=shared"
            )
        return Recogniser(Panel([reader.asked(questions) for reader in readers]), self.card)

    def attention_between_types(self, documents: Sequence[Document]) -> list[list[float]] | None:
        """Which type's reading looks at which, from all that readers attend to; None of others.

        The mean over experts of `convener.recipes.multitask.attention_between_types`.
        """
        matrices = [
            attention_between_types(expert, documents)
            for expert in self.panel.experts
            if isinstance(expert, Reader) and expert.attention is not None
        ]
        return np.mean(matrices, axis=0).tolist() if matrices else None

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model to a folder; `load` brings it back."""
        storage.save(self.panel, self.card, folder)

    @classmethod
    def from_folder(cls, folder: str | Path, device: str | None = None) -> "Recogniser":
        """The model that `save_pretrained` wrote; never touches the network.

        It is put on `device`, left open on the machine's accelerator or, without one, its CPU.
        """
        panel, card = storage.load(folder)
        found = torch.accelerator.current_accelerator(check_available=True)
        return cls(panel.to(device or found or "cpu"), card)


def _chunks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.text)
        if size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk

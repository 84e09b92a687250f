"""What adapting a library does with experts that are readers, and with language models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from convener.models.adapter import Adapter, apply
from convener.models.reader import Reader
from convener.models.stacked import Stacked
from convener.panel.panel import Panel, annotate_each
from convener.panel.spoken import AnyPanel, SpokenPanel
from convener.text.documents import Document

if TYPE_CHECKING:
    from convener.models.generator import Generator


Answers: TypeAlias = list[list[Document]]


class Family(Protocol):
    """Experts of one base, all asked the questions of a target."""

    def answers(
        self, changes: Sequence[Adapter], sample: Sequence[Document]
    ) -> list[list[Document]]:
        """What the base answers with each of the changes by itself."""

    def panel(self, changes: Sequence[Adapter]) -> AnyPanel:
        """The base with each of the changes, answering together."""


@dataclass(frozen=True, slots=True)
class Readers:
    """`base` makes the base reader with the target's questions."""

    base: Callable[[], Reader]

    def answers(
        self, changes: Sequence[Adapter], sample: Sequence[Document]
    ) -> list[list[Document]]:
        """Of all at once, sharing what the base computes."""
        return annotate_each(Stacked(self.base(), changes), sample)

    def panel(self, changes: Sequence[Adapter]) -> Panel:
        """Several answer by the union of their spans, one by itself."""
        readers = [self.base() for _ in changes]
        for reader, change in zip(readers, changes, strict=True):
            apply(reader, change)
        return Panel(readers, "union" if len(readers) > 1 else "mean")


@dataclass(frozen=True, slots=True)
class Generators:
    """`base` is the language model, asked for the target's types."""

    base: "Generator"

    def answers(
        self, changes: Sequence[Adapter], sample: Sequence[Document]
    ) -> list[list[Document]]:
        """Of one after another, so that one copy of the model is in memory."""
        return [self.base.merged(change).annotate(sample) for change in changes]

    def panel(self, changes: Sequence[Adapter]) -> SpokenPanel:
        """All are whole models."""
        return SpokenPanel([self.base.merged(change) for change in changes])

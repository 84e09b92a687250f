"""What adapting a library does with experts that are readers, and with language models."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from convener.models.adapter import Adapter, apply
from convener.models.devices import available
from convener.models.reader import Reader
from convener.models.stacked import Stacked
from convener.panel.panel import Panel, annotate_each
from convener.panel.spoken import AnyPanel, SpokenPanel
from convener.text.documents import Document

if TYPE_CHECKING:
    from convener.models.generator import Generator


class Family(Protocol):
    """Experts of one base, all asked the questions of a target."""

    def answers(
        self, changes: Iterable[Adapter], sample: Sequence[Document]
    ) -> Iterator[list[Document]]:
        """What the base answers with each of the changes by itself."""

    def panel(self, changes: Iterable[Adapter]) -> AnyPanel:
        """The base with each of the changes, answering together."""


@dataclass(frozen=True, slots=True)
class Readers:
    """`base` makes the base reader with the target's questions."""

    base: Callable[[], Reader]

    def answers(
        self, changes: Iterable[Adapter], sample: Sequence[Document]
    ) -> Iterator[list[Document]]:
        """Of all at once, sharing what the base computes, where its encoder can be shared."""
        base = self.base()
        if base.encoder.by_sequence:
            yield from annotate_each(Stacked(base, list(changes)).to(available()), sample)
        else:
            yield from (self.panel([change]).annotate(sample) for change in changes)

    def panel(self, changes: Iterable[Adapter]) -> Panel:
        """Several answer by the union of their spans, one by itself."""
        readers = [self._changed(change) for change in changes]
        return Panel(readers, "union" if len(readers) > 1 else "mean")

    def _changed(self, change: Adapter) -> Reader:
        reader = self.base()
        apply(reader, change)
        return reader.to(available())


@dataclass(frozen=True, slots=True)
class Generators:
    """`base` is the language model, asked for the target's types; it stays where it is.

    Its changed copies work on the accelerator, where there is one.
    """

    base: "Generator"

    def answers(
        self, changes: Iterable[Adapter], sample: Sequence[Document]
    ) -> Iterator[list[Document]]:
        """Of one after another, so that there is one copy of the model at a time."""
        return (self._changed(change).annotate(sample) for change in changes)

    def panel(self, changes: Iterable[Adapter]) -> SpokenPanel:
        """All are whole models."""
        return SpokenPanel([self._changed(change) for change in changes])

    def _changed(self, change: Adapter) -> "Generator":
        return self.base.merged(change).to(available())

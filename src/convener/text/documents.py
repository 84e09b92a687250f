"""Entities and documents: the two things that every part of convener speaks of.

The offset law holds everywhere: `document.text[e.start:e.end]` is the entity. Offsets count
Unicode code points, as Python's strings do, and the end is exclusive.

A distant label has four states, and each word of a document is in one of them:

- *typed*: one entity covers it;
- *ambiguous*: several entities with the same boundaries and different labels cover it;
- *unknown*: it lies in `Document.unknown`, and nothing may be concluded from it;
- *outside*: none of these.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Protocol, TypeVar

from convener.errors import DataError
from convener.text.tokens import words

Offsets = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entity:
    """A named entity at character offsets `[start, end)`.

    `score` is a probability in [0, 1], `id` an entry of a knowledge base, `source` what proposed
    the entity ("dictionary", the name of a rule, a model).
    """

    start: int
    end: int
    label: str
    score: float | None = None
    id: str | None = None
    source: str | None = None

    @property
    def span(self) -> Offsets:
        """The character offsets `(start, end)`."""
        return self.start, self.end


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its entities.

    `group` names the real document that a sentence was cut from; without one each item is its
    own group. `tokens` are the offsets of the words where the source gave them. `unknown` lists
    stretches of text without evidence, which training leaves out of the loss. `types` are the
    types that were looked for, where others were not: nothing may be concluded about those.

    Raises:
        DataError: an offset outside the text, an empty label, an entity of a type that was not
            looked for, or tokens out of order.
    """

    text: str
    entities: tuple[Entity, ...] = ()
    id: str | None = None
    group: str | None = None
    tokens: tuple[Offsets, ...] | None = None
    unknown: tuple[Offsets, ...] = ()
    types: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for entity in self.entities:
            check_span(entity.span, len(self.text), f"entity {entity.label!r}")
            if not entity.label:
                raise DataError(
                    f"entity at {entity.start}-{entity.end} has an empty label: name its type"
                )
            if self.types is not None and entity.label not in self.types:
                raise DataError(
                    f"entity {entity.label!r} at {entity.start}-{entity.end} is of a type that was "
                    f"not looked for: add it to types, which has {', '.join(self.types) or 'none'}"
                )
        for span in self.unknown:
            check_span(span, len(self.text), "unknown stretch")
        for span in self.tokens or ():
            check_span(span, len(self.text), "token")
        for left, right in pairwise(self.tokens or ()):
            if right[0] < left[1]:
                raise DataError(f"tokens {left} and {right} overlap or are out of order")

    def words(self) -> tuple[Offsets, ...]:
        """Offsets of the words: those that the source gave, else those found in the text."""
        return self.tokens if self.tokens is not None else words(self.text)

    def surface(self, entity: Entity) -> str:
        """The text of an entity."""
        return self.text[entity.start : entity.end]

    def relabelled(self, entities: Iterable[Entity]) -> "Document":
        """The document with these entities alone, all of it looked at for all types."""
        return replace(self, entities=tuple(entities), unknown=(), types=None)


def check_span(span: Offsets, length: int, what: str) -> None:
    """Raise DataError unless `span` is a non-empty stretch of a text of `length` characters."""
    start, end = span
    if not 0 <= start < end <= length:
        raise DataError(
            f"{what} at {start}-{end} is outside its text: "
            f"expected 0 <= start < end <= {length} (offsets count characters, end is exclusive)"
        )


class WordIndex:
    """Which words of a document a stretch of its text touches."""

    def __init__(self, document: Document) -> None:
        offsets = document.words()
        self._starts = [start for start, _ in offsets]
        self._ends = [end for _, end in offsets]

    def __len__(self) -> int:
        return len(self._starts)

    def words(self, span: Offsets) -> tuple[int, int]:
        """The words `[first, stop)` that the characters `[start, end)` touch, maybe none."""
        start, end = span
        return bisect_right(self._ends, start), bisect_left(self._starts, end)

    def whole(self, span: Offsets) -> bool:
        """Whether the characters `[start, end)` begin where a word does, and end where one does."""
        first, stop = self.words(span)
        return first < stop and (self._starts[first], self._ends[stop - 1]) == span


def within_words(document: Document) -> list[Entity]:
    """The entities that begin or end inside a word."""
    if not document.entities:
        return []
    index = WordIndex(document)
    return [entity for entity in document.entities if not index.whole(entity.span)]


def by_span(entities: Iterable[Entity]) -> list[tuple[Offsets, tuple[Entity, ...]]]:
    """Entities grouped by their boundaries, in reading order; several labels are *ambiguous*."""
    ordered = sorted(entities, key=lambda e: (e.start, e.end, e.label))
    return [(span, tuple(group)) for span, group in groupby(ordered, key=lambda e: e.span)]


def crossing(entities: Iterable[Entity]) -> tuple[Entity, Entity] | None:
    """The first two entities that share text without sharing both boundaries, if there are any.

    A flat model can't be trained on such a pair; ambiguous labels (same boundaries) are fine.
    """
    last: Entity | None = None
    for _, group in by_span(entities):
        if last is not None and group[0].start < last.end:
            return last, group[0]
        last = group[0]
    return None


class Placed(Protocol):
    """What has a place in a text."""

    @property
    def start(self) -> int:
        """Where it begins."""

    @property
    def end(self) -> int:
        """Where it ends, exclusive."""


P = TypeVar("P", bound=Placed)


def apart(places: Iterable[P]) -> list[P]:
    """Those, in reading order, that share no text with one that was taken before them."""
    kept: list[P] = []
    for place in places:
        at = bisect_left(kept, place.start, key=lambda s: s.start)
        after_last = not at or kept[at - 1].end <= place.start
        if after_last and (at == len(kept) or place.end <= kept[at].start):
            kept.insert(at, place)
    return kept


def group_indices(documents: Iterable[Document]) -> list[list[int]]:
    """Indices of the documents of each group, groups in order of first appearance."""
    groups: dict[object, list[int]] = {}
    for index, document in enumerate(documents):
        key = index if document.group is None else document.group
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def labels_of(documents: Iterable[Document]) -> tuple[str, ...]:
    """The entity types that occur or were looked for, sorted."""
    labels: set[str] = set()
    for document in documents:
        labels.update(document.types or (), (entity.label for entity in document.entities))
    return tuple(sorted(labels))

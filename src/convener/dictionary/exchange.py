"""Labelled names exchanged for others of their type, so that a model learns both.

A model that sees the same few names learns them by heart, and of the names that its dictionary
lists and the text lacks it learns nothing. Copies of the text in which every labelled name is
another one of its type teach both: names, and the places where names stand.
"""

import itertools
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from convener.dictionary.entries import Entry
from convener.text.documents import Document, Entity, Offsets, WordIndex, by_span
from convener.text.tokens import words

MOST = 20_000

Entries = Mapping[str, Sequence[Entry]]
"""The entries of each type."""


def copies(
    documents: Iterable[Document], entries: Iterable[Entry], count: int, seed: int
) -> list[Document]:
    """So many copies of documents with names of a dictionary in them, where some are exchanged.

    Of each type at most `MOST` names are drawn, so that a dictionary of any size will do.
    """
    draw = np.random.default_rng(seed)
    drawn = _drawn(entries, draw) if count else {}
    pairs = ((d, exchanged(d, drawn, draw)) for _ in range(count) for d in documents)
    return [made for document, made in pairs if made != document]


def exchanged(document: Document, entries: Entries, draw: np.random.Generator) -> Document:
    """The document with other names drawn for those that have one type and share no text.

    A name that was listed in lower case or as a title is written as the one in whose place it
    stands, if that is a case which its entry accepts. Words that the source gave are kept around
    it, and what was unknown.
    """
    fresh: dict[Offsets, str] = {}
    for entity in _alone(document):
        if listed := entries.get(entity.label):
            entry = listed[int(draw.integers(len(listed)))]
            fresh[entity.span] = _written_as(document.surface(entity), entry)
    places = _Places(fresh)
    tokens = None
    if document.tokens is not None:
        cut = _runs if _are_runs(document, fresh) else words
        new = [(places.of(span)[0], cut(name)) for span, name in fresh.items()]
        within = [(start + a, start + b) for start, parts in new for a, b in parts]
        tokens = tuple(sorted(places.around(document.tokens) + within))
    return replace(
        document,
        text=places.text(document.text),
        entities=tuple(_at(e, places.of(e.span), e.span in fresh) for e in document.entities),
        tokens=tokens,
        unknown=tuple(places.around(document.unknown)),
    )


class _Places:
    """Where the stretches of a text are when some of them, in reading order, are written anew."""

    def __init__(self, fresh: Mapping[Offsets, str]) -> None:
        self._fresh = fresh
        self._spans = list(fresh)
        self._ends = [end for _, end in fresh]
        longer = (len(name) - (end - start) for (start, end), name in fresh.items())
        self._shifts = list(itertools.accumulate(longer, initial=0))

    def text(self, old: str) -> str:
        """The text anew."""
        pieces: list[str] = []
        last = 0
        for (start, end), name in self._fresh.items():
            pieces += old[last:start], name
            last = end
        return "".join([*pieces, old[last:]])

    def of(self, span: Offsets) -> Offsets:
        """Where a stretch is that is written anew, or touches none that is."""
        shift = self._shifts[bisect_right(self._ends, span[0])]
        length = len(self._fresh[span]) if span in self._fresh else span[1] - span[0]
        return span[0] + shift, span[0] + shift + length

    def around(self, spans: Iterable[Offsets]) -> list[Offsets]:
        """Where the parts of stretches are that are not written anew."""
        return [self.of(part) for span in spans for part in self._old(span)]

    def _old(self, span: Offsets) -> Iterator[Offsets]:
        start, end = span
        for place in range(bisect_right(self._ends, start), len(self._spans)):
            first, last = self._spans[place]
            if first >= end:
                break
            if first > start:
                yield start, first
            start = last
        if start < end:
            yield start, end


def _are_runs(document: Document, spans: Iterable[Offsets]) -> bool:
    """Whether the source's words of these stretches are cut at white space alone."""
    given = set(document.tokens or ())
    runs = ((s + a, s + b) for s, e in spans for a, b in _runs(document.text[s:e]))
    return given.issuperset(runs)


def _runs(text: str) -> list[Offsets]:
    return [run.span() for run in re.finditer(r"\S+", text)]


def _drawn(entries: Iterable[Entry], draw: np.random.Generator) -> dict[str, list[Entry]]:
    """Entries of each type, every one as likely as the others to be among them."""
    drawn: dict[str, list[Entry]] = {}
    seen = Counter[str]()
    for entry in entries:
        kept = drawn.setdefault(entry.label, [])
        seen[entry.label] += 1
        if len(kept) < MOST:
            kept.append(entry)
        elif (place := int(draw.integers(seen[entry.label]))) < MOST:
            kept[place] = entry
    return drawn


def _at(entity: Entity, span: Offsets, fresh: bool) -> Entity:
    return replace(entity, start=span[0], end=span[1], id=None if fresh else entity.id)


def _alone(document: Document) -> Iterator[Entity]:
    """Entities of one type that share no text with others and cut no word, in reading order."""
    spans, reach = by_span(document.entities), 0
    given = WordIndex(document) if document.tokens is not None else None
    for index, ((start, end), group) in enumerate(spans):
        after = spans[index + 1][0][0] if index + 1 < len(spans) else end
        whole = given is None or given.whole((start, end))
        if reach <= start and end <= after and len(group) == 1 and whole:
            yield group[0]
        reach = max(reach, end)


def _written_as(old: str, entry: Entry) -> str:
    """A name in lower case, or with capitals as a title has, as an old one in its place was."""
    new = like = " ".join(entry.surface.split())
    if old.islower() and new.istitle():
        like = new.lower()
    elif old[0].isupper() and new.islower():
        like = new[0].upper() + new[1:]
    return like if entry.accepts(like) else new

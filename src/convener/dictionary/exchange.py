"""Labelled names exchanged for others of their type, so that a model learns both.

A model that sees the same few names learns them by heart, and of the names that its dictionary
lists and the text lacks it learns nothing. Copies of the text in which every labelled name is
another one of its type teach both: names, and the places where names stand.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from convener.dictionary.entries import Entry
from convener.text.documents import Document, Entity, Offsets, by_span
from convener.text.tokens import words

MOST = 20_000

Names = Mapping[str, Sequence[str]]
"""The names of each type."""


def copies(
    documents: Iterable[Document], entries: Iterable[Entry], count: int, seed: int
) -> list[Document]:
    """So many copies of labelled documents with names of a dictionary in them.

    Of each type at most `MOST` names are drawn, so that a dictionary of any size will do. Without a
    name there are no copies.
    """
    draw = np.random.default_rng(seed)
    names = _drawn(entries, draw) if count else {}
    labelled = [document for document in documents if document.entities and names]
    return [exchanged(document, names, draw) for _ in range(count) for document in labelled]


def exchanged(document: Document, names: Names, draw: np.random.Generator) -> Document:
    """The document with other names drawn for those that have one type and share no text.

    A name that was listed in lower case or as a title is written as the one in whose place it
    stands; words that the source gave are kept around it, and unknown stretches.
    """
    fresh: dict[Offsets, str] = {}
    for entity in _alone(document):
        if listed := names.get(entity.label):
            name = listed[int(draw.integers(len(listed)))]
            fresh[entity.span] = _written_as(document.surface(entity), name)
    ends, shifts, pieces, last = [*(end for _, end in fresh)], [0], list[str](), 0
    for (start, end), name in fresh.items():
        shifts.append(shifts[-1] + len(name) - (end - start))
        pieces += document.text[last:start], name
        last = end
    text = "".join([*pieces, document.text[last:]])

    def moved(span: Offsets) -> Offsets:
        shift = shifts[bisect_right(ends, span[0])]
        length = len(fresh[span]) if span in fresh else span[1] - span[0]
        return span[0] + shift, span[0] + shift + length

    def around(spans: Sequence[Offsets]) -> list[Offsets]:
        return [moved(s) for s in spans if not any(a < s[1] and s[0] < b for a, b in fresh)]

    within = [
        (start + a, start + b)
        for start, end in map(moved, fresh)
        for a, b in words(text[start:end])
    ]
    return replace(
        document,
        text=text,
        entities=tuple(_at(entity, moved(entity.span)) for entity in document.entities),
        tokens=None if document.tokens is None else tuple(sorted(around(document.tokens) + within)),
        unknown=tuple(around(document.unknown)),
    )


def _drawn(entries: Iterable[Entry], draw: np.random.Generator) -> dict[str, list[str]]:
    """Names of each type, every one as likely as the others to be among them."""
    names: dict[str, list[str]] = {}
    seen = Counter[str]()
    for entry in entries:
        kept = names.setdefault(entry.label, [])
        seen[entry.label] += 1
        if len(kept) < MOST:
            kept.append(entry.surface)
        elif (place := int(draw.integers(seen[entry.label]))) < MOST:
            kept[place] = entry.surface
    return names


def _at(entity: Entity, span: Offsets) -> Entity:
    return replace(entity, start=span[0], end=span[1])


def _alone(document: Document) -> Iterator[Entity]:
    """Entities of one type that share no text with others, in reading order."""
    spans = by_span(document.entities)
    reach = 0
    for index, ((start, end), group) in enumerate(spans):
        after = spans[index + 1][0][0] if index + 1 < len(spans) else end
        if reach <= start and end <= after and len(group) == 1:
            yield group[0]
        reach = max(reach, end)


def _written_as(old: str, new: str) -> str:
    """A name in lower case, or with capitals as a title has, as an old one in its place was."""
    if old.islower() and new.istitle():
        return new.lower()
    return new[0].upper() + new[1:] if old[0].isupper() and new.islower() else new

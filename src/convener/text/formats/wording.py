"""Documents rewritten as words with one space between, for formats that know only words.

Words are cut where an entity or an unknown stretch begins or ends inside them, so that no label
is lost; what this costs is counted by name.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from convener.text.documents import Document, Entity, Offsets

_DOCSTART = "-DOCSTART-"


def in_words(document: Document, spaceless: bool, lost: Counter[str]) -> Document:
    """The document with its words joined by one space; `spaceless` words hold no white space."""
    given = document.words()
    words = list(_cut(document, given, spaceless))
    pieces = [document.text[start:end] for start, end in words]
    text = " ".join(pieces)
    if document.tokens is not None:
        lost["words cut"] += max(0, len(words) - len(given))
        outside = "".join(document.text.split()) != "".join("".join(pieces).split())
        lost["text outside words"] += outside
    lost["spacing"] += text != document.text
    offsets, position = list[Offsets](), 0
    for piece in pieces:
        offsets.append((position, position + len(piece)))
        position += len(piece) + 1
    starts, ends = [start for start, _ in words], [end for _, end in words]

    def inside(span: Offsets) -> tuple[int, int]:
        return bisect_left(starts, span[0]), bisect_right(ends, span[1]) - 1

    entities = list[Entity]()
    for entity in document.entities:
        first, last = inside(entity.span)
        if first > last:
            lost["entities without a word"] += 1
            continue
        lost["white space at edges of entities"] += entity.span != (starts[first], ends[last])
        entities.append(replace(entity, start=offsets[first][0], end=offsets[last][1]))
    unknown = [
        (offsets[first][0], offsets[last][1])
        for first, last in map(inside, document.unknown)
        if first <= last
    ]
    return replace(
        document,
        text=text,
        entities=tuple(entities),
        tokens=tuple(offsets),
        unknown=tuple(unknown),
    )


def _cut(document: Document, words: tuple[Offsets, ...], spaceless: bool) -> Iterator[Offsets]:
    spans = [*(entity.span for entity in document.entities), *document.unknown]
    edges = sorted({edge for span in spans for edge in span})
    for start, end in words:
        inside = edges[bisect_right(edges, start) : bisect_left(edges, end)]
        if spaceless and document.text[start:end] == _DOCSTART:
            inside = sorted({*inside, start + 1})
        for left, right in pairwise([start, *inside, end]):
            if not spaceless:
                yield left, right
                continue
            for piece in re.finditer(r"\S+", document.text[left:right]):
                yield left + piece.start(), left + piece.end()

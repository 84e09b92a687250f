"""What each format can hold of a document, and documents reduced to that.

Whatever a format cannot hold is counted under a plain name ("scores", "nested or overlapping
entities"), so that a conversion can say what it left behind. A document that fits is unchanged.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from convener.errors import DataError
from convener.text.documents import Document, Entity
from convener.text.formats import brat
from convener.text.formats.wording import in_words

Format = Literal[
    "text", "jsonl", "tokens", "conll", "doccano", "labelstudio", "spacy", "brat", "datasets"
]
Lost = Counter[str]
"""How much of what was left behind, by name."""

_ALL = frozenset(
    {
        *("scores", "entity ids", "sources", "document ids", "groups"),
        *("given words", "unknown stretches", "types looked for"),
    }
)
_HOLDS: dict[Format, frozenset[str]] = {
    "text": frozenset(),
    "jsonl": _ALL,
    "tokens": _ALL - {"scores", "entity ids", "sources"},
    "conll": frozenset({"groups", "given words"}),
    "doccano": frozenset({"document ids", "groups"}),
    "labelstudio": frozenset({"scores", "document ids", "groups"}),
    "spacy": _ALL,
    "brat": frozenset({"entity ids", "document ids"}),
    "datasets": frozenset({"document ids", "groups", "given words"}),
}
_OF_WORDS = frozenset({"tokens", "conll", "datasets"})
_FLAT = frozenset({"conll", "datasets"})
_LABELS_WITHOUT_SPACE = frozenset({"conll", "brat"})
_HARMLESS = _ALL - {"unknown stretches", "types looked for"} | {
    *("names of groups", "spacing", "words cut", "text outside words", "line breaks"),
    "marks of byte order",
}


def fitted(documents: Iterable[Document], format: Format, lost: Lost) -> Iterator[Document]:
    """The documents as `format` can hold them; what it cannot hold is added to `lost`."""
    for document in documents:
        fitting = _fit(document, format, lost)
        if fitting is not None:
            yield fitting


def checked(documents: Iterable[Document], format: Format) -> Iterator[Document]:
    """The documents as `format` can hold them, if it holds all their labels.

    Raises:
        DataError: it does not.
    """
    for document in documents:
        lost: Lost = Counter()
        fitting = list(fitted([document], format, lost))
        if missing := sorted((+lost).keys() - _HARMLESS):
            raise DataError(
                f"{format} cannot hold {missing[0]}: write .jsonl, or let convener convert count "
                "what is left behind"
            )
        yield from fitting


def told(lost: Lost) -> str:
    """Losses in words, the greatest first."""
    return ", ".join(f"{count} {name}" for name, count in lost.most_common() if count)


def _fit(document: Document, format: Format, lost: Lost) -> Document | None:
    if format == "text":
        return _plain(document, lost)
    if format in _LABELS_WITHOUT_SPACE:
        document = _without_space(document, lost)
    if format == "brat":
        document = _fragments(document, lost)
    if format in _OF_WORDS:
        document = in_words(document, format == "conll", lost)
    if format in _FLAT:
        document = _flat(document, lost)
    document = _without(document, _HOLDS[format], lost)
    if format == "brat" and not document.entities:
        return _unmarked(document, lost)
    if format == "conll":
        lost["names of groups"] += document.group is not None
        if not document.tokens:
            lost["documents without a word"] += 1
            return None
    return document


def _plain(document: Document, lost: Lost) -> Document | None:
    if not document.text.strip():
        lost["documents without a word"] += 1
        return None
    lost["entities"] += len(document.entities)
    lost["line breaks"] += sum(document.text.count(end) for end in "\r\n")
    text = document.text.translate({10: " ", 13: " "})
    return replace(_without(replace(document, entities=()), _HOLDS["text"], lost), text=text)


def _unmarked(document: Document, lost: Lost) -> Document:
    """A text that nothing tells to begin with U+FEFF: no offset of an entity counts it."""
    text = document.text.lstrip("\ufeff")
    lost["marks of byte order"] += len(document.text) - len(text)
    return replace(document, text=text)


def _without(document: Document, holds: frozenset[str], lost: Lost) -> Document:
    """The document without the parts that a format has no place for."""
    entities = list(document.entities)
    if "scores" not in holds:
        lost["scores"] += sum(entity.score is not None for entity in entities)
        entities = [replace(entity, score=None) for entity in entities]
    if "entity ids" not in holds:
        lost["entity ids"] += sum(entity.id is not None for entity in entities)
        entities = [replace(entity, id=None) for entity in entities]
    if "sources" not in holds:
        lost["sources"] += sum(entity.source is not None for entity in entities)
        entities = [replace(entity, source=None) for entity in entities]
    if "document ids" not in holds:
        lost["document ids"] += document.id is not None
        document = replace(document, id=None)
    if "groups" not in holds:
        lost["groups"] += document.group is not None
        document = replace(document, group=None)
    if "given words" not in holds:
        lost["given words"] += document.tokens is not None
        document = replace(document, tokens=None)
    if "unknown stretches" not in holds:
        lost["unknown stretches"] += len(document.unknown)
        document = replace(document, unknown=())
    if "types looked for" not in holds:
        lost["types looked for"] += document.types is not None
        document = replace(document, types=None)
    return replace(document, entities=tuple(entities))


def _without_space(document: Document, lost: Lost) -> Document:
    """Labels with an underscore for each run of white space."""

    def renamed(label: str) -> str:
        return re.sub(r"\s+", "_", label)

    lost["white space in labels"] += sum(
        renamed(entity.label) != entity.label for entity in document.entities
    )
    return replace(
        document,
        entities=tuple(
            replace(entity, label=renamed(entity.label)) for entity in document.entities
        ),
        types=None if document.types is None else tuple(map(renamed, document.types)),
    )


def _flat(document: Document, lost: Lost) -> Document:
    """Of entities that share text the longest; at one place the best scored."""
    taken: dict[int, Entity] = {}
    kept = set()
    order = sorted(
        enumerate(document.entities),
        key=lambda item: (item[1].start - item[1].end, item[1].start, -(item[1].score or 0)),
    )
    for index, entity in order:
        clash = next((taken[i] for i in range(*entity.span) if i in taken), None)
        if clash is None:
            kept.add(index)
            taken |= dict.fromkeys(range(*entity.span), entity)
        elif clash.span == entity.span:
            lost["further types of one place"] += 1
        else:
            lost["nested or overlapping entities"] += 1
    return replace(
        document, entities=tuple(e for index, e in enumerate(document.entities) if index in kept)
    )


def _fragments(document: Document, lost: Lost) -> Document:
    """Entities that brat can spell: no line break at an edge, ids of the form base:entry."""
    entities = []
    for entity in document.entities:
        parts = brat.fragments(document.text, entity)
        if not parts:
            lost["entities without a word"] += 1
            continue
        start, end = parts[0][0], parts[-1][1]
        lost["line breaks at edges of entities"] += (start, end) != entity.span
        if entity.id is not None and not brat.ENTRY.fullmatch(entity.id):
            lost["entity ids"] += 1
            entity = replace(entity, id=None)
        entities.append(replace(entity, start=start, end=end))
    return replace(document, entities=tuple(entities))

"""Abstention: where a dictionary says nothing, or is not to be believed.

Its labels are incomplete, and they are matched without reading: "Washington" is found inside
"Washington Post", and "His" because a band has that name. In carefully written text, capitals tell
where such things happen. Three kinds of words are better left *unknown* in training than taken at
the dictionary's word, and no gold label is needed to find them:

- an *unlisted name*: a capitalised word inside a sentence that no label covers;
- a *part of a name*: a label with an unlisted name right beside it, unknown with all of it;
- a *common word*: a label on one word that the corpus mostly writes in lower case, unlabelled.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from convener.text.documents import Document, Entity, Offsets, by_span
from convener.text.tokens import SHAPES, shape

_NAME_SHAPES = {SHAPES.index(name) for name in ("title", "upper", "mixed", "alnum")}
_SENTENCE_ENDS = frozenset(".!?:;\"'“”‘’«»()[]*#-–—")


def abstaining(documents: Sequence[Document], limit: float = 1.0) -> list[Document]:
    """Documents in which all three kinds are unknown, where capitals tell names at all.

    In tweets and headlines they do not. The sign used, which needs no gold label: if there are more
    than `limit` times as many unlisted names as words under a label, the documents are returned as
    they are. So are documents that bring their own unknown stretches, unless the limit is infinite,
    and documents of which no label would be left.
    """
    if limit < math.inf and any(document.unknown for document in documents):
        return list(documents)
    writing = Writing.of(documents)
    if writing.unlisted > limit * writing.labelled:
        return list(documents)
    marked = [_abstaining(document, writing) for document in documents]
    return marked if any(document.entities for document in marked) else list(documents)


def unlisted_names(document: Document) -> tuple[Offsets, ...]:
    """Words that look like names, begin no sentence, and that no entity covers."""
    return tuple(word.span for word in _read(document) if word.unlisted)


@dataclass(frozen=True, slots=True)
class Writing:
    """How a corpus writes: each word, folded, in lower case outside labels, and in capitals.

    Capitals that begin a sentence count for nothing. `labelled` are the words under a label.
    """

    lower: Counter[str]
    capital: Counter[str]
    labelled: int
    unlisted: int

    @classmethod
    def of(cls, documents: Iterable[Document]) -> "Writing":
        """The writing of a corpus."""
        lower, capital = Counter[str](), Counter[str]()
        labelled = unlisted = 0
        for document in documents:
            for word in _read(document):
                labelled += word.labelled
                unlisted += word.unlisted
                if word.text.islower() and not word.labelled:
                    lower[word.text] += 1
                elif word.named and not word.begins:
                    capital[word.text.lower()] += 1
        return cls(lower, capital, labelled, unlisted)

    def common(self, word: str) -> bool:
        """Whether the word, in whatever case, is mostly written in lower case, unlabelled."""
        return self.lower[word.lower()] > self.capital[word.lower()]


class _Word(NamedTuple):
    """A word: whether it looks like a name, begins a sentence, and has a label."""

    span: Offsets
    text: str
    named: bool
    begins: bool
    labelled: bool

    @property
    def unlisted(self) -> bool:
        return self.named and not self.begins and not self.labelled


def _read(document: Document) -> list[_Word]:
    taken = covered(document)
    found, previous = list[_Word](), "."
    for start, end in document.words():
        text = document.text[start:end]
        named = shape(text) in _NAME_SHAPES and text != text.lower()
        begins = set(previous) <= _SENTENCE_ENDS
        found.append(_Word((start, end), text, named, begins, start in taken))
        previous = text
    return found


def _abstaining(document: Document, writing: Writing) -> Document:
    words = _read(document)
    common = [writing.common(word.text) for word in words]
    names = [
        word.named and not word.labelled and not (word.begins and often)
        for word, often in zip(words, common, strict=True)
    ]
    starts, ends = [word.span[0] for word in words], [word.span[1] for word in words]
    kept = list[Entity]()
    unknown = {*document.unknown, *(word.span for word in words if word.unlisted)}
    for (start, end), entities in by_span(document.entities):
        first, stop = bisect_right(ends, start), bisect_left(starts, end)
        left, right = first, stop
        while left and names[left - 1]:
            left -= 1
        while right < len(words) and names[right]:
            right += 1
        if (left, right) != (first, stop) or (stop - first == 1 and common[first]):
            unknown.add((starts[left], ends[right - 1]))
        else:
            kept.extend(entities)
    return replace(document, entities=tuple(kept), unknown=tuple(sorted(unknown)))


def covered(document: Document) -> set[int]:
    """The character positions that entities cover."""
    return positions(entity.span for entity in document.entities)


def positions(spans: Iterable[Offsets]) -> set[int]:
    """The character positions of spans."""
    return {position for start, end in spans for position in range(start, end)}


def words_in(words: Iterable[Offsets], places: set[int]) -> int:
    """How many words begin at one of the places."""
    return sum(start in places for start, _ in words) if places else 0

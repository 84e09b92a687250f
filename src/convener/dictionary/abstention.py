"""Abstention: where a dictionary says nothing, or is not to be believed.

Its labels are incomplete, and they are matched without reading: "Washington" is found inside
"Washington Post", "Army of" before "the Potomac", and "His" because a band has that name. In
carefully written text, capitals tell where such things happen. Four kinds of words are better left
*unknown* in training than taken at the dictionary's word, and no gold label is needed to find them:

- an *unlisted name*: a capitalised word inside a sentence that no label covers, or one that begins
  a sentence and that the corpus never writes in lower case, but in capitals elsewhere; no month or
  weekday, which English writes in capitals anyway, and no common word in a headline;
- a *part of a name*: a label with another name right beside it, listed or not, or joined to it as
  by "von" or "&"; what has no label is unknown with it;
- a *doubtful edge*: a label that ends in a word like "of", or begins a sentence with an article,
  where the capital does not tell whether "The" belongs to the name;
- a *common word*: a label on one word that the corpus mostly writes in lower case, unlabelled, or
  on a month, a weekday or "I".
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from convener.text.documents import Document, Entity, Offsets, by_span
from convener.text.tokens import SHAPES, shape

_NAME_SHAPES = {SHAPES.index(name) for name in ("title", "upper", "mixed", "alnum")}
_SENTENCE_ENDS = frozenset(".!?:;\"'“”‘’«»()[]*#-–—")
_ARTICLES = frozenset(("a", "an", "the"))
_PARTICLES = frozenset(("&", "de", "del", "della", "der", "di", "du", "van", "von"))
_JOINING = _PARTICLES | {"and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to"}
_CALENDAR = """
january february march april may june july august september october november december
jan feb mar apr jun jul aug sep sept oct nov dec
monday tuesday wednesday thursday friday saturday sunday
mon tue tues wed thu thur thurs fri sat sun
"""
_ALWAYS_CAPITAL = frozenset(("i", *_CALENDAR.split()))

Doubt = Literal["part", "edge", "common"]


def abstaining(documents: Sequence[Document], limit: float = 1.0) -> list[Document]:
    """Documents in which all four kinds are unknown, where capitals tell names at all.

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


def left_out(
    documents: Sequence[Document], marked: Sequence[Document]
) -> Counter[tuple[str, str, str]]:
    """How often each name of a type was left out of `marked`, and what it seems to be."""
    writing = Writing.of(documents)
    counts = Counter[tuple[str, str, str]]()
    for before, after in zip(documents, marked, strict=True):
        if before.entities == after.entities:
            continue
        reading = Reading(before, writing)
        for entity in before.entities:
            if doubt := reading.doubt(entity.span):
                counts[before.surface(entity), entity.label, doubt] += 1
    return counts


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

    def proper(self, word: str) -> bool:
        """Whether the word is written in capitals inside sentences, and never in lower case."""
        return not self.lower[word.lower()] and self.capital[word.lower()] > 0


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

    @property
    def article(self) -> bool:
        """Whether it is an article whose capital, if it has one, is that of the sentence."""
        return self.begins and self.text.lower() in _ARTICLES


def _read(document: Document) -> list[_Word]:
    taken = covered(document)
    found, previous = list[_Word](), "."
    for start, end in document.words():
        text = document.text[start:end]
        folded = text.lower()
        capital = text != folded and folded not in _ALWAYS_CAPITAL
        named = capital and shape(text) in _NAME_SHAPES
        begins = set(previous) <= _SENTENCE_ENDS
        found.append(_Word((start, end), text, named, begins, start in taken))
        previous = text
    return found


class Reading:
    """A document read as its corpus writes: which of its labels are not to be believed."""

    def __init__(self, document: Document, writing: Writing) -> None:
        self.words = _read(document)
        self._writing = writing
        self._common = [writing.common(word.text) for word in self.words]
        starts, ends = ([word.span[side] for word in self.words] for side in (0, 1))
        self._runs = {
            (start, end): (bisect_right(ends, start), bisect_left(starts, end))
            for (start, end), _ in by_span(document.entities)
        }
        runs = self._runs.values()
        self._inner = {word for first, stop in runs for word in range(first + 1, stop)}

    def unlisted(self) -> list[Offsets]:
        """Words that look like names and that no label covers."""
        return [
            word.span
            for place, word in enumerate(self.words)
            if not word.labelled
            and self._named(place)
            and (not word.begins or self._writing.proper(word.text))
        ]

    def doubt(self, label: Offsets) -> Doubt | None:
        """What a label seems to be that had better be unknown."""
        first, stop = self._runs[label]
        if first == stop:
            return None
        left, right = self._whole(label)
        grown = (left, right) != (first, stop)
        if grown or self._touched(first, left - 1) or self._touched(stop, right):
            return "part"
        words = self.words[first:stop]
        if len(words) == 1 and (self._common[first] or words[0].text.lower() in _ALWAYS_CAPITAL):
            return "common"
        if len(words) > 1 and (words[0].article or words[-1].text in _JOINING):
            return "edge"
        return None

    def stretch(self, label: Offsets) -> Offsets:
        """The label with all around it that seems to belong to its name and has no label."""
        first, stop = self._whole(label)
        return self.words[first].span[0], self.words[stop - 1].span[1]

    def _whole(self, label: Offsets) -> tuple[int, int]:
        first, stop = self._runs[label]
        return self._past(first - 1, -1) + 1, self._past(stop, 1)

    def _past(self, place: int, step: int) -> int:
        """The first place from here on that is no unlisted name, and joins none to the label."""
        while self._named(place) or (self._joins(place) and self._named(place + step)):
            if self.words[place].labelled:
                break
            place += step
        return place

    def _named(self, place: int) -> bool:
        if not 0 <= place < len(self.words):
            return False
        word = self.words[place]
        return word.named and not (self._common[place] and (word.begins or word.text.isupper()))

    def _joins(self, place: int) -> bool:
        return 0 <= place < len(self.words) and self.words[place].text in _PARTICLES

    def _touched(self, border: int, place: int) -> bool:
        """Whether a listed name is there, and no label crosses the border to it."""
        return self._named(place) and border not in self._inner


def _abstaining(document: Document, writing: Writing) -> Document:
    reading = Reading(document, writing)
    kept = list[Entity]()
    unknown = {*document.unknown, *reading.unlisted()}
    for label, entities in by_span(document.entities):
        if reading.doubt(label):
            unknown.add(reading.stretch(label))
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

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
    unlisted = sum(len(unlisted_names(document)) for document in documents)
    labelled = sum(words_in(document.words(), covered(document)) for document in documents)
    if unlisted > limit * labelled:
        return list(documents)
    spelling = Spelling.of(documents)
    marked = [_abstaining(document, spelling) for document in documents]
    return marked if any(document.entities for document in marked) else list(documents)


def unlisted_names(document: Document) -> tuple[Offsets, ...]:
    """Words that look like names, begin no sentence, and that no entity covers."""
    taken = covered(document)
    return tuple(
        word
        for word, name, begins in _capitals(document)
        if name and not begins and word[0] not in taken
    )


@dataclass(frozen=True, slots=True)
class Spelling:
    """How often a corpus writes each word, folded: in lower case outside labels, and in capitals.

    Capitals that begin a sentence count for nothing.
    """

    lower: Counter[str]
    capital: Counter[str]

    @classmethod
    def of(cls, documents: Iterable[Document]) -> "Spelling":
        """The spelling of a corpus."""
        lower, capital = Counter[str](), Counter[str]()
        for document in documents:
            taken = covered(document)
            for (start, end), name, begins in _capitals(document):
                word = document.text[start:end]
                if word.islower() and start not in taken:
                    lower[word] += 1
                elif name and not begins:
                    capital[word.lower()] += 1
        return cls(lower, capital)

    def common(self, word: str) -> bool:
        """Whether the word, in whatever case, is mostly written in lower case, unlabelled."""
        return self.lower[word.lower()] > self.capital[word.lower()]


def _abstaining(document: Document, spelling: Spelling) -> Document:
    taken, words = covered(document), document.words()
    unlisted = {
        word[0]
        for word, name, begins in _capitals(document)
        if name and word[0] not in taken and not (begins and _common(document, word, spelling))
    }
    kept, unknown = list[Entity](), {*document.unknown, *unlisted_names(document)}
    starts, ends = [start for start, _ in words], [end for _, end in words]
    for (start, end), entities in by_span(document.entities):
        first, stop = bisect_right(ends, start), bisect_left(starts, end)
        left, right = first, stop
        while left and starts[left - 1] in unlisted:
            left -= 1
        while right < len(words) and starts[right] in unlisted:
            right += 1
        common = stop - first == 1 and _common(document, words[first], spelling)
        if common or (left, right) != (first, stop):
            unknown.add((starts[left], ends[right - 1]))
        else:
            kept.extend(entities)
    return replace(document, entities=tuple(kept), unknown=tuple(sorted(unknown)))


def _common(document: Document, word: Offsets, spelling: Spelling) -> bool:
    return spelling.common(document.text[slice(*word)])


def _capitals(document: Document) -> list[tuple[Offsets, bool, bool]]:
    """Each word, whether it looks like a name, and whether it begins a sentence."""
    found, previous = [], "."
    for start, end in document.words():
        word = document.text[start:end]
        looks = shape(word) in _NAME_SHAPES and word != word.lower()
        found.append(((start, end), looks, set(previous) <= _SENTENCE_ENDS))
        previous = word
    return found


def covered(document: Document) -> set[int]:
    """The character positions that entities cover."""
    return positions(entity.span for entity in document.entities)


def positions(spans: Iterable[Offsets]) -> set[int]:
    """The character positions of spans."""
    return {position for start, end in spans for position in range(start, end)}


def words_in(words: Iterable[Offsets], places: set[int]) -> int:
    """How many words begin at one of the places."""
    return sum(start in places for start, _ in words) if places else 0

"""Abstention: where a dictionary says nothing, or is not to be believed.

Its labels are incomplete, and they are matched without reading: "Washington" is found inside
"Washington Post", "Army of" before "the Potomac", and "His" because a band has that name. In
carefully written text, capitals tell where such things happen. Four kinds of words are better left
*unknown* in training than taken at the dictionary's word, and no gold label is needed to find them:

- an *unlisted name*: a capitalised word inside a sentence that no label covers, or one that begins
  a sentence and that the corpus never writes in lower case, but in capitals elsewhere; no month or
  weekday, which English writes in capitals anyway, and no common word written all in capitals;
- a *part of a name*: a capitalised label with another name right beside it, listed or not, or
  joined to it as by "von" or "&"; what has no label is unknown with it;
- a *doubtful edge*: a label that ends in a word like "of", or begins a sentence with an article
  that never has its capital inside one, so that it may not belong to the name;
- a *common word*: a label on one word that the corpus mostly writes in lower case, unlabelled, or
  on a month, a weekday or "I".
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from convener.dictionary.writing import (
    ALWAYS_CAPITAL,
    Writing,
    label_runs,
    read_words,
)
from convener.text.documents import Document, Entity, Offsets, by_span

_PARTICLES = frozenset(
    ("&", "de", "del", "della", "den", "der", "di", "du", "la", "van", "von", "y", "zu")
)
_NEVER_LAST = _PARTICLES | {"and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to"}
Doubt = Literal["part", "edge", "common"]
Doubted = tuple[str, str, str]
"""A name, the type that it is labelled with, and what speaks against it."""


def abstaining(documents: Sequence[Document], always: bool = False) -> list[Document]:
    """Documents in which labels in doubt and unlisted names are unknown, where capitals tell names.

    Two signs, which need no gold label, say where they do not, as in tweets and headlines. Unlisted
    names stay outside if there are more of them than capitalised words under a label, and all
    labels stay if most would be left out; `always` heeds neither. Unknown stretches of the
    documents stay. Of a type that would lose all its labels, all are kept.
    """
    writing = Writing.of(documents)
    telling = always or writing.telling
    marked = [Reading(document, writing).abstaining(telling) for document in documents]
    before, after = _types(documents), _types(marked)
    if lost := before.keys() - after.keys():
        marked = [Reading(document, writing).abstaining(telling, lost) for document in documents]
        after = _types(marked)
    return marked if always or 2 * after.total() >= before.total() else list(documents)


def _types(documents: Iterable[Document]) -> Counter[str]:
    return Counter(entity.label for document in documents for entity in document.entities)


def left_out(documents: Sequence[Document], marked: Sequence[Document]) -> Counter[Doubted]:
    """How often each name of a type was left out of `marked`, and what it seems to be."""
    gone = [
        {e.span for e in before.entities} - {e.span for e in after.entities}
        for before, after in zip(documents, marked, strict=True)
    ]
    counts = Counter[Doubted]()
    if not any(gone):
        return counts
    writing = Writing.of(documents)
    for document, spans in zip(documents, gone, strict=True):
        doubts = Reading(document, writing).doubts if spans else {}
        for entity in document.entities:
            if entity.span in spans and (doubt := doubts[entity.span]):
                counts[document.surface(entity), entity.label, doubt] += 1
    return counts


class Reading:
    """A document read as its corpus writes.

    `doubts` is what each label seems to be that had better be unknown, or None.
    """

    def __init__(self, document: Document, writing: Writing) -> None:
        self.document = document
        self.runs = label_runs(document)
        self.words = read_words(document, self.runs)
        self._writing = writing
        self._common = [writing.common(word.text) for word in self.words]
        runs = self.runs.values()
        self._inner = {word for first, stop in runs for word in range(first + 1, stop)}
        self.doubts = {label: self._doubt(label) for label in self.runs}

    def unlisted(self) -> list[Offsets]:
        """Words that look like names and that no label covers."""
        return [
            word.span
            for place, word in enumerate(self.words)
            if not word.labelled
            and self._is_name(place)
            and (not word.begins or self._writing.proper(word.text))
        ]

    def abstaining(self, unlisted: bool = True, spared: Iterable[str] = ()) -> Document:
        """The document with labels in doubt unknown, but for spared types, and unlisted names."""
        kept, whole = list[Entity](), frozenset(spared)
        unknown = {*self.document.unknown, *(self.unlisted() if unlisted else ())}
        for label, entities in by_span(self.document.entities):
            if whole.isdisjoint(e.label for e in entities) and self.doubts[label]:
                first, stop = self._whole(label)
                unknown.add((self.words[first].span[0], self.words[stop - 1].span[1]))
            else:
                kept.extend(entities)
        return replace(self.document, entities=tuple(kept), unknown=tuple(sorted(unknown)))

    def _doubt(self, label: Offsets) -> Doubt | None:
        """What a label seems to be that had better be unknown."""
        first, stop = self.runs[label]
        if first == stop:
            return None
        grown = self._whole(label) != (first, stop)
        if grown or self._touched(first, -1) or self._touched(stop, 1):
            return "part"
        words = self.words[first:stop]
        if len(words) == 1 and (self._common[first] or words[0].text in ALWAYS_CAPITAL):
            return "common"
        if len(words) > 1 and (words[-1].text in _NEVER_LAST or self._sentence_article(label)):
            return "edge"
        return None

    def _whole(self, label: Offsets) -> tuple[int, int]:
        """The words of a label with all around them that seem to belong to its name, unlabelled."""
        first, stop = self.runs[label]
        return self._past(first - 1, -1) + 1, self._past(stop, 1)

    def _past(self, place: int, step: int) -> int:
        """The first place from here on that is no unlisted name, and joins none to the label."""
        if not self._capital(place - step):
            return place
        while True:
            ahead = place
            while self._joins(ahead, step):
                ahead += step
            if not self._follows(ahead, step) or not self._is_name(ahead):
                return place
            if self.words[ahead].labelled:
                return ahead
            place = ahead + step

    def _touched(self, border: int, step: int) -> bool:
        """Whether a name with a label is on that side of a label's border that no label crosses."""
        place = border if step > 0 else border - 1
        return (
            border not in self._inner
            and self._follows(place, step)
            and self._capital(place - step)
            and self._is_name(place)
            and self.words[place].labelled
        )

    def _follows(self, place: int, step: int) -> bool:
        """Whether there is a word, on the line of the one before it in that direction."""
        return 0 <= place < len(self.words) and not self.words[max(place, place - step)].line

    def _joins(self, place: int, step: int) -> bool:
        if not self._follows(place, step):
            return False
        return self.words[place].text in _PARTICLES and not self.words[place].labelled

    def _capital(self, place: int) -> bool:
        return self.words[place].named or self.words[place].text in _PARTICLES

    def _is_name(self, place: int) -> bool:
        word = self.words[place]
        return word.named and not (self._common[place] and (word.begins or word.text.isupper()))

    def _sentence_article(self, label: Offsets) -> bool:
        """Whether it begins with an article whose capital may be that of the sentence."""
        word = self.words[self.runs[label][0]]
        known = self.document.text[slice(*label)] in self._writing.articled
        return word.begins and word.article and not known

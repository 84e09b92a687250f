"""How a corpus writes: its words, as what they tell of names before any label is believed.

A capital tells of a name only where no sentence, quotation, item or line begins, and not on words
that English always writes so.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from convener.text.documents import Document, Offsets, WordIndex, by_span
from convener.text.tokens import SHAPES, shape

_NAME_SHAPES = {SHAPES.index(name) for name in ("title", "upper", "mixed", "alnum")}
_GOING_ON = frozenset(",&/%@$+")
_BRACKETS = frozenset(f"-{side}{kind}B-" for side in "LR" for kind in "RSC")
_ARTICLES = frozenset(("a", "an", "the"))
_CALENDAR = """
january february march april may june july august september october november december
jan feb mar apr jun jul aug sep sept oct nov dec
monday tuesday wednesday thursday friday saturday sunday
mon tue tues wed thu thur thurs fri sat sun
"""
ALWAYS_CAPITAL = frozenset(word.title() for word in ("i", *_CALENDAR.split()))

Run = tuple[int, int]


def unlisted_names(document: Document) -> tuple[Offsets, ...]:
    """Words that look like names, begin no sentence, and that no entity covers."""
    return tuple(word.span for word in read_words(document, label_runs(document)) if word.unlisted)


@dataclass(slots=True)
class Writing:
    """How a corpus writes: each word, folded, in lower case with or without a label, in capitals.

    Capitals that begin a sentence count for nothing. `articled` are labels that begin with a
    capital article inside a sentence. `listed` and `unlisted` count words that look like names.
    """

    lower: Counter[str] = field(default_factory=Counter)
    labelled: Counter[str] = field(default_factory=Counter)
    capital: Counter[str] = field(default_factory=Counter)
    articled: set[str] = field(default_factory=set)
    listed: int = 0
    unlisted: int = 0

    @classmethod
    def of(cls, documents: Iterable[Document]) -> "Writing":
        """The writing of a corpus."""
        writing = cls()
        for document in documents:
            writing._add(document)
        return writing

    def _add(self, document: Document) -> None:
        runs = label_runs(document)
        words = read_words(document, runs)
        for word in words:
            self.listed += word.labelled and word.named
            self.unlisted += word.unlisted
            if word.text.islower():
                (self.labelled if word.labelled else self.lower)[word.text] += 1
            elif word.named and not word.begins:
                self.capital[word.text.lower()] += 1
        for (start, end), (first, stop) in runs.items():
            begin = words[first] if first < stop else None
            if begin and not begin.begins and begin.text.istitle() and begin.article:
                self.articled.add(document.text[start:end])

    @property
    def telling(self) -> bool:
        """Whether no more words look like names without a label than with one."""
        return self.unlisted <= self.listed

    def common(self, word: str) -> bool:
        """Whether the word, in whatever case, is mostly written in lower case, unlabelled."""
        word = word.lower()
        return self.lower[word] > self.capital[word] + self.labelled[word]

    def proper(self, word: str) -> bool:
        """Whether the word is written in capitals inside sentences, and never in lower case."""
        return not self.lower[word.lower()] and self.capital[word.lower()] > 0


class Word(NamedTuple):
    """A word: whether it looks like a name, begins a line or a sentence, and has a label."""

    span: Offsets
    text: str
    named: bool
    line: bool
    begins: bool
    labelled: bool

    @property
    def article(self) -> bool:
        """Whether it is an article."""
        return self.text.lower() in _ARTICLES

    @property
    def unlisted(self) -> bool:
        """Whether it looks like a name, has no label, and begins nothing."""
        return self.named and not self.begins and not self.labelled


def read_words(document: Document, runs: dict[Offsets, Run]) -> list[Word]:
    """The words of a document, of which labels touch these runs."""
    taken = {word for first, stop in runs.values() for word in range(first, stop)}
    found, previous, passed = list[Word](), ".", 0
    for place, (start, end) in enumerate(document.words()):
        text = document.text[start:end]
        line = not place or "\n" in document.text[passed:start]
        begins = line or _ends(previous)
        capital = text != text.lower() and text not in ALWAYS_CAPITAL and text not in _BRACKETS
        named = capital and shape(text) in _NAME_SHAPES
        found.append(Word((start, end), text, named, line, begins, place in taken))
        previous, passed = text, end
    return found


def _ends(word: str) -> bool:
    """Whether a sentence, a quotation or an item of a list may begin after it."""
    return word in _BRACKETS or not (word in _GOING_ON or any(map(str.isalnum, word)))


def label_runs(document: Document) -> dict[Offsets, Run]:
    """The words that each label touches, first and past the last."""
    index = WordIndex(document)
    return {label: index.words(label) for label, _ in by_span(document.entities)}

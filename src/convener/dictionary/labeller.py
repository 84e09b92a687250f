"""The labeller turns raw text into distantly labelled documents, and counts what it did."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from convener.dictionary.gazetteer import Gazetteer, Match
from convener.dictionary.parallel import in_processes
from convener.errors import ConfigError
from convener.text.documents import Document, Entity, Offsets, by_span
from convener.text.tokens import SHAPES, shape

SOURCE = "dictionary"

_NAME_SHAPES = {SHAPES.index(name) for name in ("title", "upper", "mixed", "alnum")}
_SENTENCE_ENDS = frozenset(".!?:;\"'“”‘’«»()[]*#-–—")


@dataclass(frozen=True, slots=True)
class Labeller:
    """Labels documents by a gazetteer.

    Where a document brings its own words, a name must begin and end with one of them.

    With `abstain`, capitalised words inside a sentence that no name covers are marked *unknown*:
    they may be names that the dictionary lacks, so training should not take them for outside.
    With `nested`, names inside names are labelled too.
    """

    gazetteer: Gazetteer
    abstain: bool = False
    nested: bool = False

    def __call__(self, document: Document) -> Document:
        """The document with the dictionary's labels in place of any it had."""
        entities = tuple(
            Entity(match.start, match.end, entry.label, id=entry.id, source=SOURCE)
            for match in self._matches(document)
            for entry in {entry.label: entry for entry in reversed(match.entries)}.values()
        )
        labelled = replace(document, entities=entities, unknown=(), types=None)
        return replace(labelled, unknown=unmatched_names(labelled)) if self.abstain else labelled

    def _matches(self, document: Document) -> list[Match]:
        matches = list(self.gazetteer.matches(document.text, self.nested))
        if document.tokens is None or not matches:
            return matches
        starts = {start for start, _ in document.tokens}
        ends = {end for _, end in document.tokens}
        return [match for match in matches if match.start in starts and match.end in ends]

    def label(self, documents: Iterable[Document], workers: int = 1) -> Iterator[Document]:
        """Documents labelled one by one, in their order, by one or several processes.

        Raises:
            ConfigError: less than one worker.
        """
        if workers < 1:
            raise ConfigError(f"expected at least one worker, got {workers}")
        return map(self, documents) if workers == 1 else in_processes(self, documents, workers)


def unmatched_names(document: Document) -> tuple[Offsets, ...]:
    """Words that look like names, begin no sentence, and that no entity covers."""
    covered = _covered(document)
    found = []
    previous = "."
    for start, end in document.words():
        word = document.text[start:end]
        looks = shape(word) in _NAME_SHAPES and word != word.lower()
        begins = set(previous) <= _SENTENCE_ENDS
        if looks and not begins and start not in covered:
            found.append((start, end))
        previous = word
    return tuple(found)


def abstaining(documents: Sequence[Document], limit: float = 1.0) -> list[Document]:
    """Documents with their unmatched names marked unknown, where capitals tell names at all.

    In carefully written text a capital inside a sentence mostly begins a name, so an unlisted one
    is no evidence for *outside*. In tweets and headlines it means little. The sign used, which
    needs no gold label: if there are more than `limit` times as many unmatched names as words
    under a label, the documents are returned as they are. So are documents that bring their own
    unknown stretches, unless the limit is infinite.
    """
    if limit < math.inf and any(document.unknown for document in documents):
        return list(documents)
    marked = [
        replace(document, unknown=(*document.unknown, *unmatched_names(document)))
        for document in documents
    ]
    unmatched = sum(len(document.unknown) for document in marked)
    labelled = sum(_words_in(document.words(), _covered(document)) for document in documents)
    return marked if unmatched <= limit * labelled else list(documents)


def _covered(document: Document) -> set[int]:
    return _positions(entity.span for entity in document.entities)


def _words_in(words: Iterable[Offsets], positions: set[int]) -> int:
    return sum(start in positions for start, _ in words) if positions else 0


def _positions(spans: Iterable[Offsets]) -> set[int]:
    return {position for start, end in spans for position in range(start, end)}


@dataclass(slots=True)
class Summary:
    """What a labeller did to a corpus, counted as documents pass."""

    documents: int = 0
    documents_with_match: int = 0
    words: int = 0
    words_covered: int = 0
    words_unknown: int = 0
    types: Counter[str] = field(default_factory=Counter)
    ambiguous: Counter[str] = field(default_factory=Counter)

    def watch(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Pass documents on and count them."""
        for document in documents:
            self.add(document)
            yield document

    def add(self, document: Document) -> None:
        """Count one document; an ambiguous match counts once, as ambiguous."""
        words = document.words()
        self.documents += 1
        self.documents_with_match += bool(document.entities)
        self.words += len(words)
        self.words_covered += _words_in(words, _covered(document))
        self.words_unknown += _words_in(words, _positions(document.unknown))
        for _, entities in by_span(document.entities):
            if len(entities) == 1:
                self.types[entities[0].label] += 1
            else:
                labels = "/".join(entity.label for entity in entities)
                self.ambiguous[f"{document.surface(entities[0])} ({labels})"] += 1

    @property
    def matches(self) -> int:
        """Matches of all types, ambiguous ones included."""
        return self.types.total() + self.ambiguous.total()

"""The labeller turns raw text into distantly labelled documents, and counts what it did."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from convener.dictionary.gazetteer import Gazetteer, Match
from convener.dictionary.parallel import in_processes
from convener.dictionary.writing import unlisted_names
from convener.errors import ConfigError
from convener.text.documents import Document, Entity, Offsets, WordIndex, apart, by_span

SOURCE = "dictionary"


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
        labelled = document.relabelled(entities)
        return replace(labelled, unknown=unlisted_names(labelled)) if self.abstain else labelled

    def _matches(self, document: Document) -> list[Match]:
        matches = list(self.gazetteer.matches(document.text, self.nested))
        if document.tokens is None or not matches:
            return matches
        index = WordIndex(document)

        def fitting(matches: Iterable[Match]) -> list[Match]:
            return [match for match in matches if index.whole((match.start, match.end))]

        fit = fitting(matches)
        if self.nested or len(fit) == len(matches):
            return fit
        return apart(fitting(self.gazetteer.matches(document.text, nested=True)))

    def label(self, documents: Iterable[Document], workers: int = 1) -> Iterator[Document]:
        """Documents labelled one by one, in their order, by one or several processes.

        Raises:
            ConfigError: less than one worker.
        """
        if workers < 1:
            raise ConfigError(f"expected at least one worker, got {workers}")
        return map(self, documents) if workers == 1 else in_processes(self, documents, workers)


@dataclass(slots=True)
class Summary:
    """What a labeller did to a corpus, counted as documents pass.

    `passed_over` counts words in lower case that `gazetteer`, where it is given, lists with
    capitals.
    """

    gazetteer: Gazetteer | None = None
    documents: int = 0
    documents_with_match: int = 0
    words: int = 0
    words_covered: int = 0
    words_unknown: int = 0
    types: Counter[str] = field(default_factory=Counter)
    ambiguous: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)

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
        places = covered(document)
        self.words_covered += words_in(words, places)
        self.words_unknown += words_in(words, positions(document.unknown))
        if self.gazetteer is not None:
            free = (document.text[start:end] for start, end in words if start not in places)
            self.passed_over.update(filter(self.gazetteer.passes_over, free))
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


def covered(document: Document) -> set[int]:
    """The character positions that entities cover."""
    return positions(entity.span for entity in document.entities)


def positions(spans: Iterable[Offsets]) -> set[int]:
    """The character positions of spans."""
    return {position for start, end in spans for position in range(start, end)}


def words_in(words: Iterable[Offsets], places: set[int]) -> int:
    """How many words begin at one of the places."""
    return sum(start in places for start, _ in words) if places else 0

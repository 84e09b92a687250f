"""Rules: what proposes entities of a document beside a dictionary of names.

A *source* is a name and a function from a document to entities. A regular expression, a Python
function, a tagger of parts of speech and a trained model all become one, so that votes are taken
among equals (`convener.dictionary.votes`). A rule is somebody's quick idea and may break on a text
nobody thought of: then the source has no opinion on that document, which is counted, and the work
goes on.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

import regex

from convener.errors import DataError, short
from convener.text.documents import Document, Entity, check_span

Proposal = tuple[int, int] | tuple[int, int, str]

SECONDS = 1.0
"""Of processor time that an expression gets for each 100,000 characters begun of a document."""


@dataclass(slots=True)
class Source:
    """Something that proposes entities; `propose` may be any function.

    `covers` are types that it finds wherever they occur, so that its silence says *no such
    entity*; about other types its silence says nothing. `failures` counts documents on which it
    broke, and `first_failure` says what happened on the first.
    """

    name: str
    propose: Callable[[Document], Iterable[Entity]]
    covers: tuple[str, ...] = ()
    failures: int = 0
    first_failure: str | None = None

    def __call__(self, document: Document) -> tuple[Entity, ...] | None:
        """The entities it sees, each with its name as `source`; None where it broke.

        Where a document brings its own words, entities that begin or end inside one are left out.
        """
        starts = {start for start, _ in document.tokens or ()}
        ends = {end for _, end in document.tokens or ()}
        found = []
        try:
            for entity in self.propose(document):
                check_span(entity.span, len(document.text), f"entity {entity.label!r}")
                if not entity.label:
                    raise DataError(f"entity at {entity.start}-{entity.end} has an empty label")
                if document.tokens is None or (entity.start in starts and entity.end in ends):
                    found.append(replace(entity, source=self.name))
        except Exception as error:
            self._fail(document, error)
            return None
        return tuple(found)

    def _fail(self, document: Document, error: Exception) -> None:
        self.failures += 1
        if self.first_failure is None:
            cause = " ".join(str(error).split()) or "no message"
            kind = "" if isinstance(error, DataError) else f"{type(error).__name__}: "
            which = f"document {document.id!r}" if document.id else short(document.text)
            self.first_failure = f"source {self.name!r} failed on {which}: {kind}{cause}"


def expression(label: str, pattern: str, name: str, covers: tuple[str, ...] = ()) -> Source:
    """A source of all that a regular expression of the module `regex` matches.

    Empty matches are none. An expression that takes too long on a document (see `SECONDS`) has no
    opinion on it.

    Raises:
        DataError: the expression is not a valid one.
    """
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise DataError(
            f"expected a regular expression, got {short(pattern)}: {error}: "
            "write a special character that stands for itself with a backslash"
        ) from None

    def matches(document: Document) -> Iterator[Entity]:
        limit = SECONDS * (1 + len(document.text) // 100_000)
        try:
            for match in compiled.finditer(document.text, timeout=limit):
                if match.end() > match.start():
                    yield Entity(*match.span(), label)
        except TimeoutError:
            raise DataError(
                f"the expression took more than {limit:g} s: "
                "avoid one repetition inside another, such as (a+)+"
            ) from None

    return Source(name, matches, covers)


def rule(label: str) -> Callable[[Callable[[Document], Iterable[Proposal]]], Source]:
    """Make a source of a function that yields `(start, end)` or `(start, end, label)`.

    >>> @rule("DOSE")
    ... def milligrams(document):
    ...     start = document.text.find("mg")
    ...     if start >= 0:
    ...         yield start, start + 2
    >>> milligrams(Document("20 mg"))
    (Entity(start=3, end=5, label='DOSE', score=None, id=None, source='milligrams'),)
    """

    def decorate(function: Callable[[Document], Iterable[Proposal]]) -> Source:
        def propose(document: Document) -> Iterator[Entity]:
            for proposal in function(document):
                yield _entity(proposal, label)

        return Source(getattr(function, "__name__", label), propose)

    return decorate


def _entity(proposal: object, label: str) -> Entity:
    match proposal:
        case (int(start), int(end)):
            return Entity(start, end, label)
        case (int(start), int(end), str(own)) if own:
            return Entity(start, end, own)
    raise DataError(f"expected (start, end) or (start, end, label), got {short(proposal)}")


class Annotator(Protocol):
    """A trained model, such as a `Recogniser`."""

    def annotate(self, documents: Iterable[Document]) -> Iterable[Document]:
        """The documents, in order, with the model's entities."""
        ...


def model(annotator: Annotator, name: str = "model", covers: tuple[str, ...] = ()) -> Source:
    """A source of a model's answers; `covers` as in `Source`."""

    def answers(document: Document) -> Iterator[Entity]:
        for annotated in annotator.annotate([document]):
            yield from annotated.entities

    return Source(name, answers, covers)


class Token(Protocol):
    """What is read of a word that spaCy tagged."""

    idx: int
    pos_: str
    is_space: bool

    def __len__(self) -> int:
        """Characters of the word."""
        ...


def parts_of_speech(
    pipeline: Callable[[str], Iterable[Token]],
    label: str,
    parts: Iterable[str] = ("PROPN",),
    name: str = "parts of speech",
) -> Source:
    """A source of runs of words with certain parts of speech: candidates for names, as in BOND.

    `pipeline` is a loaded spaCy pipeline that sets `pos_` (the extra `spacy`), such as
    `spacy.load("en_core_web_sm")`. Proper nouns are the candidates unless told otherwise; with
    `("ADJ", "NOUN", "PROPN")` they are noun phrases.
    """
    wanted = frozenset(parts)

    def runs(document: Document) -> Iterator[Entity]:
        words = [word for word in pipeline(document.text) if not word.is_space]
        if words and not any(word.pos_ for word in words):
            raise DataError(
                "expected a spaCy pipeline that tags parts of speech, got one that sets none: "
                "load one with a tagger, such as en_core_web_sm"
            )
        for inside, run in groupby(words, key=lambda word: word.pos_ in wanted):
            if inside:
                found = list(run)
                yield Entity(found[0].idx, found[-1].idx + len(found[-1]), label)

    return Source(name, runs)

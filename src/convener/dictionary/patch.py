"""Changes to distant labels that somebody may review, one JSON object a line, and their effect.

    {"change": "remove", "text": "5f0c…", "start": 0, "end": 4, "label": "LOC", "surface": "Bath",
     "confidence": 0.97, "accept": true}

`remove` takes a label away, `replace` puts another in its place (`to` has its start, end and
label), `add` adds one. `text` is the fingerprint of the document's text, so a patch fits the same
texts in any order. `exact` restricts a name of the dictionary to the case it is written in, and
`drop` takes it out; these have no place in a text. A reviewer deletes lines, or sets `accept` to
false.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from convener.dictionary.gazetteer import Entry, Gazetteer
from convener.dictionary.normal import key
from convener.errors import DataError, misfit
from convener.files import open_output
from convener.text.documents import Document, Entity
from convener.text.formats.lines import numbered_lines

SOURCE = "patch"

Label = tuple[int, int, str]
"""Where it begins and ends, and its type."""


class Place(BaseModel):
    """Where a label is put instead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: int
    end: int
    label: str


class Change(BaseModel):
    """One line of a patch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    change: Literal["remove", "replace", "add", "exact", "drop"]
    surface: str
    label: str
    text: str | None = None
    start: int | None = None
    end: int | None = None
    to: Place | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    matches: int | None = None
    context: str | None = None
    accept: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        placed = None not in (self.text, self.start, self.end)
        if placed == (self.change in ("exact", "drop")):
            raise ValueError(f"{self.change!r} with text, start and end given: {placed}")
        if (self.to is not None) != (self.change == "replace"):
            raise ValueError(f"{self.change!r} with 'to' given: {self.to is not None}")
        return self


def fingerprint(text: str) -> str:
    """What a patch knows a text by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write_patch(path: str | Path, changes: Iterable[Change]) -> None:
    """Write changes, one a line."""
    with open_output(path) as stream:
        for change in changes:
            stream.write(change.model_dump_json(exclude_none=True) + "\n")


def read_changes(path: str | Path) -> list[Change]:
    """The changes in a file, accepted or not.

    Raises:
        DataError: a line that is no change.
    """
    changes = []
    for line in numbered_lines(path):
        if not line.text.strip():
            continue
        try:
            changes.append(Change.model_validate_json(line.text))
        except ValidationError as error:
            raise line.error(misfit(error.errors())) from None
    return changes


class Patch:
    """Changes that were accepted."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.changes = [change for change in changes if change.accept]
        self.unused = {id(change) for change in self.changes}
        self._by_text: dict[str, list[Change]] = {}
        for change in self.changes:
            if change.text is not None:
                self._by_text.setdefault(change.text, []).append(change)

    def names(self, gazetteer: Gazetteer) -> Gazetteer:
        """The dictionary without the names dropped, those restricted in their exact case."""
        if not any(change.text is None for change in self.changes):
            return gazetteer
        return gazetteer.having(self._entries(gazetteer))

    def _entries(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        dropped, exact = self._names("drop"), self._names("exact")
        for entry in entries:
            name = key(entry.surface), entry.label
            if name in exact:
                self.unused.discard(id(exact[name]))
                lower = entry.surface == entry.surface.lower()
                surface = exact[name].surface if lower else entry.surface
                yield replace(entry, surface=surface, case="exact")
            elif name in dropped:
                self.unused.discard(id(dropped[name]))
            else:
                yield entry

    def _names(self, kind: str) -> dict[tuple[str, str], Change]:
        return {(key(c.surface), c.label): c for c in self.changes if c.change == kind}

    def label(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Documents with their labels changed.

        Raises:
            DataError: a change that points outside its text.
        """
        for document in documents:
            changes = self._by_text.get(fingerprint(document.text)) if self._by_text else None
            yield document if changes is None else self._changed(document, changes)

    def _changed(self, document: Document, changes: Sequence[Change]) -> Document:
        kept: dict[Label, list[Entity]] = {}
        for entity in document.entities:
            kept.setdefault((*entity.span, entity.label), []).append(entity)
        for change in changes:
            old = change.start or 0, change.end or 0, change.label
            if kept.pop(old, None) is None and change.change != "add":
                continue
            self.unused.discard(id(change))
            if change.change == "remove":
                continue
            new = old if change.to is None else (*_span(change.to), change.to.label)
            start, end, _ = new
            for label in [label for label in kept if label[0] < end and start < label[1]]:
                del kept[label]
            kept[new] = [Entity(*new, change.confidence, source=SOURCE)]
        try:
            ordered = itertools.chain.from_iterable(kept[label] for label in sorted(kept))
            return replace(document, entities=tuple(ordered))
        except DataError as error:
            raise DataError(f"the patch does not fit {document.text[:40]!r}: {error}") from None


def _span(place: Place) -> tuple[int, int]:
    return place.start, place.end

"""JSON Lines, with offsets in characters or in words.

Characters: `{"text": …, "entities": [{"start": 0, "end": 7, "label": "DRUG"}]}`, optionally with
`score`, `id` and `source` on an entity, and `text`, which has to be what stands there. Words:
`{"tokens": […], "spans": [[0, 1, "DRUG"]]}`; the text is the words joined by one space. Both may
have `id`, `doc_id` (the group), `unknown` (stretches left out of training) and `types` (those that
were looked for). Several labels at the same place are an ambiguous label. Other keys are passed
over, but where an item without labels has what looks like labels under one of them, as other tools
write, that is counted as lost.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from convener.errors import DataError, misfit, short
from convener.text.documents import Document, Entity, Offsets, WordIndex
from convener.text.formats.lines import Line, OnError


class _Item(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    id: str | int | None = None
    doc_id: str | int | None = None
    types: list[str] | None = None

    def named(self, document: Document) -> Document:
        """The document with the item's id, group and types."""
        return replace(
            document,
            id=None if self.id is None else str(self.id),
            group=None if self.doc_id is None else str(self.doc_id),
            types=None if self.types is None else tuple(self.types),
        )


class _EntityItem(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    start: int
    end: int
    label: str
    score: float | None = None
    id: str | int | None = None
    source: str | None = None
    text: str | None = None

    def entity(self, whole: str) -> Entity:
        """The entity that was written in a text; a number as id becomes text.

        Raises:
            DataError: it says of itself what is not at its place.
        """
        if self.text is not None and self.text != (found := whole[self.start : self.end]):
            raise DataError(
                f"expected {short(self.text)} at {self.start} to {self.end}, got {short(found)}: "
                "offsets count characters from 0, and the end is the first after it"
            )
        id_ = None if self.id is None else str(self.id)
        return Entity(self.start, self.end, self.label, self.score, id_, self.source)


class _CharacterItem(_Item):
    text: str
    entities: list[_EntityItem] = []
    tokens: list[tuple[int, int]] | None = None
    unknown: list[tuple[int, int]] = []


class _TokenItem(_Item):
    tokens: list[str]
    spans: list[tuple[int, int, str]] = []
    unknown: list[tuple[int, int]] = []


_TAGS = frozenset({"ner_tags", "tags", "labels", "ner"})

T = TypeVar("T")
_KEYS = TypeAdapter(dict[str, object])


def kind(line: Line) -> Literal["jsonl", "tokens"]:
    """Which of the two formats a line is in, broken or not: words have no `text`."""
    try:
        keys = _KEYS.validate_json(line.text)
    except ValidationError:
        return "tokens" if '"tokens"' in line.text and '"text"' not in line.text else "jsonl"
    return "tokens" if "tokens" in keys and "text" not in keys else "jsonl"


def read_characters(
    lines: Iterable[Line], on_error: OnError, lost: Counter[str]
) -> Iterator[Document]:
    """Documents of lines with offsets in characters."""
    return read_by(lines, on_error, partial(_character_document, lost))


def read_tokens(lines: Iterable[Line], on_error: OnError, lost: Counter[str]) -> Iterator[Document]:
    """Documents of lines with offsets in words."""
    return read_by(lines, on_error, partial(_token_document, lost))


def read_by(
    lines: Iterable[Line], on_error: OnError, build: Callable[[str], Document]
) -> Iterator[Document]:
    """What `build` makes of each line that is not blank."""
    for line in lines:
        if not line.text.strip():
            continue
        try:
            document = _parse(line, build)
        except DataError as error:
            on_error(error)
        else:
            yield document


def _parse(line: Line, build: Callable[[str], T]) -> T:
    """What `build` makes of a line; what is wrong is a DataError that names the place."""
    try:
        return build(line.text)
    except ValidationError as error:
        raise line.error(misfit(error.errors())) from None
    except DataError as error:
        raise line.error(str(error)) from None


def _character_document(lost: Counter[str], line: str) -> Document:
    item = _CharacterItem.model_validate_json(line)
    if not item.entities:
        lost.update(_labels_elsewhere(item))
    entities = tuple(entity.entity(item.text) for entity in item.entities)
    tokens = tuple(item.tokens) if item.tokens is not None else None
    return item.named(Document(item.text, entities, tokens=tokens, unknown=tuple(item.unknown)))


def _labels_elsewhere(item: _Item) -> Iterator[str]:
    """Under which other keys there are lists of objects or of lists, or tags."""
    for key, value in (item.model_extra or {}).items():
        if isinstance(value, list) and value:
            listed = all(isinstance(part, dict | list) for part in value)
            if listed or (key in _TAGS and isinstance(item, _TokenItem)):
                yield f"items that may have labels under the key {key}"


def _token_document(lost: Counter[str], line: str) -> Document:
    item = _TokenItem.model_validate_json(line)
    if not item.spans:
        lost.update(_labels_elsewhere(item))
    offsets, position = [], 0
    for token in item.tokens:
        if not token:
            raise DataError("expected non-empty tokens, got an empty string")
        offsets.append((position, position + len(token)))
        position += len(token) + 1

    def characters(start: int, end: int, what: str) -> tuple[int, int]:
        if not 0 <= start < end <= len(offsets):
            raise DataError(
                f"{what} [{start}, {end}] is outside its {len(offsets)} tokens: expected "
                "0 <= start < end (offsets count tokens, end is exclusive)"
            )
        return offsets[start][0], offsets[end - 1][1]

    document = Document(
        text=" ".join(item.tokens),
        entities=tuple(
            Entity(*characters(start, end, f"span {label!r}"), label)
            for start, end, label in item.spans
        ),
        tokens=tuple(offsets),
        unknown=tuple(characters(*span, "unknown stretch") for span in item.unknown),
    )
    return item.named(document)


def characters_line(document: Document) -> str:
    """A document as a JSON line with offsets in characters; reading it back is the identity."""
    entities = [
        {
            name: value
            for name in ("start", "end", "label", "score", "id", "source")
            if (value := getattr(entity, name)) is not None
        }
        for entity in document.entities
    ]
    item: dict[str, object] = _head(document) | {"text": document.text, "entities": entities}
    if document.tokens is not None:
        item["tokens"] = document.tokens
    if document.unknown:
        item["unknown"] = document.unknown
    return dump(item)


def tokens_line(document: Document) -> str:
    """A document as a JSON line with offsets in words.

    Raises:
        DataError: an entity begins or ends inside a word.
    """
    indices = word_indices(document)
    item: dict[str, object] = _head(document) | {
        "tokens": [document.text[start:end] for start, end in document.words()],
        "spans": [[*indices(e.span), e.label] for e in document.entities],
    }
    if document.unknown:
        item["unknown"] = [indices(span) for span in document.unknown]
    return dump(item)


def word_indices(document: Document) -> Callable[[Offsets], Offsets]:
    """Turns character spans of a document into word indices `[first, last + 1)`.

    What it returns raises DataError for a span that begins or ends inside a word.
    """
    index = WordIndex(document)

    def indices(span: Offsets) -> Offsets:
        if not index.whole(span):
            raise DataError(
                f"{document.text[span[0] : span[1]]!r} at {span[0]}-{span[1]} begins or ends "
                "inside a word, which a format of words cannot say: write .jsonl with characters"
            )
        return index.words(span)

    return indices


def _head(document: Document) -> dict[str, object]:
    head = {"id": document.id, "doc_id": document.group, "types": document.types}
    return {name: value for name, value in head.items() if value is not None}


def dump(item: Mapping[str, object]) -> str:
    """A JSON object as one line, whatever takes U+2028 for the end of a line."""
    line = json.dumps(item, ensure_ascii=False)
    return line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "\n"

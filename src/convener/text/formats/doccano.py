"""doccano: JSON Lines as it exports them.

`{"id", "text", "label": [[0, 7, "DRUG"]], "Comments": []}`, also with `labels` or `entities` for
`label`; with relations, `{"id", "text", "entities": [{"id", "start_offset", "end_offset",
"label"}], "relations": […]}`. Offsets count code points. Relations, comments and classes of whole
texts (`cats`) are skipped and counted. `doc_id` is the group, as in convener's own JSON Lines.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from convener.text.documents import Document, Entity
from convener.text.formats.jsonl import dump, read_by
from convener.text.formats.lines import Line, OnError


class _Span(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    start_offset: int
    end_offset: int
    label: str


_Labelled = tuple[int, int, str] | _Span


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    id: str | int | None = None
    doc_id: str | int | None = None
    text: str = Field(validation_alias=AliasChoices("text", "data"))
    label: list[_Labelled] = []
    labels: list[_Labelled] = []
    entities: list[_Labelled] = []
    relations: list[object] = []
    comments: list[object] = Field(
        default=[], validation_alias=AliasChoices("Comments", "comments")
    )
    cats: list[object] = []


def is_doccano(item: dict[str, object]) -> bool:
    """Whether the keys of a JSON object are those of an export from doccano."""
    if not item.keys() & {"text", "data"}:
        return False
    spans = item.get("entities")
    first = spans[0] if isinstance(spans, list) and spans else None
    if isinstance(first, dict) and "start" in first:
        return False
    return (
        any(isinstance(item.get(name), list) for name in ("label", "labels", "relations"))
        or isinstance(first, list)
        or (isinstance(first, dict) and "start_offset" in first)
    )


def read(lines: Iterable[Line], on_error: OnError, lost: Counter[str]) -> Iterator[Document]:
    """A document for each line that is not blank."""

    def build(content: str) -> Document:
        item = _Item.model_validate_json(content)
        lost["relations"] += len(item.relations)
        lost["comments"] += len(item.comments)
        lost["classes of texts"] += len(item.cats)
        spans = [
            (span.start_offset, span.end_offset, span.label) if isinstance(span, _Span) else span
            for span in item.label or item.labels or item.entities
        ]
        return Document(
            item.text,
            tuple(Entity(*span) for span in spans),
            id=None if item.id is None else str(item.id),
            group=None if item.doc_id is None else str(item.doc_id),
        )

    return read_by(lines, on_error, build)


def line(document: Document) -> str:
    """A document as a JSON line that doccano imports."""
    item: dict[str, object] = {
        "text": document.text,
        "label": [[*entity.span, entity.label] for entity in document.entities],
    }
    names = {"id": document.id, "doc_id": document.group}
    named = {name: value for name, value in names.items() if value is not None}
    return dump(named | item)

"""spaCy's DocBin, read and written by spaCy (the extra `spacy`).

Entities are written twice: all of them as the span group `sc`, where spaCy's span categoriser
looks, with their scores among the group's attributes, and of those that overlap the longest as
`ents`. Words are cut where an entity begins or ends inside one, and white space becomes tokens as
far as it must, so that text and offsets are exact. Unknown stretches are missing annotation, as in
spaCy. The rest (id, group, types) is user data under `convener`.

Read are `ents`, the span groups `sc` and `convener`, and that user data; other span groups are
counted. What was corrected in spaCy, in a group or in `ents`, is read as it is there. The file is
read and written whole.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from convener.errors import ConfigError, DataError
from convener.files import open_output
from convener.text.documents import Document, Entity, Offsets
from convener.text.formats.lines import OnError, opened

if TYPE_CHECKING:
    from spacy.tokens import Doc, DocBin, Span, SpanGroup
    from spacy.vocab import Vocab

GROUPS = ("sc", "convener")
KEY = "convener"


class _Rest(BaseModel):
    """What spaCy has no place for."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    group: str | None = None
    tokens: tuple[Offsets, ...] | None = None
    unknown: tuple[Offsets, ...] = ()
    types: tuple[str, ...] | None = None


def read(path: Path, on_error: OnError, lost: Counter[str]) -> Iterator[Document]:
    """A document for each Doc.

    Raises:
        DataError: the file is no DocBin.
        ConfigError: spaCy is not installed.
    """
    docbin, vocabulary = _tools(path)
    with opened(path) as stream:
        content = stream.read()
    try:
        docs = docbin().from_bytes(content).get_docs(vocabulary())
    except Exception as error:
        raise DataError(f"{path}: expected a DocBin of spaCy's, got {error}") from None
    for number, doc in enumerate(docs, 1):
        try:
            yield document_of(doc, lost)
        except (DataError, ValidationError) as error:
            on_error(DataError(f"{path}: document {number}: {' '.join(str(error).split())}"))


def document_of(doc: "Doc", lost: Counter[str]) -> Document:
    """The document that a Doc stands for."""
    own = doc.user_data.get(KEY)
    written = _written(doc) if own else set()
    ents = ((_named(entity), entity) for entity in map(_entity, doc.ents))
    found = {name: entity for name, entity in ents if name not in written}
    in_groups = list[Entity]()
    for name, group in doc.spans.items():
        if name not in GROUPS:
            lost[f"spans of the group {name}"] += len(group)
            continue
        exact = _column(group, "entities") or [None] * len(group)
        scores = _column(group, "scores") or [None] * len(group)
        for span, values, score in zip(group, exact, scores, strict=True):
            found.pop(((span.start_char, span.end_char), span.label_), None)
            in_groups.append(_entity(span, score) if values is None else _exact(span, values))
    corrected = {place for place, _ in found}
    kept = [e for e in in_groups if e.span not in corrected or _named(e) not in written]
    rest = _Rest.model_validate(own or _plain(doc))
    return Document(doc.text, (*kept, *found.values()), **dict(rest))


def _written(doc: "Doc") -> set[tuple[Offsets, str]]:
    """Place and label of the entities that `write` put into a Doc, in a group and in `ents`."""
    groups = (doc.spans[name] for name in GROUPS if name in doc.spans)
    return {_named(entity) for group in groups for entity in exact_entities(group)}


def _named(entity: Entity) -> tuple[Offsets, str]:
    return entity.span, entity.label


def exact_entities(group: "SpanGroup") -> tuple[Entity, ...]:
    """The entities that the spans of a group were written for."""
    return tuple(Entity(*values) for values in group.attrs.get("entities", ()))


def _exact(span: "Span", values: Sequence[Any]) -> Entity:
    """The entity that a span was written for, or the span itself if that was corrected since."""
    entity = Entity(*values)
    return entity if stands_for(span, entity) else _entity(span)


def stands_for(span: "Span", entity: Entity) -> bool:
    """Whether a span is the words of an entity, and says its label."""
    if entity.label != span.label_:
        return False
    place = widened(span.doc, entity)
    return (place.start, place.end) == (span.start, span.end)


def widened(doc: "Doc", entity: Entity) -> "Span":
    """The words that hold, or are followed by, the first and the last character of an entity."""
    from spacy.tokens import Span

    first, last = (
        bisect_right(doc, at, key=lambda token: token.idx) - 1
        for at in (entity.start, entity.end - 1)
    )
    return Span(doc, first, last + 1, label=entity.label, kb_id=entity.id or "")


def _entity(span: "Span", score: float | None = None) -> Entity:
    known = None if score is None else float(score)
    return Entity(span.start_char, span.end_char, span.label_, known, span.kb_id_ or None)


def _column(group: "SpanGroup", name: str) -> list[Any] | None:
    """What the attributes of a group say of each of its spans, if they do."""
    values = group.attrs.get(name)
    return list(values) if values is not None and len(values) == len(group) else None


def _plain(doc: "Doc") -> dict[str, Any]:
    """Words and unknown stretches of a Doc that spaCy alone has made."""
    words = [(token.idx, token.idx + len(token)) for token in doc if not token.text.isspace()]
    annotated = doc.has_annotation("ENT_IOB")
    missing = [
        (token.idx, token.idx + len(token))
        for token in doc
        if annotated and token.ent_iob == 0 and not token.text.isspace()
    ]
    return {"tokens": words, "unknown": missing}


def write(path: str | Path, documents: Iterable[Document]) -> None:
    """The documents as one DocBin."""
    docbin, vocabulary = _tools(path)
    docs, vocab = docbin(store_user_data=True), vocabulary()
    for document in documents:
        docs.add(doc_of(document, vocab))
    with open_output(path) as stream:
        stream.buffer.write(docs.to_bytes())  # type: ignore[attr-defined]


def doc_of(document: Document, vocab: "Vocab") -> "Doc":
    """A document as a Doc, exact to the character."""
    from spacy.tokens import Doc
    from spacy.util import filter_spans

    words, spaces = _tokens(document)
    doc = Doc(vocab, words=words, spaces=spaces)
    spans = [_span(doc, entity.span, entity) for entity in document.entities]
    doc.spans["sc"] = span_group(doc, "sc", spans, document.entities)
    visible = filter_spans(span for span in spans if span.text.strip() == span.text)
    taken = {token.i for span in visible for token in span}
    doubtful = {token.i for span in document.unknown for token in _span(doc, span)}
    missing = [doc[i : i + 1] for i in sorted(doubtful - taken)]
    doc.set_ents(visible, missing=missing, default="outside")
    doc.user_data[KEY] = {name: getattr(document, name) for name in _Rest.model_fields}
    return doc


def span_group(
    doc: "Doc", name: str, spans: "list[Span]", entities: Iterable[Entity]
) -> "SpanGroup":
    """Spans with the entities that they stand for, exact, and their scores among its attributes."""
    from spacy.tokens import SpanGroup

    exact = [list(astuple(entity)) for entity in entities]
    attributes = {"entities": exact, "scores": [score for _, _, _, score, *_ in exact]}
    return SpanGroup(doc, name=name, spans=spans, attrs=attributes)


def _span(doc: "Doc", offsets: Offsets, entity: Entity | None = None) -> "Span":
    label, entry = (entity.label, entity.id or "") if entity is not None else ("", "")
    span = doc.char_span(*offsets, label=label, kb_id=entry)
    assert span is not None, "words are cut at every edge"
    return span


def _tokens(document: Document) -> tuple[list[str], list[bool]]:
    """Words and whether a space follows each, which together are the text."""
    text = document.text
    spans = [*(entity.span for entity in document.entities), *document.unknown]
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    edges = {0, len(text), *starts, *ends, *(edge for word in document.words() for edge in word)}
    words, spaces = list[str](), list[bool]()
    attached = -1
    for start, end in pairwise(sorted(edges)):
        if start == attached:
            start += 1
        attached = -1
        if start == end:
            continue
        words.append(text[start:end])
        follows = text[end : end + 1] == " " and end not in starts and end + 1 not in ends
        spaces.append(follows)
        if follows:
            attached = end
    return words, spaces


def _tools(path: str | Path) -> "tuple[type[DocBin], type[Vocab]]":
    try:
        from spacy.tokens import DocBin
        from spacy.vocab import Vocab
    except ImportError:
        raise ConfigError(
            f"{path}: a DocBin is read by spaCy, which is not installed: "
            "pip install 'convener[spacy]'"
        ) from None
    return DocBin, Vocab

"""Label Studio: its JSON export, a list of tasks, and JSON-MIN, a list of annotations.

A task has `data` (the text, under `text` or as the only string) and `annotations`, each with the
`result` of one person: regions `{"type": "labels", "value": {"start", "end", "text", "labels"}}`.
JSON-MIN has the text beside lists of such values, one item for each annotation.

Offsets count code points; older versions of Label Studio counted UTF-16 units. The regions' own
texts tell which: what fits neither is refused.

Where a task has several annotations, the one marked as ground truth counts; without one, all must
say the same, or the task is refused. Cancelled annotations, predictions, relations, choices and
whatever else is no stretch of text with a label are skipped and counted.

A file is read whole, since JSON has no lines.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from convener.errors import DataError, misfit, short
from convener.text.documents import Document, Entity, Offsets
from convener.text.formats.jsonl import dump
from convener.text.formats.lines import Line, OnError

_ABOUT = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}


class _Value(BaseModel):
    model_config = ConfigDict(extra="ignore")

    start: int
    end: int
    text: str | None = None
    labels: list[str] = []


class _Annotation(BaseModel):
    model_config = ConfigDict(extra="ignore")

    result: list[dict[str, Any]] = []
    was_cancelled: bool = False
    ground_truth: bool = False


class _Task(BaseModel):
    """A task; JSON-MIN is brought into this form, with one annotation for each of its items."""

    model_config = ConfigDict(extra="ignore")

    id: int | str | None = None
    data: dict[str, Any]
    annotations: list[_Annotation] = []
    completions: list[_Annotation] = []
    predictions: list[object] = []


def read(lines: Iterable[Line], on_error: OnError, lost: Counter[str]) -> Iterator[Document]:
    """A document for each task.

    Raises:
        DataError: the file is no JSON, or a list of something else.
    """
    name, content = "", []
    for line in lines:
        name = line.path
        content.append(line.text)
    try:
        items = json.loads("\n".join(content))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{name}:{error.lineno}: Invalid JSON: {error.msg}: export it from Label Studio again"
        ) from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError(f"{name}: expected a list of tasks from Label Studio, got {short(items)}")
    if any(map(_of_lines, items)):
        raise DataError(
            f"{name}: expected a list of tasks from Label Studio, got one of JSON Lines' items: "
            "write each on a line of its own, without brackets and commas (jq -c '.[]')"
        )
    for number, item in enumerate(_tasks(items), 1):
        place = f"{name}: task {item.get('id', number)}"
        try:
            yield _document(_Task.model_validate(item), lost)
        except ValidationError as error:
            on_error(DataError(f"{place}: {misfit(error.errors())}"))
        except DataError as error:
            on_error(DataError(f"{place}: {error}"))


def _of_lines(item: Mapping[str, Any]) -> bool:
    """Whether an item has labels as a line of JSON has them, one to a stretch and not in a list."""
    lists = [values for values in item.values() if isinstance(values, list)]
    return "data" not in item and any(
        isinstance(value, list) or (isinstance(value, dict) and "label" in value)
        for values in lists
        for value in values
    )


def _tasks(items: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tasks as they are; JSON-MIN, which has no `data`, its items joined by task."""
    for (minimal, _), group in groupby(items, lambda i: ("data" not in i, i.get("id", id(i)))):
        if not minimal:
            yield from group
            continue
        members = list(group)
        yield {
            "id": members[0].get("id"),
            "data": {name: value for name, value in members[0].items() if name not in _ABOUT},
            "annotations": [{"result": list(_results(member))} for member in members],
        }


def _results(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for values in item.values():
        for value in values if isinstance(values, list) else ():
            if isinstance(value, dict):
                kind = next((name for name in value if name.endswith("labels")), None)
                other = "labels" if "start" in value else next(iter(value), "")
                yield {"type": kind or other, "value": value}


def _document(task: _Task, lost: Counter[str]) -> Document:
    text = _text(task.data)
    made = task.annotations or task.completions
    done = [annotation for annotation in made if not annotation.was_cancelled]
    lost["cancelled annotations"] += len(made) - len(done)
    lost["predictions"] += len(task.predictions)
    lost["tasks without an annotation"] += not done
    best = [annotation for annotation in done if annotation.ground_truth] or done
    answers = [_entities(text, annotation.result, lost) for annotation in best]
    if len({frozenset((e.span, e.label) for e in answer) for answer in answers}) > 1:
        raise DataError(
            f"{len(answers)} annotations say different things: "
            "mark one of them as ground truth in Label Studio"
        )
    identity, group = task.data.get("id", task.id), task.data.get("doc_id")
    return Document(
        text,
        answers[0] if answers else (),
        id=None if identity is None else str(identity),
        group=None if group is None else str(group),
    )


def _text(data: Mapping[str, Any]) -> str:
    strings = {
        name: value
        for name, value in data.items()
        if isinstance(value, str) and name not in {"id", "doc_id"}
    }
    chosen = strings.get("text", *strings.values()) if len(strings) == 1 else strings.get("text")
    if chosen is None:
        raise DataError(
            f"expected the text under 'text' or as the only string, got {', '.join(strings) or '-'}"
        )
    try:
        chosen.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"expected text, got half of a character in {short(chosen)}: cut it anew"
        ) from None
    return chosen


def _entities(
    text: str, result: Sequence[Mapping[str, Any]], lost: Counter[str]
) -> tuple[Entity, ...]:
    regions = []
    for region in result:
        kind = str(region.get("type"))
        if kind == "labels":
            regions.append((_Value.model_validate(region.get("value")), region.get("score")))
        else:
            lost["relations" if kind == "relation" else f"results of type {kind}"] += 1
    lost["regions without a label"] += sum(not value.labels for value, _ in regions)
    offsets = _offsets(text, [value for value, _ in regions])
    return tuple(
        Entity(start, end, label, float(score) if isinstance(score, int | float) else None)
        for (start, end), (value, score) in zip(offsets, regions, strict=True)
        for label in value.labels
    )


def _offsets(text: str, values: Sequence[_Value]) -> list[Offsets]:
    """Offsets in code points, from whichever unit fits the regions' own texts."""
    points = [(value.start, value.end) for value in values]
    if _fit(text, values, points):
        return points
    units = list(accumulate((1 + (letter > "\uffff") for letter in text), initial=0))

    def before(unit: int) -> int:
        return min(bisect_left(units, unit), len(text))

    converted = [(before(start), before(end)) for start, end in points]
    if _fit(text, values, converted):
        return converted
    shown = [(value, text[value.start : value.end]) for value in values if value.text is not None]
    value, got = next((value, got) for value, got in shown if _bare(got) != _bare(value.text or ""))
    raise DataError(
        f"expected {short(value.text)} at {value.start}-{value.end}, got {short(got)}: "
        "label it again"
    )


def _fit(text: str, values: Sequence[_Value], offsets: Sequence[Offsets]) -> bool:
    return all(
        value.text is None or _bare(text[start:end]) == _bare(value.text)
        for value, (start, end) in zip(values, offsets, strict=True)
    )


def _bare(text: str) -> str:
    """A text without white space, which browsers and old exports rewrite."""
    return "".join(text.replace("\\n", "\n").split())


def parts(documents: Iterable[Document]) -> Iterator[str]:
    """The documents as a list of tasks to import, each with one annotation."""
    opening = "[\n"
    for document in documents:
        yield opening + dump(_task(document)).rstrip("\n")
        opening = ",\n"
    yield "\n]\n" if opening != "[\n" else "[]\n"


def _task(document: Document) -> dict[str, object]:
    names = {"id": document.id, "doc_id": document.group}
    data = {name: value for name, value in names.items() if value is not None}
    regions = [_region(number, document, e) for number, e in enumerate(document.entities, 1)]
    return {"data": {"text": document.text} | data, "annotations": [{"result": regions}]}


def _region(number: int, document: Document, entity: Entity) -> dict[str, object]:
    region: dict[str, object] = {
        "id": f"e{number}",
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {
            "start": entity.start,
            "end": entity.end,
            "text": document.surface(entity),
            "labels": [entity.label],
        },
    }
    return region if entity.score is None else region | {"score": entity.score}

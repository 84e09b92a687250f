"""Patches: what they change, what they leave, what they refuse; and what is suggested."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.dictionary import Entry, Gazetteer
from convener.dictionary.patch import Change, Patch, Place, fingerprint, read_changes, write_patch
from convener.dictionary.review import suggested
from convener.errors import DataError
from convener.text.documents import Document, Entity

TEXT = "New York and Bath are far from bath time"
NEW, BATH, LOWER = Entity(4, 8, "LOC"), Entity(13, 17, "LOC"), Entity(31, 35, "LOC")
LABELLED = Document(TEXT, (NEW, BATH, LOWER))


def change(kind: str, entity: Entity, **more: object) -> Change:
    where = {"text": fingerprint(TEXT), "start": entity.start, "end": entity.end}
    content = {"change": kind, "surface": TEXT[entity.start : entity.end], "label": entity.label}
    return Change.model_validate(content | where | more)


def patched(*changes: Change) -> tuple[Entity, ...]:
    found = next(Patch(changes).label([LABELLED])).entities
    return tuple(replace(entity, score=None, source=None) for entity in found)


def test_labels_are_removed_replaced_and_added() -> None:
    to = Place(start=0, end=8, label="LOC")
    assert patched(change("remove", LOWER)) == (NEW, BATH)
    assert patched(change("replace", NEW, to=to)) == (Entity(0, 8, "LOC"), BATH, LOWER)
    added = Entity(36, 40, "MISC")
    assert patched(change("add", added)) == (NEW, BATH, LOWER, added)
    new = next(Patch([change("replace", NEW, to=to, confidence=0.9)]).label([LABELLED]))
    assert (new.entities[0].score, new.entities[0].source) == (0.9, "patch")


def test_what_a_new_label_covers_goes() -> None:
    to = Place(start=0, end=17, label="ORG")
    assert patched(change("replace", BATH, to=to)) == (Entity(0, 17, "ORG"), LOWER)


def test_other_texts_and_rejected_changes_change_nothing() -> None:
    other = Document("Bath", (Entity(0, 4, "LOC"),))
    patch = Patch([change("remove", BATH), change("remove", NEW, accept=False)])
    assert list(patch.label([other, LABELLED])) == [
        other,
        replace(LABELLED, entities=(NEW, LOWER)),
    ]
    assert not patch.unused
    assert len(Patch([change("remove", Entity(0, 3, "LOC"))]).unused) == 1


def test_names_are_dropped_or_kept_to_their_case() -> None:
    names = Gazetteer(
        [
            Entry("bath", "LOC", case="ignore"),
            Entry("Jordan", "PER"),
            Entry("Jordan", "LOC"),
            Entry("Rome", "LOC"),
        ],
        stop=["Rome"],
        plurals=True,
    )
    patch = Patch(
        [
            Change(change="exact", surface="Bath", label="LOC"),
            Change(change="drop", surface="Jordan", label="PER"),
        ]
    )
    changed = patch.names(names)
    assert set(changed) == {Entry("Bath", "LOC", case="exact"), Entry("Jordan", "LOC")}
    assert not patch.unused
    text = "In Bath a bath near Jordan and Rome"
    assert [text[m.start : m.end] for m in changed.matches(text)] == ["Bath", "Jordan"]
    assert [m.labels for m in changed.matches("all Jordans")] == [("LOC",)]
    assert Patch([]).names(names) is names


def test_a_patch_is_written_and_read(tmp_path: Path) -> None:
    changes = [
        change("replace", NEW, to=Place(start=0, end=8, label="LOC"), confidence=0.5, context="x"),
        change("remove", BATH),
    ]
    write_patch(tmp_path / "p.jsonl", changes)
    assert read_changes(tmp_path / "p.jsonl") == changes


BROKEN = {
    "{": "Invalid JSON",
    '{"change": "burn", "surface": "a", "label": "B"}': "change: expected 'remove'",
    '{"change": "remove", "surface": "a", "label": "B"}': "'remove' with text, start and end",
    '{"change": "replace", "surface": "a", "label": "B", "text": "0", "start": 0, "end": 1}': "to",
    '{"change": "drop", "surface": "a", "label": "B", "text": "0", "start": 0, "end": 1}': "drop",
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(change("remove", BATH).model_dump_json() + f"\n\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_changes(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert BROKEN[line] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_change_outside_its_text_is_refused() -> None:
    with pytest.raises(DataError, match="the patch does not fit 'New York"):
        patched(change("add", Entity(0, 400, "LOC")))


def test_answers_become_changes_the_most_reliable_first() -> None:
    answers = (
        Entity(0, 8, "LOC", 0.7),
        Entity(13, 17, "PER", 0.9),
        Entity(36, 40, "MISC", 0.95),
    )
    changes = suggested([(LABELLED, answers, (0.1, 0.2, 0.6))])
    assert [(c.change, c.surface, c.confidence) for c in changes] == [
        ("replace", "Bath", 0.9),
        ("replace", "York", 0.7),
        ("add", "time", 0.95),
        ("remove", "bath", 0.6),
    ]
    assert changes[0].to == Place(start=13, end=17, label="PER")
    assert changes[0].context is not None
    assert "and Bath are" in changes[0].context
    agreed = (NEW, BATH, LOWER)
    assert suggested([(LABELLED, agreed, (0.0, 0.0, 0.0))]) == []


def test_a_name_is_dropped_however_the_text_writes_it() -> None:
    patch = Patch([Change(change="drop", surface="O\u2019Brien", label="PER")])
    names = Gazetteer([Entry("O'Brien", "PER"), Entry("Rome", "LOC")])
    assert list(patch.names(names)) == [Entry("Rome", "LOC")]
    assert not patch.unused


def test_a_name_keeps_the_case_that_it_is_written_in_most_often() -> None:
    shout = Document("APPLE SHARES", (Entity(0, 5, "ORG"),))
    usual = Document("Apple shares", (Entity(0, 5, "ORG"),))
    small = Document("an apple", (Entity(3, 8, "ORG"),))
    good = [(shout, shout.entities, (0.0,)), *[(usual, usual.entities, (0.0,))] * 3]
    first = suggested([*good, *[(small, (), (0.9,))] * 4])[0]
    assert (first.change, first.surface) == ("exact", "Apple")
    loud = first.model_copy(update={"surface": "APPLE"})
    names = Gazetteer([Entry("Apple", "ORG", case="ignore")])
    assert list(Patch([loud]).names(names)) == [Entry("Apple", "ORG", case="exact")]


def test_names_with_a_bad_record_lead() -> None:
    lower = Document("a bath", (Entity(2, 6, "LOC"),))
    upper = Document("in Bath", (Entity(3, 7, "LOC"),))
    good = (upper, upper.entities, (0.0,))
    bad = [(lower, (), (0.9,))] * 4
    first, *others = suggested([good, *bad])
    assert (first.change, first.surface, first.matches) == ("exact", "Bath", 4)
    assert all(c.change == "remove" for c in others)
    assert len(others) == 4
    first = suggested(bad)[0]
    assert (first.change, first.surface, first.confidence) == ("drop", "bath", 1.0)
    assert suggested([good, good, *bad[:2]])[0].change == "remove"


entities = st.lists(
    st.tuples(st.integers(0, 39), st.integers(1, 8), st.sampled_from(["LOC", "PER"])),
    max_size=5,
).map(
    lambda raw: tuple(
        {
            start: Entity(start, min(40, start + size), label, 0.5) for start, size, label in raw
        }.values()
    )
)


def apart(found: tuple[Entity, ...]) -> tuple[Entity, ...]:
    kept: list[Entity] = []
    for entity in sorted(found, key=lambda e: (e.start, e.end)):
        if not kept or kept[-1].end <= entity.start:
            kept.append(entity)
    return tuple(kept)


@settings(deadline=None, max_examples=200)
@given(entities.map(apart), entities.map(apart))
def test_a_patch_accepted_whole_gives_the_answers_where_nothing_is_split(
    labels: tuple[Entity, ...], answers: tuple[Entity, ...]
) -> None:
    document = Document(TEXT, tuple(replace(e, score=None) for e in labels))
    changes = [
        c
        for c in suggested([(document, answers, (0.5,) * len(labels))])
        if c.change not in ("drop", "exact")
    ]
    accepted = [c.model_copy(update={"accept": True}) for c in changes]
    patch = Patch(Change.model_validate(json.loads(c.model_dump_json())) for c in accepted)
    found = next(patch.label([document])).entities
    spans = [entity.span for entity in found]
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    assert {(e.span, e.label) for e in found} <= {(e.span, e.label) for e in answers}

"""Entities and documents: offsets, groups, boundaries."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.errors import DataError
from convener.text.documents import (
    Document,
    Entity,
    WordIndex,
    by_span,
    crossing,
    group_indices,
    labels_of,
    within_words,
)

FAST = settings(deadline=None, max_examples=80)
TEXT = "Zoe\u0308 met 👩\u200d💻 Ada"

entity_lists = st.lists(
    st.builds(
        lambda start, size, label: Entity(start, start + size, label),
        st.integers(0, 9),
        st.integers(1, 5),
        st.sampled_from("AB"),
    ),
    max_size=6,
)


def test_offsets_count_code_points() -> None:
    document = Document(TEXT, (Entity(0, 4, "PER"), Entity(9, 12, "JOB"), Entity(13, 16, "PER")))
    assert [document.surface(e) for e in document.entities] == ["Zoe\u0308", "👩\u200d💻", "Ada"]
    assert [document.surface(e) for e in document.entities] == [
        TEXT[e.start : e.end] for e in document.entities
    ]


def test_entities_are_immutable_values() -> None:
    entity = Entity(0, 3, "PER")
    assert entity == Entity(0, 3, "PER")
    assert len({entity, Entity(0, 3, "PER"), Entity(0, 3, "ORG")}) == 2
    with pytest.raises(FrozenInstanceError):
        entity.start = 1  # type: ignore[misc]


@pytest.mark.parametrize("span", [(-1, 2), (0, 0), (2, 1), (0, len(TEXT) + 1), (99, 100)])
@pytest.mark.parametrize("kind", ["entity", "token", "unknown"])
def test_no_offset_outside_the_text_is_accepted(span: tuple[int, int], kind: str) -> None:
    parts = {
        "entity": {"entities": (Entity(*span, "PER"),)},
        "token": {"tokens": (span,)},
        "unknown": {"unknown": (span,)},
    }
    with pytest.raises(DataError) as caught:
        Document(TEXT, **parts[kind])
    assert f"{kind} " in str(caught.value)
    assert f"at {span[0]}-{span[1]} is outside its text" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_entity_needs_a_label() -> None:
    with pytest.raises(DataError, match="0-3 has an empty label"):
        Document(TEXT, (Entity(0, 3, ""),))


@pytest.mark.parametrize("tokens", [((0, 4), (3, 6)), ((5, 8), (0, 4))])
def test_tokens_stand_in_order(tokens: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(DataError, match="overlap or are out of order"):
        Document(TEXT, tokens=tokens)


def test_words_of_the_source_come_before_words_found() -> None:
    assert Document("A-1 b").words() == ((0, 1), (1, 2), (2, 3), (4, 5))
    assert Document("A-1 b", tokens=((0, 3), (4, 5))).words() == ((0, 3), (4, 5))
    assert Document("A-1 b", tokens=()).words() == ()


@FAST
@given(entity_lists)
def test_by_span_gathers_every_entity_under_its_boundaries(entities: list[Entity]) -> None:
    groups = by_span(entities)
    spans = [span for span, _ in groups]
    assert spans == sorted({e.span for e in entities})
    for span, members in groups:
        assert sorted(e.label for e in members) == sorted(
            e.label for e in entities if e.span == span
        )


@FAST
@given(entity_lists)
def test_crossing_is_found_exactly_when_two_boundaries_share_text(entities: list[Entity]) -> None:
    def cross(left: Entity, right: Entity) -> bool:
        shared = set(range(*left.span)) & set(range(*right.span))
        return left.span != right.span and bool(shared)

    found = crossing(entities)
    assert (found is not None) == any(cross(a, b) for a in entities for b in entities)
    if found is not None:
        assert cross(*found)
        assert set(found) <= set(entities)


@FAST
@given(st.lists(st.none() | st.sampled_from(["0", "1", "x"]), max_size=12))
def test_groups_part_the_documents(names: list[str | None]) -> None:
    groups = group_indices(Document("a", group=name) for name in names)
    assert sorted(index for members in groups for index in members) == list(range(len(names)))
    assert [members[0] for members in groups] == sorted(members[0] for members in groups)
    for members in groups:
        name = names[members[0]]
        alike = [i for i, other in enumerate(names) if other == name]
        assert members == (alike if name is not None else members[:1])


def test_labels_are_sorted_and_told_once() -> None:
    documents = [Document("ab", (Entity(0, 1, "Z"), Entity(1, 2, "B"))), Document("a")]
    assert labels_of([*documents, *documents]) == ("B", "Z")


@given(st.integers(0, 3), st.integers(0, 3))
def test_labels_of_whole_words_are_told_from_others(first: int, last: int) -> None:
    text = "She took aspirin today."
    offsets = Document(text).words()
    (start, _), (_, end) = offsets[min(first, last)], offsets[max(first, last)]
    whole, *cut = (
        Document(text, (Entity(start + before, end - after, "A"),))
        for before, after in ((0, 0), (1, 0), (0, 1), (1, 1))
    )
    assert within_words(whole) == []
    for document in cut:
        assert within_words(document) == list(document.entities)


@FAST
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=6), st.data())
def test_a_stretch_is_whole_where_words_begin_and_end(
    sizes: list[tuple[int, int]], data: st.DataObject
) -> None:
    tokens, position = [], 0
    for gap, size in sizes:
        tokens.append((position + gap, position + gap + size))
        position += gap + size
    start = data.draw(st.integers(0, position))
    span = start, data.draw(st.integers(start + 1, position + 1))
    index = WordIndex(Document("x" * position, tokens=tuple(tokens)))
    begins, ends = span[0] in {a for a, _ in tokens}, span[1] in {b for _, b in tokens}
    assert index.whole(span) == (begins and ends)


def test_labels_of_words_that_the_source_gave_are_whole() -> None:
    halves = ((0, 4), (4, 7))
    labels = (Entity(0, 4, "A"), Entity(4, 7, "A"))
    assert within_words(Document("aspirin", labels, tokens=halves)) == []
    assert within_words(Document("aspirin", labels)) == list(labels)

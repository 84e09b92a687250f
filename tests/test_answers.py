"""Answers of language models: what is written is found again, and the rest is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.models.answers import answer, parse, prompt
from convener.text.documents import Document, Entity, crossing

LABELS = ("PER", "LOC", "a;b: c\\", " \x1f")
TEXTS = st.text(st.sampled_from("aB1 \n\r\t\x1c;:\\'-é\u0301\u200d👩👧北京ßİn")) | st.text()


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A text with entities that begin and end where words do."""
    text = draw(TEXTS)
    words = Document(text).words()
    entities = []
    if words:
        at = st.integers(0, len(words) - 1)
        for first, last in draw(st.lists(st.tuples(at, at), max_size=5)):
            start, end = words[min(first, last)][0], words[max(first, last)][1]
            entities.append(Entity(start, end, draw(st.sampled_from(LABELS))))
    return Document(text, tuple(entities))


def places(document: Document, mention: str) -> set[tuple[int, int]]:
    """Where a mention occurs on word boundaries, by brute force."""
    inside = {i for start, end in document.words() for i in range(start + 1, end)}
    text = document.text
    return {
        (start, start + len(mention))
        for start in range(len(text))
        if text.startswith(mention, start) and not inside & {start, start + len(mention)}
    }


@given(documents())
def test_what_is_answered_is_found_at_every_occurrence(document: Document) -> None:
    parsed = parse(answer(document.entities, document.text), document, LABELS)
    assert not parsed.malformed
    assert {(e.span, e.label) for e in parsed.entities} == {
        (span, e.label) for e in document.entities for span in places(document, document.surface(e))
    }
    assert {(e.span, e.label) for e in document.entities} <= {
        (e.span, e.label) for e in parsed.entities
    }


@given(
    st.text() | st.text(st.sampled_from("PERLOC;: \\\nua0bB1é\u0301👩北none")),
    documents(),
    st.data(),
)
@settings(max_examples=300)
def test_the_offset_law_holds_for_any_answer(
    written: str, document: Document, data: st.DataObject
) -> None:
    words = [document.text[start:end] for start, end in document.words()]
    labels = st.sampled_from(["PER", "loc", "CITY", ""])
    items = data.draw(st.lists(st.tuples(labels, st.sampled_from(words or ["x"]))))
    mixed = "; ".join([written, *(f"{label}: {word}" for label, word in items)])
    for nested in (True, False):
        parsed = parse(mixed, document, LABELS, nested=nested, complete=data.draw(st.booleans()))
        checked = Document(document.text, parsed.entities)
        assert all(e.label in LABELS for e in parsed.entities)
        assert all(e.span in places(document, checked.surface(e)) for e in parsed.entities)
        assert list(parsed.entities) == sorted(
            set(parsed.entities), key=lambda e: (e.start, e.end, e.label)
        )
        assert all(len(reason.splitlines()) == 1 for reason in parsed.malformed)
        spans = [e.span for e in parsed.entities]
        assert nested or (not crossing(parsed.entities) and len(set(spans)) == len(spans))


def test_an_answer_reads_as_the_text_does() -> None:
    text = "Ann met Bob in Rome ; Ann: tea\n"
    entities = [Entity(15, 19, "LOC"), Entity(0, 3, "PER"), Entity(22, 25, "PER")]
    assert answer(entities, text) == "PER: Ann; LOC: Rome"
    assert answer([Entity(20, 31, "PER")], text) == "PER: \\; Ann\\: tea\\n"
    assert answer([Entity(19, 21, "a:b")], text) == "a\\:b: \\u0020\\;"
    assert answer([], text) == "none"
    assert prompt(["PER", "a:b"], text).endswith(text)
    assert "PER; a\\:b?" in prompt(["PER", "a:b"], text)


DOCUMENT = Document("US troops told us: the U.S. sent Ann Lee, not ann  lee's Annex.")


@pytest.mark.parametrize(
    ("written", "found", "reason"),
    [
        ("none", [], None),
        (" None \n", [], None),
        ("LOC: US", ["US"], None),
        ("loc:US;;\nLOC : US;", ["US"], None),
        ("LOC: U.S.", ["U.S."], None),
        ("PER: Ann Lee", ["Ann Lee"], None),
        ("PER: ann lee", [], "'ann lee' may be any of ['Ann Lee', 'ann lee']"),
        ("PER: TROOPS", ["troops"], None),
        ("PER: annex", ["Annex"], None),
        ("LOC: Us", [], "'Us' may be any of ['US', 'us']"),
        ("PER: nn", [], "'nn' is not in the text"),
        ("PER: Ann Le", [], "'Ann Le' is not in the text"),
        ("CITY: US", [], "unknown type 'CITY' in 'CITY: US'"),
        ("PER:", [], "no mention in 'PER:'"),
        ("US", [], "no type in 'US': expected 'type: mention'"),
        ("none; LOC: US", ["US"], "no type in 'none': expected 'type: mention'"),
        ("", [], "an empty answer: expected 'none'"),
        (" ;\n", [], "an empty answer: expected 'none'"),
    ],
)
def test_items_are_understood_or_refused(
    written: str, found: list[str], reason: str | None
) -> None:
    parsed = parse(written, DOCUMENT, ["PER", "LOC"])
    assert [DOCUMENT.surface(e) for e in parsed.entities] == found
    assert parsed.malformed == (() if reason is None else (reason,))


def test_colons_need_no_escape_after_the_first_and_case_of_types_must_be_clear() -> None:
    document = Document("at 10:30 sharp")
    assert parse("TIME: 10:30", document, ["TIME"]) == parse("TIME: 10\\:30", document, ["TIME"])
    assert parse("time: 10:30", document, ["TIME", "Time"]).malformed
    assert parse("Time: 10:30", document, ["TIME", "Time"]).entities == (Entity(3, 8, "Time"),)


def test_what_is_cut_off_is_refused() -> None:
    document = Document("Ann in New York and New Delhi")
    parsed = parse("PER: Ann; LOC: New", document, ["PER", "LOC"], complete=False)
    assert parsed.entities == (Entity(0, 3, "PER"),)
    assert parsed.malformed == ("the answer was cut off in 'LOC: New'",)
    assert parse("none", document, ["PER"], complete=False).malformed


def test_of_flat_entities_the_longer_stay() -> None:
    document = Document("Washington reads the Washington Post")
    written = "PER: Washington; ORG: Washington Post; LOC: Washington"
    nested = parse(written, document, ["PER", "ORG", "LOC"])
    flat = parse(written, document, ["PER", "ORG", "LOC"], nested=False)
    assert len(nested.entities) == 5
    assert flat.entities == (Entity(0, 10, "PER"), Entity(21, 36, "ORG"))


def test_words_are_those_of_the_document() -> None:
    glued = Document("IL2 binds", tokens=((0, 2), (2, 3), (4, 9)))
    assert parse("GENE: IL", glued, ["GENE"]).entities == (Entity(0, 2, "GENE"),)
    assert parse("GENE: IL", Document("IL2 binds"), ["GENE"]).malformed

"""The labeller: four states of a label, all of them counted."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener import label
from convener.dictionary import Entry, Gazetteer, Labeller, Summary
from convener.dictionary.labeller import SOURCE
from convener.text.documents import Document, Entity

FAST = settings(deadline=None, max_examples=80)
GAZETTEER = Gazetteer(
    [
        Entry("aspirin", "DRUG", "d1"),
        Entry("Jordan", "LOC", "l1"),
        Entry("Jordan", "PER", "p1"),
        Entry("New York", "LOC"),
    ]
)
STATES = "Aspirin helped Jordan and Mr Zed in New York."

sentences = st.lists(
    st.sampled_from(
        ["aspirin", "Jordan", "Zed", "new", "york", "New", "so", "!", "👩\u200d💻", "\n"]
    ),
    max_size=12,
).map(" ".join)


def state(document: Document, word: tuple[int, int]) -> str:
    labels = {e.label for e in document.entities if e.start <= word[0] < e.end}
    if word in document.unknown:
        return "unknown"
    return ("outside", "typed", "ambiguous")[len(labels)]


def test_each_word_is_in_one_of_four_states() -> None:
    document = Labeller(GAZETTEER, abstain=True)(Document(STATES))
    states = {document.text[a:b]: state(document, (a, b)) for a, b in document.words()}
    assert states == {
        "Aspirin": "typed",
        "helped": "outside",
        "Jordan": "ambiguous",
        "and": "outside",
        "Mr": "unknown",
        "Zed": "unknown",
        "in": "outside",
        "New": "typed",
        "York": "typed",
        ".": "outside",
    }


def test_without_abstaining_nothing_is_unknown() -> None:
    assert Labeller(GAZETTEER)(Document(STATES)).unknown == ()


def test_entities_carry_id_and_source() -> None:
    found = Labeller(GAZETTEER)(Document("Jordan took aspirin"))
    assert set(found.entities) == {
        Entity(0, 6, "LOC", id="l1", source=SOURCE),
        Entity(0, 6, "PER", id="p1", source=SOURCE),
        Entity(12, 19, "DRUG", id="d1", source=SOURCE),
    }


def test_a_name_that_does_not_fit_a_documents_words_hides_none_that_does() -> None:
    names = Gazetteer([Entry("codeine", "DRUG"), Entry("codeine phosphate", "DRUG")])
    text = "codeine phosphate-free codeine phosphate"
    own = ((0, 7), (8, 22), (23, 30), (31, 40))
    found = Labeller(names)(Document(text, tokens=own)).entities
    assert [entity.span for entity in found] == [(0, 7), (23, 40)]
    raw = Labeller(names)(Document(text)).entities
    assert [entity.span for entity in raw] == [(0, 17), (23, 40)]


def test_labels_replace_labels_and_nothing_else() -> None:
    tokens = ((0, 3), (4, 11))
    before = Document("Zed aspirin", (Entity(0, 3, "PER"),), "7", "g", tokens, ((0, 3),))
    after = Labeller(GAZETTEER)(before)
    assert [e.label for e in after.entities] == ["DRUG"]
    assert after.unknown == ()
    assert (after.text, after.id, after.group, after.tokens) == ("Zed aspirin", "7", "g", tokens)


@FAST
@given(sentences)
def test_labels_obey_the_offset_law(text: str) -> None:
    document = Labeller(GAZETTEER, abstain=True)(Document(text))
    assert all(document.surface(e) in GAZETTEER for e in document.entities)
    covered = {i for e in document.entities for i in range(e.start, e.end)}
    assert all(covered.isdisjoint(range(*span)) for span in document.unknown)
    assert set(document.unknown) <= set(document.words())


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("Zed ran", []),
        ("then Zed ran", ["Zed"]),
        ("done. Zed ran", []),
        ("he said “Zed” ran: Zed", []),
        ("the McKay of NATO", ["McKay", "NATO"]),
        ("then I ran", []),
        ("then Jordan ran", []),
        ("then éa Éa", ["Éa"]),
    ],
)
def test_unlisted_capitals_inside_a_sentence_are_unknown(text: str, unknown: list[str]) -> None:
    document = Labeller(GAZETTEER, abstain=True)(Document(text))
    assert [text[start:end] for start, end in document.unknown] == unknown


@FAST
@given(st.lists(sentences, max_size=5))
def test_the_summary_counts_every_state(texts: list[str]) -> None:
    summary = Summary()
    documents = Labeller(GAZETTEER, abstain=True).label(map(Document, texts))
    seen = list(summary.watch(documents))
    assert [d.text for d in seen] == texts
    states = Counter(state(d, word) for d in seen for word in d.words())
    spans = [[e.span for e in d.entities] for d in seen]
    assert summary.documents == len(texts)
    assert summary.documents_with_match == sum(map(bool, spans))
    assert summary.words == states.total()
    assert summary.words_covered == states["typed"] + states["ambiguous"]
    assert summary.words_unknown == states["unknown"]
    assert summary.matches == sum(len(set(s)) for s in spans)
    assert summary.ambiguous.total() == states["ambiguous"]


def test_the_summary_names_types_and_ambiguous_names() -> None:
    summary = Summary()
    summary.add(Labeller(GAZETTEER)(Document("Jordan, Jordan and aspirin in New York")))
    assert summary.types == {"DRUG": 1, "LOC": 1}
    assert summary.ambiguous == {"Jordan (LOC/PER)": 2}


def test_the_summary_tells_what_smart_case_passes_over() -> None:
    names = ["Aspirin", "Tylenol", "codeine", "Zed Labs", "Apple"]
    gazetteer = Gazetteer([Entry(name, "DRUG") for name in names], stop=["Tylenol"])
    summary = Summary(gazetteer)
    text = "aspirin, ASPIRIN, Aspirin, tylenol, codeine, zed labs and Aspirin"
    summary.add(Labeller(gazetteer)(Document(text)))
    assert summary.passed_over == {"aspirin": 1}
    ignoring = Gazetteer([*gazetteer, Entry("aspirin", "DRUG")])
    summary = Summary(ignoring)
    summary.add(Labeller(ignoring)(Document("aspirin")))
    assert not summary.passed_over


def test_a_dictionary_may_be_given_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("Oslo,LOC\n")
    (document,) = label(["We met in Oslo"], tmp_path / "names.csv")
    assert [document.surface(entity) for entity in document.entities] == ["Oslo"]

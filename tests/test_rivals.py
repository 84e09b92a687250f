"""Rivals: a name that looks like those of another type gets that type beside its own."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.recipes import rivals
from convener.recipes.bond import Bond
from convener.recipes.rivals import with_rivals
from convener.recipes.run import PAPERS, SUPERVISED, RunConfig, override, train_panel
from convener.text.documents import Document, Entity, by_span

CITIES = [
    "Lisbon",
    "Madrid",
    "Berlin",
    "Vienna",
    "Warsaw",
    "Prague",
    "Dublin",
    "Athens",
    "Helsinki",
    "Budapest",
]
DRUGS = [
    "ibuprofen",
    "metformin",
    "warfarin",
    "lisinopril",
    "amoxicillin",
    "omeprazole",
    "sertraline",
]
PEOPLE = ["Anna Berg", "John Marsh", "Maria Silva", "Peter Lang", "Laura Finch", "David Stone"]


def mention(name: str, *labels: str) -> Document:
    """A document that is one name, with these labels."""
    return Document(name, tuple(Entity(0, len(name), label) for label in labels))


def labels(documents: list[Document]) -> dict[str, set[str]]:
    """The labels of each name."""
    return {document.text: {e.label for e in document.entities} for document in documents}


@pytest.fixture
def corpus() -> list[Document]:
    return [
        *(mention(name, "CITY") for name in CITIES),
        *(mention(name, "DRUG") for name in DRUGS),
        *(mention(name, "PERSON") for name in PEOPLE),
    ]


def test_a_city_that_is_labelled_a_person_gets_both_types(corpus: list[Document]) -> None:
    corpus[0] = mention("Lisbon", "PERSON")
    assert labels(with_rivals(corpus))["Lisbon"] == {"CITY", "PERSON"}


def test_most_right_labels_have_no_rival(corpus: list[Document]) -> None:
    doubted = [name for name, found in labels(with_rivals(corpus)).items() if len(found) > 1]
    assert len(doubted) <= len(corpus) // 10


def test_how_a_name_is_written_makes_no_difference(corpus: list[Document]) -> None:
    changed = [mention("Lisbon", "PERSON"), mention("LISBON", "PERSON"), *corpus[1:]]
    found = labels(with_rivals(changed))
    assert found["Lisbon"] == found["LISBON"] == {"CITY", "PERSON"}


def test_only_types_that_were_looked_for_are_added(corpus: list[Document]) -> None:
    corpus[0] = Document("Lisbon", (Entity(0, 6, "PERSON"),), types=("PERSON",))
    assert labels(with_rivals(corpus))["Lisbon"] == {"PERSON"}


def test_labels_that_are_ambiguous_stay_so(corpus: list[Document]) -> None:
    corpus[0] = mention("Lisbon", "DRUG", "PERSON")
    assert with_rivals(corpus)[0] == corpus[0]


def test_a_type_of_one_name_is_neither_doubted_nor_a_rival(corpus: list[Document]) -> None:
    corpus[0] = mention("Lisbon", "METAL")
    found = labels(with_rivals(corpus))
    assert found.pop("Lisbon") == {"METAL"}
    assert not any("METAL" in others for others in found.values())


def test_a_type_does_not_vanish(corpus: list[Document]) -> None:
    corpus[0], corpus[1] = mention("Lisbon", "PERSON"), mention("Madrid", "PERSON")
    corpus = [d for d in corpus if d.text not in PEOPLE]
    found = labels(with_rivals(corpus))
    assert found["Lisbon"] == found["Madrid"] == {"PERSON"}


@pytest.mark.parametrize("pair", [("!", "?"), ("cell-line", "cell_line")])
def test_types_need_no_question_of_their_own(corpus: list[Document], pair: tuple[str, str]) -> None:
    named = dict(zip(("CITY", "DRUG"), pair, strict=True))
    documents = [
        mention(d.text, named[e.label]) for d in corpus for e in d.entities if e.label in named
    ]
    found = labels(with_rivals(documents))
    assert all(found[d.text] >= {e.label for e in d.entities} for d in documents)


def test_one_type_has_no_rival_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "embedded", lambda _: pytest.fail("names were embedded"))
    documents = [mention(name, "DRUG") for name in DRUGS]
    assert with_rivals(documents) == documents


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(CITIES + DRUGS + PEOPLE), st.sampled_from("ABC"))))
def test_labels_are_only_added_to(named: list[tuple[str, str]]) -> None:
    documents = [mention(name, label) for name, label in named]
    found = with_rivals(documents)
    assert found == with_rivals(documents)
    for before, after in zip(documents, found, strict=True):
        assert set(before.entities) <= set(after.entities)
        assert [span for span, _ in by_span(before.entities)] == [
            span for span, _ in by_span(after.entities)
        ]
        assert len(after.entities) <= 2 * len(before.entities)


@pytest.mark.parametrize("asked", [True, False])
def test_training_learns_from_both_types_if_asked(
    corpus: list[Document], run_config: Callable[..., RunConfig], asked: bool
) -> None:
    corpus[0] = mention("Lisbon", "PERSON")
    learnt: list[Document] = []

    class Spy(Bond):
        def __init__(self, documents: Sequence[Document], *others: Any) -> None:
            learnt.extend(documents)
            super().__init__(documents, *others)

    config = override(run_config(experts=1, round_steps=1), {"rivals": asked})
    train_panel(corpus, config, kind=Spy)
    assert (labels(learnt)["Lisbon"] == {"CITY", "PERSON"}) == asked


def test_the_papers_and_plain_training_take_types_as_said() -> None:
    assert RunConfig().rivals
    assert not any(config.rivals for config in (SUPERVISED, *PAPERS.values()))

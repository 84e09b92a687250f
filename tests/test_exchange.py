"""Copies of a text with other names in it keep everything that is said of the text."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convener import ConfigError, Document, Entity, Entry, Gazetteer, RunConfig, train
from convener.dictionary import exchange
from convener.dictionary.exchange import copies, exchanged
from convener.recipes.run import override
from convener.training.corpus import Corpus
from tests.test_conversion import free_documents

NAMES = {"DRUG": ["Ibuprofen", "salicylic acid"], "LOC": ["Rio de Janeiro"]}
TEXT = "We gave aspirin and Codeine in Oslo today ."
GIVEN = Document(
    TEXT,
    (Entity(8, 15, "DRUG"), Entity(20, 27, "DRUG"), Entity(31, 35, "LOC"), Entity(31, 35, "ORG")),
    id="a",
    group="g",
    tokens=((0, 2), (3, 7), (8, 15), (16, 19), (20, 27), (28, 30), (31, 35), (36, 41), (42, 43)),
    unknown=((36, 41),),
    types=("DRUG", "LOC", "ORG"),
)


def surfaces(document: Document) -> list[tuple[str, str]]:
    return [(document.surface(entity), entity.label) for entity in document.entities]


def test_a_name_is_exchanged_for_one_of_its_type_written_like_it() -> None:
    seen = set()
    for seed in range(9):
        made = exchanged(GIVEN, NAMES, np.random.default_rng(seed))
        (first, _), (second, _), *places = surfaces(made)
        seen |= {first, second}
        assert places == [("Oslo", "LOC"), ("Oslo", "ORG")]
        assert [made.text[a:b] for a, b in made.unknown] == ["today"]
        told = [made.text[a:b] for a, b in made.tokens or ()]
        assert " ".join(told) == made.text
        assert (made.id, made.group, made.types) == ("a", "g", GIVEN.types)
    assert seen == {"ibuprofen", "salicylic acid", "Ibuprofen", "Salicylic acid"}


@given(free_documents(), st.integers(0, 9))
def test_what_stands_around_names_stays(document: Document, seed: int) -> None:
    listed = {entity.label: ["Ab cd", "e"] for entity in document.entities}
    made = exchanged(document, listed, np.random.default_rng(seed))
    assert [e.label for e in made.entities] == [e.label for e in document.entities]
    for old, new in zip(document.entities, made.entities, strict=True):
        lost = document.surface(old) != made.surface(new)
        others = [o for o in document.entities if o is not old]
        assert not lost or all(o.end <= old.start or old.end <= o.start for o in others)
        assert not lost or made.surface(new).casefold() in {"ab cd", "e"}

    def left(given: Document) -> str:
        """The text outside of entities."""
        inside = {i for entity in given.entities for i in range(*entity.span)}
        return "".join(c for i, c in enumerate(given.text) if i not in inside)

    assert left(made) == left(document)
    assert exchanged(document, {}, np.random.default_rng(seed)) == document


def test_every_name_of_a_long_list_may_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST", 5)
    entries = [Entry(f"Drug {n}", "DRUG") for n in range(40)]
    document = Document("aspirin " * 9, tuple(Entity(8 * n, 8 * n + 7, "DRUG") for n in range(9)))
    drawn = [
        {name for d in copies([document], entries, 4, seed) for name, _ in surfaces(d)}
        for seed in range(60)
    ]
    assert all(len(names) <= 5 for names in drawn)
    assert len(set().union(*drawn)) == 40


def test_only_labelled_documents_are_copied_as_often_as_asked() -> None:
    documents = [GIVEN, Document("No name here.")]
    names = Gazetteer([Entry("Ibuprofen", "DRUG")])
    assert copies(documents, names, 0, 0) == copies(documents, [], 2, 0) == []
    made = copies(documents, names, 3, 0)
    assert [surfaces(d)[0] for d in made] == [("ibuprofen", "DRUG")] * 3
    assert made == copies(documents, names, 3, 0)


@pytest.fixture
def learnt(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that a run learns from."""
    seen: list[str] = []

    class Told(Corpus):
        def __init__(self, documents: list[Document], expert: object) -> None:
            seen.extend(document.text for document in documents)
            super().__init__(documents, expert)  # type: ignore[arg-type]

    monkeypatch.setattr("convener.recipes.bond.Corpus", Told)
    return seen


def test_training_learns_from_copies_if_it_is_asked_and_given_names(
    labelled: list[Document],
    run_config: Callable[..., RunConfig],
    learnt: list[str],
    tmp_path: Path,
) -> None:
    names = Gazetteer([Entry("quinine", "DRUG"), Entry("Turku", "LOC")])
    quick = run_config(round_steps=1, self_rounds=1, experts=2)
    twice = override(quick, {"exchanges": 2})
    train(labelled, config=quick, names=names)
    train(labelled, config=twice)
    given = [document.text for document in labelled]
    assert learnt == given * 2
    learnt.clear()
    checkpoint = tmp_path / "checkpoint"
    model = train(labelled, config=twice, names=names, checkpoint=checkpoint)
    assert learnt[: len(given)] == given
    assert len(learnt) == len(given) + 2 * sum(bool(d.entities) for d in labelled)
    assert any("quinine" in text for text in learnt)
    assert model.card.documents == len(given)
    others = Gazetteer([Entry("iodine", "DRUG")])
    with pytest.raises(ConfigError, match="of other names"):
        train(labelled, config=twice, names=others, checkpoint=checkpoint, resume=True)


def test_a_reader_is_wide_enough_for_the_names_of_copies(
    labelled: list[Document], tiny_encoder: Path
) -> None:
    reader = {"encoder": str(tiny_encoder), "questions": {"DRUG": "a drug ?", "LOC": "a place ?"}}
    plain = {"exchanges": 1, "model": "reader", "reader": reader}
    quick = {"round_steps": 1, "warmup_rounds": 1, "self_rounds": 1}
    names = Gazetteer([Entry("acid of the willow tree", "DRUG")])
    model = train(labelled, config=plain | {"bond": quick}, names=names)
    assert [expert.layout.width for expert in model.panel.experts] == [5]  # type: ignore[attr-defined]

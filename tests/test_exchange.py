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
from convener.recipes.audit import judge
from convener.recipes.run_config import override
from convener.training.corpus import Corpus
from tests.test_conversion import free_documents

NAMES = {
    "DRUG": [Entry("Salicylic Acid", "DRUG"), Entry("willow bark", "DRUG"), Entry("May", "DRUG")],
    "LOC": [Entry("Rio de Janeiro", "LOC")],
}
TEXT = "We gave aspirin and Codeine in Oslo today ."
GIVEN = Document(
    TEXT,
    (
        Entity(8, 15, "DRUG", id="D1"),
        Entity(20, 27, "DRUG"),
        Entity(31, 35, "LOC", id="Q1"),
        Entity(31, 35, "ORG", id="Q1"),
    ),
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
    for seed in range(30):
        made = exchanged(GIVEN, NAMES, np.random.default_rng(seed))
        (first, _), (second, _), *places = surfaces(made)
        seen |= {first, second}
        assert places == [("Oslo", "LOC"), ("Oslo", "ORG")]
        assert [entity.id for entity in made.entities] == [None, None, "Q1", "Q1"]
        assert [made.text[a:b] for a, b in made.unknown] == ["today"]
        told = [made.text[a:b] for a, b in made.tokens or ()]
        assert " ".join(told) == made.text
        assert (made.id, made.group, made.types) == ("a", "g", GIVEN.types)
    assert seen == {"salicylic acid", "Salicylic Acid", "willow bark", "Willow bark", "May"}


@given(free_documents(), st.integers(0, 9))
def test_what_stands_around_names_stays(document: Document, seed: int) -> None:
    labels = {entity.label for entity in document.entities}
    listed = {label: [Entry("Ab  cd", label), Entry("e-f", label)] for label in labels}
    made = exchanged(document, listed, np.random.default_rng(seed))
    assert [e.label for e in made.entities] == [e.label for e in document.entities]
    changed = []
    for old, new in zip(document.entities, made.entities, strict=True):
        if document.surface(old) != made.surface(new):
            others = [o for o in document.entities if o is not old]
            assert all(o.end <= old.start or old.end <= o.start for o in others)
            assert made.surface(new).casefold() in {"ab cd", "e-f"}
            changed.append((old, new))

    def around(given: Document, names: list[Entity]) -> list[tuple[str, bool]]:
        """The characters outside of some names, and whether they are unknown."""
        inside = {i for entity in names for i in range(*entity.span)}
        unknown = {i for span in given.unknown for i in range(*span)}
        return [(c, i in unknown) for i, c in enumerate(given.text) if i not in inside]

    def words_around(given: Document, names: list[Entity]) -> list[str] | None:
        """The words outside of some names."""
        if given.tokens is None:
            return None
        apart = [all(b <= e.start or e.end <= a for e in names) for a, b in given.tokens]
        return [given.text[a:b] for (a, b), kept in zip(given.tokens, apart, strict=True) if kept]

    before, after = [old for old, _ in changed], [new for _, new in changed]
    assert around(made, after) == around(document, before)
    assert words_around(made, after) == words_around(document, before)
    for entity in after:
        edges = {edge for word in made.tokens or (entity.span,) for edge in word}
        assert edges >= set(entity.span)
    assert exchanged(document, {}, np.random.default_rng(seed)) == document


def test_what_is_unknown_around_a_name_stays_unknown() -> None:
    text = "Maybe aspirin or codein here."
    document = Document(text, (Entity(6, 13, "DRUG"),), unknown=((0, 29),))
    names = {"DRUG": [Entry("willow bark", "DRUG")]}
    made = exchanged(document, names, np.random.default_rng(0))
    assert [made.text[a:b] for a, b in made.unknown] == ["Maybe ", " or codein here."]


def test_new_names_are_cut_into_words_as_the_old_ones_were() -> None:
    names = {"GENE": [Entry("TNF-alpha", "GENE")]}

    def cut(text: str, tokens: tuple[tuple[int, int], ...]) -> list[str]:
        document = Document(text, (Entity(2, len(text), "GENE"),), tokens=tokens)
        made = exchanged(document, names, np.random.default_rng(0))
        return [made.text[a:b] for a, b in made.tokens or ()]

    assert cut("a IL-2", ((0, 1), (2, 6))) == ["a", "TNF-alpha"]
    assert cut("a IL-2", ((0, 1), (2, 4), (4, 5), (5, 6))) == ["a", "TNF", "-", "alpha"]
    assert cut("a IL-2x", ((0, 1), (2, 9 - 3))) == ["a", "IL-2"]


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
    assert [surfaces(d)[0] for d in made] == [("Ibuprofen", "DRUG")] * 3
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
    given = [document.text for document in labelled]
    assert learnt == given
    learnt.clear()
    for none in (None, Gazetteer([Entry("Turku", "TOWN")])):
        with pytest.raises(ConfigError, match="expected a dictionary with names to put"):
            train(labelled, config=twice, names=none)
    checkpoint = tmp_path / "checkpoint"
    model = train(labelled, config=twice, names=names, checkpoint=checkpoint)
    assert learnt[: len(given)] == given
    assert len(learnt) == len(given) + 2 * sum(bool(d.entities) for d in labelled)
    assert any("quinine" in text for text in learnt)
    assert model.card.documents == len(given)
    assert len(judge(labelled, twice)) == len(given)
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

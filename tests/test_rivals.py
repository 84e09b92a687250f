"""Rivals: a name that looks like those of another type gets that type beside its own."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.models.questions import questions_for
from convener.models.spans import allowed_grid
from convener.recipes import rivals
from convener.recipes.bond import Bond
from convener.recipes.rivals import believable, borne_out, mentions, rivals_of, with_rivals
from convener.recipes.run import train_panel
from convener.recipes.run_config import PAPERS, SUPERVISED, RunConfig, override
from convener.text.documents import Document, Entity, by_span

CITIES = ["Lisbon", "Madrid", "Berlin", "Vienna", "Warsaw", "Prague", "Dublin", "Athens"]
DRUGS = ["ibuprofen", "metformin", "warfarin", "lisinopril", "amoxicillin", "omeprazole"]
TOWNS = """Rome Paris London Oslo Sofia Zagreb Riga Tallinn Helsinki Geneva Hamburg Munich
Naples Turin Valencia Porto Lyon Marseille Bordeaux Antwerp Glasgow Leeds Chicago"""
PACKED = """aspirin paracetamol diazepam morphine codeine insulin prednisone tramadol ramipril
atorvastatin losartan furosemide clopidogrel sertraline fluoxetine citalopram gabapentin
simvastatin pregabalin heparin ketamine fentanyl naproxen"""
PLACES = [name + kind for name in TOWNS.split() for kind in ("", " North", " Airport")]
PACKS = [name + pack for name in PACKED.split() for pack in ("", " 20 mg", " tablets")]
PEOPLE = ["Anna Berg", "John Marsh", "Maria Silva", "Peter Lang", "Laura Finch", "David Stone"]
NAMES = {"CITY": CITIES, "DRUG": DRUGS, "PERSON": PEOPLE}
AROUND = {
    "CITY": ("The train to ", " leaves at noon.", "They built a bridge in ", " last year."),
    "DRUG": ("Take 20 mg of ", " twice a day.", "The nurse stopped ", " after a rash."),
    "PERSON": ("My colleague ", " told me so.", "Yesterday ", " gave a speech."),
}
TRUE = {name: label for label, names in NAMES.items() for name in names}


def written(name: str, label: str, like: str | None = None) -> list[Document]:
    """Two sentences about a name with a label, written as one writes of its true type."""
    first, second, third, fourth = AROUND[like or TRUE[name]]
    return [
        Document(
            f"{before}{name}{after}",
            (Entity(len(before), len(before) + len(name), label),),
        )
        for before, after in ((first, second), (third, fourth))
    ]


def corpus(like: str | None = None, **wrong: str) -> list[Document]:
    """Sentences about all names, some with a wrong label, those written as of another type."""
    return [
        document
        for name, label in TRUE.items()
        for document in written(name, wrong.get(name, label), like if name in wrong else None)
    ]


def labels(documents: Sequence[Document]) -> dict[str, set[str]]:
    """The labels of each name."""
    found: dict[str, set[str]] = {}
    for document in documents:
        for span, entities in by_span(document.entities):
            found.setdefault(document.text[slice(*span)], set()).update(e.label for e in entities)
    return found


def marked(documents: Sequence[Document]) -> list[Document]:
    """The documents as training reads them."""
    return with_rivals(documents)[0]


WRONG = {"Lisbon": "PERSON", "Madrid": "PERSON", "metformin": "CITY"}


def test_a_city_that_is_labelled_a_person_gets_both_types() -> None:
    found = labels(marked(corpus(**WRONG)))
    assert found["Lisbon"] == {"CITY", "PERSON"}
    assert found["metformin"] == {"CITY", "DRUG"}
    assert found["Anna Berg"] == {"PERSON"}


def test_right_labels_stay_as_they_are() -> None:
    assert marked(corpus()) == corpus()


def test_people_with_names_of_cities_stay_people_where_the_text_says_so() -> None:
    documents = corpus(like="PERSON", Lisbon="PERSON", Madrid="PERSON")
    assert rivals_of(mentions(documents)) == {
        ("lisbon", "PERSON"): "CITY",
        ("madrid", "PERSON"): "CITY",
    }
    assert marked(documents) == documents


def test_contexts_tell_how_many_rivals_are_right() -> None:
    right, wrong = corpus(Lisbon="PERSON"), corpus(like="PERSON", Lisbon="PERSON")
    doubts = {("lisbon", "PERSON"): "CITY"}
    assert borne_out(right, doubts).of_all > 0.8
    assert borne_out(wrong, doubts).of_all < 0.2


def test_the_share_of_rivals_that_are_right_is_found() -> None:
    names = CITIES[:6]
    doubts = {(name.casefold(), "PERSON"): "CITY" for name in names}
    shares = []
    for right in (0, 2, 4, 6):
        documents = [d for d in corpus() if d.surface(d.entities[0]) not in names]
        documents += [d for name in names[:right] for d in written(name, "PERSON")]
        documents += [d for name in names[right:] for d in written(name, "PERSON", like="PERSON")]
        shares.append(borne_out(documents, doubts).of_all)
    none, third, two_thirds, every = shares
    assert none < 0.2 < third < 0.5 < two_thirds < 0.9 < every


def test_rivals_of_a_type_are_right_or_wrong_apart_from_those_of_others() -> None:
    people = corpus(like="PERSON", Lisbon="PERSON")
    drugs = corpus(**dict.fromkeys(DRUGS[:2], "CITY"))
    documents = [d for d in people if labels([d]).keys() - set(DRUGS[:2])]
    documents += [d for d in drugs if labels([d]).keys() & set(DRUGS[:2])]
    found = labels(marked(documents))
    assert found["Lisbon"] == {"PERSON"}
    assert found["ibuprofen"] == found["metformin"] == {"CITY", "DRUG"}


def test_unless_most_rivals_are_right_none_is_believed() -> None:
    documents = corpus(like="PERSON", Lisbon="PERSON", Madrid="PERSON")
    documents = [d for d in documents if "metformin" not in labels([d])]
    documents += written("metformin", "CITY")
    shares = borne_out(documents, rivals_of(mentions(documents)))
    assert shares.of_pair["CITY", "DRUG"] > 0.5 > shares.of_all > 0
    assert marked(documents) == documents


def test_a_type_of_which_only_doubts_are_left_keeps_its_labels() -> None:
    documents = corpus(Lisbon="PLANET", Madrid="PLANET", metformin="CITY")
    rivals = {(city, "PLANET"): "CITY" for city in ("lisbon", "madrid")}
    rivals["metformin", "CITY"] = "DRUG"
    shares = borne_out(documents, rivals)
    assert shares.of_all > 0.5
    assert shares.of_pair["PLANET", "CITY"] == 0
    assert believable(documents, rivals) == {("metformin", "CITY"): "DRUG"}


def test_rare_types_are_heard_in_a_long_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "CONTEXTS", 60)
    others = [d for d in corpus() for _ in range(20) if d.entities[0].label != "PERSON"]
    rare = corpus(Lisbon="PERSON")
    assert borne_out([*rare, *others], {("lisbon", "PERSON"): "CITY"}).of_all > 0.8


def test_the_same_text_over_and_over_is_not_doubted_more() -> None:
    few = {(name, "AB"[name in DRUGS]): 1 for name in (*CITIES, *DRUGS, "Madrid North")}
    few["Madrid North", "B"] = few.pop(("Madrid North", "A"))
    often = {key: 100 * times for key, times in few.items()}
    assert rivals_of(few) == rivals_of(often) == {}


def without_sense(names: dict[str, str], rng: random.Random) -> list[Document]:
    """Names with their label among words that tell nothing."""
    words = ["the", "on", "blue", "seven", "table", "window", "stone", "paper", "and", "green"]
    documents = []
    for name, label in names.items():
        before, after = (" ".join(rng.choices(words, k=6)) for _ in range(2))
        entity = Entity(len(before) + 1, len(before) + 1 + len(name), label)
        documents.append(Document(f"{before} {name} {after}", (entity,)))
    return documents


@pytest.mark.parametrize("seed", range(6))
def test_contexts_that_tell_nothing_bear_nothing_out(seed: int) -> None:
    documents = without_sense(TRUE | WRONG, random.Random(seed))
    assert borne_out(documents, {("lisbon", "PERSON"): "CITY"}).of_all == 0


@pytest.mark.parametrize("seed", range(6))
def test_types_that_contexts_do_not_tell_apart_are_kept_beside_others(seed: int) -> None:
    horses = dict.fromkeys(PEOPLE, "HORSE") | dict.fromkeys(PLACES[:6], "RIVER")
    documents = corpus(metformin="CITY", ibuprofen="CITY")
    documents += without_sense(horses, random.Random(seed))
    rivals = {(PEOPLE[0].casefold(), "HORSE"): "RIVER", ("metformin", "CITY"): "DRUG"}
    shares = borne_out(documents, rivals)
    assert shares.of_all > 0.5
    assert shares.of_pair["HORSE", "RIVER"] == 0


def test_labels_without_meaning_are_told_by_names_or_by_own_questions() -> None:
    few = {(name, "AB"[name in DRUGS]): 1 for name in (*CITIES, *DRUGS)}
    many = {(name, "AB"[name in PACKS]): 1 for name in (*PLACES, *PACKS)}
    wrong = {("Madrid North", "B"): 1}
    questions = dict(zip("AB", questions_for(["CITY", "DRUG"]).values(), strict=True))
    assert rivals_of(many | wrong) == {("Madrid North", "B"): "A"}
    assert not rivals_of(few | wrong)
    assert rivals_of(few | wrong, questions) == {("Madrid North", "B"): "A"}


def test_a_nested_reader_is_not_told_that_both_are_right() -> None:
    document = marked(corpus(**WRONG))[0]
    assert {e.source for e in document.entities} == {None, "rival"}
    grid = allowed_grid(document, ["CITY", "DRUG", "PERSON"], 1, nested=True)
    lisbon = grid[document.words().index(document.entities[0].span)]
    assert lisbon[:, 0].all()
    assert lisbon[:, 2].all()
    assert not lisbon[:, 1, 1].any()


def test_labels_that_several_sources_give_are_one() -> None:
    documents = [
        replace(d, entities=(*d.entities, *(replace(e, source="a rule") for e in d.entities)))
        for d in corpus(**WRONG)
    ]
    assert labels(marked(documents)) == labels(marked(corpus(**WRONG)))


def test_the_most_frequent_names_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = mentions(corpus(**WRONG))
    counts["madrid", "PERSON"] = 1
    everything = rivals_of(counts)
    monkeypatch.setattr(rivals, "NAMES", len(TRUE) - 1)
    assert everything.keys() - rivals_of(counts).keys() == {("madrid", "PERSON")}


def test_a_name_of_several_types_was_told_apart_by_more_than_its_name() -> None:
    counts = mentions(corpus(**WRONG))
    assert ("lisbon", "PERSON") in rivals_of(counts)
    assert ("lisbon", "PERSON") not in rivals_of(counts + Counter({("lisbon", "CITY"): 1}))


def test_how_a_name_is_written_makes_no_difference() -> None:
    documents = corpus(**WRONG)
    shouted = [replace(d, text=d.text.replace("Lisbon", "LISBON")) for d in documents[:2]]
    found = labels(marked([*shouted, *documents]))
    assert found["Lisbon"] == found["LISBON"] == {"CITY", "PERSON"}


def test_only_types_that_were_looked_for_are_added() -> None:
    first, *others = corpus(**WRONG)
    first = replace(first, types=("PERSON",))
    found = marked([first, *others])
    assert found[0] == first
    assert found[1] != others[0]


def test_labels_that_are_ambiguous_stay_so() -> None:
    first, *others = corpus(**WRONG)
    entity = first.entities[0]
    first = replace(first, entities=(entity, replace(entity, label="DRUG")))
    assert marked([first, *others])[0] == first


def test_a_type_of_one_name_is_neither_doubted_nor_a_rival() -> None:
    found = rivals_of(mentions(corpus(**{**WRONG, "Berlin": "METAL"})))
    assert ("lisbon", "PERSON") in found
    assert not any("METAL" in (label, rival) for (_, label), rival in found.items())


def test_a_type_does_not_vanish() -> None:
    counts = mentions(corpus(**WRONG))
    few = Counter({key: n for key, n in counts.items() if key[0].title() not in PEOPLE})
    assert {label for _, label in few} == {"CITY", "DRUG", "PERSON"}
    assert not any(label == "PERSON" for _, label in rivals_of(few))


@pytest.mark.parametrize("pair", [("!", "?"), ("cell-line", "cell_line")])
def test_types_need_no_question_of_their_own(pair: tuple[str, str]) -> None:
    counts = {(name, pair[name in PACKS]): 1 for name in (*PLACES, *PACKS)}
    counts["Madrid North", pair[1]] = 1
    assert rivals_of(counts) == {("Madrid North", pair[1]): pair[0]}


def test_one_type_has_no_rival_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "embedded", lambda _: pytest.fail("names were embedded"))
    documents = [d for name in DRUGS for d in written(name, "DRUG")]
    assert marked(documents) == documents


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(TRUE)), st.sampled_from(sorted(NAMES)))))
def test_labels_are_only_added_to(named: list[tuple[str, str]]) -> None:
    documents = [document for name, label in named for document in written(name, label)]
    found = marked(documents)
    assert found == marked(documents)
    for before, after in zip(documents, found, strict=True):
        assert set(before.entities) <= set(after.entities)
        assert len(after.entities) <= 2 * len(before.entities)
    gained = sum(len(d.entities) for d in found) - sum(len(d.entities) for d in documents)
    assert with_rivals(documents)[1].total() == gained


@pytest.mark.parametrize("asked", [True, False])
def test_training_learns_from_both_types_if_asked(
    run_config: Callable[..., RunConfig], asked: bool
) -> None:
    learnt: list[Document] = []

    class Spy(Bond):
        def __init__(self, documents: Sequence[Document], *others: Any) -> None:
            learnt.extend(documents)
            super().__init__(documents, *others)

    config = override(run_config(experts=1, round_steps=1), {"rivals": asked})
    trained = train_panel(corpus(**WRONG), config, kind=Spy)
    assert (labels(learnt)["Lisbon"] == {"CITY", "PERSON"}) == asked
    assert trained.doubts.ambiguous.get(("Lisbon", "PERSON", "CITY"), 0) == 2 * asked
    assert not trained.doubts.kept


def test_doubts_that_contexts_refute_are_told_of() -> None:
    _, ambiguous, kept = with_rivals(corpus(like="PERSON", Lisbon="PERSON", Madrid="PERSON"))
    assert not ambiguous
    assert kept == {("Lisbon", "PERSON", "CITY"): 2, ("Madrid", "PERSON", "CITY"): 2}


def test_the_papers_and_plain_training_take_types_as_said() -> None:
    assert RunConfig().rivals
    assert not any(config.rivals for config in (SUPERVISED, *PAPERS.values()))

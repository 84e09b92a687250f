"""Abstention: where capitals tell that a dictionary is silent or wrong."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener import train
from convener.dictionary import Entry, Gazetteer, Labeller
from convener.dictionary.abstention import abstaining, left_out
from convener.recipes.run_config import RunConfig, override
from convener.text.documents import Document, Entity

FAST = settings(deadline=None, max_examples=80)
LISTED = {
    "aspirin": "DRUG",
    "Washington": "LOC",
    "New York": "LOC",
    "June": "ORG",
    "The Post": "ORG",
    "Army of": "ORG",
}
GAZETTEER = Gazetteer([Entry(name, label) for name, label in LISTED.items()])
LABELLED = Labeller(GAZETTEER)(Document("in Washington with Zed"))
HIS = Document("His war and his peace", (Entity(0, 3, "ORG"),))
CAREFUL = [
    Document("in Rome", (Entity(3, 7, "LOC"),)),
    Document("at Acme", (Entity(3, 7, "ORG"),)),
    Document("on codeine", (Entity(3, 10, "DRUG"),)),
]

sentences = st.lists(
    st.sampled_from([*LISTED, "Aspirin", "Post", "new", "so", "the", "von", "&", "Zed", ".", "\n"]),
    max_size=12,
).map(" ".join)


def told(text: str, *others: str) -> tuple[list[str], list[str]]:
    """Labels kept and stretches unknown of a text, in a corpus where capitals tell."""
    documents = [Labeller(GAZETTEER)(Document(each)) for each in (text, *others)]
    first = abstaining([*documents, *CAREFUL * 9])[0]
    return (
        [first.surface(entity) for entity in first.entities],
        [text[start:end] for start, end in first.unknown],
    )


def test_unlisted_names_are_unknown_where_capitals_tell() -> None:
    marked = abstaining([LABELLED, Document("so it is")])
    assert [d.unknown for d in marked] == [((19, 22),), ()]


@pytest.mark.parametrize(
    ("text", "others", "unknown"),
    [
        ("so met Zed", (), ["Zed"]),
        ("Zed fell", (), []),
        ("Zed fell", ("so met Zed",), ["Zed"]),
        ("Zed fell", ("so met Zed", "so zed it"), []),
        ("so on Monday in March", (), []),
        ("so RESULTS came", (), ["RESULTS"]),
        ("so RESULTS came", ("the results", "more results"), []),
    ],
)
def test_what_counts_as_an_unlisted_name(
    text: str, others: tuple[str, ...], unknown: list[str]
) -> None:
    assert told(text, *others)[1] == unknown


def test_where_most_capitals_are_unlisted_they_stay_outside() -> None:
    shouted = [LABELLED, Document("so We Go Up")]
    assert abstaining(shouted) == shouted
    assert [len(d.unknown) for d in abstaining(shouted, always=True)] == [1, 3]
    doubtful = Document("in Washington Post", (Entity(3, 13, "LOC"),))
    assert abstaining([doubtful, *shouted]) == [
        replace(doubtful, entities=(), unknown=((3, 18),)),
        *shouted,
    ]


def test_where_most_labels_are_in_doubt_capitals_tell_nothing() -> None:
    labeller = Labeller(GAZETTEER)
    shouted = [labeller(Document(text)) for text in ("IN NEW YORK CITY", "TO NEW YORK CITY")]
    certain = labeller(Document("in New York"))
    assert abstaining([*shouted, certain]) == [*shouted, certain]
    assert not any(d.entities for d in abstaining([*shouted, certain], always=True)[:2])
    marked = abstaining([*shouted, certain, certain])
    assert [len(d.entities) for d in marked] == [0, 0, 1, 1]


def test_unknown_stretches_of_the_user_stay_as_they_are() -> None:
    own = [replace(LABELLED, unknown=((0, 2),))]
    assert abstaining(own)[0].unknown == ((0, 2), (19, 22))


@pytest.mark.parametrize(
    ("text", "kept", "unknown"),
    [
        ("in Washington today", ["Washington"], []),
        ("the Washington Post wrote", [], ["Washington Post", "Post"]),
        ("Old Washington Post", [], ["Old Washington Post", "Post"]),
        ("Mr Washington and Washington", ["Washington"], ["Mr Washington"]),
        ("in New York, Washington", ["New York", "Washington"], []),
        ("in New York Washington", [], ["New York", "Washington"]),
        ("aspirin Washington", ["aspirin", "Washington"], []),
        ("Zed aspirin IV", ["aspirin"], ["IV"]),
        ("Aspirin IV", [], ["Aspirin IV", "IV"]),
        ("so Mies van der Washington", [], ["Mies", "Mies van der Washington"]),
        ("so Washington\nNew York\nWashington", ["Washington", "New York", "Washington"], []),
        ("aspirin. Washington", ["aspirin", "Washington"], []),
        ("so Washington von Zed", [], ["Washington von Zed", "Zed"]),
        ("so Zed & New York Washington", [], ["Zed", "Zed & New York", "Washington"]),
        ("so Washington & New York", [], ["Washington &", "& New York"]),
        ("so Washington & son", ["Washington"], []),
        ("so Washington and New York", ["Washington", "New York"], []),
        ("in Washington Monday", ["Washington"], []),
    ],
)
def test_a_label_beside_a_name_may_be_a_part_of_it(
    text: str, kept: list[str], unknown: list[str]
) -> None:
    assert told(text) == (kept, unknown)


def test_a_common_word_that_begins_a_sentence_is_no_part_of_a_name() -> None:
    assert told("Yesterday Washington fell", "not yesterday")[0] == ["Washington"]
    assert told("Jimmy Washington fell", "not yesterday")[0] == []


def test_a_label_inside_another_is_not_beside_it() -> None:
    text = "in New York City"
    outer, inner, rest = Entity(3, 16, "LOC"), Entity(3, 11, "LOC"), Entity(12, 16, "ORG")
    nested = Document(text, (inner, outer, rest))
    assert abstaining([nested]) == [nested]


def test_a_label_without_a_word_is_kept() -> None:
    blank = Document("in  Rome", (Entity(2, 3, "LOC"), Entity(4, 8, "LOC")))
    assert abstaining([blank]) == [blank]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Army of them", []),
        ("so I read The Post", ["The Post"]),
        ("The Post wrote", []),
        ("so. The Post wrote", []),
        ('so "The Post" wrote', []),
        ("so June it is", []),
        ("so JUNE it is", ["JUNE"]),
    ],
)
def test_edges_of_which_the_capital_tells_nothing(text: str, kept: list[str]) -> None:
    assert told(text)[0] == kept


def test_an_article_belongs_to_a_name_that_has_its_capital_inside_a_sentence() -> None:
    assert told('so "The Post" wrote', "in The Post")[0] == ["The Post"]
    assert told('so "The Post" wrote', "in the Post")[0] == []


def test_a_type_that_would_lose_all_its_labels_keeps_them() -> None:
    monday = Document("on Monday it", (Entity(3, 9, "DATE"),))
    assert abstaining([monday, *CAREFUL])[0] == monday
    looked_for = replace(monday, types=("DATE", "LOC"))
    assert abstaining([looked_for, *CAREFUL])[0] == looked_for
    ambiguous = replace(HIS, entities=(Entity(0, 3, "LOC"), Entity(0, 3, "ORG")))
    assert abstaining([ambiguous, *CAREFUL])[0].entities == ()
    dated = replace(HIS, entities=(Entity(0, 3, "DATE"), Entity(0, 3, "ORG")))
    assert abstaining([dated, *CAREFUL])[0] == dated


def test_a_label_on_a_common_word_is_unknown() -> None:
    assert abstaining([HIS, *CAREFUL])[0] == replace(HIS, entities=(), unknown=((0, 3),))
    alone = replace(HIS, text="His war and her peace")
    assert abstaining([alone, *CAREFUL])[0] == alone
    told_so = replace(HIS, entities=(Entity(0, 3, "ORG"), Entity(12, 15, "ORG")))
    assert abstaining([told_so, *CAREFUL])[0] == told_so


def test_names_that_the_dictionary_lists_in_lower_case_are_not_common_words() -> None:
    assert told("Aspirin helped", "took aspirin", "more aspirin")[0] == ["Aspirin"]
    assert told("took aspirin", "Aspirin helped", "more aspirin")[0] == ["aspirin"]


def test_labels_that_are_all_doubtful_are_kept() -> None:
    only = [Document("Zed Rome fell", (Entity(4, 8, "LOC"),))]
    assert abstaining(only) == only
    certain = Document("in Rome", (Entity(3, 7, "LOC"),))
    assert [len(d.entities) for d in abstaining([*only, certain])] == [0, 1]


def test_what_was_left_out_is_counted_by_name_and_reason() -> None:
    texts = ("in June they", "by June it", "Washington Post", "The Post wrote", "so aspirin")
    documents = [*(Labeller(GAZETTEER)(Document(text)) for text in texts), *CAREFUL * 9]
    assert left_out(documents, abstaining(documents)) == {
        ("June", "ORG", "common"): 2,
        ("Washington", "LOC", "part"): 1,
        ("The Post", "ORG", "edge"): 1,
    }
    assert not left_out(documents, documents)


def test_a_run_says_how_many_labels_it_left_out(
    labelled: list[Document], run_config: Callable[..., RunConfig]
) -> None:
    text = "Zed Rome fell"
    doubtful = Document(text, (Entity(4, 8, "LOC"),))
    plain = {"self_training": False, "round_steps": 1}
    model = train([*labelled, doubtful], config=run_config(experts=1, **plain))
    assert model.card.left_out == 1
    assert "left out by abstention: 1." in str(model.page)
    assert "part of a longer name" in str(model.page)
    taken = override(run_config(experts=1, **plain), {"abstain": "never"})
    assert train([*labelled, doubtful], config=taken).card.left_out == 0


@FAST
@given(st.lists(sentences, min_size=1, max_size=6), st.booleans(), st.booleans())
def test_nothing_is_labelled_that_was_not_and_no_label_is_lost_silently(
    texts: list[str], nested: bool, tokenised: bool
) -> None:
    names = [*(Entry(name, label) for name, label in LISTED.items()), Entry("Washington", "PER")]
    labeller = Labeller(Gazetteer([*names, Entry("York", "LOC")]), nested=nested)
    read = [Document(text) for text in texts]
    if tokenised:
        read = [replace(document, tokens=document.words()) for document in read]
    documents = [labeller(document) for document in read]
    marked = abstaining(documents, always=True)
    for before, after in zip(documents, marked, strict=True):
        assert set(after.entities) <= set(before.entities)
        gone = set(before.entities) - set(after.entities)
        assert {e.span for e in gone}.isdisjoint(e.span for e in after.entities)
        unknown = {i for start, end in after.unknown for i in range(start, end)}
        assert {i for e in gone for i in range(e.start, e.end)} <= unknown
        kept = {i for e in after.entities for i in range(e.start, e.end)}
        assert nested or unknown.isdisjoint(kept)
        assert (before.text, before.tokens) == (after.text, after.tokens)
    labels = [sum(len(d.entities) for d in each) for each in (documents, marked)]
    assert left_out(documents, marked).total() == labels[0] - labels[1]
    assert {e.label for d in documents for e in d.entities} == {
        e.label for d in marked for e in d.entities
    }

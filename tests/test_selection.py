"""Selection of experts: rankings, the vote, and joining answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convener.errors import ConfigError
from convener.panel.selection import (
    Ranked,
    by_performance,
    by_similarity,
    integrate,
    sampled,
    vote,
)
from convener.text.documents import Document, Entity

TEXT = "Ada Smith left Rome for Oslo"
ADA, ROME, OSLO = (0, 9), (15, 19), (24, 28)


def says(*entities: tuple[tuple[int, int], str]) -> Document:
    """The sentence with these entities."""
    return Document(TEXT, tuple(Entity(*span, label) for span, label in entities))


def spans(document: Document) -> set[tuple[int, int, str]]:
    return {(*e.span, e.label) for e in document.entities}


ALL = frozenset({"PER", "LOC"})


def test_similarity_is_the_cosine_ties_by_name() -> None:
    target = np.array([1.0, 0.0], dtype=np.float32)
    vectors = {"b": target * 3, "a": target, "c": np.array([0.0, 1.0], dtype=np.float32)}
    assert by_similarity(target, vectors) == [Ranked("a", 1.0), Ranked("b", 1.0), Ranked("c", 0.0)]


def test_more_than_half_of_those_who_know_decide() -> None:
    answers = {
        "one": [says((ADA, "PER"), (ROME, "LOC"))],
        "two": [says((ROME, "LOC"), (OSLO, "LOC"))],
        "three": [says((ADA, "PER"), (ROME, "LOC"))],
        "medical": [says((OSLO, "LOC"), (OSLO, "PER"))],
    }
    knows = {"one": ALL, "two": ALL, "three": ALL, "medical": frozenset({"DRUG"})}
    (voted,) = vote(answers, knows)
    assert spans(voted) == {(*ADA, "PER"), (*ROME, "LOC")}
    (without,) = vote(answers, knows, without="three")
    assert spans(without) == {(*ROME, "LOC")}


def test_all_vote_on_a_type_that_nobody_knows() -> None:
    answers = {name: [says((OSLO, "CITY"))] for name in "ab"} | {"c": [says()]}
    (voted,) = vote(answers, dict.fromkeys("abc", ALL))
    assert spans(voted) == {(*OSLO, "CITY")}


def test_an_expert_is_not_scored_against_itself() -> None:
    answers = {"odd": [says((OSLO, "PER"))] * 3, "one": [says((ADA, "PER"))] * 3}
    answers |= {"two": answers["one"], "three": answers["one"]}
    ranked = by_performance(answers, dict.fromkeys(answers, ALL))
    assert ranked == [*(Ranked(name, 1.0) for name in ("one", "three", "two")), Ranked("odd", 0.0)]


def test_a_labelled_sample_replaces_the_vote() -> None:
    answers = {"odd": [says((OSLO, "PER"))], "one": [says((ADA, "PER"))]}
    gold = [says((OSLO, "PER"))]
    assert by_performance(answers, dict.fromkeys(answers, ALL), gold)[0] == Ranked("odd", 1.0)


def test_one_expert_cannot_vote() -> None:
    with pytest.raises(ConfigError, match="labelled sample"):
        by_performance({"one": [says()]}, {"one": ALL})


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9))
def test_samples_are_drawn_once_each_and_in_order(count: int, wanted: int, seed: int) -> None:
    drawn = sampled(count, wanted, seed)
    assert len(drawn) == min(count, wanted)
    assert drawn == sorted(set(drawn)) == sampled(count, wanted, seed)
    assert all(0 <= index < count for index in drawn)


entities = st.builds(
    lambda start, length, label, score: Entity(start, start + length, label, score=score),
    st.integers(0, 12),
    st.integers(1, 6),
    st.sampled_from("AB"),
    st.floats(0.5, 1).map(lambda value: round(value, 3)),
)
answer_lists = st.lists(st.lists(entities, max_size=5), max_size=3)


@given(answer_lists, st.booleans())
def test_integration_is_a_union_without_repeats(answers: list[list[Entity]], flat: bool) -> None:
    joined = integrate(answers, flat)
    proposed = {(*e.span, e.label) for answer in answers for e in answer}
    found = [(*e.span, e.label) for e in joined]
    assert len(found) == len(set(found))
    assert set(found) <= proposed
    if not flat:
        assert set(found) == proposed
    else:
        for one in joined:
            assert all(o is one or one.end <= o.start or o.end <= one.start for o in joined)
        for start, end, _ in proposed:
            assert any(e.start < end and start < e.end for e in joined)


def test_what_more_experts_say_wins_over_what_is_more_probable() -> None:
    long, short = Entity(0, 9, "A", score=0.9), Entity(0, 4, "A", score=0.6)
    assert integrate([[long], [short], [short]], flat=True) == (short,)
    assert integrate([[long], [short]], flat=True) == (long,)


def test_beyond_the_base_only_what_is_new_counts() -> None:
    """Those that repeat the base agree with one another; two that learnt agree beyond it."""
    base = [says((ADA, "PER"), (ROME, "LOC"))]
    answers = {
        **dict.fromkeys(("copy", "ditto", "echo", "parrot"), base),
        "learnt": [says((ADA, "ORG"), (OSLO, "LOC"))],
        "taught": [says((ADA, "ORG"), (OSLO, "ORG"))],
    }
    knows = dict.fromkeys(answers, ALL)
    majority = {ranked.name: ranked.score for ranked in by_performance(answers, knows)}
    assert majority["echo"] > majority["learnt"]
    beyond = {r.name: r.score for r in by_performance(answers, knows, said=base)}
    assert beyond == dict.fromkeys(answers, 0) | {"learnt": 0.5, "taught": 0.5}


def test_gold_is_met_with_whole_answers() -> None:
    gold = [says((ADA, "PER"))]
    answers = {"one": gold, "two": [says((ROME, "PER"))]}
    ranked = by_performance(answers, dict.fromkeys(answers, ALL), gold)
    assert ranked[0] == Ranked("one", 1.0)

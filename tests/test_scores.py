"""Scores: equal to brute force on sets, to strict seqeval, and to nervaluate."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from convener.dictionary import Entry, Gazetteer
from convener.errors import DataError
from convener.evaluation.scores import Score, Scores, by_group, normal, score
from convener.text.documents import Document, Entity
from convener.text.tags import spans_from_tags

FAST = settings(deadline=None, max_examples=100)
TEXT = "Ada abc Ada abc."

nested = st.lists(
    st.builds(
        lambda start, size, label: Entity(start, min(start + size, len(TEXT)), label),
        st.integers(0, len(TEXT) - 1),
        st.integers(1, 6),
        st.sampled_from("AB"),
    ),
    max_size=6,
).map(tuple)
corpora = st.lists(st.tuples(nested, nested), min_size=1, max_size=4)
Corpus = list[tuple[tuple[Entity, ...], tuple[Entity, ...]]]

tag_pairs = st.lists(
    st.lists(
        st.tuples(*[st.sampled_from(["O", "O", "B-A", "I-A", "B-B", "I-B"])] * 2),
        min_size=1,
        max_size=8,
    ),
    min_size=1,
    max_size=4,
).map(
    lambda sentences: [
        tuple(begin_properly(tags) for tags in zip(*pairs, strict=True)) for pairs in sentences
    ]
)


def begin_properly(tags: tuple[str, ...]) -> list[str]:
    proper = ["O"] * len(tags)
    for start, end, label in spans_from_tags(tags):
        proper[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return proper


def of(corpus: Corpus) -> Scores:
    gold, predicted = zip(*corpus, strict=True)
    return score([Document(TEXT, e) for e in gold], [Document(TEXT, e) for e in predicted])


def of_tags(sentences: list[tuple[list[str], list[str]]]) -> Scores:
    def documents(side: int) -> list[Document]:
        return [
            Document("x" * len(pair[side]), tuple(Entity(*s) for s in spans_from_tags(pair[side])))
            for pair in sentences
        ]

    return score(documents(0), documents(1))


def counted(gold: set[object], predicted: set[object]) -> Score:
    both = len(gold & predicted)
    return Score(predicted=len(predicted), right=both, gold=len(gold), found=both)


@FAST
@given(corpora)
def test_exact_scores_are_those_of_sets(corpus: Corpus) -> None:
    gold, predicted = (
        {(i, e.start, e.end, e.label) for i, pair in enumerate(corpus) for e in pair[side]}
        for side in (0, 1)
    )
    scores = of(corpus)
    assert scores.exact == counted(gold, predicted)
    assert scores.exact == sum(scores.documents, Score())
    assert scores.types == {
        label: counted({g for g in gold if g[3] == label}, {p for p in predicted if p[3] == label})
        for label in sorted({entity[3] for entity in gold | predicted})
    }


@FAST
@given(corpora)
def test_type_blind_scores_are_those_of_boundaries(corpus: Corpus) -> None:
    gold, predicted = (
        {(i, *e.span) for i, pair in enumerate(corpus) for e in pair[side]} for side in (0, 1)
    )
    assert of(corpus).type_blind == counted(gold, predicted)


@FAST
@given(corpora)
def test_overlap_scores_are_those_of_shared_characters(corpus: Corpus) -> None:
    def touching(ours: tuple[Entity, ...], theirs: tuple[Entity, ...]) -> int:
        marked = {(e.label, i) for e in theirs for i in range(e.start, e.end)}
        spans = {(e.label, e.start, e.end) for e in ours}
        return sum(any((label, i) in marked for i in range(a, b)) for label, a, b in spans)

    overlap = of(corpus).overlap
    assert overlap.right == sum(touching(predicted, gold) for gold, predicted in corpus)
    assert overlap.found == sum(touching(gold, predicted) for gold, predicted in corpus)
    assert (overlap.predicted, overlap.gold) == (of(corpus).exact.predicted, of(corpus).exact.gold)


@FAST
@given(corpora)
def test_gold_and_prediction_change_places_with_recall_and_precision(corpus: Corpus) -> None:
    here, there = of(corpus), of([(predicted, gold) for gold, predicted in corpus])
    for kind in ("exact", "type_blind", "overlap"):
        one, other = getattr(here, kind), getattr(there, kind)
        assert (one.precision, one.recall) == (other.recall, other.precision)
        assert one.f1 == pytest.approx(other.f1)


@FAST
@given(corpora)
def test_looser_scores_find_no_less(corpus: Corpus) -> None:
    scores = of(corpus)
    assert scores.exact.found <= scores.overlap.found
    assert scores.exact.right <= scores.overlap.right


@FAST
@given(corpora)
def test_gold_against_itself_is_perfect(corpus: Corpus) -> None:
    scores = of([(gold, gold) for gold, _ in corpus])
    perfect = float(any(gold for gold, _ in corpus))
    assert scores.exact.f1 == scores.type_blind.f1 == scores.overlap.f1 == perfect
    assert scores.macro_f1 == perfect


@FAST
@given(tag_pairs)
def test_exact_scores_equal_strict_seqeval(sentences: list[tuple[list[str], list[str]]]) -> None:
    gold, predicted = (list(side) for side in zip(*sentences, strict=True))
    exact = of_tags(sentences).exact
    if exact.gold + exact.predicted == 0:
        return
    expected = [
        metric(gold, predicted, mode="strict", scheme=IOB2, zero_division=0)
        for metric in (precision_score, recall_score, f1_score)
    ]
    assert [exact.precision, exact.recall, exact.f1] == pytest.approx(expected)


@FAST
@given(tag_pairs)
def test_type_blind_scores_equal_nervaluate(sentences: list[tuple[list[str], list[str]]]) -> None:
    gold, predicted = (list(side) for side in zip(*sentences, strict=True))
    evaluator = Evaluator(gold, predicted, tags=["A", "B"], loader="list")
    expected = evaluator.evaluate()["overall"]["exact"]
    blind = of_tags(sentences).type_blind
    assert (blind.right, blind.predicted, blind.gold) == (
        expected.correct,
        expected.actual,
        expected.possible,
    )
    assert (blind.precision, blind.recall, blind.f1) == pytest.approx(
        (expected.precision, expected.recall, expected.f1)
    )


def test_nested_entities_count_apart() -> None:
    gold = (Entity(0, 11, "A"), Entity(0, 3, "A"), Entity(8, 11, "B"))
    scores = of([(gold, (Entity(0, 11, "A"), Entity(0, 3, "B"), Entity(9, 11, "B")))])
    assert scores.exact == Score(predicted=3, right=1, gold=3, found=1)
    assert scores.type_blind == Score(predicted=3, right=2, gold=3, found=2)
    assert scores.overlap == Score(predicted=3, right=2, gold=3, found=3)


def test_macro_f1_is_the_mean_over_types_of_gold() -> None:
    gold = (Entity(0, 3, "A"), Entity(4, 7, "B"))
    scores = of([(gold, (Entity(0, 3, "A"), Entity(8, 11, "C")))])
    assert scores.macro_f1 == 0.5
    assert scores.exact.f1 == 0.5
    assert of([((), (Entity(0, 3, "A"),))]).macro_f1 == 0


@FAST
@given(corpora)
def test_recall_on_seen_and_unseen_names_parts_the_gold(corpus: Corpus) -> None:
    gold, predicted = zip(*corpus, strict=True)
    documents = [[Document(TEXT, e) for e in side] for side in (gold, predicted)]
    scores = score(*documents, known={"ada", "abc ada"})
    assert scores.seen is not None
    assert scores.unseen is not None
    assert scores.seen + scores.unseen == Score(gold=scores.exact.gold, found=scores.exact.found)
    surfaces = [TEXT[a:b] for e in gold for a, b, _ in {(*x.span, x.label) for x in e}]
    assert scores.seen.gold == sum(normal(s) in {"ada", "abc ada"} for s in surfaces)


def test_a_gazetteer_tells_seen_names() -> None:
    gold = [Document("ADA met  Bo", (Entity(0, 3, "P"), Entity(9, 11, "P")))]
    scores = score(gold, [Document(gold[0].text)], Gazetteer([Entry("Ada", "P")]))
    assert (scores.seen, scores.unseen) == (Score(gold=1), Score(gold=1))
    assert score(gold, gold).seen is None


def test_scores_are_told_in_percent() -> None:
    third = Score(predicted=3, right=1, gold=2, found=1)
    assert third.as_dict() | {"f1": 40.0, "precision": 33.33, "recall": 50.0} == third.as_dict()
    told = of([((Entity(0, 3, "A"),), (Entity(0, 3, "A"), Entity(0, 3, "B")))]).as_dict()
    assert told["exact"] == Score(2, 1, 1, 1).as_dict()
    assert told["type_blind"] == Score(1, 1, 1, 1).as_dict()
    assert told["macro_f1"] == 100
    assert told["seen_recall"] is None


def test_nothing_to_find_and_nothing_found_is_zero() -> None:
    assert (Score().precision, Score().recall, Score().f1) == (0, 0, 0)


def test_only_the_same_documents_can_be_compared() -> None:
    with pytest.raises(DataError, match="expected 1 predicted documents, got 0"):
        score([Document("a")], [])
    with pytest.raises(DataError, match="differ in text: 'a', 'b'"):
        score([Document("a")], [Document("b")])


def test_counts_of_parts_add_up_to_those_of_their_documents() -> None:
    entity = Entity(0, 3, "PER")
    gold = [Document("Ada", (entity,), group=group) for group in ("b", "a", "b", None)]
    found = [replace(gold[0], entities=()), *gold[1:]]
    groups = by_group(score(gold, found).documents, gold)
    assert [(part.gold, part.predicted) for part in groups] == [(2, 1), (1, 1), (1, 1)]
    assert sum(groups, Score()) == score(gold, found).exact


def test_a_name_is_the_same_in_any_case_and_spacing() -> None:
    assert normal("New\n  YORK") == normal("new york") == "new york"
    assert normal("newyork") != normal("new york")

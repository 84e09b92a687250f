"""Votes: the laws of each way to count them, and what EM learns about sources."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convener.dictionary.accuracy import dawid_skene
from convener.dictionary.opinions import NO_ENTITY, opinions
from convener.dictionary.rules import Source
from convener.dictionary.votes import By, Vote
from convener.errors import ConfigError
from convener.text.documents import Document, Entity, crossing

FAST = settings(deadline=None, max_examples=60)
TEXT = "aa bb cc dd ee"
WAYS: tuple[By, ...] = ("priority", "majority", "accuracy")
every_way = pytest.mark.parametrize("by", WAYS)

Spans = Sequence[tuple[int, int, str]]


def saying(name: str, *spans: tuple[int, int, str], covers: tuple[str, ...] = ()) -> Source:
    """A source that proposes the same of every document."""
    return Source(name, lambda _: [Entity(*span) for span in spans], covers)


def elected(by: By, *sources: Source, text: str = TEXT) -> list[tuple[int, int, str]]:
    """What a vote makes of one document."""
    (document,) = Vote(sources, by).label([Document(text)])
    return [(e.start, e.end, e.label) for e in document.entities]


words = [(0, 2), (3, 5), (6, 8), (9, 11), (12, 14)]
spans = st.builds(
    lambda first, length, label: (words[first][0], words[min(first + length, 4)][1], label),
    st.integers(0, 4),
    st.integers(0, 2),
    st.sampled_from(["PER", "LOC", "ORG"]),
)
answers = st.lists(spans, max_size=4, unique=True)
panels = st.lists(answers, min_size=1, max_size=4)


def flat(proposed: Spans) -> list[tuple[int, int, str]]:
    """Those spans that share no text with an earlier one of other boundaries."""
    kept: list[tuple[int, int, str]] = []
    for start, end, label in proposed:
        if all((s, e) == (start, end) or e <= start or end <= s for s, e, _ in kept):
            kept.append((start, end, label))
    return sorted(kept)


# laws


@every_way
@FAST
@given(panels)
def test_outcomes_are_flat_and_obey_the_offset_law(by: By, panel: list[Spans]) -> None:
    sources = [saying(str(number), *given) for number, given in enumerate(panel)]
    (document,) = Vote(sources, by).label([Document(TEXT, (Entity(0, 1, "OLD"),))])
    assert crossing(document.entities) is None
    for entity in document.entities:
        proposers = [
            str(number)
            for number, given in enumerate(panel)
            if (*entity.span, entity.label) in given
        ]
        assert entity.source == "+".join(proposers)
        assert proposers


@every_way
@FAST
@given(answers, st.integers(1, 4))
def test_the_union_of_unanimous_sources_is_what_they_say(
    by: By, proposed: Spans, size: int
) -> None:
    said = flat(proposed)
    sources = [saying(str(number), *said) for number in range(size)]
    assert elected(by, *sources) == said


@every_way
@FAST
@given(panels, st.integers(0, 4))
def test_a_source_that_abstains_changes_nothing(by: By, panel: list[Spans], place: int) -> None:
    sources = [saying(str(number), *given) for number, given in enumerate(panel)]
    joined = [*sources[:place], saying("silent"), *sources[place:]]
    assert elected(by, *joined) == elected(by, *sources)


@pytest.mark.parametrize("by", ["majority", "accuracy"])
@FAST
@given(panels, st.randoms(use_true_random=False))
def test_the_order_of_sources_does_not_matter(by: By, panel: list[Spans], random: object) -> None:
    sources = [saying(str(number), *given) for number, given in enumerate(panel)]
    shuffled = list(sources)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert list(Vote(shuffled, by).label([Document(TEXT)])) == list(
        Vote(sources, by).label([Document(TEXT)])
    )


def test_stretches_that_weigh_alike_are_told_apart_by_length_in_any_order() -> None:
    last = saying("a", (9, 14, "LOC"))
    many = saying("b", (0, 2, "ORG"), (0, 5, "PER"), (0, 8, "LOC"), (3, 11, "PER"))
    again = saying("c", (9, 14, "LOC"))
    found = {
        tuple(elected("accuracy", *order)) for order in itertools.permutations([last, many, again])
    }
    assert found == {((0, 8, "LOC"), (9, 14, "LOC"))}


@every_way
def test_other_parts_of_a_document_are_kept(by: By) -> None:
    before = Document(TEXT, (Entity(0, 2, "X"),), "7", "g", tuple(words), ((0, 2),), ("X",))
    (after,) = Vote([saying("a", (0, 2, "PER"))], by).label([before])
    expected = replace(before, entities=after.entities, unknown=(), types=None)
    assert after == expected
    assert list(Vote([saying("a")], by).label([])) == []


# ways to vote


def test_the_first_source_with_an_opinion_decides() -> None:
    first, second = saying("a", (0, 5, "PER")), saying("b", (0, 2, "LOC"), (6, 8, "LOC"))
    assert elected("priority", first, second) == [(0, 5, "PER"), (6, 8, "LOC")]
    assert elected("priority", second, first) == [(0, 2, "LOC"), (6, 8, "LOC")]


def test_silence_of_a_source_that_covers_a_type_is_an_opinion() -> None:
    covering, other = saying("a", covers=("LOC",)), saying("b", (0, 2, "LOC"), (6, 8, "PER"))
    assert elected("priority", covering, other) == [(6, 8, "PER")]
    assert elected("majority", covering, other) == [(0, 2, "LOC"), (6, 8, "PER")]
    assert elected("majority", covering, saying("c", covers=("LOC", "X")), other) == [(6, 8, "PER")]


@pytest.mark.parametrize("by", WAYS)
def test_a_source_that_breaks_abstains_even_if_it_covers(by: By) -> None:
    broken = Source("a", lambda _: [Entity(0, 99, "LOC")], ("LOC",))
    vote = Vote([broken, saying("b", (0, 2, "LOC"))], by)
    (document,) = vote.label([Document(TEXT)])
    assert [e.span for e in document.entities] == [(0, 2)]
    assert vote.report()[0].failures == 1


def test_the_majority_wins_and_ties_stay_ambiguous() -> None:
    per, loc = (0, 2, "PER"), (0, 2, "LOC")
    assert elected("majority", saying("a", per), saying("b", loc), saying("c", per)) == [per]
    assert elected("majority", saying("a", per), saying("b", loc)) == [loc, per]
    assert elected("accuracy", saying("a", per), saying("b", loc)) == [loc, per]
    assert elected("majority", saying("a", per, loc), saying("b", loc)) == [loc]


def test_boundaries_are_settled_by_weight_then_length() -> None:
    short, long = (0, 2, "PER"), (0, 5, "PER")
    assert elected("majority", saying("a", short), saying("b", long)) == [long]
    assert elected("majority", saying("a", short), saying("b", long), saying("c", short)) == [short]
    assert elected("majority", saying("a", (0, 5, "X"), (3, 8, "X"))) == [(0, 5, "X")]


def test_an_elected_entity_names_its_sources_and_keeps_an_id() -> None:
    with_id = Source("b", lambda _: [Entity(0, 2, "PER", 0.3, "Q1")])
    (document,) = Vote([saying("c", (0, 2, "PER")), with_id]).label([Document(TEXT)])
    assert document.entities == (Entity(0, 2, "PER", None, "Q1", "b+c"),)
    (document,) = Vote([saying("c", (0, 2, "PER")), with_id], "accuracy").label([Document(TEXT)])
    assert document.entities[0].score is not None
    assert 0.5 < document.entities[0].score <= 1


def test_opinions_on_a_stretch() -> None:
    given = ((Entity(0, 2, "PER"), Entity(0, 2, "LOC")), (Entity(0, 5, "ORG"),), (), None)
    nothing: frozenset[str] = frozenset()
    found = opinions(given, [nothing, nothing, frozenset({"ORG"}), frozenset({"ORG"})])
    assert found == {
        (0, 2): (frozenset({"PER", "LOC"}), NO_ENTITY, None, None),
        (0, 5): (NO_ENTITY, frozenset({"ORG"}), NO_ENTITY, None),
    }


@pytest.mark.parametrize(
    ("sources", "by", "expected"),
    [
        ([], "majority", "expected at least one source"),
        ([saying("a"), saying("a")], "majority", "2 sources are named 'a'"),
        ([saying("a")], "all", "expected a vote by priority, majority, accuracy, got 'all'"),
    ],
)
def test_a_vote_that_cannot_be_held(sources: list[Source], by: By, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        Vote(sources, by)


def test_only_accuracy_reads_all_documents_first() -> None:
    def endless() -> "object":
        while True:
            yield Document(TEXT)

    assert next(Vote([saying("a", (0, 2, "X"))]).label(endless())).entities  # type: ignore[arg-type]


def test_the_report_counts_what_sources_did() -> None:
    sources = [
        saying("a", (0, 2, "PER"), (6, 8, "LOC"), (9, 11, "LOC")),
        saying("b", (0, 2, "PER"), (6, 8, "ORG")),
        saying("c", (12, 14, "X")),
    ]
    vote = Vote(sources)
    list(vote.label([Document(TEXT)]))
    a, b, c = vote.report()
    assert (a.proposed, a.coverage, a.accuracy, a.failures) == (3, 3 / 4, None, 0)
    assert (a.overlap, a.conflicts) == (2 / 3, 1 / 3)
    assert (b.overlap, b.conflicts) == (1, 1 / 2)
    assert (c.name, c.proposed, c.overlap, c.conflicts) == ("c", 1, 0, 0)
    list(vote.label([]))
    assert vote.report()[0].proposed == 0


def test_accuracy_of_sources_is_learned_without_labels() -> None:
    rng = np.random.default_rng(0)
    documents = [Document(TEXT, id=str(number)) for number in range(400)]
    truth = {d.id: [str(rng.choice(["PER", "LOC", "ORG"])) for _ in words] for d in documents}

    def source(name: str, right: float) -> Source:
        given = {
            d.id: [
                Entity(*w, t if rng.random() < right else str(rng.choice(["PER", "LOC", "ORG"])))
                for w, t in zip(words, truth[d.id], strict=True)
                if rng.random() < 0.9
            ]
            for d in documents
        }
        return Source(name, lambda d: given[d.id])

    sources = [source("good", 0.95), source("fair", 0.8), source("bad", 0.1)]

    def score(by: By) -> float:
        vote = Vote(sources, by)
        labelled = list(vote.label(documents))
        if by == "accuracy":
            learned = [report.accuracy or 0 for report in vote.report()]
            assert learned == pytest.approx([0.967, 0.867, 0.4], abs=0.05)
        given = [[(e.span, e.label) for e in d.entities] for d in labelled]
        right = sum(
            (w, t) in g and sum(w == s for s, _ in g) == 1
            for d, g in zip(documents, given, strict=True)
            for w, t in zip(words, truth[d.id], strict=True)
        )
        return right / (len(documents) * len(words))

    assert score("accuracy") > score("majority") + 0.05


# EM


def simulated(
    matrices: NDArray[np.float64], items: int, coverage: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Answers (items, sources, classes) drawn from confusion matrices, and the truth."""
    rng = np.random.default_rng(seed)
    sources, classes, _ = matrices.shape
    truth = rng.integers(classes, size=items)
    given = np.zeros((items, sources, classes))
    for place, matrix in enumerate(matrices):
        chosen = [rng.choice(classes, p=matrix[y]) for y in truth]
        given[np.arange(items), place, chosen] = rng.random(items) < coverage
    return given, truth


def coin(accuracy: float, classes: int) -> NDArray[np.float64]:
    """The matrix of a source that errs evenly."""
    matrix = np.full((classes, classes), (1 - accuracy) / (classes - 1))
    np.fill_diagonal(matrix, accuracy)
    return matrix


@pytest.mark.parametrize("seed", range(3))
def test_em_recovers_the_accuracies_of_coins_within_three_points(seed: int) -> None:
    accuracies = [0.95, 0.85, 0.7, 0.6, 0.4]
    given, _ = simulated(np.stack([coin(a, 4) for a in accuracies]), 4000, 0.6, seed)
    fit = dawid_skene(given, coins=np.ones(5, dtype=bool))
    assert fit.confusion[:, 0, 0] == pytest.approx(accuracies, abs=0.03)


def test_em_recovers_whole_matrices_within_five_points() -> None:
    matrices = np.stack([coin(0.9, 3), coin(0.8, 3), coin(0.7, 3)])
    matrices[0, 1] = [0.5, 0.4, 0.1]  # the first source takes class 1 for class 0
    given, _ = simulated(matrices, 8000, 0.9, 1)
    fit = dawid_skene(given)
    assert fit.confusion == pytest.approx(matrices, abs=0.05)
    assert fit.prior == pytest.approx(np.full(3, 1 / 3), abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_em_beats_the_majority_when_sources_are_bad(seed: int) -> None:
    given, truth = simulated(np.stack([coin(a, 3) for a in (0.95, 0.9, 0.4, 0.35)]), 2000, 1, seed)
    em = dawid_skene(given).posterior.argmax(axis=1)
    majority = given.sum(axis=1).argmax(axis=1)
    assert (em == truth).mean() > (majority == truth).mean() + 0.05


cases = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@FAST
@given(cases, st.integers(1, 12), st.integers(1, 4), st.integers(1, 4))
def test_the_likelihood_never_falls(
    rng: np.random.Generator, items: int, sources: int, classes: int
) -> None:
    given = rng.random((items, sources, classes)) * (rng.random((items, sources, classes)) < 0.5)
    total = given.sum(axis=2, keepdims=True)
    given = np.divide(given, total, out=np.zeros_like(given), where=total > 0)
    fit = dawid_skene(given, rng.random(sources) < 0.5, rng.random(items) * 100)
    steps = np.diff(fit.likelihoods)
    assert (steps >= -1e-9 * abs(fit.likelihoods[0])).all()
    for distribution in (fit.prior, fit.confusion, fit.posterior):
        assert distribution.sum(axis=-1) == pytest.approx(1)


@FAST
@given(cases)
def test_em_ignores_silent_sources_order_and_repetition(rng: np.random.Generator) -> None:
    given = np.eye(3)[rng.integers(3, size=(20, 3))] * (rng.random((20, 3, 1)) < 0.8)
    coins = np.array([True, False, False])
    fit = dawid_skene(given, coins)
    order = rng.permutation(3)
    shuffled = dawid_skene(given[:, order], coins[order])
    assert shuffled.posterior == pytest.approx(fit.posterior, abs=1e-6)
    silent = dawid_skene(
        np.concatenate([given, np.zeros((20, 1, 3))], axis=1), np.append(coins, 0) > 0
    )
    assert silent.posterior == pytest.approx(fit.posterior, abs=1e-6)
    twice = dawid_skene(np.concatenate([given, given]), coins)
    weighted = dawid_skene(given, coins, np.full(20, 2.0))
    assert weighted.posterior == pytest.approx(twice.posterior[:20], abs=1e-6)


def test_em_is_deterministic() -> None:
    given, _ = simulated(np.stack([coin(0.8, 3)] * 3), 300, 0.7, 0)
    assert np.array_equal(dawid_skene(given).posterior, dawid_skene(given).posterior)


def test_a_rule_for_a_rare_type_is_not_taken_for_noise() -> None:
    rare = [saying("rare", (0, 2, "RARE")), saying("common", (3, 5, "PER"), (6, 8, "PER"))]
    vote = Vote(rare, "accuracy")
    labelled = list(vote.label(Document(TEXT) for _ in range(500)))
    assert all(len(document.entities) == 3 for document in labelled)
    assert min(report.accuracy or 0 for report in vote.report()) > 0.8


@pytest.mark.parametrize("dose", [(9, 11, "DOSE"), (3, 5, "DOSE")])
@pytest.mark.parametrize("covers", [(), ("DOSE",)])
def test_what_nobody_comments_on_is_believed(
    dose: tuple[int, int, str], covers: tuple[str, ...]
) -> None:
    """A dictionary with an ambiguous name, beside rules of a few words and a common one."""

    def names(document: Document) -> list[Entity]:
        number = int(document.id or "0")
        kinds = [["DRUG", "TEST"], ["DRUG"], ["DISEASE"], []][number % 4]
        return [Entity(0, 2, kind) for kind in kinds]

    def half(document: Document) -> list[Entity]:
        return [Entity(*dose)] if int(document.id or "0") % 3 == 0 else []

    sources = [
        Source("dictionary", names),
        Source("suffix", lambda d: [e for e in names(d) if d.id == "1"]),
        Source("doses", half, covers),
    ]
    vote = Vote(sources, "accuracy")
    labelled = list(vote.label(Document(TEXT, id=str(i)) for i in range(300)))
    found = [{e.label for e in d.entities if e.start == 0} for d in labelled]
    assert found == [{e.label for e in names(d)} for d in labelled]
    assert min(report.accuracy or 0 for report in vote.report()) > 0.7


def test_silence_where_a_source_covers_its_type_teaches() -> None:
    """What one source names and a source that covers the type does not is no entity."""
    real, more = range(20), range(60)

    def naming(which: range, covers: tuple[str, ...] = ()) -> Source:
        def propose(document: Document) -> list[Entity]:
            return [Entity(0, 2, "PER")] if int(document.id or "0") in which else []

        return Source("precise" if covers else "rash", propose, covers)

    vote = Vote([naming(real, ("PER",)), naming(more)], "accuracy")
    labelled = list(vote.label(Document(TEXT, id=str(i)) for i in range(200)))
    assert [i for i, document in enumerate(labelled) if document.entities] == list(real)


def test_an_ambiguous_answer_is_one_vote_in_all() -> None:
    both = saying("a", (0, 2, "PER"), (0, 2, "LOC"))
    assert elected("majority", both, saying("b", (0, 2, "ORG"))) == [(0, 2, "ORG")]


def test_an_answer_that_others_deny_weighs_less() -> None:
    long, inner = (0, 5, "PER"), (3, 5, "PER")
    sources = [saying("a", long), saying("b", inner), saying("c", inner)]
    assert elected("majority", *sources) == [inner]

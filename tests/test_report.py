"""The report: one safe HTML file with every number written out, and mistakes told exactly."""

from collections import Counter
from html.parser import HTMLParser
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.errors import DataError
from convener.evaluation.report import Matrix, Mistake, mistakes, render
from convener.evaluation.scores import score
from convener.text.documents import Document, Entity

FAST = settings(deadline=None, max_examples=100)
TEXT = "Zoe\u0308 met 👩‍💻 Bo\r\nin كايرو."
HOSTILE = '<script>alert("1")</script>&amp;'
VOID = {"meta"}

entities = st.lists(
    st.builds(
        lambda start, size, label: Entity(start, min(start + size, len(TEXT)), label),
        st.integers(0, len(TEXT) - 1),
        st.integers(1, 4),
        st.sampled_from("ABC"),
    ),
    max_size=8,
).map(tuple)
corpora = st.lists(st.tuples(entities, entities, st.sampled_from(["x", "y", None])), max_size=6)
Corpus = list[tuple[tuple[Entity, ...], tuple[Entity, ...], str | None]]


class Page(HTMLParser):
    """A page whose tags are in balance: its elements, in order, and the text in each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, list[str]]] = []
        self.elements: list[tuple[str, list[str]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, []))
            self.elements.append(self.open[-1])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag
        if tag in {"dt", "dd", "li", "p", "td", "th"}:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for _, texts in self.open:
            texts.append(data)

    def under(self, tag: str) -> list[str]:
        """The text in each element of a kind, white space folded."""
        return [" ".join("".join(texts).split()) for name, texts in self.elements if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return self.under("body")[0]


def corpus() -> tuple[list[Document], list[Document]]:
    """Two hundred gold entities, one of a rare type, and each kind of mistake."""
    text = "Ada met Bo. " * 50
    gold = tuple(
        Entity(12 * i + a, 12 * i + b, label)
        for i in range(50)
        for a, b, label in ((0, 3, "PER"), (8, 10, "PER"), (4, 7, "ACT"), (0, 10, "CLAUSE"))
    )
    rare = Entity(10, 11, "RARE")
    found = (*gold[2:], Entity(0, 3, "ACT"), Entity(3, 4, "GAP"))
    return [Document(text, (*gold, rare))], [Document(text, found)]


def full_report() -> str:
    gold, predicted = corpus()
    matrix = Matrix("Attention", ("PER", "ACT"), [[0.875, 0.125], [0.5, 0.5]], "Which at which.")
    return render(
        "drugs on test",
        score(gold, predicted, {"ada"}),
        (0.91234, 0.99876),
        mistakes(gold, predicted),
        matrix,
    )


def hostile_report() -> str:
    text = 3 * HOSTILE
    span = (len(HOSTILE), 2 * len(HOSTILE))
    gold, predicted = Document(text, (Entity(*span, HOSTILE),)), Document(text)
    shown = [
        Mistake(text, *span, HOSTILE, None),
        Mistake(text, *span, None, HOSTILE),
        Mistake(text, *span, HOSTILE, "B"),
    ]
    matrix = Matrix(HOSTILE, (HOSTILE,), [[1.0]], HOSTILE)
    return render(HOSTILE, score([gold], [predicted]), (0, 1), shown, matrix)


@pytest.fixture(params=[full_report, hostile_report])
def html(request: pytest.FixtureRequest) -> str:
    """A report with everything in it, and one whose every name and text is an attack."""
    return str(request.param())


def test_a_report_stands_alone(html: str) -> None:
    assert html.startswith("<!DOCTYPE html>\n<html ")
    for trace in ("http://", "https://", "src=", "href=", "url(", "@import", "<script", "<link"):
        assert trace not in html.lower()
    page = Page(html)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_a_report_can_be_read_by_eye_ear_and_phone(html: str) -> None:
    page = Page(html)
    assert page.attributes("html") == [{"lang": "en"}]
    assert page.under("title") == page.under("h1")
    assert {"charset": "utf-8"} in page.attributes("meta")
    assert any(meta.get("name") == "viewport" for meta in page.attributes("meta"))
    assert "prefers-color-scheme: dark" in html
    assert len(page.under("caption")) == len(page.under("table"))
    assert all(page.under("caption"))
    assert all(th.get("scope") in ("row", "col") for th in page.attributes("th"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    assert set(named) == set(ids)


def test_scores_are_written_out() -> None:
    page = Page(full_report())
    for shown in (
        "F1 98.75",
        "95 % interval 91.23 to 99.88",
        "Macro F1 74.50",
        "exact 99.00 98.51 98.75 201",
        "type-blind 99.50 99.00 99.25 201",
        "overlap 99.00 98.51 98.75 201",
        "PER 100.00 98.00 98.99 100",
        "ACT 98.04 100.00 99.01 50",
        "RARE rare 0.00 0.00 0.00 1",
        "GAP not in gold 0.00 0.00 0.00 0",
        "fewer than 1 % of the gold entities, so that their scores say little: RARE. ",
        " listed 98.00 49 50",
        "not listed 98.68 149 151",
    ):
        assert shown in page.text


def test_sections_without_data_are_left_out() -> None:
    gold, _ = corpus()
    page = Page(render("perfect", score(gold, gold), (1, 1)))
    assert page.under("h2") == ["Scores"]
    assert len(page.under("table")) == 2
    assert "100.00 to 100.00" in page.text
    assert Page(render("nothing", score([], []), (0, 0))).under("h1") == ["nothing"]


def test_what_users_give_is_escaped() -> None:
    page = Page(hostile_report())
    assert page.under("title") == page.under("h1") == page.under("h2")[-1:] == [HOSTILE]
    assert page.under("mark") == [HOSTILE] * 3
    assert page.under("bdi").count(HOSTILE) == 6
    assert page.under("p").count(HOSTILE) == 1
    assert page.under("p").count(3 * HOSTILE) == 3


def test_the_numbers_of_the_matrix_are_written_out() -> None:
    page = Page(full_report())
    assert page.under("h2")[-1] == "Attention"
    assert "Which at which." in page.text
    assert page.text.endswith("PER ACT PER 0.88 0.12 ACT 0.50 0.50")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 0.0]], r"expected 2 rows of 2 values, got rows of \[2\]"),
        ([[1.0, 0.0], [1.0]], r"got rows of \[2, 1\]"),
        ([[1.0, 0.0], [0.5, 0.2]], "sum to 1 in row 'B', got a sum of 0.7"),
        ([[2.0, -1.0], [0.5, 0.5]], "row 'A'"),
        ([[float("nan"), 0.5], [0.5, 0.5]], "row 'A'"),
    ],
)
def test_a_matrix_holds_shares(values: list[list[float]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Matrix("t", ("A", "B"), values, "n")


@pytest.mark.parametrize("length", [0, 79, 80, 81, 500])
def test_up_to_eighty_characters_surround_a_mistake(length: int) -> None:
    left, right = "l" * length, "r" * length
    mistake = Mistake(f"{left}SPAN{right}", length, length + 4, "A", None)
    html = render("t", score([], []), (0, 0), [mistake])
    cut = "…" if length > 80 else ""
    assert f">{cut}{left[:80]}<mark>SPAN</mark>{right[:80]}{cut}<" in html


def test_each_kind_of_mistake_is_named() -> None:
    page = Page(full_report())
    assert "3 of 201 gold entities were not found exactly" in page.text
    assert "2 of 200 predictions are wrong" in page.text
    assert "Shown here: 2 missed, 1 relabelled, 1 spurious." in page.text
    assert "relabelled gold PER found ACT" in page.text
    assert "spurious found GAP" in page.text
    assert page.under("mark") == ["Ada", "", "Bo", "."]


def both(pairs: Corpus) -> tuple[list[Document], list[Document]]:
    return (
        [Document(TEXT, gold, group=group) for gold, _, group in pairs],
        [Document(TEXT, found, group=group) for _, found, group in pairs],
    )


@FAST
@given(corpora)
def test_mistakes_are_where_the_sets_of_spans_differ(pairs: Corpus) -> None:
    missing, extra, kinds = 0, 0, Counter[str]()
    for gold, found, _ in pairs:
        wanted, given_ = ({(*e.span, e.label) for e in side} for side in (gold, found))
        here = mistakes([Document(TEXT, gold)], [Document(TEXT, found)], limit=99)
        assert {(m.start, m.end, m.gold) for m in here if m.gold is not None} == wanted - given_
        assert {(m.start, m.end, m.found) for m in here if m.found is not None} == given_ - wanted
        for start, end in {(m.start, m.end) for m in here}:
            there = {m.kind for m in here if (m.start, m.end) == (start, end)}
            assert not there >= {"missed", "spurious"}
        missing, extra = missing + len(wanted - given_), extra + len(given_ - wanted)
        kinds.update(m.kind for m in here)
    everything = mistakes(*both(pairs), limit=999)
    assert Counter(m.kind for m in everything) == kinds
    assert kinds["missed"] + kinds["relabelled"] == missing
    assert kinds["spurious"] + kinds["relabelled"] == extra
    exact = score(*both(pairs)).exact
    assert (missing, extra) == (exact.gold - exact.found, exact.predicted - exact.right)


@FAST
@given(corpora, st.integers(0, 12))
def test_mistakes_are_a_bounded_choice_in_document_order(pairs: Corpus, limit: int) -> None:
    gold, predicted = (
        [Document(f"{i}{TEXT}", d.entities, group=d.group) for i, d in enumerate(side)]
        for side in both(pairs)
    )
    everything = mistakes(gold, predicted, limit=999)
    chosen = mistakes(gold, predicted, limit)
    assert len(chosen) == min(limit, len(everything))
    places = [everything.index(mistake) for mistake in chosen]
    assert places == sorted(set(places))
    texts = [document.text for document in gold]
    order = [(texts.index(m.text), m.start, m.end) for m in everything]
    assert order == sorted(order)
    assert all(m.text[m.start : m.end] for m in everything)


@FAST
@given(corpora, st.randoms(use_true_random=False), st.integers(0, 12))
def test_mistakes_do_not_depend_on_the_order_of_entities(
    pairs: Corpus, random: Random, limit: int
) -> None:
    shuffled = [
        (tuple(random.sample(gold, len(gold))), tuple(reversed(found)), group)
        for gold, found, group in pairs
    ]
    assert mistakes(*both(pairs), limit) == mistakes(*both(shuffled), limit)


def test_a_choice_of_mistakes_is_spread_over_real_documents() -> None:
    def sentence(name: str, count: int, group: str | None = None) -> Document:
        return Document(name * 9, tuple(Entity(i, i + 1, "A") for i in range(count)), group=group)

    gold = [sentence("a", 9), sentence("b", 1), sentence("c", 4, "g"), sentence("d", 4, "g")]
    predicted = [Document(document.text, group=document.group) for document in gold]

    def shares(limit: int) -> Counter[str]:
        return Counter(m.text[0] for m in mistakes(gold, predicted, limit))

    assert shares(7) == {"a": 3, "b": 1, "c": 1, "d": 2}
    assert shares(3) == {"a": 1, "b": 1, "d": 1}
    assert shares(17) == {"a": 8, "b": 1, "c": 4, "d": 4}
    first = [mistake.start for mistake in mistakes(gold[:1], predicted[:1], 3)]
    assert first == [1, 4, 7]


def test_types_that_gold_was_not_searched_for_are_no_mistakes() -> None:
    found = [Document("Rome", (Entity(0, 4, "LOC"), Entity(0, 4, "FILM")))]
    gold = [Document("Rome", (Entity(0, 4, "LOC"),), types=("LOC",))]
    assert mistakes(gold, found) == []
    assert mistakes([Document("Rome", types=("LOC",))], found) == [
        Mistake("Rome", 0, 4, None, "LOC")
    ]


def test_mistakes_need_the_same_documents() -> None:
    for predicted in ([], [Document("b")]):
        with pytest.raises(DataError, match="expected predictions on the documents of gold"):
            mistakes([Document("a")], predicted)


def test_the_same_input_gives_the_same_report() -> None:
    assert full_report() == full_report()

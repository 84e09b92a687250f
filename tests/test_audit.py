"""The audit of a dictionary: counts equal to counting by hand, troubles named, gold respected."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.dictionary import Entry, Gazetteer, Labeller
from convener.dictionary.audit import Audit, Record, audit, in_context
from convener.errors import DataError
from convener.evaluation.page import Section, render
from convener.evaluation.scores import score
from convener.text.documents import Document, Entity
from convener.text.formats import write
from tests.program import convener, refusal

NAMES = Gazetteer(
    [
        Entry("May", "PER"),
        Entry("May", "DATE"),
        Entry("York", "LOC"),
        Entry("New York", "LOC"),
        Entry("Bath", "LOC", case="ignore"),
        Entry("Oslo", "LOC"),
    ]
)
TEXTS = (
    "May met May in New York .",
    "It may rain and may snow , or may not .",
    "A bath in bath , a bath in Bath .",
)


def of(*texts: str, gold: list[Document] | None = None) -> Audit:
    return audit([Document(text) for text in texts], NAMES, gold)


def names(records: list[Record]) -> list[tuple[str, str]]:
    return [(record.surface, record.label) for record in records]


def test_every_kind_of_trouble_is_found() -> None:
    result = of(*TEXTS)
    assert [[r.label for r in records] for records in result.ambiguous()] == [["PER", "DATE"]]
    assert names(result.ordinary_words()) == [("May", "DATE"), ("May", "PER")]
    assert names(result.in_lower_case()) == [("Bath", "LOC")]
    assert names(result.always_hidden()) == [("York", "LOC")]
    assert [entry.surface for entry in result.absent] == ["Oslo"]
    most = result.most_frequent()[0]
    assert (most.surface, most.matches, most.in_lower_case) == ("Bath", 4, 3)
    assert most.examples[1] == ("A bath in ", "bath", " , a bath in Bath .")


def test_names_that_are_written_small_are_told_from_words() -> None:
    listed = [Entry("May", "PER"), Entry("Warfarin", "DRUG"), Entry("Asthma", "DIS", case="ignore")]
    texts = ["Warfarin or warfarin , may he take warfarin ?", "asthma , ASPIRIN and oslo"]
    result = audit(map(Document, texts), Gazetteer([*listed, Entry("Oslo", "LOC")]))
    assert {e.surface: n for e, n in result.passed_over.items()} == {"Warfarin": 2, "Oslo": 1}
    assert result.ordinary_words() == []


def test_gold_tells_which_names_are_wrong() -> None:
    gold = [
        Document(TEXTS[0], (Entity(0, 3, "PER"), Entity(8, 11, "PER"), Entity(15, 23, "LOC"))),
        Document(TEXTS[1]),
        Document(TEXTS[2], (Entity(27, 31, "LOC"), Entity(0, 1, "PER"))),
    ]
    result = of(*TEXTS, gold=gold)
    assert names(result.least_precise()) == [("Bath", "LOC"), ("May", "DATE")]
    assert result.precision == pytest.approx(4 / 9)
    assert result.recall == pytest.approx(4 / 5)
    bath = result.records["Bath", "LOC"]
    assert (bath.judged, bath.right) == (4, 1)
    assert bath.precision(0.5) == pytest.approx((1 + 2 * 0.5) / (4 + 2))


def test_a_name_that_gold_never_judged_is_expected_to_be_like_the_others() -> None:
    assert Record("Lima", "LOC").precision(0.7) == pytest.approx(0.7)


def test_other_sources_that_disagree_are_counted() -> None:
    said = Document("May in York", (Entity(0, 3, "MISC", source="rule"), Entity(7, 11, "LOC")))
    conflicts = audit([said], NAMES).conflicts
    assert conflicts == {("rule: MISC", "PER"): 1, ("rule: MISC", "DATE"): 1}


@pytest.mark.parametrize(
    "gold",
    [[], [Document("other")], [Document(TEXTS[0]), Document(TEXTS[0])]],
    ids=["fewer", "other text", "more"],
)
def test_gold_of_other_documents_is_refused(gold: list[Document]) -> None:
    with pytest.raises(DataError, match=r"^expected gold for .*, got "):
        of(TEXTS[0], gold=gold)


words = st.lists(
    st.sampled_from(["May", "may", "York", "New", "Bath", "bath", ",", "rain"]), max_size=12
)


@settings(deadline=None, max_examples=60)
@given(st.lists(words.map(" ".join), min_size=1, max_size=4))
def test_counts_are_those_of_labelling(texts: list[str]) -> None:
    documents = [Document(text) for text in texts]
    labelled = [Labeller(NAMES)(document) for document in documents]
    result = audit(documents, NAMES, gold=labelled)
    for (surface, label), record in result.records.items():
        mine = [
            entity
            for document in labelled
            for entity in document.entities
            if entity.label == label and document.surface(entity).lower() == surface.lower()
        ]
        assert record.matches == len(mine) == record.right
    by_gold = score(labelled, labelled).exact
    assert result.recall == (1.0 if by_gold.gold else 0.0)
    assert {(e.surface, e.label) for e in result.absent}.isdisjoint(result.records)


@given(st.text(max_size=30), st.integers(0, 30), st.integers(1, 9))
def test_contexts_are_of_one_line(text: str, start: int, size: int) -> None:
    document = Document(text + "x" * 40)
    parts = in_context(document, start, start + size)
    assert "".join(parts) in document.text.replace("\n", " ").replace("\r", " ")
    assert len(parts[1]) == size
    assert not {"\n", "\r"} & set("".join(parts))


def test_what_users_wrote_stands_escaped_on_the_page() -> None:
    cells = ["<b>", 3, [("<i>", "<u>", "&")]]
    page = render("<t>", ["<p>"], [Section("<h>", "<n>", ("<c>", "n", "e"), [cells])])
    for tag in ("<b>", "<i>", "<u>", "<t>", "<h>", "<n>", "<c>"):
        assert tag not in page
        assert tag.replace("<", "&lt;").replace(">", "&gt;") in page
    assert "http" not in page.replace("http-equiv", "")
    empty = render("t", [], [Section("gone", "n", ("a",), [])])
    assert "gone" not in empty


def test_a_folder_of_texts_is_audited(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("Aspirin at night.\n")
    (tmp_path / "names.csv").write_text("aspirin,DRUG\n")
    shown = convener("audit", tmp_path / "notes", tmp_path / "names.csv").stdout
    assert "matches: 1" in shown


def test_the_command_shows_trouble_and_writes_a_page(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("May,PER\nMay,DATE\nOslo,LOC\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    gold = [Document(TEXTS[0], (Entity(0, 3, "PER"),)), *map(Document, TEXTS[1:])]
    write(tmp_path / "gold.jsonl", gold)
    page = tmp_path / "audit.html"
    done = convener(
        "audit",
        tmp_path / "notes.txt",
        tmp_path / "names.csv",
        f"--gold={tmp_path / 'gold.jsonl'}",
        f"--report={page}",
    )
    assert "names that never match: 1, such as Oslo" in done.stdout
    assert "passed over" not in done.stdout
    (tmp_path / "more.txt").write_text("bath in oslo", encoding="utf-8")
    said = convener("audit", tmp_path / "more.txt", tmp_path / "names.csv").stdout
    assert "in lower case that are passed over: 1, 1 times, such as Oslo: --case ignore" in said
    assert "by gold: precision 25.0 %, recall 100.0 %" in done.stdout
    for heading in ("Several types", "Also an ordinary word", "Wrong most often"):
        assert heading in done.stdout
        assert f"<h2>{heading}</h2>" in page.read_text(encoding="utf-8")
    write(tmp_path / "gold.jsonl", gold[1:])
    line = refusal(
        "audit",
        tmp_path / "notes.txt",
        tmp_path / "names.csv",
        f"--gold={tmp_path / 'gold.jsonl'}",
    )
    assert "give the same documents in the same order" in line

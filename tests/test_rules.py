"""Rules: what each kind proposes, and that none of them can stop the work."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.dictionary.patterns import Pattern, read_rules
from convener.dictionary.rules import Source, expression, model, parts_of_speech, rule
from convener.errors import DataError
from convener.text.documents import Document, Entity
from convener.text.tokens import SHAPES
from tests.test_architecture import PROJECT

FAST = settings(deadline=None, max_examples=80)
BLOWS_UP = r"(?:a|aa)+$"


def surfaces(source: Source, text: str) -> list[str]:
    """What a source finds in a text."""
    document = Document(text)
    return [document.surface(entity) for entity in source(document) or ()]


# regular expressions


def test_an_expression_finds_all_that_it_matches() -> None:
    doses = expression("DOSE", r"\d+ ?mg", "doses")
    assert doses(Document("20 mg, then 5mg")) == (
        Entity(0, 5, "DOSE", source="doses"),
        Entity(12, 15, "DOSE", source="doses"),
    )


@pytest.mark.parametrize("pattern", ["z", "", "x*", r"\b", "(?=a)"])
def test_an_expression_without_a_match_or_with_empty_ones_finds_nothing(pattern: str) -> None:
    source = expression("X", pattern, "nothing")
    assert source(Document("a b")) == ()
    assert source.failures == 0


def test_an_expression_that_blows_up_is_stopped_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convener.dictionary.rules.SECONDS", 0.05)
    source = expression("X", BLOWS_UP, "greedy")
    answers = [source(Document(text, id=text[:3])) for text in ("aaa", "a" * 99 + "b", "aa")]
    assert answers == [
        (Entity(0, 3, "X", source="greedy"),),
        None,
        (Entity(0, 2, "X", None, None, "greedy"),),
    ]
    assert source.failures == 1
    assert source.first_failure == (
        "source 'greedy' failed on document 'aaa': the expression took more than 0.05 s: "
        "avoid one repetition inside another, such as (a+)+"
    )


def test_a_broken_expression_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected a regular expression, got '\(a': missing \)"):
        expression("X", "(a", "broken")


def test_a_text_of_a_million_characters_is_read_in_time() -> None:
    text = "Mr Smith took 20 mg of aspirin. " * 31_250
    start = time.process_time()
    assert len(surfaces(expression("DOSE", r"\d+ mg", "doses"), text)) == 31_250
    titles = Pattern(label="PER", before=["Mr"], shape=["title"]).source("titles")
    assert len(surfaces(titles, text)) == 31_250
    assert time.process_time() - start < 60


# patterns of words


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ({"shape": ["title"]}, "we saw Ada King in Rome", ["Ada King", "Rome"]),
        ({"shape": ["title", "upper"]}, "Ada NASA x", ["Ada NASA"]),
        ({"shape": ["title"], "longest": 2}, "Ada King x Big Bold New Deal", ["Ada King"]),
        ({"suffix": ["mab", "nib"]}, "Erlotinib or Rituximab, mabel", ["Erlotinib", "Rituximab"]),
        ({"prefix": ["cef"]}, "Cefalexin xcef", ["Cefalexin"]),
        ({"prefix": ["a"], "suffix": ["n"]}, "aspirin a an", ["aspirin", "an"]),
        ({"words": ["red", "blue"]}, "Red blue green", ["Red blue"]),
        ({"words": ["may"], "shape": ["title"]}, "May may", ["May"]),
        ({"before": ["Dr", "Mr."], "shape": ["title"]}, "Dr Al, Mr. Bob, Eve", ["Al", "Bob"]),
        ({"before": ["lives in"], "shape": ["title"]}, "Ada lives  in Rome; in Oslo", ["Rome"]),
        ({"after": ["Inc", "Ltd"], "shape": ["title"]}, "Acme Foods Inc, Acme", ["Acme Foods"]),
        ({"before": ["at"], "after": ["Inc"], "shape": ["title"]}, "at Acme Inc at Bolt", ["Acme"]),
        ({"before": ["Mr", "Dr"], "shape": ["title"]}, "Mr Dr King", ["King"]),
        ({"before": ["Mr"], "shape": ["title"]}, "Mr", []),
        ({"words": ["café"]}, "Cafe\u0301 CAFÉ cafe", ["Cafe\u0301 CAFÉ"]),
        ({"before": ["Señor"], "shape": ["title"]}, "Sen\u0303or Paz, Señor Lee", ["Paz", "Lee"]),
        ({"shape": ["title"]}, "", []),
    ],
)  # fmt: skip
def test_a_pattern_finds(pattern: dict[str, Any], text: str, found: list[str]) -> None:
    assert surfaces(Pattern(label="X", **pattern).source("rule"), text) == found


def test_a_cue_is_the_same_however_the_document_cuts_words() -> None:
    source = Pattern(label="PER", before=["Mr."], shape=["title"]).source("rule")
    own = Document("Mr. Bob", tokens=((0, 3), (4, 7)))
    assert source(own) == source(Document("Mr. Bob")) == (Entity(4, 7, "PER", source="rule"),)


@FAST
@given(
    st.text(max_size=40),
    st.lists(st.sampled_from(SHAPES), min_size=1),
    st.lists(st.sampled_from(["a", "Mr", "."])),
    st.integers(1, 3),
)
def test_patterns_obey_the_offset_law(
    text: str, shapes: list[str], before: list[str], longest: int
) -> None:
    document = Document(text)
    source = Pattern(label="X", shape=shapes, before=before, longest=longest).source("rule")
    found = source(document)
    assert found is not None
    assert source.failures == 0
    words = document.words()
    for entity in found:
        inside = [word for word in words if entity.start <= word[0] < entity.end]
        assert 1 <= len(inside) <= longest
        assert (inside[0][0], inside[-1][1]) == entity.span


# files of rules


def written(folder: Path, content: object) -> Path:
    path = folder / "rules.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_file_of_rules(tmp_path: Path) -> None:
    items = [
        {"label": "PER", "before": ["Dr"], "shape": ["title"], "longest": 3},
        {"label": "DOSE", "expression": r"\d+ mg", "name": "doses", "covers": True},
    ]
    people, doses = read_rules(written(tmp_path, items))
    assert (people.name, people.covers) == ("PER rule 1", ())
    assert (doses.name, doses.covers) == ("doses", ("DOSE",))
    assert surfaces(people, "Dr Ada King took 20 mg") == ["Ada King"]
    assert surfaces(doses, "Dr Ada King took 20 mg") == ["20 mg"]


def test_the_rules_on_the_page_are_read(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "rules.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", page, re.S)
    assert read_rules(written(tmp_path, block))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[{]", "expected a JSON list of rules such as"),
        ({"label": "X"}, "expected a JSON list of rules such as"),
        ([{"expression": "a"}], "rule 1: expected 'label'"),
        ([{"label": "X", "expression": "(a"}], r"rule 1: expected a regular expression, got '\(a'"),
        ([{"label": "X", "expression": "a", "shape": ["title"]}], "rule 1: shape: nothing"),
        ([{"label": "X", "shapes": ["title"]}], "rule 1: shapes: nothing of this name"),
        ([{"label": "X", "shape": ["tall"]}], r"rule 1: shape.0: expected a shape \(other, lower"),
        ([{"label": "X", "shape": "title"}], "rule 1: shape: expected a valid list"),
        ([{"label": "X", "before": ["Mr"]}], "rule 1: expected an expression, or one of shape"),
        ([{"label": "X", "words": [" "]}], "rule 1: words.0: String should match"),
        ([{"label": "X", "words": ["New York"]}], "rule 1: expected single words, got 'New York'"),
        ([{"label": "X", "words": ["a"], "longest": 0}], "rule 1: longest: expected"),
        ([{"label": "X", "words": ["a"], "name": "n"}] * 2, "rule 2: two rules are named 'n'"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_named_in_one_line(tmp_path: Path, content: object, expected: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=expected) as caught:
        read_rules(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rules.json: no such file"):
        read_rules(tmp_path / "rules.json")
    (tmp_path / "rules.json").write_bytes(b"\xff")
    with pytest.raises(DataError, match="expected UTF-8 text"):
        read_rules(tmp_path / "rules.json")


# Python functions


def test_a_function_proposes_spans_with_or_without_a_label() -> None:
    @rule("PER")
    def mixed(document: Document) -> Iterator[tuple[int, int] | tuple[int, int, str]]:
        yield 0, 3
        yield 4, 8, "LOC"

    assert mixed(Document("Ada Rome")) == (
        Entity(0, 3, "PER", source="mixed"),
        Entity(4, 8, "LOC", source="mixed"),
    )


def failing(document: Document) -> list[tuple[int, int]]:
    raise ValueError("two\nlines")


def outside(document: Document) -> list[tuple[int, int]]:
    return [(0, 1), (0, 99)]


def empty(document: Document) -> list[tuple[int, int]]:
    return [(1, 1)]


def unlabelled(document: Document) -> Any:
    return [(0, 1, "")]


def shapeless(document: Document) -> Any:
    return ["ab"]


def nothing(document: Document) -> Any:
    return None


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (failing, "ValueError: two lines"),
        (outside, "entity 'X' at 0-99 is outside its text: expected 0 <= start < end <= 3"),
        (empty, "entity 'X' at 1-1 is outside its text"),
        (unlabelled, "expected (start, end) or (start, end, label), got (0, 1, '')"),
        (shapeless, "expected (start, end) or (start, end, label), got 'ab'"),
        (nothing, "TypeError: 'NoneType' object is not iterable"),
    ],
)
def test_a_function_that_breaks_has_no_opinion(
    function: Callable[[Document], Any], expected: str
) -> None:
    source = rule("X")(function)
    assert [source(Document("abc", id="d1")), source(Document("abc"))] == [None, None]
    assert source.failures == 2
    assert source.first_failure is not None
    assert source.first_failure.startswith(
        f"source '{function.__name__}' failed on document 'd1': {expected}"
    )
    assert "\n" not in source.first_failure


def test_a_rule_that_breaks_on_one_document_reads_the_others() -> None:
    @rule("X")
    def fragile(document: Document) -> list[tuple[int, int]]:
        return [(0, len(document.text) // (document.text != "bad"))]

    assert [fragile(Document(text)) is None for text in ("a", "bad", "b")] == [False, True, False]
    assert fragile.first_failure is not None
    assert fragile.first_failure.startswith("source 'fragile' failed on 'bad': ZeroDivisionError")


@FAST
@given(
    st.text(max_size=8),
    st.lists(st.tuples(st.integers(-2, 9), st.integers(-2, 9)), max_size=3),
)
def test_whatever_a_rule_proposes_the_offset_law_holds(
    text: str, spans: list[tuple[int, int]]
) -> None:
    found = rule("X")(lambda document: spans)(Document(text))
    good = all(0 <= start < end <= len(text) for start, end in spans)
    assert (found is not None) == good
    assert found is None or [entity.span for entity in found] == spans


def test_names_inside_the_words_of_a_document_are_left_out() -> None:
    source = expression("X", "b+", "bees")
    own = Document("abb bb", tokens=((0, 3), (4, 6)))
    assert source(own) == (Entity(4, 6, "X", source="bees"),)
    assert len(source(Document("abb bb")) or ()) == 2


# models and taggers


class Model:
    """Answers as a Recogniser does."""

    def annotate(self, documents: Any) -> Iterator[Document]:
        for document in documents:
            yield Document(document.text, (Entity(0, 1, "X", score=0.5, id="7"),))


def test_a_model_is_a_source() -> None:
    source = model(Model(), "old model", covers=("X",))
    assert source(Document("ab")) == (Entity(0, 1, "X", 0.5, "7", "old model"),)
    assert source.covers == ("X",)


def test_an_entity_needs_a_label() -> None:
    source = expression("", "a", "blank")
    assert source(Document("a")) is None
    assert "entity at 0-1 has an empty label" in (source.first_failure or "")


class Word:
    """A word as spaCy tags it."""

    def __init__(self, idx: int, text: str, pos: str) -> None:
        self.idx, self.text, self.pos_, self.is_space = idx, text, pos, text.isspace()

    def __len__(self) -> int:
        return len(self.text)


def tagger(text: str) -> list[Word]:
    pos = {"Ada": "PROPN", "King": "PROPN", "old": "ADJ", "town": "NOUN"}
    return [Word(m.start(), m[0], pos.get(m[0], "X")) for m in re.finditer(r"\w+|\s\s", text)]


def test_runs_of_proper_nouns_are_candidates() -> None:
    text = "so Ada  King saw the old town"
    assert surfaces(parts_of_speech(tagger, "NAME"), text) == ["Ada  King"]
    phrases = parts_of_speech(tagger, "NAME", ("ADJ", "NOUN", "PROPN"), "phrases")
    assert surfaces(phrases, text) == ["Ada  King", "old town"]


def test_a_pipeline_without_a_tagger_is_named() -> None:
    source = parts_of_speech(lambda text: [Word(0, text, "")], "NAME")
    assert source(Document("Ada")) is None
    assert "got one that sets none: load one with a tagger" in (source.first_failure or "")


def test_a_pipeline_of_spacy_is_taken() -> None:
    spacy = pytest.importorskip("spacy", reason="the extra spacy is not installed")
    pipeline = spacy.blank("en")

    def tagged(text: str) -> Any:
        document = pipeline(text)
        for word in document:
            word.pos_ = "PROPN" if word.text.istitle() else "X"
        return document

    assert surfaces(parts_of_speech(tagged, "NAME"), "so Ada King ran") == ["Ada King"]

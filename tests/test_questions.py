"""Questions: one for each label, in order, different, and about as long as their neighbours."""

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convener.errors import ConfigError
from convener.models.questions import questions_for, read_questions, schemes

FAST = settings(deadline=None, max_examples=150)
SCHEMES = sorted(schemes())
LABELS = sorted({label for scheme in schemes().values() for label in scheme})

phrases = st.lists(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=8), min_size=1, max_size=4
)
labels_of_any_kind = st.text(min_size=1).filter(
    lambda text: any(not (char.isspace() or char in "_-") for char in text)
)
questions = st.dictionaries(
    st.text(min_size=1), st.text(alphabet="abcdef ?", min_size=1), min_size=1, max_size=5
)


def refusal(labels: list[str], own: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        questions_for(labels, own)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def file_refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_questions(path)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert line.startswith(f"{path}: expected ")
    return line.removeprefix(f"{path}: ")


def written(words: list[str], style: str) -> str:
    """Words as a label of some style."""
    if style == "camel":
        return words[0] + "".join(word.title() for word in words[1:])
    return style.join(words)


def test_the_known_schemes() -> None:
    assert {name: len(scheme) for name, scheme in schemes().items()} == {
        "conll03": 4,
        "ontonotes": 18,
        "ace": 7,
        "genia": 5,
    }


@pytest.mark.parametrize("name", SCHEMES)
def test_every_label_of_a_scheme_has_its_question(name: str) -> None:
    scheme = schemes()[name]
    assert questions_for(list(scheme)) == scheme
    backwards = list(scheme)[::-1]
    assert list(questions_for(backwards)) == backwards


@pytest.mark.parametrize("name", SCHEMES)
def test_questions_of_a_scheme_are_about_as_long(name: str) -> None:
    lengths = [len(question.split()) for question in schemes()[name].values()]
    assert max(lengths) - min(lengths) <= 4
    assert min(lengths) >= 8
    for question in schemes()[name].values():
        assert question.startswith("Which words ")
        assert question.endswith("?")


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (["PER"], "conll03"),
        (["LOC", "ORG", "PER"], "conll03"),
        (["ORG", "DATE"], "ontonotes"),
        (["PER", "GPE", "ORG", "LOC"], "ace"),
        (["dna", "CellLine", "cell-type"], "genia"),
    ],
)
def test_the_scheme_that_knows_most_labels_asks(labels: list[str], name: str) -> None:
    assert set(questions_for(labels).values()) <= set(schemes()[name].values())


def test_half_of_the_labels_must_be_known() -> None:
    half = questions_for(["PER", "DRUG"])
    assert half == {"PER": schemes()["conll03"]["PER"], "DRUG": "Which words name a drug?"}
    assert questions_for(["PER", "DRUG", "DISEASE"])["PER"] == "Which words name a PER?"


@pytest.mark.parametrize(
    ("label", "phrase"),
    [
        ("musical_artist", "a musical artist"),
        ("geo-loc", "a geo loc"),
        ("politicalParty", "a political party"),
        ("programlang", "a programlang"),
        ("MUSICAL_ARTIST", "a musical artist"),
        ("DISEASE", "a disease"),
        ("GPE", "a GPE"),
        ("Organ", "an organ"),
        ("DNABinding-site", "a DNA binding site"),
        ("mRNA", "a mrna"),
        ("Type2Diabetes", "a type2 diabetes"),
        ("  other  thing_", "an other thing"),
        ("größeOrt", "a größe ort"),
    ],
)
def test_a_label_asks_with_its_own_words(label: str, phrase: str) -> None:
    labels = [label, "first unknown", "second unknown"]
    assert questions_for(labels)[label] == f"Which words name {phrase}?"


@FAST
@given(phrases, phrases, st.sampled_from("_- "), st.sampled_from(["_", "-", " ", "camel"]))
def test_labels_ask_the_same_only_with_the_same_words(
    first: list[str], second: list[str], style: str, other: str
) -> None:
    pair = [written(first, style), written(second, other)]
    if first == second:
        refusal(pair)
    else:
        assert len(set(questions_for(pair).values())) == 2


@FAST
@given(phrases.filter(lambda words: len(words) > 1))
def test_the_way_a_label_is_written_does_not_matter(words: list[str]) -> None:
    styles = [written(words, style) for style in ("_", "-", " ", "camel")]
    assert len({questions_for([label])[label] for label in styles}) == 1
    line = refusal(styles)
    assert repr(styles[0]) in line


@FAST
@given(labels_of_any_kind)
def test_any_label_with_a_word_has_a_question(label: str) -> None:
    assert questions_for([label])[label].strip()


@FAST
@given(st.lists(st.sampled_from(LABELS) | labels_of_any_kind, min_size=1, unique=True))
def test_each_label_has_one_question_in_order_or_the_set_is_refused(labels: list[str]) -> None:
    try:
        asked = questions_for(labels)
    except ConfigError:
        refusal(labels)
        return
    assert list(asked) == labels
    assert len({question.casefold() for question in asked.values()}) == len(labels)


@FAST
@given(questions, st.randoms(use_true_random=False))
def test_own_questions_are_taken_as_they_are(own: dict[str, str], random: object) -> None:
    folded = {" ".join(question.casefold().split()) for question in own.values()}
    assume(len(folded) == len(own) and "" not in folded)
    labels = sorted(own)
    random.shuffle(labels)  # type: ignore[attr-defined]
    asked = questions_for(labels, own)
    assert list(asked) == labels
    assert asked == own


def test_own_questions_may_speak_of_other_labels() -> None:
    own = {"PER": "Who?", "LOC": "Where?"}
    assert questions_for(["LOC"], own) == {"LOC": "Where?"}


def test_gaps_in_own_questions_are_named() -> None:
    line = refusal(["PER", "LOC", "a\nb"], {"LOC": "Where?"})
    assert "got none for 'PER', 'a\\nb'" in line
    assert "add them" in line


@pytest.mark.parametrize("same", ["who is it?", "Who  is\nit?", " WHO is it? "])
def test_two_labels_cannot_ask_the_same(same: str) -> None:
    line = refusal(["PER", "NAME"], {"PER": "Who is it?", "NAME": same})
    assert "'PER' and 'NAME'" in line


@pytest.mark.parametrize("labels", [["GPE", "gpe"], ["Loc", "LOC"], ["x", "drug_name", "DrugName"]])
def test_labels_with_the_same_words_are_refused(labels: list[str]) -> None:
    assert f"{labels[-2]!r} and {labels[-1]!r}" in refusal(labels)


@pytest.mark.parametrize("empty", ["", "  ", "\n\u2003"])
def test_an_empty_question_is_refused(empty: str) -> None:
    assert "for 'LOC', got an empty one" in refusal(["PER", "LOC"], {"PER": "Who?", "LOC": empty})


@pytest.mark.parametrize("label", ["", " ", "_", "--", "\n"])
def test_a_label_without_words_needs_a_question_of_its_own(label: str) -> None:
    assert f"for {label!r}, got an empty one" in refusal([label])
    assert questions_for([label], {label: "What?"}) == {label: "What?"}


@pytest.mark.parametrize("own", [None, {}, {"PER": "Who?"}])
def test_labels_are_some_and_different(own: dict[str, str] | None) -> None:
    assert "got []" in refusal([], own)
    assert "each once" in refusal(["PER", "PER"], own)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_questions_of_a_file(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "questions.json"
    path.write_text('{"LOC": "Où ?", "PER": "Who?"}', encoding=encoding)
    assert list(read_questions(path).items()) == [("LOC", "Où ?"), ("PER", "Who?")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "got something else"),
        (b'{"PER": "Who?"', "got something else"),
        (b"[" * 200_000, "got something else"),
        (b'{"PER": "Qui \xe9tait-ce ?"}', "can't decode byte 0xe9"),
        ('{"PER": "Who?"}'.encode("utf-16"), "UTF-8"),
        (b'["Who?"]', "got ['Who?']"),
        (b"null", "got None"),
        (b'{"PER": 3}', "for 'PER', got 3"),
        (b'{"PER": {"question": "Who?"}}', "for 'PER', got {'question': 'Who?'}"),
        (b'{"PER": "Who?", "LOC": "Where?", "PER": "Who?"}', "got 'PER' twice"),
        (b'{"a\\nb": "Who?", "a\\nb": "What?"}', "got 'a\\nb' twice"),
    ],
    ids=[
        "empty",
        "broken",
        "deep",
        "latin",
        "utf-16",
        "array",
        "null",
        "number",
        "nested",
        "twice",
        "line feed",
    ],
)
def test_bad_files_of_questions(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "questions.json"
    path.write_bytes(content)
    assert expected in file_refusal(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert "got no such file" in file_refusal(tmp_path / "questions.json")
    assert "Is a directory" in file_refusal(tmp_path)

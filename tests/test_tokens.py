"""Words: exact offsets, whole letters, shapes."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.text.tokens import SHAPES, shape, words

FAST = settings(deadline=None, max_examples=150)
AWKWARD = "aZ9_ .-'\t\r\n\u00a0\u0301\u200d\ufe0f\u2028\u3000\ufeff👩💻東カéßहि"

texts = st.text(st.sampled_from(AWKWARD) | st.characters(exclude_categories=["Cs"]), max_size=40)


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in words(text)]


@FAST
@given(texts)
def test_every_character_but_white_space_is_in_exactly_one_word(text: str) -> None:
    covered = [position for start, end in words(text) for position in range(start, end)]
    assert covered == [i for i, character in enumerate(text) if not character.isspace()]


@FAST
@given(texts)
def test_words_set_apart_by_spaces_stay_what_they_are(text: str) -> None:
    assert cut(" ".join(cut(text))) == cut(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada's notes", ["Ada", "'", "s", "notes"]),
        ("B12–C3/d_e", ["B12", "–", "C3", "/", "d_e"]),
        ("5.2mg...", ["5", ".", "2mg", ".", ".", "."]),
        ("東京 in カナ", ["東", "京", "in", "カ", "ナ"]),
        ("X東Y", ["X", "東", "Y"]),
        ("ok👍\ufe0f", ["ok", "👍\ufe0f"]),
        ("", []),
        (" \u2028\u00a0\n", []),
    ],
)
def test_a_word_is_a_run_of_letters_or_one_other_character(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(
    "word",
    [
        "Zoe\u0308",
        "q\u0301\u0323r",
        "हिन्दी",
        "বাংলা",
        "தமிழ்",
        "తెలుగు",
        "עִבְרִית",
        "قُرْٰ",
        "x\u20dd",
        "i\ufe20u\ufe21",
    ],
)
def test_combining_marks_never_part_a_word(word: str) -> None:
    assert cut(f"a {word}, b") == ["a", word, ",", "b"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("drug", "lower"),
        ("éclair", "lower"),
        ("Rome", "title"),
        ("Émile", "title"),
        ("NATO", "upper"),
        ("I", "capital"),
        ("iPhone", "mixed"),
        ("McKay", "mixed"),
        ("1969", "digits"),
        ("A4", "alnum"),
        ("2mg", "alnum"),
        (".", "punctuation"),
        ("—", "punctuation"),
        ("€", "punctuation"),
        ("東", "other"),
        ("م", "other"),
    ],
)
def test_shape_gives_case_back(word: str, name: str) -> None:
    assert SHAPES[shape(word)] == name


@FAST
@given(texts)
def test_every_word_has_a_shape(text: str) -> None:
    assert all(shape(word) in range(len(SHAPES)) for word in cut(text))


@pytest.mark.parametrize("text", ["東京タワー", "ไทยดี", "ខ្មែរ"])
def test_scripts_without_spaces_are_cut_at_every_character(text: str) -> None:
    cuts = words(text)
    assert len(cuts) > 1
    assert [start for start, _ in cuts[1:]] == [end for _, end in cuts[:-1]]
    assert all(unicodedata.category(text[start])[0] != "M" for start, _ in cuts)

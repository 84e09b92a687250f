"""The finder: the same names as comparing every stretch of words with every name, only faster."""

import random
import sys
import unicodedata

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.dictionary import Entry, Gazetteer
from convener.dictionary.finder import _Memo
from convener.dictionary.normal import fold, key
from convener.text import tokens
from convener.text.tokens import split, words

FAST = settings(deadline=None, max_examples=150)
PIECES = (
    *(
        "nile",
        "Nile",
        "NILE",
        "blue",
        "Blue",
        "o'neil",
        "O’Neil",
        "O\u02bcneil",
        "café",
        "cafe\u0301",
    ),
    *(
        "東京",
        "京都",
        "都",
        "ไทย",
        "カナ",
        "…",
        "...",
        "½",
        "1\u20442",
        "x-ray",
        "x\u2010ray",
        "👩\u200d💻",
    ),
    *("ﬁn", "fin", "Straße", "STRASSE", "U.S.", "C++", "a1", "\u0301", "s"),
)
GAPS = (" ", " ", " ", "", "", "  ", "\n", "\u00a0", ", ", "-", "'", "’", "\u200b", "\x1c")
Found = list[tuple[int, int, tuple[str, ...]]]


def some_text(rng: random.Random, most: int) -> str:
    return "".join(rng.choice(PIECES) + rng.choice(GAPS) for _ in range(rng.randint(1, most)))


def some_entries(rng: random.Random) -> list[Entry]:
    names = [some_text(rng, 3) for _ in range(12)]
    return [
        Entry(
            name,
            rng.choice("AB"),
            case=rng.choice(("ignore", "exact")),
            priority=rng.choice((0, 0, 1)),
        )
        for name in names
        if key(name)
    ]


def brute_force(entries: list[Entry], text: str, nested: bool) -> Found:
    named: dict[str, list[Entry]] = {}
    for entry in entries:
        named.setdefault(key(entry.surface), []).append(entry)
    offsets = words(text)
    found: Found = []
    position = 0
    while position < len(offsets):
        following = position + 1
        for stop in range(len(offsets), position, -1):
            start, end = offsets[position][0], offsets[stop - 1][1]
            right = [e for e in named.get(key(text[start:end]), ()) if e.accepts(text[start:end])]
            top = max((entry.priority for entry in right), default=0)
            labels = {entry.label for entry in right if entry.priority == top}
            if labels:
                found.append((start, end, tuple(sorted(labels))))
                if not nested:
                    following = stop
                    break
        position = following
    return found


def spans(gazetteer: Gazetteer, text: str, nested: bool) -> Found:
    return [(m.start, m.end, m.labels) for m in gazetteer.matches(text, nested)]


@pytest.mark.parametrize("nested", [False, True])
def test_names_are_those_of_brute_force(nested: bool) -> None:
    rng = random.Random(nested)
    hits = 0
    for _ in range(50):
        entries = some_entries(rng)
        gazetteer = Gazetteer(entries)
        for _ in range(100):
            text = some_text(rng, 4)
            expected = brute_force(entries, text, nested)
            assert spans(gazetteer, text, nested) == expected, (text, entries)
            hits += len(expected)
    assert hits > 1000


@FAST
@given(st.text(), st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=5))
def test_names_cut_from_any_text_are_found_in_it(text: str, cuts: list[tuple[int, int]]) -> None:
    offsets = words(text)
    names = {
        text[offsets[first][0] : offsets[min(first + count, len(offsets)) - 1][1]]
        for first, count in cuts
        if first < len(offsets)
    }
    entries = [Entry(name, "X", case="exact") for name in sorted(names)]
    found = spans(Gazetteer(entries), text, nested=True)
    assert found == brute_force(entries, text, nested=True)
    assert names == {text[start:end] for start, end, _ in found}


@FAST
@given(st.text())
def test_normal_forms_are_normal(text: str) -> None:
    for word in split(text):
        for form in ("NFC", "NFD"):
            assert fold(unicodedata.normalize(form, word)) == fold(word)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("O'Neil", "O’Neil"),
        ("O'Neil", "O\u02bcneil"),
        ("x-ray", "X\u2011ray"),
        ("x-ray", "x – ray"),
        ("Café", "cafe\u0301"),
        ("fin", "ﬁn"),
        ("Nile", "\uff2e\uff49\uff4c\uff45"),
        ("Wait...", "wait…"),
        ("Ångström unit", "Ångström unit"),
        ("北京大学", "在北京大学学习"),
        ("กรุงเทพ", "ไปกรุงเทพมหานคร"),
        ("コーヒー", "アイスコーヒーを"),
    ],
)
def test_names_are_found_however_they_are_encoded(name: str, text: str) -> None:
    (match,) = Gazetteer([Entry(name, "X", case="ignore")]).matches(text)
    assert key(text[match.start : match.end]) == key(name)


def test_a_part_of_a_word_is_no_name() -> None:
    listed = [Entry(name, "X", case="exact") for name in ("1", "2", "art", "a", "n", "t", ".")]
    assert spans(Gazetteer(listed), "½ party … can_t tn't", nested=True) == [(19, 20, ("X",))]


def test_long_stretches_without_spaces_are_read_in_passing() -> None:
    gazetteer = Gazetteer([Entry("東京都", "LOC"), Entry("東京 大学 病院", "ORG")])
    assert sum(1 for _ in gazetteer.matches("東京都民は東京へ" * 20_000)) == 20_000


def test_what_is_remembered_is_bounded() -> None:
    memo = _Memo(len)
    for number in range(200_000):
        assert memo[f"{number:020}"] == 20
        assert len(memo) <= memo.MUCH / 36


@FAST
@given(st.text(st.characters(max_codepoint=127)))
def test_plain_text_is_cut_as_any_other(text: str) -> None:
    assert words(text) == tuple(match.span() for match in tokens._WORD.finditer(text))
    assert split(text) == [text[start:end] for start, end in words(text)]


def test_python_and_the_words_agree_on_white_space() -> None:
    word = regex.compile(r"[^\s\x1c-\x1f]")
    for character in map(chr, range(sys.maxunicode + 1)):
        assert character.isspace() != bool(word.match(character))

"""Sub-words of words: cut once, remembered, and forgotten before they fill the memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convener.models import pieces
from convener.models.pieces import Frame, WordPieces


class Letters(WordPieces):
    """A sub-word for each letter; `seen` are the words that were cut."""

    def __init__(self) -> None:
        super().__init__(Frame(first=0, last=1, padding=2, unknown=3))
        self.seen: list[str] = []

    def cut(self, texts: list[str]) -> list[list[int]]:
        self.seen += texts
        return [[ord(letter) for letter in text] for text in texts]


@given(st.lists(st.lists(st.text("ab", max_size=3), max_size=4), max_size=8))
def test_words_are_cut_once(calls: list[list[str]]) -> None:
    letters = Letters()
    for words in calls:
        assert letters(words) == [tuple(map(ord, word)) or (3,) for word in words]
    assert len(letters.seen) == len(set(letters.seen))


def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_CACHE_LIMIT", 1_000)
    letters = Letters()
    for number in range(100):
        letters([f"{number}" * 100])
        assert sum(len(word) for word in letters._kept) < 1_000
    letters(["a"])
    letters(["a"])
    assert letters.seen.count("a") == 1

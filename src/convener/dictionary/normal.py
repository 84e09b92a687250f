"""How names and texts are written alike, so that equal names compare equal.

Words keep the boundaries that `convener.text.tokens` gives them; each is then brought to NFKC, with
typographic apostrophes and hyphens made plain, soft ones left out, and its case folded. A word may
come out as several ("…" is three full stops): these are its *parts*. Parts never hold `SEPARATOR`,
so a name is one string, its key: every part followed by a separator.
"""

import unicodedata

from convener.text.tokens import split, words

SEPARATOR = "\x1f"

_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
    | dict.fromkeys("\u00ad\u2060\ufe0e\ufe0f")
)


def plain(text: str) -> str:
    """A text in NFKC with plain apostrophes and hyphens, its case kept."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).translate(_PLAIN) or text


def fold(word: str) -> str:
    """The parts of a word with case folded, joined by separators.

    >>> fold("Nile"), fold("Straße"), fold("O\u02bcHara").split(SEPARATOR)
    ('nile', 'strasse', ['o', "'", 'hara'])
    """
    if word.isascii():
        return word.lower()
    return _parted(plain(plain(word).casefold()))


def written(text: str) -> str:
    """The words of a text as they are written, without their spacing."""
    if text.isascii():
        return text if text.isalnum() else SEPARATOR.join(split(text))
    return SEPARATOR.join(_parted(plain(word)) for word in split(text))


def key(text: str) -> str:
    """The key of a name, empty if it has no word."""
    found = parts(text)
    return SEPARATOR.join(found) + SEPARATOR if found else ""


def parts(text: str) -> list[str]:
    """The parts of all words of a text."""
    if text.isascii():
        return split(text.lower())
    return [part for word in split(text) for part in fold(word).split(SEPARATOR)]


def boundaries(text: str) -> list[tuple[int | None, int | None]]:
    """Where each part of a text begins and ends; None where that is inside a word."""
    found: list[tuple[int | None, int | None]] = []
    for start, end in words(text):
        inner = fold(text[start:end]).count(SEPARATOR)
        found += [(start if not i else None, end if i == inner else None) for i in range(inner + 1)]
    return found


def _parted(word: str) -> str:
    return word if word.isalnum() else SEPARATOR.join(split(word)) or word

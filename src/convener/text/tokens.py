r"""Words with exact offsets.

A word is a run of letters, digits (also those below the line, as in formulas) and their combining
marks, soft hyphens among them, or any other single character that is not white space. Characters
of scripts written without spaces stand alone. The rule is blunt on
purpose: it never joins two names, every character but white space is in exactly one word, and the
encoder cuts words further anyway.
"""

import re
import unicodedata

import regex

_WORD = regex.compile(
    r"""
    (?(DEFINE)
        (?P<unspaced> [\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}] )
        (?P<marks> [\p{M}\u00ad\u200c\u200d\u2060\uff9e\uff9f]* )
    )
    (?&unspaced) (?&marks)
    | (?: (?! (?&unspaced) ) [\w\u2080-\u2089] (?&marks) )+
    | [^\s\x1c-\x1f] (?&marks)
    """,
    regex.VERBOSE,
)
_ASCII_WORD = re.compile(r"\w+|[^\s\x1c-\x1f]", re.ASCII)  # the same, some five times faster


def words(text: str) -> tuple[tuple[int, int], ...]:
    """Character offsets `(start, end)` of the words of a text, in order.

    >>> [("Ada's notes"[a:b]) for a, b in words("Ada's notes")]
    ['Ada', "'", 's', 'notes']
    """
    found = _ASCII_WORD.finditer(text) if text.isascii() else _WORD.finditer(text)
    return tuple([match.span() for match in found])


def split(text: str) -> list[str]:
    """The words of a text without their offsets."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return [text[start:end] for start, end in words(text)]


SHAPES = ("other", "lower", "title", "upper", "capital", "mixed", "digits", "alnum", "punctuation")
_SHAPE = {name: index for index, name in enumerate(SHAPES)}


def shape(word: str) -> int:
    """The shape of a word as an index into `SHAPES`.

    Gives back to an uncased encoder what its tokenizer took away.

    >>> [SHAPES[shape(w)] for w in ("drug", "Rome", "NATO", "I", "iPhone", "1969", "A4", ".")]
    ['lower', 'title', 'upper', 'capital', 'mixed', 'digits', 'alnum', 'punctuation']
    """
    return _SHAPE[_shape(word)]


def _shape(word: str) -> str:
    if word.isdigit():
        return "digits"
    if any(character.isdigit() for character in word):
        return "alnum"
    if word.islower():
        return "lower"
    if word.isupper():
        return "capital" if len(word) == 1 else "upper"
    if any(character.isupper() for character in word):
        return "title" if word[:1].isupper() and word[1:].islower() else "mixed"
    if all(unicodedata.category(character)[0] in "PS" for character in word):
        return "punctuation"
    return "other"

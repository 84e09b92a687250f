"""Spans over words, written as tags and read back.

Three schemes are written: IOB1 (B- only where two entities of a type touch), BIO (every entity
begins with B-) and BIOES (E- ends, S- stands alone); BILOU and BMES, which are BIOES by other
letters, are read too. Spans are `(start, end, label)` in words, the end exclusive. One reader
serves all, since each prefix means the same in every scheme that has it. It is strict in what a tag
may be and lenient in what may follow what: an I- that continues nothing opens a span (IOB1 says so,
and elsewhere no label is lost).
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from convener.errors import DataError, short

Scheme = Literal["IOB1", "BIO", "BIOES"]
WordSpan = tuple[int, int, str]

PREFIXES = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I"}
"""What each prefix of a tag means, as BIOES says it."""


def split_tag(tag: str) -> tuple[str, str]:
    """`"B-PER"` as `("B", "PER")`, its prefix by what it means; O as `("O", "")`.

    Raises:
        DataError: the tag is neither O nor a known prefix with a label.
    """
    if tag == "O":
        return "O", ""
    prefix, dash, label = tag.partition("-")
    if prefix not in PREFIXES or not dash or not label:
        raise DataError(
            f"expected a tag such as O, B-PER or I-PER in the last column, got {short(tag)}: take "
            "out lines that are no words, write texts without tags as .txt or JSON Lines"
        )
    return PREFIXES[prefix], label


def spans_from_tags(tags: Sequence[str]) -> list[WordSpan]:
    """Spans of a tag sequence in any scheme.

    >>> spans_from_tags(["B-PER", "I-PER", "O", "S-LOC"])
    [(0, 2, 'PER'), (3, 4, 'LOC')]
    """
    spans: list[WordSpan] = []
    start, open_label, ended = 0, "", False
    for index, (prefix, label) in enumerate([*map(split_tag, tags), ("O", "")]):
        continues = prefix in {"I", "E"} and label == open_label and not ended
        if continues:
            ended = prefix == "E"
            continue
        if open_label:
            spans.append((start, index, open_label))
        start, open_label, ended = index, label, prefix in {"E", "S"}
    return spans


def tags_from_spans(length: int, spans: Iterable[WordSpan], scheme: Scheme = "BIO") -> list[str]:
    """Tags of flat spans over `length` words.

    Raises:
        DataError: a span is outside the words, or two spans overlap.
    """
    ordered = sorted(spans)
    for start, end, label in ordered:
        if not 0 <= start < end <= length:
            raise DataError(f"span {start}-{end} {label} is outside its {length} words")
    for left, right in pairwise(ordered):
        if right[0] < left[1]:
            raise DataError(
                f"spans {left} and {right} overlap: tags can only say flat entities, "
                "use a JSONL format for nested ones"
            )
    tags = ["O"] * length
    previous: WordSpan = (-1, -1, "")
    for start, end, label in ordered:
        touches = previous[1] == start and previous[2] == label
        tags[start:end] = [f"I-{label}"] * (end - start)
        if scheme != "IOB1" or touches:
            tags[start] = f"B-{label}"
        if scheme == "BIOES":
            tags[end - 1] = f"E-{label}" if end - start > 1 else f"S-{label}"
        previous = start, end, label
    return tags

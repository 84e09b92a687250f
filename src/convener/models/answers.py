r"""Questions to a language model about a text, and its answers, as words (SaM, section 3).

A model is told the labels and the text and answers `type: mention; type: mention`, or `none`. An
answer has no offsets, so each mention is looked up in the text. What can't be found there is
*malformed*: counted and named, never guessed at.

Within types and mentions `\\`, `\;` and `\:` stand for the signs themselves, `\n` and `\r` for
line breaks, and `\u` with four hexadecimal digits for white space at either end. Nothing else is
escaped, so that a mention nearly always reads as it does in the text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import regex

from convener.errors import short
from convener.text.documents import Document, Entity, Offsets, apart

NONE = "none"

_ITEM = regex.compile(r"(?:\\.|[^\\;\r\n]|\\\Z)+", regex.DOTALL)
_FIELDS = regex.compile(r"((?:\\.|[^\\:]|\\\Z)*):(.*)", regex.DOTALL)
_SPACE = r"[\s\x1c-\x1f]+"
_RESERVED = regex.compile(rf"[\\;:\n\r]|\A{_SPACE}|{_SPACE}\Z")
_ESCAPE = regex.compile(r"\\(u[0-9a-fA-F]{4}|.)", regex.DOTALL)
_BREAKS = {"\n": "\\n", "\r": "\\r"}
_UNBREAKS = {"n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an answer says of a text: entities in reading order, and why other items were refused.

    An item that is refused gives no entity.
    """

    entities: tuple[Entity, ...] = ()
    malformed: tuple[str, ...] = ()


def prompt(labels: Sequence[str], text: str) -> str:
    """The instruction for a text, which ends with the text."""
    return (
        f"Which entities of these types are in the text: {'; '.join(map(_escaped, labels))}?\n"
        f"Answer with type: mention; type: mention, or with {NONE}. "
        "Copy each mention from the text, and write \\ before ; and : in it.\n"
        f"Text:\n{text}"
    )


def answer(entities: Iterable[Entity], text: str) -> str:
    """The right answer: each (type, mention) once, in reading order of its first occurrence."""
    ordered = sorted(entities, key=lambda e: (e.start, e.end, e.label))
    items = dict.fromkeys((e.label, text[e.start : e.end]) for e in ordered)
    return "; ".join(f"{_escaped(label)}: {_escaped(name)}" for label, name in items) or NONE


def parse(
    answer: str,
    document: Document,
    labels: Sequence[str],
    *,
    nested: bool = True,
    complete: bool = True,
) -> Parsed:
    """The entities that an answer names, at their offsets in a document, without scores.

    A mention stands for every place where it occurs on word boundaries. One that only occurs
    written otherwise (capitals, kind of white space) stands for these places, if they are all
    written alike. Types may differ in case from the labels. An answer that names an entity of a
    document, as `answer` does, finds it if it begins and ends where words do.

    Args:
        answer: what the model wrote; line breaks separate items as `;` does.
        document: the text and, if it has them, its words; its entities are not looked at.
        labels: the types asked for.
        nested: whether entities may share text; if not, the longer are kept, then the earlier,
            then the one answered first.
        complete: whether the model came to its end; if not, the last item is refused.
    """
    items = [stripped for item in _ITEM.findall(answer) if (stripped := item.strip())]
    if not items:
        return Parsed(malformed=(f"an empty answer: expected '{NONE}'",))
    malformed = []
    if not complete:
        malformed.append(f"the answer was cut off in {short(items.pop())}")
    elif len(items) == 1 and items[0].casefold() == NONE:
        return Parsed()
    finder = _Finder(document)
    found: dict[tuple[Offsets, str], None] = {}
    for item in dict.fromkeys(items):
        try:
            label, mention = _fields(item, labels)
            found |= dict.fromkeys((span, label) for span in finder.places(mention))
        except _MalformedError as reason:
            malformed.append(str(reason))
    entities = [Entity(*span, label) for span, label in found]
    kept = entities if nested else longest_apart(entities)
    return Parsed(tuple(sorted(kept, key=lambda e: (e.start, e.end, e.label))), tuple(malformed))


def longest_apart(entities: Iterable[Entity]) -> list[Entity]:
    """Entities that share no text: the longer are kept, then the earlier, then the first given."""
    return apart(sorted(entities, key=lambda e: (e.start - e.end, e.start)))


class _MalformedError(Exception):
    """An item of an answer that can't be understood."""


def _fields(item: str, labels: Sequence[str]) -> tuple[str, str]:
    parts = _FIELDS.fullmatch(item)
    if parts is None:
        raise _MalformedError(f"no type in {short(item)}: expected 'type: mention'")
    name, mention = (_plain(part.strip()) for part in parts.groups())
    alike = [label for label in labels if label.casefold() == name.casefold()]
    if name not in labels and len(alike) != 1:
        raise _MalformedError(f"unknown type {short(name)} in {short(item)}")
    if not mention:
        raise _MalformedError(f"no mention in {short(item)}")
    return name if name in labels else alike[0], mention


class _Finder:
    """Finds mentions in a text, on the boundaries of its words."""

    def __init__(self, document: Document) -> None:
        self.text = document.text
        self.inside = bytearray(len(document.text) + 1)
        for start, end in document.words():
            self.inside[start + 1 : end] = b"\1" * (end - start - 1)

    def places(self, mention: str) -> list[Offsets]:
        """Every place of a mention, or _MalformedError."""
        exact = [span for span in self._exact(mention) if self._whole(span)]
        if exact:
            return exact
        folded = [span for span in self._folded(mention) if self._whole(span)]
        writings = sorted({" ".join(self.text[start:end].split()) for start, end in folded})
        if not writings:
            raise _MalformedError(f"{short(mention)} is not in the text")
        if len(writings) > 1:
            raise _MalformedError(f"{short(mention)} may be any of {short(writings)}")
        return folded

    def _exact(self, mention: str) -> Iterator[Offsets]:
        start = self.text.find(mention)
        while start >= 0:
            yield start, start + len(mention)
            start = self.text.find(mention, start + 1)

    def _folded(self, mention: str) -> Iterator[Offsets]:
        parts = mention.split()
        if parts:
            pattern = regex.compile(_SPACE.join(map(regex.escape, parts)), regex.IGNORECASE)
            yield from (match.span() for match in pattern.finditer(self.text, overlapped=True))

    def _whole(self, span: Offsets) -> bool:
        return not (self.inside[span[0]] or self.inside[span[1]])


def _escaped(words: str) -> str:
    return _RESERVED.sub(lambda match: "".join(map(_escape, match[0])), words)


def _escape(sign: str) -> str:
    if sign in _BREAKS:
        return _BREAKS[sign]
    return f"\\u{ord(sign):04x}" if sign.isspace() else f"\\{sign}"


def _plain(words: str) -> str:
    return _ESCAPE.sub(lambda match: _unescape(match[1]), words)


def _unescape(code: str) -> str:
    return chr(int(code[1:], 16)) if len(code) > 1 else _UNBREAKS.get(code, code)

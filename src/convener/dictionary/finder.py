"""Finds names in a text: where a name can begin, how far it goes, and what it means.

Texts repeat themselves, so whatever is learnt about a stretch without white space (its words, and
which of them can begin a name) is kept. A stretch where no name begins then costs one look-up, and
offsets are computed only in texts that hold a name.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, compress
from operator import add
from typing import NamedTuple, Protocol, TypeVar

from convener.dictionary.entries import Entry, Form
from convener.dictionary.normal import SEPARATOR, boundaries, key

T = TypeVar("T")


class Names(Protocol):
    """Keys of names, each with its forms."""

    def longest(self, first: str) -> int:
        """Parts of the longest name that begins with this part, 0 if there is none."""

    def may_begin(self, pair: str) -> bool:
        """Whether a name may begin with two parts, in the form of a key; never wrongly False."""

    def prefixes(self, text: str) -> list[str]:
        """The keys that a text in the form of a key begins with, the longest first."""

    def forms(self, key: str) -> tuple[Form, ...]:
        """The forms under a key."""

    def __iter__(self) -> Iterator[str]:
        """All keys."""


@dataclass(frozen=True, slots=True)
class Match:
    """Entries that match a text at character offsets `[start, end)`."""

    start: int
    end: int
    entries: tuple[Entry, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The types of the match, sorted; more than one means that it is ambiguous."""
        return tuple(sorted({entry.label for entry in self.entries}))


class Start(NamedTuple):
    """A part of a stretch where names can begin."""

    part: int
    key: str
    """The stretch from that part on, in the form of a key and no longer than a name can be."""
    room: int
    """How many parts the stretch has from there on."""
    missing: int
    """Parts of the longest name that it has no room for."""


class Finder:
    """Looks for the names of a dictionary, but for those whose keys are in `stop`."""

    def __init__(self, names: Names, stop: frozenset[str]) -> None:
        self._names = names
        self._stop = stop
        self._keys = _Memo(key)
        self._boundaries = _Memo(boundaries)
        self._first = _Memo(_first_part)
        self._longest = _Memo(names.longest)
        self._starts = _Memo(self._find_starts)
        self._prefixes = _Memo(names.prefixes)
        self._forms = _Memo(self._find_forms)
        self._passed_over = _Memo(self._find_passed_over)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        """Another process learns for itself."""
        return Finder, (self._names, self._stop)

    def find(self, text: str, nested: bool) -> Iterator[Match]:
        """The names in a text, the longest at each place, overlapping only if `nested`."""
        chunks = text.split()
        starts = list(map(self._starts.__getitem__, chunks))
        first, may_begin = self._first, self._names.may_begin
        offsets: list[int] = []
        reached = (0, 0)
        chunks.append("")
        for index in compress(range(len(starts)), starts):
            following = chunks[index + 1]
            for part, ahead, room, missing in starts[index]:
                if index <= reached[0] and (index, part) < reached:
                    continue
                if missing > 0 and (room > 1 or may_begin(ahead + first[following])):
                    rest = map(self._keys.__getitem__, chunks[index + 1 : index + 1 + missing])
                    prefixes = self._names.prefixes(ahead + "".join(rest))
                else:
                    prefixes = self._prefixes[ahead]
                for name in prefixes:
                    count = name.count(SEPARATOR)
                    last, stop = index, part + count
                    if count > room:
                        last, stop = self._end(chunks, index + 1, count - room)
                    start = self._boundaries[chunks[index]][part][0]
                    end = self._boundaries[chunks[last]][stop - 1][1]
                    if start is None or end is None:
                        continue
                    offsets = offsets or _beginnings(text, chunks[:-1])
                    start, end = offsets[index] + start, offsets[last] + end
                    accepted = self._accepted(name, text[start:end])
                    if accepted:
                        yield Match(start, end, accepted)
                        if not nested:
                            reached = last, stop
                            break

    def passes_over(self, word: str) -> bool:
        """Whether a word in lower case is a name that would be taken with its capitals only."""
        return word.islower() and self._passed_over[word]

    def _find_starts(self, chunk: str) -> tuple[Start, ...]:
        found = self._keys[chunk].split(SEPARATOR)[:-1]
        starts = []
        for part, longest in enumerate(map(self._longest.__getitem__, found)):
            room = len(found) - part
            if longest > 1 and room > 1 and not self._names.may_begin(_key(found[part : part + 2])):
                longest = 1
            if longest:
                ahead = _key(found[part : part + longest])
                starts.append(Start(part, ahead, room, longest - room))
        return tuple(starts)

    def _find_forms(self, key: str) -> tuple[Form, ...]:
        return () if key in self._stop else self._names.forms(key)

    def _find_passed_over(self, word: str) -> bool:
        forms = self._find_forms(key(word))
        wanting = any(form.rule == "capitals" for form in forms)
        return wanting and not any(form.accepts(word) for form in forms)

    def _end(self, chunks: list[str], index: int, stop: int) -> tuple[int, int]:
        """The stretch, and the part in it, before which a name ends."""
        while stop > (length := self._keys[chunks[index]].count(SEPARATOR)):
            stop -= length
            index += 1
        return index, stop

    def _accepted(self, key: str, surface: str) -> tuple[Entry, ...]:
        accepted = tuple([form.entry for form in self._forms[key] if form.accepts(surface)])
        if len(accepted) < 2:
            return accepted
        top = max(entry.priority for entry in accepted)
        return tuple(dict.fromkeys(entry for entry in accepted if entry.priority == top))


def _key(parts: list[str]) -> str:
    return SEPARATOR.join(parts) + SEPARATOR


def _first_part(chunk: str) -> str:
    return _key(key(chunk).split(SEPARATOR, 1)[:1])


def _beginnings(text: str, chunks: list[str]) -> list[int]:
    """Where the stretches of a text begin."""
    lengths = [0, *accumulate(map(len, chunks))]
    if lengths[-1] + len(chunks) - 1 == len(text):
        return list(map(add, lengths, range(len(chunks))))
    return [match.start() for match in re.finditer(r"\S+", text)]


class _Memo(dict[str, T]):
    """Remembers what a function gave, and begins anew when it holds much."""

    MUCH = 1 << 21

    def __init__(self, make: Callable[[str], T]) -> None:
        super().__init__()
        self._make = make
        self._held = 0

    def __missing__(self, text: str) -> T:
        made = self._make(text)
        self._held += len(text) + 16
        if self._held > self.MUCH:
            self.clear()
            self._held = len(text)
        self[text] = made
        return made

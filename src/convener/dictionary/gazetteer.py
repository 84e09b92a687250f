"""A gazetteer: names with their types, found in text on word boundaries.

A name is compared word by word with case folded, so spacing never matters; each entry then says
how case is to be read:

- `exact`: only as written;
- `ignore`: in any case;
- `smart` (the default): a single word with capitals ("May", "Apple", "NASA") must stand as written
  or, if it is longer than three letters, in all capitals; lower-case names and names of several
  words match in any case.

At each place the longest name wins, unless all are asked for. Entries of several types with one
name make a match *ambiguous*; which is meant is left to the model.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from convener.dictionary.sources import read_rows
from convener.errors import DataError
from convener.text.tokens import words

Case = Literal["smart", "exact", "ignore"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of the dictionary, its type, and optionally the id of the thing it names."""

    surface: str
    label: str
    id: str | None = None
    case: Case = "smart"

    def accepts(self, surface: str) -> bool:
        """Whether the case of a surface that equals the name otherwise is the right one."""
        found, name = _cased(surface), _cased(self.surface)
        if self.case == "ignore" or found == name:
            return True
        if self.case == "exact":
            return False
        if len(name) > 1 or self.surface == self.surface.lower():
            return True
        return surface.isupper() and len(surface) > 3


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


class Gazetteer:
    """Names and their types.

    >>> drugs = Gazetteer([Entry("aspirin", "DRUG"), Entry("folic acid", "DRUG")])
    >>> text = "Aspirin and  folic acid."
    >>> [(text[m.start : m.end], m.labels) for m in drugs.matches(text)]
    [('Aspirin', ('DRUG',)), ('folic acid', ('DRUG',))]
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries: dict[tuple[str, ...], list[Entry]] = {}
        self.duplicates = 0
        self.unusable: list[str] = []
        self._longest: dict[str, int] = {}
        for entry in entries:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        key = _folded(entry.surface)
        if not key:
            raise DataError(f"expected a name, got {entry.surface!r} for label {entry.label!r}")
        if not entry.label:
            raise DataError(f"the name {entry.surface!r} has no label")
        known = self.entries.setdefault(key, [])
        if any(
            (entry.label, entry.case, _cased(entry.surface))
            == (other.label, other.case, _cased(other.surface))
            for other in known
        ):
            self.duplicates += 1
            return
        known.append(entry)
        self._longest[key[0]] = max(len(key), self._longest.get(key[0], 0))

    @classmethod
    def from_file(
        cls, path: str | Path, label: str | None = None, case: Case = "smart"
    ) -> "Gazetteer":
        """Read a CSV, TSV or JSONL file, or a plain list of names, one a line.

        Tables have the columns surface, label and optionally id and case, in this order or under
        a header of these names. `label` and `case` serve rows that give none. Rows without a name
        or a label are left out and listed in `unusable`.

        Raises:
            DataError: the file can't be read, or has no usable name.
        """
        gazetteer = cls([])
        rows = 0
        for place, row in read_rows(path):
            rows += 1
            try:
                gazetteer._add(_entry(row, label, case))
            except DataError as error:
                gazetteer.unusable.append(f"{place}: {error}")
        if not gazetteer.entries:
            reason = f"; the first row: {gazetteer.unusable[0]}" if gazetteer.unusable else ""
            raise DataError(
                f"{path}: expected names with labels (columns surface,label), "
                f"found none in {rows} rows{reason}"
            )
        return gazetteer

    from_csv = from_file

    def __len__(self) -> int:
        return sum(map(len, self.entries.values()))

    def __contains__(self, surface: object) -> bool:
        """Whether a name is listed, whatever its case and spacing."""
        return isinstance(surface, str) and _folded(surface) in self.entries

    @property
    def labels(self) -> tuple[str, ...]:
        """The types of the dictionary, sorted."""
        return tuple(sorted({e.label for entries in self.entries.values() for e in entries}))

    @property
    def ambiguous(self) -> dict[str, tuple[str, ...]]:
        """Names listed under several types, with the types."""
        return {
            entries[0].surface: tuple(sorted({entry.label for entry in entries}))
            for entries in self.entries.values()
            if len({entry.label for entry in entries}) > 1
        }

    def matches(self, text: str, nested: bool = False) -> Iterator[Match]:
        """The names in a text from left to right, the longest at each place, none overlapping.

        With `nested`, all names: also those inside or across others.
        """
        offsets = words(text)
        folded = _folded(text)
        position = 0
        while position < len(folded):
            following = position + 1
            for match, stop in self._at(text, offsets, folded, position):
                yield match
                if not nested:
                    following = stop
                    break
            position = following

    def _at(
        self,
        text: str,
        offsets: tuple[tuple[int, int], ...],
        folded: tuple[str, ...],
        position: int,
    ) -> Iterator[tuple[Match, int]]:
        """Names that begin at a word, the longest first, each with the word after it."""
        longest = self._longest.get(folded[position], 0)
        for stop in range(min(position + longest, len(folded)), position, -1):
            entries = self.entries.get(folded[position:stop])
            if entries is None:
                continue
            start, end = offsets[position][0], offsets[stop - 1][1]
            accepted = tuple(entry for entry in entries if entry.accepts(text[start:end]))
            if accepted:
                yield Match(start, end, accepted), stop


def _cased(text: str) -> tuple[str, ...]:
    return tuple(text[start:end] for start, end in words(text))


def _folded(text: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in _cased(text))


def _entry(row: dict[str, str], label: str | None, case: Case) -> Entry:
    surface = (row.get("surface") or "").strip()
    chosen = (row.get("label") or "").strip() or label or ""
    policy = (row.get("case") or "").strip() or case
    if policy not in get_args(Case):
        raise DataError(f"expected case {', '.join(get_args(Case))}, got {policy!r}")
    return Entry(surface, chosen, row.get("id") or None, cast(Case, policy))

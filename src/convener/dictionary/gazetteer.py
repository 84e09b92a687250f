"""A gazetteer: names with their types, found in text on word boundaries.

A name is compared word by word in one normal form (`convener.dictionary.normal`), so spacing never
matters; each entry then says how case is to be read (`convener.dictionary.entries`). At each place
the longest name wins, unless all are asked for. Entries of several types with one name make a match
*ambiguous*, unless one has a higher priority; which is meant is left to the model.

A gazetteer of many names is better compiled once (`save`); the file is then ready at once.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from convener.dictionary.compiled import Compiled, is_compiled, save
from convener.dictionary.entries import Case, Entry
from convener.dictionary.finder import Finder, Match
from convener.dictionary.listed import Listed, keys_of
from convener.dictionary.normal import key
from convener.dictionary.sources import entry_of, read_rows
from convener.errors import ConfigError, DataError, short
from convener.text.formats.lines import OnError

__all__ = ["Case", "Entry", "Gazetteer", "Match"]


class Gazetteer:
    """Names and their types.

    Names in `stop` never match. With `possessives` the 's of a name's words may be missing or
    added; with `plurals` a name also matches in the plural of English. `unusable` and `left_out`
    list rows that cannot be used and entries that smart case leaves out, with the reasons;
    `duplicates` counts entries that repeat another.

    >>> drugs = Gazetteer([Entry("aspirin", "DRUG"), Entry("folic acid", "DRUG")])
    >>> text = "Aspirin and  folic acid."
    >>> [(text[m.start : m.end], m.labels) for m in drugs.matches(text)]
    [('Aspirin', ('DRUG',)), ('folic acid', ('DRUG',))]
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        stop: Iterable[str] = (),
        possessives: bool = False,
        plurals: bool = False,
    ) -> None:
        listed = Listed(possessives, plurals)
        for entry in entries:
            if not isinstance(entry, Entry):
                raise ConfigError(
                    f"expected entries, got {short(entry)}: "
                    'write one as Entry("aspirin", "DRUG"), or read a file with Gazetteer.from_file'
                )
            listed.add(entry)
        self._use(listed, stop)

    def _use(self, names: Listed | Compiled, stop: Iterable[str]) -> None:
        self._names = names
        self._about = names.about()
        self.unusable: list[str] = []
        self.left_out = names.left_out
        self.duplicates = names.duplicates
        options = self._about["possessives"], self._about["plurals"]
        self._stopped = tuple(stop)
        self._stop = frozenset(form for name in self._stopped for form in keys_of(name, *options))
        self._finder = Finder(names, self._stop)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        label: str | None = None,
        case: Case = "smart",
        *,
        stop: Iterable[str] = (),
        possessives: bool = False,
        plurals: bool = False,
        on_error: OnError | None = None,
    ) -> "Gazetteer":
        """Read a CSV, TSV or JSONL file, a plain list of names, or a compiled dictionary.

        Tables have the columns surface, label and optionally id, case and priority, in this order
        or under a header of these names. `label` and `case` serve rows that give none. Rows without
        a name or a label are left out and listed in `unusable`; lines that are no rows at all are
        handed to `on_error`.

        Raises:
            DataError: the file can't be read, or has no usable name; a line is no row, and there is
                no `on_error`; a compiled file is given what was settled when it was made.
        """
        gazetteer = cls([])
        if Path(path).is_fifo():
            raise DataError(f"{path}: expected a file of names, which is read twice, got a pipe")
        if is_compiled(path):
            if label or case != "smart" or possessives or plurals:
                raise DataError(
                    f"{path} is compiled: label, case, possessives and plurals are settled in it, "
                    "give them when compiling"
                )
            gazetteer._use(Compiled(path), stop)
            return gazetteer
        listed = Listed(possessives, plurals)
        unusable = []
        rows = 0
        for place, row in read_rows(path, on_error):
            rows += 1
            try:
                listed.add(entry_of(row, label, case), f"{place}: ")
            except DataError as error:
                unusable.append(f"{place}: {error}")
        if not listed.about()["names"]:
            reasons = [*unusable, *listed.left_out]
            raise DataError(
                f"{path}: expected names with labels (columns surface,label), found none in "
                f"{rows} rows"
                + (f"; the first row: {reasons[0]}" if reasons else "")
                + ("" if label else "; --label gives the type of names without one")
            )
        gazetteer._use(listed, stop)
        gazetteer.unusable = unusable
        return gazetteer

    from_csv = from_file

    @classmethod
    def of(cls, names: "Gazetteer | str | Path") -> "Gazetteer":
        """A gazetteer that is one already, or that of a file."""
        return names if isinstance(names, Gazetteer) else cls.from_file(names)

    def having(self, entries: Iterable[Entry]) -> "Gazetteer":
        """A gazetteer of other entries, with the options of this one."""
        about = self._about
        return Gazetteer(
            entries,
            stop=self._stopped,
            possessives=about["possessives"],
            plurals=about["plurals"],
        )

    def save(self, path: str | Path) -> None:
        """Write a compiled dictionary, which `from_file` reads at once. Stopped names are in it.

        Raises:
            DataError: there is no name to save, the file can't be written, or the gazetteer came
                from a compiled one.
        """
        if isinstance(self._names, Compiled):
            raise DataError(f"{self._names.path} is compiled already: copy it")
        save(path, self._names)

    def __len__(self) -> int:
        """How many entries there are, stopped ones left out."""
        stopped = sum(form.own for name in self._stop for form in self._names.forms(name))
        return self._about["names"] - stopped

    def __iter__(self) -> Iterator[Entry]:
        """All entries, stopped ones left out."""
        for name in self._names:
            if name not in self._stop:
                yield from (form.entry for form in self._names.forms(name) if form.own)

    def __contains__(self, surface: object) -> bool:
        """Whether a name is listed and not stopped, whatever its case and spacing."""
        if not isinstance(surface, str):
            return False
        name = key(surface)
        return name not in self._stop and bool(self._names.forms(name))

    def passes_over(self, word: str) -> bool:
        """Whether a word in lower case is a name that smart case takes with its capitals only."""
        return self._finder.passes_over(word)

    @property
    def labels(self) -> tuple[str, ...]:
        """The types of the dictionary, sorted."""
        return tuple(self._about["types"])

    @property
    def ambiguous(self) -> dict[str, tuple[str, ...]]:
        """Names listed under several types of one priority, with the types."""
        listed = self._about["ambiguous"]
        return {name: tuple(types) for name, types in listed.items() if name in self}

    def matches(self, text: str, nested: bool = False) -> Iterator[Match]:
        """The names in a text from left to right, the longest at each place, none overlapping.

        With `nested`, all names: also those inside or across others.
        """
        return self._finder.find(text, nested)

"""Entries of a dictionary, and how each reads the case of a text.

- `exact`: only as written;
- `ignore`: in any case;
- `smart` (the default): a single word with capitals ("Apple", "NASA") must stand as written or, if
  it is longer than three letters, in all capitals; common English words ("May", "IT", "The Who")
  only as written; lower-case names and other names of several words match in any case.

Smart also leaves out what would mostly be found by mistake: common words in lower case ("can"),
names of one character, and names of digits and punctuation alone. An entry that says `exact` or
`ignore` is always used.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from convener.dictionary.normal import SEPARATOR, fold, key, written
from convener.errors import DataError, short

Case = Literal["smart", "exact", "ignore"]
LONGEST_NAME = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of the dictionary, its type, and optionally the id of the thing it names.

    Of entries that match at one place, those of the highest `priority` count.
    """

    surface: str
    label: str
    id: str | None = None
    case: Case = "smart"
    priority: int = 0

    def accepts(self, surface: str) -> bool:
        """Whether the case of a surface that equals the name otherwise is the right one."""
        return Form.of(self).accepts(surface)

    def key(self) -> str:
        """The key of the name.

        Raises:
            DataError: there is no name or no label, or the name is too long.
        """
        if len(self.surface) > LONGEST_NAME:
            raise DataError(
                f"expected a name of at most {LONGEST_NAME:,} characters, "
                f"got {len(self.surface):,}: {short(self.surface)}"
            )
        found = key(self.surface)
        if not found:
            raise DataError(f"expected a name, got {self.surface!r} for label {self.label!r}")
        if not _encodes(self.surface):
            raise DataError(f"the name {short(self.surface)} holds half a surrogate pair")
        if not self.label:
            raise DataError(f"the name {short(self.surface)} has no label")
        return found


class Form(NamedTuple):
    """A way to write the name of an entry, its `own` or another, and which cases are right."""

    entry: Entry
    written: str
    own: bool
    rule: Literal["any", "written", "capitals"]

    @classmethod
    def of(cls, entry: Entry, variant: str | None = None) -> "Form":
        """The form of an entry as it is listed, or a variant of it."""
        form = written(entry.surface) if variant is None else variant
        return cls(entry, form, variant is None, _rule(entry.case, form))

    def doubtful(self) -> str | None:
        """Why smart leaves the entry out, if it does."""
        if self.entry.case != "smart":
            return None
        if len(self.written) == 1 or len(unicodedata.normalize("NFC", self.written)) == 1:
            return "a name of one character"
        if all(_counts_or_points(character) for character in self.written):
            return "a name of digits or punctuation alone"
        if self.rule == "written" and self.written == self.written.lower():
            return "a common word in lower case"
        return None

    def accepts(self, surface: str) -> bool:
        """Whether the case of a surface that equals the form otherwise is the right one."""
        if self.rule == "any" or written(surface) == self.written:
            return True
        return self.rule == "capitals" and surface.isupper() and len(surface) > 3


def _rule(case: Case, form: str) -> Literal["any", "written", "capitals"]:
    if case == "ignore":
        return "any"
    if case == "exact" or _all_common(form):
        return "written"
    return "any" if SEPARATOR in form or form == form.lower() else "capitals"


def _counts_or_points(character: str) -> bool:
    return character == SEPARATOR or unicodedata.category(character) in _NO_NAME


_NO_NAME = {"Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk"}


def _all_common(form: str) -> bool:
    common = _common_words()
    return all(fold(word) in common for word in form.split(SEPARATOR))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _common_words() -> frozenset[str]:
    listed = files("convener.dictionary").joinpath("common_words.txt").read_text(encoding="utf-8")
    return frozenset(listed.split())

"""Names in memory: what a dictionary is until it is compiled, cheap to make from a few entries."""

from collections.abc import Iterator
from typing import TypedDict

from convener.dictionary.entries import Entry, Form
from convener.dictionary.normal import SEPARATOR, key, written
from convener.dictionary.variants import variants
from convener.errors import short

MUCH = 500
"""Characters of a key beyond which it is first cut to what a name can have."""


class About(TypedDict):
    """What is known of all names together; a compiled file has it in its header."""

    names: int
    types: list[str]
    ambiguous: dict[str, list[str]]
    possessives: bool
    plurals: bool


class Listed:
    """Keys of names, each with its forms.

    `duplicates` counts entries that repeat another; `left_out` says which ones smart case leaves
    out, and why.
    """

    def __init__(self, possessives: bool = False, plurals: bool = False) -> None:
        self.duplicates = 0
        self.left_out: list[str] = []
        self._options = possessives, plurals
        self._entries = 0
        self._forms: dict[str, tuple[Form, ...]] = {}
        self._longest: dict[str, int] = {}

    def add(self, entry: Entry, place: str = "") -> None:
        """Add an entry, met at a place.

        Raises:
            DataError: an entry without a name or label, or with a name that is too long.
        """
        name, form = entry.key(), Form.of(entry)
        if doubt := form.doubtful():
            self.left_out.append(f"{place}{short(entry.surface)} is {doubt}")
            return
        new = self._add(name, form)
        self._entries += new
        self.duplicates += not new
        if any(self._options):
            for variant in variants(form.written, *self._options):
                self._add(_key(variant), Form.of(entry, variant))

    def _add(self, key: str, form: Form) -> bool:
        """Whether nothing said the same before; if something did, the higher priority stays."""
        known = self._forms.get(key)
        if known is None:
            self._forms[key] = (form,)
        elif same := [old for old in known if _identity(old) == _identity(form)]:
            if form.entry.priority > same[0].entry.priority:
                self._forms[key] = tuple(form if old in same else old for old in known)
            return False
        else:
            self._forms[key] = tuple(sorted((*known, form), key=lambda form: not form.own))
        first = key[: key.index(SEPARATOR)]
        self._longest[first] = max(key.count(SEPARATOR), self._longest.get(first, 0))
        return True

    def longest(self, first: str) -> int:
        """Parts of the longest name that begins with this part, 0 if there is none."""
        return self._longest.get(first, 0)

    def may_begin(self, pair: str) -> bool:
        """Whether a name may begin with two parts; here it is as quick to look."""
        return True

    def prefixes(self, text: str) -> list[str]:
        """The keys that a text in the form of a key begins with, the longest first."""
        found = []
        if len(text) > MUCH:
            longest = self.longest(text[: text.find(SEPARATOR)])
            text = SEPARATOR.join([*text.split(SEPARATOR, longest)[:-1], ""])
        while text:
            if text in self._forms:
                found.append(text)
            text = text[: text.rfind(SEPARATOR, 0, -1) + 1]
        return found

    def forms(self, key: str) -> tuple[Form, ...]:
        """The forms under a key."""
        return self._forms.get(key, ())

    def __iter__(self) -> Iterator[str]:
        """All keys."""
        return iter(self._forms)

    def about(self) -> About:
        """What is known of all names together."""
        types = {form.entry.label for forms in self._forms.values() for form in forms}
        ambiguous = {}
        for forms in self._forms.values():
            if len(forms) > 1:
                top = max(form.entry.priority for form in forms)
                best = {form.entry.label for form in forms if form.entry.priority == top}
                if len(best) > 1:
                    ambiguous[forms[0].entry.surface] = sorted(best)
        possessives, plurals = self._options
        return About(
            names=self._entries,
            types=sorted(types),
            ambiguous=ambiguous,
            possessives=possessives,
            plurals=plurals,
        )


def keys_of(name: str, possessives: bool, plurals: bool) -> Iterator[str]:
    """The key of a name and those of its variants."""
    yield key(name)
    yield from map(_key, variants(written(name), possessives, plurals))


def _identity(form: Form) -> tuple[str, ...]:
    own = "" if form.own else form.entry.surface
    return form.entry.label, form.entry.case, form.written, own


def _key(form: str) -> str:
    return key(form.replace(SEPARATOR, " "))

r"""A dictionary in one file that is read where it lies: ready at once, however many names it has.

    convener dictionary 1 CHECKSUM\\n      schema version, CRC-32 of everything after this line
    {"size": …, "labels": …, …}\\n         header: size of the body, sections as [offset, length]
    body                                  keys and first parts as MARISA tries, numbers, forms

Keys have the numbers that the trie gives them; `rows` holds the forms of each key as JSON, at
offsets `places[number]`; `pairs` tells most pairs of parts that begin no name. Nothing in the file
is ever run.
"""

import json
import mmap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marisa_trie
import numpy as np

from convener.dictionary.entries import Entry, Form
from convener.dictionary.listed import About, Listed
from convener.dictionary.normal import SEPARATOR
from convener.errors import DataError
from convener.files import new_file

VERSION = 1
_MAGIC = b"convener dictionary "
_OPENING = len(_MAGIC) + len(b"1 00000000\n")


def is_compiled(path: str | Path) -> bool:
    """Whether a file begins as compiled dictionaries do."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def save(path: str | Path, names: Listed) -> None:
    """Write names to a file, whole or not at all.

    Raises:
        DataError: there is no name, or the file can't be written.
    """
    keys = sorted(names)
    if not keys:
        raise DataError(f"{path}: expected names to compile, got an empty dictionary")
    trie, firsts = marisa_trie.Trie(keys), marisa_trie.Trie({_first(key) for key in keys})
    labels: dict[str, int] = {}
    rows = [b""] * len(keys)
    longest = np.zeros(len(firsts), "<u2")
    for key in keys:
        first = firsts[_first(key)]
        longest[first] = max(longest[first], key.count(SEPARATOR))
        rows[trie[key]] = json.dumps(
            [_row(form, labels) for form in names.forms(key)],
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
    places = np.zeros(len(rows) + 1, "<u8")
    np.cumsum([len(row) for row in rows], out=places[1:])
    body = {
        "keys": trie.tobytes(),
        "firsts": firsts.tobytes(),
        "longest": longest.tobytes(),
        "places": places.tobytes(),
        "rows": b"".join(rows),
        "pairs": _pairs(keys),
    }
    _write(Path(path), body, {"about": names.about(), "labels": list(labels)})


class Compiled:
    """Names in a compiled file.

    What was left out or repeated was told when it was made.

    Raises:
        DataError: the file is of another version, or damaged.
    """

    duplicates = 0

    def __init__(self, path: str | Path) -> None:
        self.left_out: list[str] = []
        self.path = Path(path).resolve()
        try:
            with self.path.open("rb") as stream:
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read ({error})") from None
        content = memoryview(mapped)
        version = bytes(content[len(_MAGIC) : _OPENING - 10])
        if version != b"%d" % VERSION:
            raise DataError(
                f"{path}: expected a compiled dictionary of version {VERSION}, "
                f"got {version.decode('ascii', 'replace')!r}: compile it again"
            )
        if bytes(content[_OPENING - 9 : _OPENING]) != b"%08x\n" % zlib.crc32(content[_OPENING:]):
            raise DataError(
                f"{path}: the compiled dictionary is damaged or cut short: compile it again"
            )
        begin = mapped.find(b"\n", _OPENING) + 1
        self._header: dict[str, Any] = json.loads(bytes(content[_OPENING:begin]))
        self._body = content[begin:]
        self._trie = marisa_trie.Trie().map(self._section("keys"))
        self._firsts = marisa_trie.Trie().map(self._section("firsts"))
        self._longest = np.frombuffer(self._section("longest"), "<u2")
        self._places = np.frombuffer(self._section("places"), "<u8")
        self._rows = self._section("rows")
        self._pairs = self._section("pairs")
        self._mask = 8 * len(self._pairs) - 1

    def about(self) -> About:
        """What is known of all names together."""
        about: About = self._header["about"]
        return about

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        """Another process opens the file for itself."""
        return Compiled, (self.path,)

    def longest(self, first: str) -> int:
        """Parts of the longest name that begins with this part, 0 if there is none."""
        number = self._firsts.get(_writable(first))
        return 0 if number is None else int(self._longest[number])

    def may_begin(self, pair: str) -> bool:
        """Whether a name may begin with two parts; about one answer in twenty is wrongly True."""
        place = zlib.crc32(pair.encode("utf-8", "surrogatepass")) & self._mask
        return bool(self._pairs[place >> 3] >> (place & 7) & 1)

    def prefixes(self, text: str) -> list[str]:
        """The keys that a text in the form of a key begins with, the longest first."""
        found: list[str]
        try:
            found = self._trie.prefixes(text)
        except UnicodeEncodeError:
            found = self._trie.prefixes(_writable(text))
        found.reverse()
        return found

    def forms(self, key: str) -> tuple[Form, ...]:
        """The forms under a key."""
        number = self._trie.get(_writable(key))
        if number is None:
            return ()
        start, end = map(int, self._places[number : number + 2])
        rows = json.loads(bytes(self._rows[start:end]).decode())
        return tuple(self._form(*row) for row in rows)

    def __iter__(self) -> Iterator[str]:
        """All keys."""
        return iter(self._trie.iterkeys())

    def _section(self, name: str) -> memoryview:
        start, length = self._header["sections"][name]
        return self._body[start : start + length]

    def _form(
        self,
        surface: str,
        label: int,
        id: str | None = None,
        case: Any = "smart",
        priority: int = 0,
        form: str | None = None,
    ) -> Form:
        entry = Entry(surface, self._header["labels"][label], id, case, priority)
        return Form.of(entry, form)


def _writable(text: str) -> str:
    """A text up to the first character that UTF-8 cannot write: no name has one."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return text[: error.start]
    return text


def _pairs(keys: list[str]) -> bytes:
    """Bits set at the checksums of the first two parts of names; a power of two of them."""
    bits = np.zeros(1 << max(6, (16 * len(keys)).bit_length()), bool)
    for key in keys:
        pair = SEPARATOR.join(key.split(SEPARATOR, 2)[:2]) + SEPARATOR
        bits[zlib.crc32(pair.encode()) & (len(bits) - 1)] = True
    return np.packbits(bits, bitorder="little").tobytes()


def _first(key: str) -> str:
    return key[: key.index(SEPARATOR)]


def _row(form: Form, labels: dict[str, int]) -> list[Any]:
    entry = form.entry
    row = [entry.surface, labels.setdefault(entry.label, len(labels))]
    rest = [entry.id, entry.case, entry.priority]
    rest.append(None if form.own else form.written)
    for default in (None, 0, "smart", None):
        if rest[-1] != default:
            break
        rest.pop()
    return row + rest


def _write(path: Path, body: dict[str, bytes], header: dict[str, Any]) -> None:
    sections, size = {}, 0
    for name, content in body.items():
        sections[name] = [size, len(content)]
        size += len(content)
    opening = json.dumps(header | {"sections": sections}).encode() + b"\n"
    checksum = zlib.crc32(opening)
    for content in body.values():
        checksum = zlib.crc32(content, checksum)
    try:
        with new_file(path) as partial, partial.open("wb") as stream:
            stream.writelines([_MAGIC, b"%d %08x\n" % (VERSION, checksum), opening, *body.values()])
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from None

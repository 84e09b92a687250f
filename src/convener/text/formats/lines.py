"""Lines of a file with their numbers, decoded with care.

Only a line feed ends a line (a carriage return before it is dropped), so that U+2028 and its like
inside a text cannot shift what follows. A byte-order mark is dropped. What is not UTF-8 text is
refused with its place.
"""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from convener.errors import DataError

OnError = Callable[[DataError], None]


class Line(NamedTuple):
    """A decoded line without its end, and where it stands."""

    path: str
    number: int
    text: str

    def error(self, cause: str) -> DataError:
        """A DataError that names file and line."""
        return DataError(f"{self.path}:{self.number}: {cause}")


def numbered_lines(path: str | Path, on_error: OnError | None = None) -> Iterator[Line]:
    """The lines of a UTF-8 file, `-` being standard input.

    Raises:
        DataError: the file can't be opened; a line holds something other than UTF-8 text, and there
            is no `on_error` to take the error.
    """

    def refuse(error: DataError) -> None:
        raise error

    on_error = on_error or refuse
    if str(path) == "-":
        yield from _decode("standard input", sys.stdin.buffer, on_error)
        return
    with opened(path) as stream:
        yield from _decode(str(path), stream, on_error)


@contextmanager
def opened(path: str | Path) -> Iterator[IO[bytes]]:
    """A file to read from.

    Raises:
        DataError: the file can't be read.
    """
    try:
        with Path(path).open("rb") as stream:
            yield stream
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole lines of a file: `size` bytes from byte `start`, the first being line `line`."""

    path: str
    start: int
    size: int
    line: int

    def lines(self, on_error: OnError) -> Iterator[Line]:
        """The lines, with the numbers they have in the file."""
        with Path(self.path).open("rb") as stream:
            stream.seek(self.start)
            content = io.BytesIO(stream.read(self.size))
        return _decode(self.path, content, on_error, self.line)


def stretches(path: str | Path, size: int) -> Iterator[Stretch]:
    """A file cut at ends of lines into stretches of `size` bytes, or one line where that is more.

    Raises:
        DataError: the file can't be read.
    """
    with opened(path) as stream:
        start, line = 0, 1
        while content := stream.read(size):
            content += stream.readline()
            yield Stretch(str(path), start, len(content), line)
            start += len(content)
            line += content.count(b"\n")


def _decode(name: str, stream: IO[bytes], on_error: OnError, first: int = 1) -> Iterator[Line]:
    for number, raw in enumerate(stream, first):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            text = raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            on_error(
                DataError(
                    f"{name}:{number}: expected UTF-8 text, got byte 0x{raw[error.start]:02x}: "
                    "convert the file (for example with iconv) or check that it is a text file"
                )
            )
            continue
        if "\x00" in text:
            cause = "expected text, got a NUL character: this looks like binary data"
            on_error(DataError(f"{name}:{number}: {cause}"))
            continue
        yield Line(name, number, text)

"""Any format into any other, with a count of what could not come along."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from convener.text.formats import Format, OnError, of_output, read, write
from convener.text.formats.capacity import Lost


@dataclass(frozen=True, slots=True)
class Conversion:
    """How many documents were written, and by name what was not.

    `unread` is what the source has beside texts with entities, `lost` what the target cannot hold.
    """

    documents: int
    unread: Lost
    lost: Lost


def convert(
    source: str | Path,
    target: str | Path,
    source_format: Format | None = None,
    target_format: Format | None = None,
    on_error: OnError | None = None,
) -> Conversion:
    """Write the documents of one file or folder to another, in another format.

    A format left open is told from the source's content and from the target's name. Of what the
    target cannot hold as much is kept as it can: see `convener.text.formats.capacity`.

    Raises:
        DataError: the source cannot be read, a format cannot be told, or an item is bad and there
            is no `on_error` to take the error.
        ConfigError: the package that reads or writes a format is not installed.
    """
    chosen = target_format or of_output(target)
    unread: Lost = Counter()
    lost: Lost = Counter()
    count = write(target, read(source, source_format, on_error, unread), chosen, lost)
    return Conversion(count, +unread, +lost)

"""File formats, read and written as documents.

| format        | one item                                                                   |
|---------------|----------------------------------------------------------------------------|
| `text`        | a line of plain text                                                       |
| `jsonl`       | `{"text", "entities": [{"start", "end", "label"}]}`, offsets in characters |
| `tokens`      | `{"tokens", "spans": [[start, end, label]]}`, offsets in words             |
| `conll`       | lines of 2 to 4 columns, word first and tag last, then a blank line        |
| `doccano`     | `{"text", "label": [[start, end, label]]}` and its form with relations     |
| `labelstudio` | a task of the JSON or JSON-MIN export                                      |
| `spacy`       | a Doc of a DocBin (`.spacy`)                                               |
| `brat`        | a pair of `.txt` and `.ann` in a folder, or a `.txt` alone                 |
| `datasets`    | a row of a set saved by Hugging Face `datasets`                            |

A format is known by what the file or folder holds. A bad item raises `DataError` naming file,
line and cause, or is handed to `on_error` and left out. All but `labelstudio`, `spacy` and
`datasets` are read and written as streams.
"""

import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from convener.errors import DataError
from convener.files import open_output
from convener.text.documents import Document
from convener.text.formats import brat, conll, dataset, docbin, doccano, jsonl, labelstudio, plain
from convener.text.formats.capacity import Format, Lost, checked, fitted, told
from convener.text.formats.detection import head, of_labels, of_lines, of_output, of_place
from convener.text.formats.lines import Line, OnError, Stretch, numbered_lines

__all__ = [
    "Format",
    "Lost",
    "OnError",
    "format_of",
    "of_output",
    "read",
    "read_stretch",
    "told",
    "write",
]

_LineReader = Callable[[Iterable[Line], OnError, Lost], Iterator[Document]]

_READERS: dict[Format, _LineReader] = {
    "text": lambda lines, on_error, lost: plain.read(lines, on_error),
    "jsonl": jsonl.read_characters,
    "tokens": jsonl.read_tokens,
    "conll": lambda lines, on_error, lost: conll.read(lines, on_error),
}
_TOOL_READERS: dict[Format, _LineReader] = {
    "doccano": doccano.read,
    "labelstudio": labelstudio.read,
}
_PLACE_READERS: dict[Format, Callable[[Path, OnError, Lost], Iterator[Document]]] = {
    "spacy": docbin.read,
    "brat": brat.read,
    "datasets": dataset.read,
}
_WRITERS: dict[Format, Callable[[Iterable[Document]], Iterator[str]]] = {
    "text": plain.lines,
    "jsonl": lambda documents: map(jsonl.characters_line, documents),
    "tokens": lambda documents: map(jsonl.tokens_line, documents),
    "conll": conll.blocks,
    "doccano": lambda documents: map(doccano.line, documents),
    "labelstudio": labelstudio.parts,
}


def read(
    path: str | Path,
    format: Format | None = None,
    on_error: OnError | None = None,
    lost: Lost | None = None,
) -> Iterator[Document]:
    """Documents of a file or folder (`-` is standard input), one at a time.

    What it holds beside texts with entities, such as relations, is added to `lost`, or warned of
    at the end where that is left open.

    Raises:
        DataError: the file is missing, empty or not UTF-8 text, or an item is bad and there is no
            `on_error` to take the error.
    """
    refuse = on_error or _refuse
    if lost is not None:
        return _read(path, format, refuse, lost)
    losses: Lost = Counter()
    return _warned(path, _read(path, format, refuse, losses), losses)


def _read(
    path: str | Path, format: Format | None, refuse: OnError, lost: Lost
) -> Iterator[Document]:
    chosen = format or (of_place(Path(path)) if str(path) != "-" else None)
    if chosen in _PLACE_READERS:
        if str(path) == "-":
            raise DataError(f"{chosen} is read from its place, got standard input: give a name")
        return _PLACE_READERS[chosen](Path(path), refuse, lost)
    lines = numbered_lines(path, refuse)
    first = head(path, lines)
    chosen = chosen or of_lines(Path(path), first)
    content = itertools.chain(first, lines)
    return (_TOOL_READERS | _READERS)[chosen](content, refuse, lost)


def _warned(path: str | Path, documents: Iterator[Document], lost: Lost) -> Iterator[Document]:
    yield from documents
    if +lost:
        warnings.warn(f"{path}: not read: {told(lost)}", stacklevel=2)


def format_of(path: str | Path) -> Format:
    """The format that `read` takes a file or folder to be in; lines that are no text do not tell.

    Raises:
        DataError: the file is missing, or has no line of UTF-8 text.
    """
    lines = numbered_lines(path, lambda error: None)
    return of_place(Path(path)) or of_lines(Path(path), head(path, lines))


def read_stretch(
    stretch: Stretch, format: Format, on_error: OnError | None = None
) -> Iterator[Document]:
    """Documents of a part of a file that has a document a line.

    Raises:
        DataError: an item is bad and there is no `on_error` to take the error.
    """
    refuse = on_error or _refuse
    return _READERS[format](stretch.lines(refuse), refuse, Counter())


def _refuse(error: DataError) -> None:
    raise error


def write(
    path: str | Path,
    documents: Iterable[Document],
    format: Format | None = None,
    lost: Lost | None = None,
) -> int:
    """Write documents to a file or folder (`-` is standard output); return how many there were.

    It appears only when all of it is written. What the format cannot hold is left behind and added
    to `lost`; where that is left open, labels that would be lost are refused.

    Raises:
        DataError: the format cannot hold a document's labels, a folder has something in it, or the
            name ends as one of something else.
    """
    chosen = format or of_labels(path)
    if lost is not None:
        documents = fitted(documents, chosen, lost)
    elif chosen not in _READERS:
        documents = checked(documents, chosen)
    count = 0

    def counted() -> Iterator[Document]:
        nonlocal count
        for document in documents:
            count += 1
            yield document

    if chosen in _WRITERS:
        with open_output(path) as stream:
            stream.writelines(_WRITERS[chosen](counted()))
    elif chosen == "spacy":
        docbin.write(path, counted())
    elif str(path) == "-":
        raise DataError(f"{chosen} is written to a folder, got standard output: give a name")
    elif chosen == "brat":
        brat.write(Path(path), counted(), Counter() if lost is None else lost)
    else:
        dataset.write(Path(path), counted())
    return count

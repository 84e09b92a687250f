"""File formats, read and written as streams of documents.

| format   | one item                                                                        |
|----------|---------------------------------------------------------------------------------|
| `text`   | a line of plain text                                                            |
| `jsonl`  | `{"text", "entities": [{"start", "end", "label"}]}`, offsets in characters       |
| `tokens` | `{"tokens", "spans": [[start, end, label]]}`, offsets in words                   |
| `conll`  | lines of 2 to 4 columns, word first and tag last, a blank line after a sentence |

A format is known by the file's ending and, for JSON Lines, by the keys of the first line. A bad
item raises `DataError` naming file, line and cause, or is handed to `on_error` and left out.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from convener.errors import DataError
from convener.files import open_output
from convener.text.documents import Document
from convener.text.formats import conll, jsonl, plain
from convener.text.formats.lines import Line, OnError, numbered_lines

Format = Literal["text", "jsonl", "tokens", "conll"]

_READERS: dict[Format, Callable[[Iterable[Line], OnError], Iterator[Document]]] = {
    "text": plain.read,
    "jsonl": jsonl.read_characters,
    "tokens": jsonl.read_tokens,
    "conll": conll.read,
}
_WRITERS: dict[Format, Callable[[Iterable[Document]], Iterator[str]]] = {
    "text": plain.lines,
    "jsonl": lambda documents: map(jsonl.characters_line, documents),
    "tokens": lambda documents: map(jsonl.tokens_line, documents),
    "conll": conll.blocks,
}
_ENDINGS: dict[str, Format] = {
    ".txt": "text",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".tsv": "conll",
}


def read(
    path: str | Path, format: Format | None = None, on_error: OnError | None = None
) -> Iterator[Document]:
    """Documents of a file (`-` is standard input), one at a time.

    Raises:
        DataError: the file is missing, empty or not UTF-8 text, or an item is bad and there is no
            `on_error` to take the error.
    """

    def refuse(error: DataError) -> None:
        raise error

    lines = numbered_lines(path)
    head: list[Line] = []
    for line in lines:
        head.append(line)
        if line.text.strip():
            break
    if not head:
        raise DataError(f"{path}: the file is empty, expected at least one document")
    chosen = format or _detect(Path(path), head[-1])
    return _READERS[chosen](itertools.chain(head, lines), on_error or refuse)


def write(path: str | Path, documents: Iterable[Document], format: Format | None = None) -> int:
    """Write documents to a file (`-` is standard output) and return how many there were.

    The file appears only when all of it is written.
    """
    render = _WRITERS[format or _ENDINGS.get(Path(path).suffix.lower(), "jsonl")]
    count = 0

    def counted() -> Iterator[Document]:
        nonlocal count
        for document in documents:
            count += 1
            yield document

    with open_output(path) as stream:
        stream.writelines(render(counted()))
    return count


def _detect(path: Path, first: Line) -> Format:
    ending = path.suffix.lower()
    if ending in {".jsonl", ".json", ".ndjson"}:
        return jsonl.kind(first)
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    return jsonl.kind(first) if first.text.lstrip().startswith("{") else "text"

"""Which format a file or a folder is in, from what it holds; its ending decides what that leaves
open, and where to write.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from convener.errors import DataError
from convener.text.formats import brat, doccano, jsonl
from convener.text.formats.capacity import Format
from convener.text.formats.lines import Line, opened
from convener.text.tags import split_tag

ENDINGS: dict[str, Format] = {
    ".txt": "text",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".tsv": "conll",
    ".spacy": "spacy",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
NO_TEXT = {".xlsx", ".xls", ".pdf", ".docx", ".doc", ".rtf", ".gz", ".zip"}
_OTHER = {".csv", ".html", ".htm", ".xml", *NO_TEXT}
_INSTEAD = 'write its texts as JSON Lines, {"text": "…"} a line'
_UNPACKED = "zcat it into the command, which reads - as standard input"
_DOCBIN = b"\x78\x9c"
_LIST = re.compile(r"\[\s*(\{|\]|$)")
_LINES = 30
_MANY = 5
"""With more lines than this that all end in O no text begins."""


def of_place(path: Path) -> Literal["spacy", "brat", "datasets"] | None:
    """The format of what is no file of lines.

    Raises:
        DataError: a folder in no format that is known, or a file that by its name is no text.
    """
    if path.is_dir():
        if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
            return "datasets"
        files = list(brat.visible(path))
        other = next((file for file in files if file.suffix.lower() != ".txt"), None)
        if files and (other is None or any(file.suffix == ".ann" for file in files)):
            return "brat"
        found = "nothing" if other is None else other.relative_to(path)
        raise DataError(
            f"{path}: expected a folder of .txt files alone, of brat's pairs of .txt and .ann, or "
            f"a saved dataset, got one with {found}: {_INSTEAD}"
        )
    if path.suffix.lower() in _OTHER:
        way = _UNPACKED if path.suffix.lower() == ".gz" else _INSTEAD
        raise DataError(f"{path}: expected text or labelled documents, got {path.suffix}: {way}")
    if path.suffix.lower() == ".ann":
        return "brat"
    if not path.is_file():
        return None
    with opened(path) as stream:
        return "spacy" if stream.read(2) == _DOCBIN else None


def head(path: str | Path, lines: Iterable[Line]) -> list[Line]:
    """The first lines of a file, as many as it takes to tell its format."""
    taken = []
    for line in lines:
        taken.append(line)
        if line.text.strip() and (not _in_columns(line.text) or len(taken) >= _LINES):
            break
    if not taken:
        raise DataError(f"{path}: the file is empty, expected at least one document")
    return taken


def of_lines(path: Path, taken: list[Line]) -> Format:
    """The format of a file with these first lines."""
    ending = path.suffix.lower()
    first = next((line for line in taken if line.text.strip()), taken[-1])
    start = first.text.strip()
    if ENDINGS.get(ending) == "conll":
        return "conll"
    lines_of_json = ending in {".jsonl", ".ndjson"}
    if not lines_of_json and _LIST.match(start) and (ending != ".txt" or start != "["):
        return "labelstudio"
    if lines_of_json or ending == ".json" or start.startswith("{"):
        item = _object(start)
        if item is not None and doccano.is_doccano(item):
            return "doccano"
        if ending != ".txt" or (item is not None and item.keys() & {"text", "tokens"}):
            return jsonl.kind(first)
    return "conll" if _tagged(taken) else "text"


def _object(text: str) -> dict[str, object] | None:
    try:
        item = json.loads(text)
    except json.JSONDecodeError:
        return None
    return item if isinstance(item, dict) else None


def _in_columns(text: str) -> bool:
    """Whether a line could be a row of columns: two to four of them, the last a tag."""
    columns = text.split()
    if columns[:1] == ["-DOCSTART-"]:
        return True
    if not 2 <= len(columns) <= 4:
        return False
    try:
        split_tag(columns[-1])
    except DataError:
        return False
    return True


def _tagged(taken: list[Line]) -> bool:
    """Whether all rows are columns, some tagged O and some not, or all of many O.

    One row is enough that opens a document.
    """
    rows = [line.text.split() for line in taken if line.text.strip()]
    outside = [row[-1] == "O" for row in rows]
    opened_first = bool(rows) and rows[0][0] == "-DOCSTART-"
    enough = any(outside) and (len(rows) > _MANY or not all(outside))
    return (opened_first or enough) and all(_in_columns(" ".join(row)) for row in rows)


def of_labels(path: str | Path) -> Format:
    """The format that labels are written in under a name: JSON Lines, unless its ending says other.

    Raises:
        DataError: the name ends as one of something else.
    """
    ending = Path(path).suffix.lower()
    if ending in _OTHER:
        raise DataError(f"cannot write {ending}: end {path} in one of {', '.join(ENDINGS)}")
    return ENDINGS.get(ending, "jsonl")


def of_output(path: str | Path) -> Format:
    """The format to write to a place: by ending; a name without one is a folder for brat.

    Raises:
        DataError: the name does not tell.
    """
    place = Path(path)
    if str(path) == "-":
        return "jsonl"
    if place.suffix.lower() in ENDINGS:
        return ENDINGS[place.suffix.lower()]
    if not place.suffix:
        return "brat"
    raise DataError(
        f"cannot tell the format to write from the name {path}: end it in one of "
        f"{', '.join(ENDINGS)}, or name the format (for .json: labelstudio or jsonl)"
    )

"""Rows of a dictionary file: CSV, TSV, JSONL or a plain list, each row with its place.

Files are read as they stream, and a broken line costs that line alone: a quote that is opened may
close some lines below, as names with line breaks do, but cannot swallow the rest.
"""

import csv
import itertools
import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast, get_args

from convener.dictionary.entries import Case, Entry
from convener.errors import DataError, short
from convener.text.formats.detection import NO_TEXT
from convener.text.formats.lines import Line, OnError, numbered_lines

COLUMNS = ("surface", "label", "id", "case", "priority")
ALIASES = {"name": "surface", "term": "surface", "type": "label", "class": "label"}
ROW_LINES = 20
DELIMITERS = {".csv": ",", ".tsv": "\t"}
FEWEST_IDS, ALL_IDS = 20, 8
_OTHER = {".ods", *NO_TEXT}

Cells = tuple[Line, list[str]]
Row = tuple[str, dict[str, str]]


def read_rows(path: str | Path, on_error: OnError | None = None) -> Iterator[Row]:
    """Rows of a file as dictionaries of `COLUMNS`, each with `file:line`.

    Raises:
        DataError: the file is missing, by its ending no text, or a table without a column of names,
            or without a header and with ids where types are expected; a line is not text or not in
            the format of the file's ending, and there is no `on_error` to take the error.
    """

    def refuse(error: DataError) -> None:
        raise error

    on_error = on_error or refuse
    ending = Path(path).suffix.lower()
    if ending in _OTHER:
        raise DataError(f"{path}: expected names in a text file, got {ending}: save it as .csv")
    lines = (line for line in numbered_lines(path, on_error) if line.text.strip())
    if ending in DELIMITERS:
        return _table(lines, DELIMITERS[ending], on_error)
    if ending in {".jsonl", ".ndjson", ".json"}:
        return _json(lines, on_error)
    return ((f"{line.path}:{line.number}", {"surface": line.text}) for line in lines)


def entry_of(row: dict[str, str], label: str | None, case: Case) -> Entry:
    """The entry that a row speaks of; `label` and `case` serve where it has none.

    Raises:
        DataError: a case or priority that is none.
    """
    surface = (row.get("surface") or "").strip()
    chosen = (row.get("label") or "").strip() or label or ""
    policy = (row.get("case") or "").strip() or case
    if policy not in get_args(Case):
        raise DataError(f"expected case {', '.join(get_args(Case))}, got {short(policy)}")
    priority = (row.get("priority") or "").strip() or "0"
    try:
        number = int(priority)
    except ValueError:
        raise DataError(f"expected a whole number as priority, got {short(priority)}") from None
    return Entry(surface, chosen, row.get("id") or None, cast(Case, policy), number)


def _table(lines: Iterator[Line], delimiter: str, on_error: OnError) -> Iterator[Row]:
    rows = _filled(cells_of(lines, delimiter, on_error))
    first = next(rows, None)
    if first is None:
        return iter(())
    line, cells = first
    header = _header(cells)
    if len(cells) == 1 and (other := next((c for c in "\t;" if c in cells[0]), None)):
        raise line.error(
            f"expected columns apart by {delimiter!r}, got {other!r} in {short(cells[0])}: save it "
            "as .csv with commas, or as .tsv with tabs"
        )
    if not header:
        return _guessed(itertools.chain([first], rows))
    if "surface" not in header:
        raise line.error(
            "the header has no column 'surface': call the column of names surface, name or term"
        )
    return _under(header, rows, on_error)


def _under(header: tuple[str, ...], rows: Iterable[Cells], on_error: OnError) -> Iterator[Row]:
    for line, cells in rows:
        if any(cell.strip() for cell in cells[len(header) :]):
            expected = f"expected {len(header)} columns, got {len(cells)}"
            on_error(line.error(f"{expected}: put quotes around what has the delimiter in it"))
        else:
            yield _row(line, cells, header)


def _guessed(rows: Iterable[Cells]) -> Iterator[Row]:
    """Rows of a table without a header, whose second column has to be one of types."""
    types: set[str] = set()
    count = 0
    for line, cells in rows:
        count += 1
        types.update(filter(None, (cell.strip() for cell in cells[1:2])))
        yield _row(line, cells, COLUMNS)
    if len(types) > max(FEWEST_IDS, count / 2) or len(types) == count >= ALL_IDS:
        raise DataError(
            f"{line.path}: expected types in the second column of a table without a header, got "
            f"{len(types):,} different ones in {count:,} rows, such as {short(min(types))}: "
            "name the columns in the first row, as in surface,id, and give --label"
        )


def _row(line: Line, cells: list[str], names: tuple[str, ...]) -> Row:
    return f"{line.path}:{line.number}", dict(zip(names, cells, strict=False))


def _header(cells: list[str]) -> tuple[str, ...]:
    """The columns that a first row names, none if it seems to be a row like the others."""
    given = [cell.strip().lower() for cell in cells]
    header: list[str] = []
    for cell in given:
        name = ALIASES.get(cell, cell)
        header.append(cell if name in {*given, *header} else name)
    needed = {"surface", "label"}
    placed = header[0] == "surface" or "label" in header[1:]
    named = placed or needed <= set(header) or not needed.isdisjoint(given)
    return tuple(header) if named else ()


def unread_columns(path: str | Path) -> list[str]:
    """The columns of a table's header that say nothing of names here."""
    ending = Path(path).suffix.lower()
    if ending not in DELIMITERS:
        return []
    lines = (line for line in numbered_lines(path, lambda _: None) if line.text.strip())
    rows = _filled(cells_of(lines, DELIMITERS[ending], lambda _: None))
    _, cells = next(rows, (None, [""]))
    header = _header(cells)
    return [
        cell.strip()
        for cell, column in zip(cells, header, strict=False)
        if column not in COLUMNS and cell.strip()
    ]


def _filled(rows: Iterable[Cells]) -> Iterator[Cells]:
    return (row for row in rows if any(cell.strip() for cell in row[1]))


def cells_of(lines: Iterator[Line], delimiter: str, on_error: OnError) -> Iterator[Cells]:
    """The cells of each row with its first line; a row has at most `ROW_LINES` lines."""
    ahead: deque[Line] = deque()
    while True:
        ahead.extend(itertools.islice(lines, not ahead))
        if not ahead:
            return
        if '"' not in ahead[0].text:
            line = ahead.popleft()
            yield line, line.text.split(delimiter)
            continue
        ahead.extend(itertools.islice(lines, ROW_LINES - len(ahead)))
        reader = csv.reader((f"{line.text}\n" for line in ahead), delimiter=delimiter, strict=True)
        try:
            cells = next(reader)
        except csv.Error as error:
            line = ahead.popleft()
            on_error(line.error(f"the table cannot be read ({error}): check its quotes"))
            continue
        yield ahead[0], cells
        for _ in range(reader.line_num):
            ahead.popleft()


def _json(lines: Iterator[Line], on_error: OnError) -> Iterator[Row]:
    for line in lines:
        try:
            item = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            on_error(line.error(f"expected a JSON object, got broken JSON ({error})"))
            continue
        if not isinstance(item, dict):
            on_error(
                line.error('expected a JSON object such as {"surface": "aspirin", "label": "DRUG"}')
            )
            continue
        row = {
            ALIASES.get(name, name): str(item[name])
            for name in (*ALIASES, *COLUMNS)
            if isinstance(item.get(name), str | int)
        }
        if "surface" not in row:
            on_error(line.error(f"expected a name under 'surface', got {short(list(item))}"))
            continue
        yield f"{line.path}:{line.number}", row

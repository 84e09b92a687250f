"""Rows of a dictionary file: CSV, TSV, JSONL or a plain list, each row with its place."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from convener.text.formats.lines import Line, numbered_lines

COLUMNS = ("surface", "label", "id", "case")

Row = tuple[str, dict[str, str]]


def read_rows(path: str | Path) -> Iterator[Row]:
    """Rows of a file as dictionaries of `COLUMNS`, each with `file:line`.

    Raises:
        DataError: the file is missing, not text, or not in the format of its ending.
    """
    ending = Path(path).suffix.lower()
    lines = numbered_lines(path)
    if ending in {".csv", ".tsv"}:
        return _table(lines, "," if ending == ".csv" else "\t")
    if ending in {".jsonl", ".ndjson", ".json"}:
        return _json(lines)
    return (
        (f"{line.path}:{line.number}", {"surface": line.text})
        for line in lines
        if line.text.strip()
    )


def _table(lines: Iterator[Line], delimiter: str) -> Iterator[Row]:
    last: Line | None = None

    def remembered() -> Iterator[str]:
        nonlocal last
        for line in lines:
            last = line
            yield line.text + "\n"

    names: tuple[str, ...] | None = None
    reader = csv.reader(remembered(), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            assert last is not None
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                header = tuple(cell.strip().lower() for cell in cells)
                names = header if {"surface", "label"} & set(header) else COLUMNS
                if names is header and "surface" not in header:
                    raise last.error("the header has no column 'surface': name the column of names")
                if names is header:
                    continue
            place = f"{last.path}:{last.number}"
            yield place, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        if last is None:
            raise
        raise last.error(f"the table cannot be read ({error}): check its quotes") from None


def _json(lines: Iterator[Line]) -> Iterator[Row]:
    for line in lines:
        if not line.text.strip():
            continue
        try:
            item = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            raise line.error(f"expected a JSON object, got broken JSON ({error})") from None
        if not isinstance(item, dict):
            raise line.error(
                'expected a JSON object such as {"surface": "aspirin", "label": "DRUG"}'
            )
        row = {name: str(item[name]) for name in COLUMNS if isinstance(item.get(name), str | int)}
        yield f"{line.path}:{line.number}", row

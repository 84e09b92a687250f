"""Rows of results files, and tables of them in Markdown."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def load(name: str) -> list[dict]:
    """Rows of a results file, none if it was never made."""
    path = RESULTS / f"{name}.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return content if isinstance(content, list) else content["rows"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under a head, in Markdown."""
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines) + "\n"


def summary(values: list[float]) -> str:
    """Mean, half the range and number of seeds of some scores."""
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.1f} (1)"
    spread = (max(values) - min(values)) / 2
    return f"{statistics.mean(values):.1f} ± {spread:.1f} ({len(values)})"


def mean(rows: list[dict], column: str) -> str:
    """Mean of a column, a dash where it was not measured."""
    values = [row[column] for row in rows if row[column] is not None]
    return f"{statistics.mean(values):.1f}" if values else "–"

"""What the verbs show: progress on a terminal, plain lines elsewhere, tables, errors counted."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from convener.errors import DataError
from convener.training.progress import line

out = Console(emoji=False, highlight=False, soft_wrap=True)
err = Console(stderr=True, emoji=False, highlight=False, soft_wrap=True)


class Rounds:
    """Shows a training run: a bar for each stage on a terminal, a line for each round anywhere."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._bar: TaskID | None = None

    def stage(self, name: str, steps: int) -> None:
        """Begin a bar."""
        if self._progress is not None:
            self._bar = self._progress.add_task(name, total=steps)

    def step(self) -> None:
        """Move the bar."""
        if self._progress is not None and self._bar is not None:
            self._progress.advance(self._bar)

    def round(self, record: Mapping[str, object]) -> None:
        """Print the figures of a round."""
        err.print(line(record), markup=False)

    def stage_done(self, name: str, experts: object) -> None:
        """Take the bar away."""
        if self._progress is not None and self._bar is not None:
            self._progress.remove_task(self._bar)


@contextmanager
def rounds() -> Iterator[Rounds]:
    """A listener for a training run, its bars gone when it ends."""
    if not err.is_terminal:
        yield Rounds(None)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    ) as progress:
        yield Rounds(progress)


@contextmanager
def share(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how much of a known whole is done: a bar on a terminal, now and then a line elsewhere.

    The time left is estimated from what was done since this began.
    """
    if not err.is_terminal:
        yield _Lines(name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as progress:
        bars: list[TaskID] = []

        def show(done: int, total: int) -> None:
            if not bars:
                bars.append(progress.add_task(name, total=total, completed=done))
            progress.update(bars[0], completed=done)

        yield show


class _Lines:
    """A line for what is done so far, at most every `EVERY` seconds."""

    EVERY = 30.0

    def __init__(self, name: str) -> None:
        self._name = name
        self._began: tuple[float, int] | None = None
        self._shown = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        began, before = self._began = self._began or (now, done)
        if done > before and (done == total or now - self._shown >= self.EVERY):
            self._shown = now
            left = (now - began) * (total - done) / (done - before)
            clock = timedelta(seconds=round(left))
            err.print(f"{self._name}: {100 * done / total:.1f} %, {clock} left", markup=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Print rows under their columns, the first to the left and the others to the right."""
    grid = Table(title=title or None, title_justify="left")
    for index, column in enumerate(columns):
        grid.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        grid.add_row(*(Text("-" if cell is None else _cell(cell)) for cell in row))
    out.print(grid)


def _cell(cell: object) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


class Skipped:
    """Bad items that `--on-error skip` left out, counted, the first few listed."""

    LISTED = 10

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: DataError) -> None:
        """Note one bad item."""
        self.count += 1
        if self.count <= self.LISTED:
            err.print(f"left out: {error}", markup=False)

    def report(self) -> None:
        """Say how many there were, if any."""
        if self.count:
            err.print(f"{self.count} bad items were left out")

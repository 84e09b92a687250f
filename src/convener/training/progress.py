"""What a training run tells while it works; who listens decides how to show it."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from convener.models.expert import Expert

Record = Mapping[str, object]

log = logging.getLogger("convener.training")


class Listener(Protocol):
    """Hears of stages, steps and rounds."""

    def stage(self, name: str, steps: int) -> None:
        """A stage of that many steps begins or is taken up."""

    def step(self) -> None:
        """One step is done."""

    def round(self, record: Record) -> None:
        """A round is done; `record` holds its figures."""

    def stage_done(self, name: str, experts: "Sequence[Expert]") -> None:
        """A stage is done, and these experts would answer now."""


class Log:
    """A listener that logs each round, as INFO, so that it shows where a program asks for it."""

    def stage(self, name: str, steps: int) -> None:
        """Ignore."""

    def step(self) -> None:
        """Ignore."""

    def round(self, record: Record) -> None:
        """Log the figures of a round."""
        log.info(line(record))

    def stage_done(self, name: str, experts: "Sequence[Expert]") -> None:
        """Ignore."""


def line(record: Record) -> str:
    """The figures of a round in one line."""
    figures = " ".join(f"{k}={_figure(v)}" for k, v in record.items() if k != "stage")
    return f"{record['stage']}: {figures}"


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "/".join(map(str, value))
    return "-" if value is None else str(value)

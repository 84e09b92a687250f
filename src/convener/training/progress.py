"""What a training run tells while it works; who listens decides how to show it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from convener.models.expert import Expert

Record = Mapping[str, object]


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


class Silence:
    """A listener that shows nothing."""

    def stage(self, name: str, steps: int) -> None:
        """Ignore."""

    def step(self) -> None:
        """Ignore."""

    def round(self, record: Record) -> None:
        """Ignore."""

    def stage_done(self, name: str, experts: "Sequence[Expert]") -> None:
        """Ignore."""

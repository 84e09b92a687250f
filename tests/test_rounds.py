"""Which state of a run is kept, by what each round finds on dev, and what is told of it."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from convener.models.expert import Batch, Expert
from convener.recipes.rounds import Recipe, Runner, Stage, State
from convener.training.loop import Learner
from convener.training.optimiser_config import OptimiserConfig
from convener.training.progress import Log


class Counting(Expert):
    """An expert that knows how many rounds it has learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds = nn.Parameter(torch.zeros(1))

    def forward(self, batch: Batch) -> Tensor:
        return self.rounds

    def embed(self, batch: Batch) -> Tensor:
        return self.rounds

    def new_parameters(self) -> list[nn.Parameter]:
        return []


class Scripted(Recipe):
    """Stages of so many rounds, which only count."""

    def __init__(self, rounds: Sequence[int]) -> None:
        self.rounds = rounds
        self.experts = [Counting()]
        self.learners = []

    def prepare(self) -> None: ...

    def stages(self) -> list[Stage]:
        return [
            Stage(str(n), rounds, 0, self._open, self._round)
            for n, rounds in enumerate(self.rounds)
        ]

    def _open(self) -> list[Learner]:
        return [Learner(self.experts[0], "counting", OptimiserConfig(), 1, Accelerator())]

    def _round(self, number: int) -> Mapping[str, object]:
        with torch.no_grad():
            self.experts[0].rounds += 1
        return {}

    def shared_state(self) -> State:
        return {}

    def load_shared_state(self, state: Mapping[str, Tensor]) -> None: ...


def run(rounds: Sequence[int], f1s: Sequence[float], patience: int = 2) -> tuple[int, int]:
    """How many rounds were run, and after how many the kept state was."""
    found = iter(f1s)
    recipe = Scripted(rounds)
    runner = Runner(
        recipe,
        dev_f1=lambda experts: next(found),
        patience=patience,
        listener=Log(),
        checkpoint=None,
        data={},
        settings={},
    )
    history = runner.run()
    return len(history), int(recipe.experts[0].rounds)


@pytest.mark.parametrize(
    ("rounds", "f1s", "seen", "kept"),
    [
        ([5], [0.1, 0.3, 0.2, 0.3, 0.9], 4, 2),
        ([6], [0.0, 0.0, 0.0, 0.0, 0.2, 0.1], 6, 5),
        ([4], [0.0, 0.0, 0.0, 0.0], 4, 4),
        ([3, 4], [0.1, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0], 7, 2),
        ([2, 2], [0.0, 0.0, 0.0, 0.3], 4, 4),
        ([3, 4], [0.1, 0.4, 0.2, 0.5, 0.0, 0.0, 0.0], 6, 3),
    ],
)
def test_the_best_state_is_kept_and_nothing_is_given_up_before_it_finds_anything(
    rounds: list[int], f1s: list[float], seen: int, kept: int
) -> None:
    assert run(rounds, f1s) == (seen, kept)


def test_a_run_that_nobody_listens_to_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "convener"):
        run([1, 1], [0.25, 0.5])
    lines = [message.rsplit(" ", 1)[0] for message in caplog.messages]
    assert lines == ["0: round=1 dev_f1=25", "1: round=1 dev_f1=50"]

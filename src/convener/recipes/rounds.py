"""Running a recipe: stages of rounds, dev selection, checkpoints that resume exactly.

A recipe is a list of stages, a stage a number of rounds. Between rounds everything that matters
is in the recipe's state, so that is where checkpoints are taken. With a dev set a stage ends early
when it has found something and `patience` rounds in a row bring nothing better, the next stage
starts from the best state of the one before, and the run ends with the best state of all.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from convener.errors import ConfigError
from convener.models.expert import Expert
from convener.recipes.settings import by_path
from convener.training import checkpoints
from convener.training.loop import Learner, under
from convener.training.progress import Listener

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Stage:
    """Rounds of one kind: `open` makes the learners, `round` runs round number r."""

    name: str
    rounds: int
    steps: int
    open: Callable[[], list[Learner]]
    round: Callable[[int], Mapping[str, object]]


@dataclass(slots=True)
class Best:
    """The best state of a stage or a run: its dev F1 and the learned state of each expert."""

    f1: float
    experts: list[State]


@dataclass(slots=True)
class Progress:
    """Where a run is: stage and round to come, rounds since the best, figures so far."""

    stage: int = 0
    round: int = 0
    stale: int = 0
    seconds: float = 0.0
    history: list[dict[str, object]] = field(default_factory=list)


class Recipe(ABC):
    """Experts in training, what they share, and the stages they go through."""

    experts: list[Expert]
    learners: list[Learner]

    @abstractmethod
    def prepare(self) -> None:
        """Work out what the stages need of the experts as they begin; settings are checked."""

    @abstractmethod
    def stages(self) -> list[Stage]:
        """The stages in order."""

    @abstractmethod
    def shared_state(self) -> State:
        """What the recipe keeps between rounds besides its learners."""

    @abstractmethod
    def load_shared_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `shared_state` gave."""

    def answering(self) -> list[Expert]:
        """The experts as they would answer now: averages where learners keep one."""
        return [learner.average or learner.expert for learner in self.learners]


class Runner:
    """Takes a recipe through its stages.

    The digests of `data` and the `settings` are those that a checkpoint must have been made with.
    A checkpoint is taken after the first round, at the end of each stage, and between as often as
    saving stays below `save_share` of the time.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        dev_f1: Callable[[Sequence[Expert]], float] | None,
        patience: int,
        listener: Listener,
        checkpoint: Path | None,
        data: Mapping[str, str],
        settings: Mapping[str, object],
        save_share: float = 0.1,
    ) -> None:
        self.recipe = recipe
        self.dev_f1 = dev_f1
        self.patience = patience
        self.listener = listener
        self.checkpoint = checkpoint
        self.data = dict(data)
        self.settings = by_path(settings)
        self.save_share = save_share
        self.progress = Progress()
        self.best: Best | None = None
        self.stage_best: Best | None = None
        self._saved_at = time.monotonic()
        self._save_seconds = 0.0

    def run(self, resume: bool = False) -> list[dict[str, object]]:
        """Run all stages, or what is left of them, and return the figures of every round.

        Raises:
            ConfigError: the checkpoint is of other data or settings.
            DataError: no usable checkpoint to resume, or one where a new run would keep its own.
        """
        note, state = self._checked() if resume else ({}, None)
        if self.checkpoint is not None and not resume:
            checkpoints.refuse_to_replace(self.checkpoint)
        self.recipe.prepare()
        if state is not None:
            self._take_up(note, state)
        stages = self.recipe.stages()
        for number in range(self.progress.stage, len(stages)):
            stage = stages[number]
            self.recipe.learners = stage.open()
            if state is not None and self.progress.round:
                for index, learner in enumerate(self.recipe.learners):
                    learner.load_state(under(f"learner.{index}.", state))
            state = None
            self.listener.stage(stage.name, stage.steps)
            for _ in range(sum(learner.steps for learner in self.recipe.learners)):
                self.listener.step()
            while self.progress.round < stage.rounds and not self._stale():
                self._round(stage)
            self._close(number, last=number == len(stages) - 1)
            self.listener.stage_done(stage.name, self.recipe.experts)
        return self.progress.history

    def _round(self, stage: Stage) -> None:
        began = time.monotonic()
        figures = dict(stage.round(self.progress.round))
        if self.dev_f1 is not None:
            f1 = self.dev_f1(self.recipe.answering())
            figures["dev_f1"] = round(100 * f1, 2)
            self._keep_best(f1)
        self.progress.seconds += time.monotonic() - began
        record = {"stage": stage.name, "round": self.progress.round + 1} | figures
        record["seconds"] = round(self.progress.seconds, 1)
        self.progress.history.append(record)
        self.listener.round(record)
        self.progress.round += 1
        if self._save_seconds <= self.save_share * (time.monotonic() - self._saved_at):
            self._save()

    def _keep_best(self, f1: float) -> None:
        if not _better(f1, self.stage_best):
            self.progress.stale += 1
            return
        states = [expert.learned_state() for expert in self.recipe.answering()]
        self.stage_best = Best(f1, [{k: v.clone() for k, v in s.items()} for s in states])
        self.progress.stale = 0
        if _better(f1, self.best):
            self.best = self.stage_best

    def _stale(self) -> bool:
        return self.dev_f1 is not None and self.progress.stale >= self.patience

    def _close(self, number: int, last: bool) -> None:
        self.recipe.experts = self.recipe.answering()
        best = self.best if last else self.stage_best
        if best is not None:
            del self.recipe.experts[len(best.experts) :]
            for expert, state in zip(self.recipe.experts, best.experts, strict=True):
                expert.load_learned_state(state)
        self.stage_best = None
        self.progress.stage, self.progress.round, self.progress.stale = number + 1, 0, 0
        self.recipe.learners = []
        self._save()

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        tensors = {f"shared.{k}": v for k, v in self.recipe.shared_state().items()}
        for index, learner in enumerate(self.recipe.learners):
            tensors |= {f"learner.{index}.{k}": v for k, v in learner.state().items()}
        if not self.recipe.learners:
            for index, expert in enumerate(self.recipe.experts):
                tensors |= {f"expert.{index}.{k}": v for k, v in expert.learned_state().items()}
        bests = {"best": self.best, "stage_best": self.stage_best}
        for name, best in bests.items():
            for index, state in enumerate(best.experts if best else ()):
                tensors |= {f"{name}.{index}.{k}": v for k, v in state.items()}
        note = {
            "data": self.data,
            "settings": self.settings,
            "experts": len(self.recipe.experts),
            "dev_f1": {name: best.f1 if best else None for name, best in bests.items()},
            "progress": {s: getattr(self.progress, s) for s in Progress.__slots__},
        }
        began = time.monotonic()
        checkpoints.save(self.checkpoint, note, tensors)
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def _checked(self) -> tuple[dict[str, Any], State]:
        if self.checkpoint is None:
            raise ConfigError("resuming needs a checkpoint folder")
        note, state = checkpoints.load(self.checkpoint)
        known: dict[str, Any] = note
        self._check(known.get("settings", {}), known.get("data", {}))
        return known, state

    def _take_up(self, known: Mapping[str, Any], state: State) -> None:
        self.progress = Progress(**known["progress"])
        first = self.recipe.experts[0]
        self.recipe.experts = [first, *(first.clone() for _ in range(known["experts"] - 1))]
        for index, expert in enumerate(self.recipe.experts):
            expert.load_learned_state(
                under(f"expert.{index}.", state) or under(f"learner.{index}.expert.", state)
            )
        self.recipe.load_shared_state(under("shared.", state))
        self.best = _best("best", known["dev_f1"], state)
        self.stage_best = _best("stage_best", known["dev_f1"], state)

    def _check(self, settings: Mapping[str, object], data: Mapping[str, str]) -> None:
        """Raise ConfigError if a checkpoint was made with others than these."""
        others = [
            f"{path} {settings.get(path)} in the place of {self.settings.get(path)}"
            for path in sorted(self.settings.keys() | settings.keys())
            if settings.get(path) != self.settings.get(path)
        ]
        others += [f"other {name}" for name, sha in self.data.items() if data.get(name) != sha]
        if others:
            raise ConfigError(
                f"the checkpoint in {self.checkpoint} is of {', '.join(others[:3])}: "
                "start without --resume, or give what it was made with"
            )


def _better(f1: float, best: Best | None) -> bool:
    """Whether a state takes the place of the best one; the last one does while all find nothing."""
    return best is None or f1 > best.f1 or not best.f1


def _best(name: str, dev_f1: Mapping[str, float | None], state: State) -> Best | None:
    f1 = dev_f1[name]
    if f1 is None:
        return None
    count = len({key.split(".")[1] for key in state if key.startswith(f"{name}.")})
    return Best(f1, [under(f"{name}.{index}.", state) for index in range(count)])

"""Experts trained side by side, each in a process of its own, on a GPU of its own where there are.

A round of training is a pure function of the learner's state, its examples and a seed, so it gives
in another process what it gives here, as long as that computes with as many threads. Learners go
there and come back whole, as bytes: nothing is kept in a process from round to round.
"""

import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from convener.errors import ModelError
from convener.models.layout import Example
from convener.processes import beside, threads_allowed
from convener.training.loop import Learner, Objective, OnStep


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a learner is to learn in a round."""

    learner: Learner
    examples: Sequence[Example]
    objective: Objective
    steps: int
    seed: int

    def taken(self, on_step: OnStep) -> float:
        """The mean loss of the round, taken here."""
        return self.learner.train(self.examples, self.objective, self.steps, self.seed, on_step)


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes that take lessons."""

    pool: ProcessPoolExecutor

    def take(self, lessons: Sequence[Lesson], on_step: OnStep) -> list[float]:
        """The mean loss of each lesson, taken side by side; the learners have learnt them.

        Raises:
            ModelError: a process died.
        """
        try:
            futures = [
                self.pool.submit(_take, pickle.dumps(lesson), place)
                for place, lesson in enumerate(lessons)
            ]
            answers = [future.result() for future in futures]
        except BrokenProcessPool:
            raise ModelError(
                "a process that trained an expert died or was ended, perhaps for want of memory: "
                "give fewer --workers and --resume"
            ) from None
        losses = []
        for lesson, answer in zip(lessons, answers, strict=True):
            loss, state = pickle.loads(answer)
            lesson.learner.load_state(state)
            losses.append(loss)
            for _ in range(lesson.steps):
                on_step()
        return losses


@contextmanager
def working(count: int) -> Iterator[Workers | None]:
    """That many processes, or none for one."""
    if count < 2:
        yield None
        return
    with beside(count, end_at_once=True) as pool:
        yield Workers(pool)


def _take(parcel: bytes, place: int) -> bytes:
    torch.set_num_threads(threads_allowed())
    if torch.cuda.is_available():
        torch.cuda.set_device(place % torch.cuda.device_count())
    lesson: Lesson = pickle.loads(parcel)
    loss = lesson.taken(lambda: None)
    state = {name: values.cpu() for name, values in lesson.learner.state().items()}
    return pickle.dumps((loss, state))

"""Experts that learn side by side, in processes of their own."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import active_children

import pytest
import torch

from convener import Document, train
from convener.errors import ModelError
from convener.processes import cores, share_of_cores, threads_allowed
from convener.recipes.run_config import RunConfig
from convener.training.progress import Log
from tests.test_bond import same

MakeConfig = Callable[..., RunConfig]


class Steps(Log):
    """Counts steps, those announced and those taken, and keeps the figures of each round."""

    def __init__(self) -> None:
        self.announced = self.taken = 0

    def stage(self, name: str, steps: int) -> None:
        self.announced += steps

    def step(self) -> None:
        self.taken += 1


@pytest.fixture
def as_a_worker() -> Iterator[None]:
    """This process computes with as many threads as one of two workers."""
    before = torch.get_num_threads()
    torch.set_num_threads(share_of_cores(2))
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("as_a_worker")
def test_experts_learn_the_same_side_by_side_as_one_after_another(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    config, counted = run_config(experts=2, ema=0.9), Steps()
    apart = train(labelled, dev=labelled[:10], config=config, workers=2, listener=counted)
    assert counted.taken == counted.announced
    assert same(apart, train(labelled, dev=labelled[:10], config=config))
    assert not active_children()


class Interrupting(Log):
    """Does something when the experts have parted and learnt a round."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def round(self, record: Mapping[str, object]) -> None:
        if record["stage"] == "experts":
            self.act()


def test_a_run_that_is_stopped_leaves_no_process_behind(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    def stop() -> None:
        assert len(active_children()) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(labelled, config=run_config(experts=2), workers=2, listener=Interrupting(stop))
    assert not active_children()


def test_a_process_that_dies_is_told(labelled: list[Document], run_config: MakeConfig) -> None:
    def kill() -> None:
        for child in active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(ModelError, match="a process that trained an expert died"):
        train(labelled, config=run_config(experts=2), workers=2, listener=Interrupting(kill))


def test_one_expert_needs_no_other_process(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    def alone() -> None:
        assert not active_children()

    class Watching(Log):
        def round(self, record: Mapping[str, object]) -> None:
            alone()

    train(labelled, config=run_config(experts=1), workers=4, listener=Watching())


@pytest.mark.parametrize(
    ("asked", "threads"), [("3", 3), ("4,2", 4), ("", None), ("0", None), ("many", None)]
)
def test_threads_are_those_asked_for_or_one_a_core(
    monkeypatch: pytest.MonkeyPatch, asked: str, threads: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads_allowed() == (threads or cores())


def test_cores_are_counted_where_the_system_does_not_tell_which_are_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert cores() == os.cpu_count()

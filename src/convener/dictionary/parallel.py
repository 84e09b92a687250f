"""A function applied by several processes to a stream, in order and in bounded memory."""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH = 128
AHEAD = 4

_function: Callable[[Any], Any]


def in_processes(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """What `map(function, items)` gives, worked out by processes that each hold the function."""
    stream = iter(items)
    waiting: deque[Future[list[R]]] = deque()
    pool = ProcessPoolExecutor(workers, initializer=_begin, initargs=(function,))
    try:
        while batch := list(islice(stream, BATCH)):
            waiting.append(pool.submit(_work, batch))
            if len(waiting) == AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(function: Callable[[Any], Any]) -> None:
    global _function
    _function = function
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _work(batch: list[Any]) -> list[Any]:
    return list(map(_function, batch))

"""Micro-batching: texts of many requests are answered together, by one thread.

Requests are calls that wait in a circle. A batch takes one text of each call in turn, so that a
long request does not hold up a short one; texts of one kind of work are then answered by one call
of the model. While the thread works, the next batch gathers; when it is idle, a text waits a
moment for company. A call that was given up takes no further part.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from convener.serving.limits import Limits
from convener.serving.refusals import busy
from convener.text.documents import Document

Work = Callable[[list[Document]], Sequence[Any]]
"""Answers documents, one for one; equal work is done together."""


@dataclass(slots=True)
class _Call:
    work: Work
    documents: Sequence[Document]
    done: asyncio.Future[list[Any]]
    begun: int = 0
    answers: dict[int, Any] = field(default_factory=dict)

    def take(self, index: int, answer: object) -> None:
        self.answers[index] = answer
        if self.done.done():
            return
        if isinstance(answer, Exception):
            self.done.set_exception(answer)
        elif len(self.answers) == len(self.documents):
            self.done.set_result([self.answers[n] for n in range(len(self.documents))])


_Item = tuple[_Call, int]


class Batcher:
    """Answers calls; `waiting` is how many texts wait. To be used within `async with`."""

    def __init__(self, limits: Limits, on_batch: Callable[[int], None] = lambda texts: None):
        self.waiting = 0
        self._limits = limits
        self._on_batch = on_batch
        self._calls: deque[_Call] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Batcher":
        self._loop = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._loop is not None
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        self._thread.shutdown()

    @property
    def alive(self) -> bool:
        """Whether calls are being answered."""
        return self._loop is not None and not self._loop.done()

    def call(self, work: Work, documents: Sequence[Document]) -> asyncio.Future[list[Any]]:
        """What `work` answers to each document; cancelling it gives the call up.

        Raises:
            Refusal: the queue is full.
        """
        if self.waiting + len(documents) > self._limits.queue:
            raise busy(f"{self.waiting} texts are waiting, the queue holds {self._limits.queue}")
        done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        call = _Call(work, documents, done)
        self.waiting += len(documents)
        done.add_done_callback(lambda _: self._forget(call))
        self._calls.append(call)
        self._arrived.set()
        return done

    def _forget(self, call: _Call) -> None:
        """Texts of a call that failed or was given up wait no longer."""
        self.waiting -= len(call.documents) - call.begun
        call.begun = len(call.documents)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            if self.waiting < self._limits.batch_texts:
                await asyncio.sleep(self._limits.wait)
            batch = self._batch()
            if not self._calls:
                self._arrived.clear()
            if batch:
                self._on_batch(len(batch))
            for work, items in _kinds(batch).items():
                documents = [call.documents[index] for call, index in items]
                answers = await loop.run_in_executor(self._thread, _answers, work, documents)
                for (call, index), answer in zip(items, answers, strict=True):
                    call.take(index, answer)

    def _batch(self) -> list[_Item]:
        """A text of each call in turn, until the batch is full or nothing waits."""
        batch: list[_Item] = []
        characters = 0
        while self._calls and len(batch) < self._limits.batch_texts:
            call = self._calls[0]
            if call.begun < len(call.documents):
                characters += len(call.documents[call.begun].text)
                if batch and characters > self._limits.batch_characters:
                    break
                batch.append((call, call.begun))
                call.begun += 1
                self.waiting -= 1
            self._calls.popleft()
            if call.begun < len(call.documents):
                self._calls.append(call)
        return batch


def _kinds(batch: Sequence[_Item]) -> dict[Work, list[_Item]]:
    kinds: dict[Work, list[_Item]] = {}
    for call, index in batch:
        kinds.setdefault(call.work, []).append((call, index))
    return kinds


def _answers(work: Work, documents: list[Document]) -> Sequence[Any]:
    """What work answers; where it fails, its error, for the text that is to blame alone."""
    try:
        return work(documents)
    except Exception as error:
        if len(documents) == 1:
            return [error]
        return [answer for document in documents for answer in _answers(work, [document])]

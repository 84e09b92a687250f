"""Workers of a bulk run: processes of this machine, or actors of a Ray cluster.

A worker that dies is replaced, and what it may have died of comes last; one death after another
without an answer between them ends the run.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from functools import cache, partial

from convener import errors
from convener.errors import ConfigError, ConvenerError, ModelError
from convener.inference.bulk import Run, Work, Worker
from convener.processes import beside
from convener.text.formats.lines import Stretch

DEATHS = 3

_worker: Worker | None = None


def processes(workers: int) -> Run:
    """Workers that are processes of this machine."""

    def run(work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
        waiting = {stretch.start: stretch for stretch in todo}
        deaths = 0
        while waiting:
            try:
                for done in _pooled(workers, work, list(waiting.values())):
                    del waiting[done.start]
                    deaths = 0
                    yield done
            except BrokenProcessPool:
                deaths += 1
                begun = list(waiting.values())[: workers + 1]
                if deaths == DEATHS:
                    places = ", ".join(f"{part.path}:{part.line}" for part in begun)
                    raise ModelError(
                        f"a worker died {DEATHS} times in a row, perhaps for want of memory, at "
                        f"one of {places}: give fewer --workers and --resume, or look there"
                    ) from None
                for part in reversed(begun):
                    waiting[part.start] = waiting.pop(part.start)

    return run


def _pooled(workers: int, work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
    with beside(workers, end_at_once=True) as pool:
        futures = [pool.submit(_answer, work, stretch) for stretch in todo]
        for future in as_completed(futures):
            yield future.result()


def _answer(work: Work, stretch: Stretch) -> Stretch:
    global _worker
    if _worker is None:
        _worker = Worker(work)
    return _worker.answer(stretch)


def on_ray(address: str, workers: int) -> Run:
    """Workers that are actors of Ray Data; model, input and output must be where all can see them.

    `address` is that of a cluster, or `local` for one of this machine alone.

    Raises:
        ConfigError: the extra `ray` is not installed.
    """
    try:
        import ray.data
    except ImportError:
        raise ConfigError("expected Ray for --ray: pip install 'convener[ray]'") from None

    def run(work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
        here = {"num_cpus": workers} if address == "local" else {}
        ray.init(address=address, log_to_driver=False, ignore_reinit_error=True, **here)
        rows = ray.data.from_items([asdict(stretch) for stretch in todo])
        answered = rows.map(_RayWorker, fn_constructor_args=(work,), concurrency=(1, workers))
        for row in answered.iter_rows():
            if wrong := row.pop("wrong"):
                raise getattr(errors, row["kind"])(wrong)
            yield Stretch(**{name: row[name] for name in Stretch.__slots__})

    return run


class _RayWorker:
    """A worker that is made when it is first asked, and says what is wrong as Ray itself cannot."""

    def __init__(self, work: Work) -> None:
        self.worker = cache(partial(Worker, work))

    def __call__(self, row: dict[str, object]) -> dict[str, object]:
        try:
            self.worker().answer(Stretch(**row))  # type: ignore[arg-type]
        except ConvenerError as error:
            return row | {"wrong": str(error), "kind": type(error).__name__}
        return row | {"wrong": "", "kind": ""}

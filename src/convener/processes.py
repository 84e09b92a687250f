"""Processes that work beside this one.

They are spawned, take their share of the cores, leave Ctrl-C to the one that began them, and end
with it, even if it is killed.
"""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread


def cores() -> int:
    """How many cores this process may use; where the system does not tell, those there are."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def threads_allowed() -> int:
    """How many threads this process may use: as OMP_NUM_THREADS has it, otherwise its cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(asked) if asked.isdecimal() and int(asked) else cores()


def share_of_cores(workers: int) -> int:
    """How many threads each of so many processes may use."""
    return max(1, cores() // workers)


@contextmanager
def beside(workers: int, end_at_once: bool = False) -> Iterator[ProcessPoolExecutor]:
    """So many processes; with `end_at_once` an exception does not wait for what they are at."""
    others = set(active_children())
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (share_of_cores(workers),))
    try:
        yield pool
    except BaseException:
        if end_at_once:
            for child in set(active_children()) - others:
                child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow, daemon=True).start()
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))


def _follow() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""Long work that can be stopped and taken up: a checkpoint beside what it makes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convener.cli.console import err


@contextmanager
def stoppable(output: Path, resume: bool) -> Iterator[tuple[Path, bool]]:
    """A checkpoint folder beside what is made, and whether to take it up; removed when all is done.

    Who interrupts is told what is kept, and who has made it before that it is replaced.

    Raises:
        DataError: something stands where a new run would keep its checkpoint.
    """
    from convener.training.checkpoints import refuse_to_replace

    if output.exists():
        err.print(f"{output} is there, and replaced when all is done", markup=False)
    output.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = output.with_name(f"{output.name}.checkpoint")
    if resume and not checkpoint.is_dir():
        err.print(f"no checkpoint in {checkpoint}: starting from the beginning", markup=False)
        resume = False
    if not resume:
        refuse_to_replace(checkpoint)
    try:
        yield checkpoint, resume
    except KeyboardInterrupt:
        done = f"{checkpoint} holds what is done, --resume takes it up"
        kept = done if checkpoint.is_dir() else "there is nothing to take up"
        err.print(f"convener: stopped: {kept}", markup=False)
        raise
    shutil.rmtree(checkpoint, ignore_errors=True)

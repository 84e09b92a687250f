"""The command line as the tests run it: in a process of its own, without the wait for libraries.

Loading torch takes longer than most commands. So one process has it loaded already and forks for
each command; what runs there is the program's own `main`, with arguments, folder, streams and exit
code of its own. Tests of starting and stopping run the installed program, `PROGRAM`.
"""

import atexit
import gc
import json
import os
import resource
import subprocess
import sys
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from convener.cli.main import main

PROGRAM = Path(sys.executable).with_name("convener")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "100"}
LOADED = (
    "convener.recipes.adapt",
    "convener.recipes.distill",
    "convener.inference.recogniser",
    "transformers.models.bert.modeling_bert",
)


def convener(
    *arguments: str | Path,
    stdin: str = "",
    code: int = 0,
    folder: Path | None = None,
    room: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the program; it must leave with `code`. `room` is how many bytes a file may have."""
    command = [str(PROGRAM), *map(str, arguments)]
    with TemporaryDirectory() as kept:
        streams = [Path(kept, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(stdin, encoding="utf-8")
        told = [command, str(folder or Path.cwd()), room, *map(str, streams)]
        forks = _forks()
        assert forks.stdin is not None
        assert forks.stdout is not None
        print(json.dumps(told), file=forks.stdin, flush=True)
        left = int(forks.stdout.readline())
        stdout, stderr = (stream.read_text(encoding="utf-8") for stream in streams[1:])
    assert left == code, stderr
    return subprocess.CompletedProcess(command, left, stdout, stderr)


def refusal(*arguments: str | Path, folder: Path | None = None, room: int | None = None) -> str:
    """The one line that the program prints before it leaves with code 2."""
    stderr = convener(*arguments, code=2, folder=folder, room=room).stderr
    assert "Traceback" not in stderr
    last = stderr.splitlines()[-1]
    assert last.startswith("convener: ")
    return last.removeprefix("convener: ")


@cache
def _forks() -> subprocess.Popen[str]:
    """The process that forks, until this one ends."""
    forks = subprocess.Popen(
        [sys.executable, "-m", "tests.program"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=Path(__file__).parents[1],
    )
    atexit.register(forks.communicate)
    return forks


def _fork_for_each() -> None:
    for name in LOADED:
        import_module(name)
    gc.freeze()
    while line := sys.stdin.readline():
        child = get_context("fork").Process(target=_run, args=json.loads(line))
        child.start()
        child.join()
        print(child.exitcode, flush=True)


def _run(command: list[str], folder: str, room: int | None, *streams: str) -> None:
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    os.chdir(folder)
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    sys.argv = command
    main()


if __name__ == "__main__":
    _fork_for_each()

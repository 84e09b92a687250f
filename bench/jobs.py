"""What the benchmark scripts share: jobs in processes of their own, results written as they come.

A job is a flat object. A script called with `--one JOB` runs it and prints its rows as JSON lines;
called without, it runs all jobs that its results file does not have yet, so it can be stopped and
repeated.
"""

import argparse
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

Row = dict[str, object]


def asked(
    parser: argparse.ArgumentParser,
    results: Path,
    run: Callable[..., Sequence[Row]],
    settings: bool = True,
) -> argparse.Namespace | None:
    """What the command line asks for, with the options of every script: jobs, results, settings.

    With `--one` the job is run here and its rows are printed, which leaves nothing to ask for.
    """
    if settings:
        parser.add_argument("--setting", nargs="*", default=[], help="overrides such as a.b=1")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each if 2")
    parser.add_argument("--results", type=Path, default=results)
    parser.add_argument("--one", type=json.loads, help="run this job in this process")
    options = parser.parse_args()
    if options.one:
        for row in run(**options.one):
            print(json.dumps(row))
        return None
    if settings:
        unset = [setting for setting in options.setting if "=" not in setting]
        if unset:
            parser.error(f"expected --setting NAME=VALUE, got {unset[0]}")
        options.setting = dict(setting.split("=", 1) for setting in options.setting)
    return options


def changes(settings: dict[str, str]) -> Row:
    """The overrides that `--setting` named, each value read as JSON if it is some."""
    return {name: _value(written) for name, written in settings.items()}


def _value(written: str) -> object:
    try:
        return json.loads(written)
    except json.JSONDecodeError:
        return written


def run_all(
    script: str, jobs: Sequence[Row], results: Path, key: Sequence[str], at_once: int
) -> None:
    """Run the jobs that are missing; a job is done if a row equals it in the columns of `key`.

    A row of other settings is no such row, and none takes its place: other settings belong into
    another file. The column `rounds` of a row, figures of every round, goes to a file beside the
    results. If a job fails, the others are run all the same and the script ends with an error.
    """
    results.parent.mkdir(parents=True, exist_ok=True)
    lock, failed = Lock(), list[Row]()

    def of(row: Row) -> tuple[object, ...]:
        return tuple(row.get(column) for column in key)

    def work(job: Row) -> None:
        with lock:
            there = next((row for row in read(results) if of(row) == of(job)), None)
        if there is not None:
            if changes(there.get("settings", {})) != changes(job.get("settings", {})):
                print(f"{of(job)} is there with other settings: give --results", file=sys.stderr)
                failed.append(job)
            return
        command = [sys.executable, script, "--one", json.dumps(job)]
        environment = os.environ | ({"OMP_NUM_THREADS": "1"} if at_once > 1 else {})
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            print(f"{job} failed: {done.stderr[-2000:]}", file=sys.stderr, flush=True)
            failed.append(job)
            return
        fresh = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        rounds = [{"job": of(row), "rounds": row.pop("rounds")} for row in fresh if "rounds" in row]
        with lock:
            if rounds:
                with results.with_suffix(".rounds.jsonl").open("a", encoding="utf-8") as log:
                    log.writelines(f"{json.dumps(line)}\n" for line in rounds)
            kept = [row for row in read(results) if of(row) not in set(map(of, fresh))]
            write(results, sorted(kept + fresh, key=lambda row: list(map(str, of(row)))))
        print(" ".join(map(str, of(job))), *(row.get("f1", "") for row in fresh), flush=True)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(work, jobs))
    if failed:
        sys.exit(f"{len(failed)} of {len(jobs)} jobs failed")


def read(path: Path) -> list[Row]:
    """Rows measured so far."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def data() -> Path:
    """The folder of the benchmark data."""
    folder = os.environ.get("CONVENER_DATA")
    if not folder:
        sys.exit("expected the folder of the data in CONVENER_DATA, got nothing")
    return Path(folder)


def provenance() -> Row:
    """Commit, versions, machine and command of a row."""
    from convener.inference.card import installed_versions

    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    described = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return {
        "commit": described,
        "versions": " ".join(f"{k}=={v}" for k, v in installed_versions().items()),
        "machine": machine(),
        "command": shlex.join(["python", "bench/" + Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def percent(exact) -> Row:
    """Precision, recall and F1 of a score, in per cent."""
    figures = exact.as_dict()
    return {name: figures[name] for name in ("precision", "recall", "f1")}


def peak_mb() -> int:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def machine() -> str:
    """What this process runs on."""
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{platform.machine()}, {torch.get_num_threads()} threads{gpu}"

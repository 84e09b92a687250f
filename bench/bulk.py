"""Bulk prediction: speed by number of workers, and a run killed again and again.

    CONVENER_DATA=data python bench/bulk.py --model drug-ner --kills 10

Sentences of a test set, repeated under new numbers, are answered by `convener predict --workers`.
Then the same run is killed with SIGKILL at random moments and taken up by `--resume` each time;
`same` says whether its output equals the uninterrupted one byte for byte. `peak_rss_mb` adds up
the processes of a run. With `--soak` there is a run of one process over so many short documents
instead, whose memory in its first tenth, `early_rss_mb`, is held against its peak.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "inference.json"
KEY = ("task", "system", "data", "workers", "kills")
SHORT = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of a model")
    parser.add_argument("--set", default="conll03")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--soak", type=int, help="so many documents of some words instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = (
            soak(options, Path(folder)) if options.soak else speed_and_kills(options, Path(folder))
        )
    fresh = {tuple(row.get(c) for c in KEY) for row in rows}
    kept = [r for r in jobs.read(options.results) if tuple(r.get(c) for c in KEY) not in fresh]
    jobs.write(options.results, kept + rows)
    for row in rows:
        print(json.dumps(row))


def soak(options: argparse.Namespace, folder: Path) -> list[jobs.Row]:
    """A run over very many short documents by one process."""
    source = folder / "many.jsonl"
    words = repeated(options.set, options.soak, source, most=SHORT)
    began = time.monotonic()
    with Watched(command(options.model, source, folder / "found.jsonl", 1)) as run:
        assert run.process.wait() == 0
    seconds = time.monotonic() - began
    early = max(held for moment, held in run.samples if moment - began < seconds / 10)
    row: jobs.Row = {"task": "soak", "system": options.model.name, "data": options.set}
    row |= {"documents": options.soak, "words": words, "seconds": round(seconds, 1)}
    return [row | {"early_rss_mb": early, "peak_rss_mb": run.peak_mb} | jobs.provenance()]


def speed_and_kills(options: argparse.Namespace, folder: Path) -> list[jobs.Row]:
    """Runs by several numbers of workers, and one that is killed again and again."""
    source = folder / "many.jsonl"
    words = repeated(options.set, options.documents, source)
    rows: list[jobs.Row] = []
    head: jobs.Row = {"task": "bulk", "system": options.model.name, "data": options.set}
    head |= {"words": words}
    for workers in options.workers:
        began = time.monotonic()
        output = folder / f"by-{workers}.jsonl"
        with Watched(command(options.model, source, output, workers)) as run:
            assert run.process.wait() == 0
        seconds = time.monotonic() - began
        row = head | {"workers": workers, "kills": 0, "seconds": round(seconds, 1)}
        row |= {"words_per_second": round(words / seconds), "peak_rss_mb": run.peak_mb}
        rows.append(row | {"same": None} | jobs.provenance())
    killed = folder / "killed.jsonl"
    spent, kills, run = kill_again_and_again(options, source, killed, seconds)
    row = head | {"workers": options.workers[-1], "kills": kills, "seconds": round(spent, 1)}
    row |= {"words_per_second": None, "peak_rss_mb": run.peak_mb}
    same = killed.read_bytes() == output.read_bytes()
    return [*rows, row | {"same": same} | jobs.provenance()]


def kill_again_and_again(
    options: argparse.Namespace, source: Path, output: Path, seconds: float
) -> tuple[float, int, "Watched"]:
    """Kill a run at random moments and take it up; seconds it took, kills, and its last process."""
    rng, workers = random.Random(options.seed), options.workers[-1]
    spent, kills = 0.0, 0
    while True:
        began = time.monotonic()
        with Watched(command(options.model, source, output, workers, kills > 0)) as run:
            if kills < options.kills:
                moment = rng.uniform(1, seconds / options.kills + 4)
                try:
                    run.process.wait(moment)
                except subprocess.TimeoutExpired:
                    kills += 1
            else:
                run.process.wait()
            ended = run.process.poll() is not None
        spent += time.monotonic() - began
        if ended:
            assert run.process.returncode == 0
            return spent, kills, run


def repeated(name: str, documents: int, path: Path, most: int | None = None) -> int:
    """Write so many documents, of `most` words at most, and return how many words they have."""
    from convener.text.documents import Document
    from convener.text.formats import read, write

    source = jobs.data() / "distant" / name / "test.jsonl"
    bare = [Document(d.text[: d.words()[:most][-1][1]]) for d in read(source)]
    many = (replace(bare[i % len(bare)], id=str(i)) for i in range(documents))
    words = [len(document.words()) for document in bare]
    write(path, many, "jsonl")
    return sum(words[i % len(bare)] for i in range(documents))


def command(
    model: Path, source: Path, output: Path, workers: int, resume: bool = False
) -> Sequence[str]:
    """The run as a user types it."""
    start = "from convener.cli.main import main; main()"
    given = [str(model), str(source), "-o", str(output), "--workers", str(workers)]
    resuming = ["--resume"] if resume or workers == 1 else []
    return [sys.executable, "-c", start, "predict", *given, *resuming]


class Watched:
    """A process and its children, the memory they held together; killed when this is left."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.process = subprocess.Popen(arguments, start_new_session=True)
        self.samples: list[tuple[float, int]] = []
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> "Watched":
        self._watcher.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._watcher.join()
        self.process.kill()
        self.process.wait()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            held = 0
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    fields = (folder / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[2]) == self.process.pid:
                    held += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            self.samples.append((time.monotonic(), held // 10**6))

    @property
    def peak_mb(self) -> int:
        """The most that they held together."""
        return max(held for _, held in self.samples)


if __name__ == "__main__":
    main()

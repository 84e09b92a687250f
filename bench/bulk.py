"""Bulk prediction: speed by number of workers, and a run killed again and again.

    CONVENER_DATA=data python bench/bulk.py --model drug-ner --kills 10

Sentences of a test set, repeated under new numbers, are answered by `convener predict --workers`.
Then the same run is killed with SIGKILL at random moments and taken up by `--resume` each time;
`same` says whether its output equals the uninterrupted one byte for byte. `peak_rss_mb` adds up
the processes of a run.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of a model")
    parser.add_argument("--set", default="conll03")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "many.jsonl"
        words = repeated(options.set, options.documents, source)
        rows = []
        head = {"task": "bulk", "system": "tagger-torch", "data": options.set, "words": words}
        for workers in options.workers:
            began = time.monotonic()
            output = source.with_name(f"by-{workers}.jsonl")
            with Watched(command(options.model, source, output, workers)) as run:
                assert run.process.wait() == 0
            seconds = time.monotonic() - began
            row = head | {"workers": workers, "kills": 0, "seconds": round(seconds, 1)}
            row |= {"words_per_second": round(words / seconds), "peak_rss_mb": run.peak_mb}
            rows.append(row | {"same": None} | jobs.provenance())
        whole, workers = output.read_bytes(), options.workers[-1]
        killed, spent = source.with_name("killed.jsonl"), 0.0
        rng = random.Random(options.seed)
        kills = 0
        while kills < options.kills:
            began = time.monotonic()
            with Watched(command(options.model, source, killed, workers, kills > 0)) as run:
                time.sleep(rng.uniform(1, 2 * seconds / options.kills + 5))
                ended = run.process.poll() is not None
            spent += time.monotonic() - began
            if ended:
                break
            kills += 1
        if not killed.exists():
            with Watched(command(options.model, source, killed, workers, True)) as run:
                assert run.process.wait() == 0
        row = head | {"workers": workers, "kills": kills, "seconds": round(spent, 1)}
        row |= {"words_per_second": None, "peak_rss_mb": run.peak_mb}
        rows.append(row | {"same": killed.read_bytes() == whole} | jobs.provenance())
    fresh = {tuple(row[c] for c in KEY) for row in rows}
    kept = [r for r in jobs.read(options.results) if tuple(r.get(c) for c in KEY) not in fresh]
    jobs.write(options.results, kept + rows)
    for row in rows:
        print(json.dumps(row))


def repeated(name: str, documents: int, path: Path) -> int:
    """Write so many documents, and return how many words they have."""
    from convener.text.formats import read, write

    sentences = list(read(Path(os.environ["CONVENER_DATA"]) / "distant" / name / "test.jsonl"))
    many = [
        replace(sentences[i % len(sentences)], id=str(i), entities=()) for i in range(documents)
    ]
    write(path, many, "jsonl")
    return sum(len(document.words()) for document in many)


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
        self.peak_mb = 0
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
            self.peak_mb = max(self.peak_mb, held // 10**6)


if __name__ == "__main__":
    main()

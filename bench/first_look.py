"""A first look: the dictionary's labels, gold supervision, stage I, BOND and the panel.

    CONVENER_DATA=... python bench/first_look.py --set webpage wikigold --seed 0 1 2

Every row is one training run in a process of its own, with states chosen on the dev split and
scored on the test split. The dictionary's own labels are known on the training split only, so the
row `dictionary` scores them there against gold. Rows that the results file already has are not
run again, so the command can be stopped and repeated. The figures of every round go to a file
beside it.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

SETS = ("webpage", "wikigold", "twitter", "conll03")
RUNS = {
    "dictionary": ("dictionary",),
    "gold": ("gold",),
    "bond": ("stage1", "bond"),
    "bond-moe": ("bond-moe",),
}
RESULTS = Path(__file__).parent / "results" / "first_look.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--method", nargs="+", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each if 2")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", action="store_true", help="run in this process, print the rows")
    options = parser.parse_args()
    if options.one:
        for row in run(options.set[0], options.method[0], options.seed[0], options.encoder):
            print(json.dumps(row))
        return
    wanted = [
        (data, method, seed)
        for data in options.set
        for seed in options.seed
        for method in options.method
        if method != "dictionary" or seed == options.seed[0]
    ]
    lock = Lock()

    def work(job: tuple[str, str, int]) -> None:
        data, method, seed = job
        with lock:
            have = {(r["set"], r["method"], r["seed"], r["encoder"]) for r in rows(options.results)}
        if all((data, name, seed, options.encoder) in have for name in RUNS[method]):
            return
        command = [sys.executable, __file__, "--one", "--set", data, "--method", method]
        command += ["--seed", str(seed), "--encoder", options.encoder]
        environment = os.environ | ({"OMP_NUM_THREADS": "1"} if options.jobs > 1 else {})
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            print(f"{job} failed: {done.stderr[-2000:]}", file=sys.stderr)
            return
        fresh = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        history = [row.pop("rounds") for row in fresh]
        with lock:
            kept = [
                r
                for r in rows(options.results)
                if (r["set"], r["method"], r["seed"], r["encoder"])
                not in {(n["set"], n["method"], n["seed"], n["encoder"]) for n in fresh}
            ]
            write(options.results, kept + fresh)
            with options.results.with_suffix(".rounds.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps({"job": job, "rounds": history[-1]}) + "\n")
        for row in fresh:
            print(
                row["set"], row["method"], row["seed"], row["f1"], f"{row['seconds']} s", flush=True
            )

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(work, wanted))


def rows(path: Path) -> list[dict[str, object]]:
    """Rows measured so far."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def write(path: Path, content: Sequence[dict[str, object]]) -> None:
    """Write all rows in a stable order."""
    ordered = sorted(content, key=lambda r: (str(r["set"]), str(r["method"]), r["seed"]))
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def run(data: str, method: str, seed: int, encoder: str) -> list[dict[str, object]]:
    """Train one method on one set and return its rows."""
    from convener import api
    from convener.evaluation.scores import Scores, normal, score
    from convener.inference.card import installed_versions
    from convener.panel.panel import Panel
    from convener.recipes.run import SUPERVISED, RunConfig, override
    from convener.text.formats import read
    from convener.training.progress import Silence

    root = Path(os.environ["CONVENER_DATA"]) / "distant" / data
    began = time.monotonic()

    def documents(name: str) -> list:
        return list(read(root / f"{name}.jsonl"))

    distant, dev, test = documents("train.distant"), documents("dev"), documents("test")
    known = {normal(d.surface(e)) for d in distant for e in d.entities}
    found: list[dict[str, object]] = []

    def add(name: str, scores: Scores) -> None:
        exact = scores.exact
        found.append(
            {
                "set": data,
                "method": name,
                "seed": seed,
                "precision": round(100 * exact.precision, 2),
                "recall": round(100 * exact.recall, 2),
                "f1": round(100 * exact.f1, 2),
                "unseen_recall": scores.as_dict()["unseen_recall"],
                "seconds": round(time.monotonic() - began, 1),
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
                "encoder": encoder,
                "train_sentences": len(distant),
                "commit": commit(),
                "versions": " ".join(f"{k}=={v}" for k, v in installed_versions().items()),
                "machine": machine(),
                "command": " ".join(["python", "bench/first_look.py", *sys.argv[2:]]),
            }
        )

    if method == "dictionary":
        add("dictionary", score(documents("train.gold"), distant))
        return [row | {"rounds": []} for row in found]

    class StageOne(Silence):
        def stage_done(self, name: str, experts: Sequence) -> None:
            if method == "bond" and name == "warm-up":
                add("stage1", score(test, Panel(experts).annotate(test), known))

    settings = {"seed": seed, "tagger.encoder": encoder}
    if method == "gold":
        config = override(SUPERVISED, settings)
        model = api.train(documents("train.gold"), dev=dev, config=config)
    else:
        experts = 1 if method == "bond" else 3
        config = override(RunConfig(), settings | {"bond.experts": experts})
        model = api.train(distant, dev=dev, config=config, listener=StageOne())
    add(method, score(test, list(model.annotate(test)), known))
    for row in found:
        row["rounds"] = model.card.history
    return found


def machine() -> str:
    """What the row was measured on."""
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{platform.machine()}, {torch.get_num_threads()} threads{gpu}"


def commit() -> str:
    """The commit that was measured."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()

"""SaM: experts of six domains, five target domains without labels.

    CONVENER_DATA=... python bench/adapt.py --library experts --seed 0

First each source becomes an expert of one library, and all together the expert `unified` of another
with the same base, a process each. Then, a process for each target and seed: only unlabelled dev
sentences of the target are used to select, and the result is scored on its test split. `oracle` is
the single expert that is best on test, which nobody can know. Rows that the results file has are
not made again.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "adapt.json"
SOURCES = {
    "conll03": ("distant/conll03", "train.gold"),
    **{
        name: (f"domains/{name}", "train")
        for name in ("wnut17", "btc", "ncbi", "bc2gm", "mit-movie")
    },
}
TARGETS = ("politics", "science", "music", "literature", "ai")
MERGES = ("linear", "task-arithmetic", "dare-ties", "magnitude", "cat", "svd")
KEY = ("task", "source", "target", "seed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, default=Path("experts"))
    parser.add_argument("--source", nargs="+", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--target", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--part", type=int, help="sentences of each source and test, or all")
    parser.add_argument("--steps", type=int, default=2000, help="of an expert's training")
    parser.add_argument("--batch", type=int, default=16, help="sentences a step")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", type=json.loads, help="run this job in this process")
    options = parser.parse_args()
    if options.one:
        job = dict(options.one)
        task = {"expert": expert, "quality": quality}[job.pop("task")]
        for row in task(**job):
            print(json.dumps(row))
        return
    shared = {"library": str(options.library), "part": options.part}
    training = {"steps": options.steps, "batch": options.batch, "sources": options.source}
    experts = [
        {"task": "expert", "source": source, "seed": 0} | shared | training
        for source in [*options.source, "unified"]
    ]
    first, *others = experts
    for wave in ([first], others):
        jobs.run_all(__file__, wave, options.results, KEY, options.jobs)
    wanted = [
        {"task": "quality", "target": target, "seed": seed} | shared
        for seed in options.seed
        for target in options.target
    ]
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)


def documents(folder: str, name: str, part: int | None) -> list:
    """The first documents of a split."""
    from convener.text.formats import read

    return list(read(Path(os.environ["CONVENER_DATA"]) / folder / f"{name}.jsonl"))[:part]


def expert(
    source: str,
    seed: int,
    library: str,
    part: int | None,
    steps: int,
    batch: int,
    sources: Sequence[str],
) -> list[jobs.Row]:
    """Train one expert, or the unified one, into its library."""
    from convener.experts import train_expert
    from convener.recipes.run import SUPERVISED, override

    wanted = sources if source == "unified" else [source]
    training = [document for name in wanted for document in documents(*SOURCES[name], part)]
    changes = {
        "model": "reader",
        "seed": seed,
        "reader.negatives": 4,
        "bond.round_steps": max(1, steps // 5),
        "bond.warmup_rounds": 4,
        "bond.expert_rounds": 1,
        "optimiser.batch_sentences": batch,
        "optimiser.batch_pieces": 65536,
    }
    folder = Path(library) / ("unified" if source == "unified" else "domains")
    began = time.monotonic()
    card = train_expert(training, source, folder, config=override(SUPERVISED, changes))
    return [
        {
            "task": "expert",
            "source": source,
            "seed": seed,
            "types": len(card.types),
            "train_sentences": len(training),
            "steps": steps,
            "seconds": round(time.monotonic() - began, 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
        }
        | jobs.provenance()
    ]


def quality(target: str, seed: int, library: str, part: int | None) -> list[jobs.Row]:
    """All methods on one target."""
    from convener.evaluation.scores import score
    from convener.experts import adapt_library
    from convener.inference.shelf import Library
    from convener.models.questions import questions_for
    from convener.panel.panel import Panel
    from convener.panel.selection import Ranked
    from convener.recipes.adapt import AdaptConfig, merged
    from convener.recipes.settings import parsed
    from convener.text.documents import labels_of

    folder = f"domains/crossner-{target}"
    unlabelled = [replace(d, entities=()) for d in documents(folder, "dev", None)]
    test = documents(folder, "test", part)
    questions = questions_for(labels_of(documents(folder, "dev", None)))
    shelf = Library.open(Path(library) / "domains")
    rows: list[jobs.Row] = []

    def add(method: str, answers: Sequence, began: float, **settings: object) -> float:
        exact = score(test, answers).exact
        rows.append(
            {"task": "quality", "target": target, "method": method, "seed": seed}
            | {"merge": None, "m": None, "n": None}
            | settings
            | {
                "precision": round(100 * exact.precision, 2),
                "recall": round(100 * exact.recall, 2),
                "f1": round(100 * exact.f1, 2),
                "test_sentences": len(test),
                "seconds": round(time.monotonic() - began, 1),
            }
            | jobs.provenance()
        )
        return exact.f1

    def sam(method: str, **changes: object) -> None:
        began = time.monotonic()
        config: AdaptConfig = parsed(AdaptConfig, {"seed": seed, **changes})
        made = adapt_library(shelf.folder, unlabelled, questions, config=config)
        chosen = {kind: list(names) for kind, names in made.adapted.chosen.items()}
        settings = {"merge": config.merge.method, "m": config.experts, "n": config.sentences}
        add(method, list(made.model.annotate(test)), began, **settings, chosen=chosen)

    def alone(source: Library, name: str) -> Panel:
        reader = source.reader(questions, 16, False)
        return Panel([merged(reader, [Ranked(name, 1.0)], source.adapter, AdaptConfig())])

    began = time.monotonic()
    unified = alone(Library.open(Path(library) / "unified"), "unified")
    add("unified", unified.annotate(test), began)
    singles: dict[str, Callable[[], Panel]] = {n: lambda n=n: alone(shelf, n) for n in shelf.names}
    scored = {}
    for name, make in singles.items():
        began = time.monotonic()
        scored[name] = add("single", make().annotate(test), began, expert=name)
    best = max(scored, key=lambda name: scored[name])
    rows.append(
        next(r for r in rows if r.get("expert") == best) | {"method": "oracle", "expert": best}
    )
    began = time.monotonic()
    together = Panel([make().experts[0] for make in singles.values()])
    add("ensemble-all", together.annotate(test), began)
    everything = len(shelf.names)
    sam("best-by-similarity", select="similarity", experts=1)
    sam("best-by-performance", select="performance", experts=1)
    sam("similarity-only", select="similarity")
    sam("performance-only", select="performance")
    sam("merge-all", select="similarity", experts=everything)
    sam("sam")
    for merge in MERGES:
        sam("sam", merge={"method": merge, "seed": seed})
    for m in (1, 2, everything):
        sam("sam", experts=m)
    for n in (10, 200):
        sam("sam", sentences=n)
    return rows


if __name__ == "__main__":
    main()

"""SaM: experts of six domains, five target domains without labels.

    CONVENER_DATA=... python bench/adapt.py --library experts --seed 0 1 2

First a reader learns from all sources together, each sentence asked only about the types that its
source was labelled with. It is the base from which each source becomes an expert of one library, a
process each, and `unified`, trained on all sources for as many steps as all experts together, the
only one of another. Then, a process for each target: only unlabelled dev sentences of the target
are used to select, and the result is scored on its test split. `oracle` is the single expert that
is best on test, which nobody can know. Seeds draw the sampled sentences; other ways of merging and
other numbers of experts and sentences are tried with the first.
With `--others` all is done again with more experts, those of the four other target domains,
trained for half the steps each on the 100 or 200 labelled sentences there are; `unified` then goes
on for as many steps as they took together, on as many sentences of every source.
Rows that the results file has are not made again.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import adapt_experts
import jobs
from adapt_experts import OTHERS, SOURCES, TARGETS, documents

from convener.models.reader_config import ReaderConfig

RESULTS = Path(__file__).parent / "results" / "adapt.json"
VOTES = ("majority", "beyond-base")
MERGES = ("linear", "task-arithmetic", "dare-ties", "magnitude", "cat", "svd")
READER = ReaderConfig(width=16, nested=False)
KEY = ("task", "source", "target", "others")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, default=Path("experts"))
    parser.add_argument("--source", nargs="+", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--target", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2], help="of selections")
    parser.add_argument("--part", type=int, help="sentences of each source, or all")
    parser.add_argument("--test-part", type=int, help="sentences of each test split, or all")
    parser.add_argument("--base-steps", type=int, default=4000, help="of the base's training")
    parser.add_argument("--steps", type=int, default=1000, help="of an expert's training")
    parser.add_argument("--batch", type=int, default=16, help="sentences a step")
    parser.add_argument("--others", action="store_true", help="also experts of other targets")
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    library = {"library": str(options.library)}
    training = {
        "steps": options.steps,
        "base_steps": options.base_steps,
        "batch": options.batch,
        "sources": options.source,
        "part": options.part,
        "settings": options.setting,
    }
    experts = [
        {"task": "expert", "source": source} | library | training
        for source in ["base", options.source[0], "unified", *options.source[1:]]
    ]
    half = training | {"steps": options.steps // 2, "part": None}
    others = [{"task": "expert", "source": source} | library | half for source in OTHERS]
    unified = [
        {"task": "expert", "source": f"unified for {target}", "without": f"crossner-{target}"}
        | library
        | half
        for target in options.target
    ]
    more = [others, unified] if options.others else []
    for wave in (experts[:1], experts[1:2], experts[2:], *more):
        jobs.run_all(__file__, wave, options.results, KEY, options.jobs)
    scored = {"seeds": options.seed, "part": options.test_part}
    wanted = [
        {"task": "quality", "target": target, "others": others} | library | scored
        for others in (False, True)[: 1 + options.others]
        for target in options.target
    ]
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)
    jobs.run_all(__file__, [{"task": "cost"} | library], options.results, KEY, 1)


def run(task: str, **job: object) -> list[jobs.Row]:
    """The rows of one job."""
    tasks = {"expert": adapt_experts.train, "quality": quality, "cost": cost}
    return tasks[task](**job)


class Target:
    """A target domain, and what readers score on it."""

    def __init__(self, name: str, library: Path, part: int | None, others: bool = False) -> None:
        from convener.inference.shelf import Library
        from convener.models.questions import questions_for
        from convener.text.documents import labels_of

        folder = f"domains/crossner-{name}"
        self.name = name
        self.others = others
        dev = documents(folder, "dev", None)
        self.unlabelled = [replace(document, entities=()) for document in dev]
        self.questions = questions_for(labels_of(dev))
        self.test = documents(folder, "test", part)
        self.library = Library.open(library)
        self.rows: list[jobs.Row] = []
        self._scored: dict[object, jobs.Row] = {}

    def add(self, method: str, seed: int | None, answering, key: object, **settings) -> float:
        """Score a panel on the test split, once for each key."""
        from convener.evaluation.scores import score

        if key not in self._scored:
            exact = score(self.test, answering().annotate(self.test)).exact
            self._scored[key] = jobs.percent(exact)
        head = {"task": "quality", "target": self.name, "others": self.others, "method": method}
        columns = (
            {"seed": seed, "merge": None, "m": None, "n": None, "vote": None}
            | settings
            | self._scored[key]
        )
        size = {"test_sentences": len(self.test)}
        self.rows.append(head | columns | size | jobs.provenance())
        return float(self._scored[key]["f1"])

    def sam(self, method: str, seed: int, **changes: object) -> None:
        """Score what adapting the library gives."""
        from convener.experts import adapt_library
        from convener.recipes.adapt import AdaptConfig
        from convener.recipes.settings import parsed

        config = parsed(AdaptConfig, {"seed": seed, **changes})
        vote = config.vote if config.select != "similarity" else None
        made = adapt_library(self.library.folder, self.unlabelled, self.questions, config=config)
        chosen = {kind: list(names) for kind, names in made.adapted.chosen.items()}
        settings = {"merge": config.merge.method, "m": config.experts, "n": config.sentences}
        settings["vote"] = vote
        sets = frozenset(frozenset(names) for names in chosen.values())
        key = (sets, config.merge.model_copy(update={"seed": 0}))
        if config.merge.method == "dare-ties":
            key = (*key, seed)
        self.add(method, seed, lambda: made.model.panel, key, **settings, chosen=chosen)

    def alone(self, shelf, name: str):
        """The panel of one expert."""
        from convener.models.adapter import apply
        from convener.panel.panel import Panel

        reader = shelf.reader(self.questions, READER)
        if name:
            apply(reader, shelf.adapter(name))
        return Panel([reader])


def quality(
    target: str, others: bool, library: str, seeds: Sequence[int], part: int | None
) -> list[jobs.Row]:
    """All methods on one target."""
    from convener.inference.shelf import Library
    from convener.panel.panel import Panel

    left_out = f"crossner-{target}"
    name = f"unified-{left_out}" if others else "unified"
    folder = without(Path(library), *([left_out] if others else OTHERS))
    on = Target(target, folder, part, others)
    shelf, unified = on.library, Library.open(Path(library) / name)
    on.add("base", None, lambda: on.alone(shelf, ""), "base")
    on.add("unified", None, lambda: on.alone(unified, "unified"), "unified")
    f1s = {
        name: on.add("single", None, lambda n=name: on.alone(shelf, n), name, expert=name)
        for name in shelf.names
    }
    best = max(f1s, key=lambda name: f1s[name])
    on.add("oracle", None, None, best, expert=best)
    on.add(
        "ensemble-all",
        None,
        lambda: Panel([on.alone(shelf, name).experts[0] for name in shelf.names]),
        "ensemble",
    )
    everything = len(shelf.names)
    on.sam("merge-all", seeds[0], select="similarity", experts=everything)
    for seed in seeds:
        on.sam("best-by-similarity", seed, select="similarity", experts=1)
        on.sam("similarity-only", seed, select="similarity")
        for vote in VOTES:
            on.sam("best-by-performance", seed, select="performance", experts=1, vote=vote)
            on.sam("performance-only", seed, select="performance", vote=vote)
            on.sam("sam", seed, vote=vote)
    if not others:
        tried(on, seeds[0], everything)
    return on.rows


def tried(on: Target, seed: int, everything: int) -> None:
    """Other ways of merging, numbers of experts, and numbers of sentences, by the paper's vote."""
    for merge in MERGES:
        on.sam("sam", seed, merge={"method": merge, "seed": seed}, vote="majority")
    for m in (1, 2, everything):
        on.sam("sam", seed, experts=m, vote="majority")
    for n in (10, 200):
        on.sam("sam", seed, sentences=n, vote="majority")


def without(library: Path, *removed: str) -> Path:
    """A copy of the library of experts without some, made once."""
    import shutil

    folder = library / "-".join(["without", *removed])
    if not folder.exists():
        left_out = shutil.ignore_patterns(*removed)
        shutil.copytree(library / "domains", folder, ignore=left_out)
    return folder


def cost(library: str) -> list[jobs.Row]:
    """What adapting costs: from nothing, again, when one expert joins; and asking all experts."""
    import shutil
    import tempfile

    from convener.experts import adapt_library
    from convener.models.adapter import apply
    from convener.models.stacked import Stacked
    from convener.panel.panel import Panel, annotate_each

    rows: list[jobs.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "library"
        shutil.copytree(without(Path(library), *OTHERS), copy)
        shutil.rmtree(copy / ".answers", ignore_errors=True)
        on = Target("politics", copy, 1)
        last = on.library.names[-1]
        shutil.move(copy / last, Path(folder) / last)

        def measured(step: str, work: Callable[[], object]) -> None:
            began = time.monotonic()
            work()
            seconds = round(time.monotonic() - began, 2)
            row = {"task": "cost", "step": step, "experts": len(on.library.names)}
            rows.append(row | {"seconds": seconds, "peak_mb": jobs.peak_mb()} | jobs.provenance())

        def adapted() -> None:
            adapt_library(copy, on.unlabelled, on.questions)

        measured("adapt", adapted)
        measured("adapt again", adapted)
        on.library.add(Path(folder) / last)
        measured("adapt after adding one", adapted)
        base = on.library.reader(on.questions, READER)
        adapters = [on.library.adapter(name) for name in on.library.names]
        sample = on.unlabelled[:50]

        def one_by_one() -> None:
            for adapter in adapters:
                reader = base.clone()
                apply(reader, adapter)
                Panel([reader]).annotate(sample)

        measured(
            "ask experts together", lambda: list(annotate_each(Stacked(base, adapters), sample))
        )
        measured("ask experts one by one", one_by_one)
    return rows


if __name__ == "__main__":
    main()

"""BOND, BOND-MoE, later baselines and the default recipe on distantly labelled sets.

    CONVENER_DATA=... python bench/bond_moe.py --set webpage wikigold --seed 0 1 2
    CONVENER_DATA=... python bench/bond_moe.py --set webpage --method default --seed 0

Every job is one training in a process of its own. States are chosen on dev and scored on test, but
for `bond-published`, which chooses on test as the published code does, and `default-no-dev`. `bond`
is the default that takes all labels at their word and re-weights as BOND does. `stage1`,
`no-self-training` and the rows `-minus-self-training` are the states in which `bond`, `bond-moe`,
`default` and `default-no-dev` go into self-training, and `distilled` is one model taught by
`default-panel`; they are rows of the same jobs. BOND is BOND-MoE of one expert, so it is the row
without experts. `gold` learns from gold labels; no other row reads those of the training or the
test text but to score. The dictionary's own labels are known on the training text only, so that is
where they are scored. The set `conll03-3k` is the first 3,000 sentences of conll03, in whole
documents, and a path is a folder with the files of such a set. `beats_bond` is how often, when test
documents are drawn anew, a row's F1 is above that of BOND with the same seed (paired bootstrap),
whose counts by document are kept beside the results; so BOND runs first. Rows that the results file
already has are not run again; figures of every round go to a file beside it.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "bond_moe.json"
SETS = ("webpage", "wikigold", "twitter", "conll03")
PART = "conll03-3k"
KEY = ("set", "method", "seed", "encoder")


@dataclass(frozen=True)
class Method:
    """What a row changes in a configuration: that of a paper, the default one, or the gold one."""

    base: str = "default"
    changes: dict[str, object] = field(default_factory=dict)
    kind: str = "Bond"
    chooses: str = "dev"


METHODS = {
    "bond": Method("bond"),
    "gold": Method("gold", {"words": "given"}),
    "bond-published": Method("bond", kind="Published", chooses="test"),
    "bond-moe": Method("bond-moe"),
    "no-fair": Method("bond-moe", {"bond.fair": False}),
    "roster": Method("bond", kind="Robust"),
    "positive-unlabelled": Method("bond", kind="PositiveUnlabelled"),
    "ema-teacher": Method("bond", {"bond.ema": 0.995, "bond.refresh": 1}),
    "default": Method(),
    "default-no-dev": Method(chooses="nothing"),
    "default-minus-abstention": Method(changes={"abstain": "never"}),
    "default-reweighted": Method(changes={"bond.reweight": 1.0}),
    "default-minus-rivals": Method(changes={"rivals": False}),
    "default-panel": Method(changes={"bond.experts": 3}),
}
BEFORE_SELF_TRAINING = {
    "bond": "stage1",
    "bond-moe": "no-self-training",
    "default": "default-minus-self-training",
    "default-no-dev": "default-no-dev-minus-self-training",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=list(SETS))
    every = ["dictionary", *METHODS]
    parser.add_argument("--method", nargs="+", default=every, choices=every, metavar="METHOD")
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--encoder", default="minilm")
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    for name in options.set:
        if not (folder_of(name) / "train.distant.jsonl").is_file():
            parser.error(f"expected one of {', '.join(SETS)} or a folder like theirs, got {name}")
    _check(parser, options)

    def job(name: str, method: str, seed: int) -> jobs.Row:
        said = {"set": name, "method": method, "seed": seed, "encoder": options.encoder}
        settings = options.setting if method != "dictionary" else {}
        return said | {"settings": settings, "results": str(options.results)}

    wanted = [
        job(name, method, seed)
        for seed in options.seed
        for name in options.set
        for method in options.method
        if method != "dictionary"
    ]
    if "dictionary" in options.method:
        wanted += [job(name, "dictionary", 0) for name in options.set]
    for first in (True, False):
        wave = [line for line in wanted if (line["method"] == "bond") == first]
        jobs.run_all(__file__, wave, options.results, KEY, options.jobs)


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Say what is wrong with settings before any job."""
    from convener.errors import ConfigError

    try:
        configured(METHODS["bond"], options.encoder, 0, jobs.changes(options.setting))
    except ConfigError as error:
        parser.error(str(error))


def run(
    set: str, method: str, seed: int, encoder: str, settings: dict[str, str], results: str
) -> list[jobs.Row]:
    """The rows of one job."""
    from convener.evaluation.scores import score

    data = Data(set)
    row = {"set": set, "method": method, "seed": seed, "encoder": encoder, "settings": settings}
    row |= {"train_sentences": len(data.distant), "split": data.split}
    began, busy = time.monotonic(), time.process_time()
    if method == "dictionary":
        found = [row | figures(score(data.gold, data.distant)) | {"seconds": 0.0}]
        return [line | jobs.provenance() for line in found]
    config = configured(METHODS[method], encoder, seed, jobs.changes(settings))
    trained, stages = train(data, METHODS[method], config)
    seconds = round(time.monotonic() - began, 1)
    cost = {"cpu_seconds": round(time.process_time() - busy, 1), "peak_rss_mb": jobs.peak_mb()}

    def measured(name: str, found: Sequence, dev_f1: float | None, seconds: float) -> jobs.Row:
        scores = score(data.test, found, data.known)
        line = row | {"method": name, "dev_f1": dev_f1, "seconds": seconds} | figures(scores)
        return line | {"beats_bond": beats(scores, data, line, Path(results))}

    rows = [measured(method, trained.panel.annotate(data.test), trained.dev_f1, seconds)]
    rows[0] |= cost | {"rounds": trained.history}
    if method in BEFORE_SELF_TRAINING and config.bond.self_training:
        before = before_self_training(trained.history)
        rows.append(measured(BEFORE_SELF_TRAINING[method], stages[-2], *before))
    if method == "default-panel":
        student, seconds = taught(trained.panel, data, config)
        found = student.panel.annotate(data.test)
        rows.append(measured("distilled", found, student.dev_f1, seconds))
    return [line | jobs.provenance() for line in rows]


def folder_of(name: str) -> Path:
    """Where the files of a set are: a path, or the name of one of the benchmark data."""
    given = Path("conll03" if name == PART else name)
    return given if given.is_dir() else jobs.data() / "distant" / given


class Data:
    """A set: distant and gold labels of the training text, dev and test."""

    def __init__(self, name: str) -> None:
        from convener.evaluation.scores import normal
        from convener.text.formats import read

        root, part = folder_of(name), name == PART
        files = ("train.distant", "train.gold", "dev", "test")
        distant, gold, dev, test = (list(read(root / f"{file}.jsonl")) for file in files)
        self.split = "first 3,000 sentences in whole documents" if part else "whole"
        kept = first_documents(distant, 3000) if part else range(len(distant))
        self.distant, self.gold = ([documents[i] for i in kept] for documents in (distant, gold))
        self.dev, self.test = dev, test
        self.known = {normal(d.surface(e)) for d in self.distant for e in d.entities}


def first_documents(documents: Sequence, count: int) -> list[int]:
    """The indices of whole documents until there are so many sentences."""
    from convener.text.documents import group_indices

    kept: list[int] = []
    for group in group_indices(documents):
        if len(kept) >= count:
            break
        kept.extend(group)
    return sorted(kept)


def configured(method: Method, encoder: str, seed: int, changes: dict[str, object]):
    """The configuration of a row."""
    from convener.recipes.run_config import PAPERS, SUPERVISED, RunConfig, override

    base = {"default": RunConfig(), "gold": SUPERVISED} | PAPERS
    asked = {"seed": seed, "tagger.encoder": encoder} | method.changes | changes
    return override(base[method.base], asked)


def train(data: Data, method: Method, config):
    """The trained panel, and what it answers on test at the end of each stage."""
    import baselines

    from convener.panel.panel import Panel
    from convener.recipes.bond import Bond
    from convener.recipes.run import train_panel
    from convener.text.documents import labels_of
    from convener.training.progress import Log

    training = data.gold if method.base == "gold" else data.distant
    dev = {"dev": data.dev, "test": data.test, "nothing": None}[method.chooses]
    kind = Bond if method.kind == "Bond" else getattr(baselines, method.kind)
    expert = None
    if method.kind == "Published":
        expert = baselines.RawTagger.create(labels_of(training), config.tagger, config.seed)
    stages: list[list] = []

    class Stages(Log):
        def stage_done(self, name: str, experts: Sequence) -> None:
            stages.append(Panel(experts).annotate(data.test))

    trained = train_panel(training, config, dev, Stages(), expert=expert, kind=kind)
    return trained, stages


def before_self_training(history: Sequence[jobs.Row]) -> tuple[float | None, float]:
    """The best dev F1 of the stage before it (None without a dev set), and the seconds so far."""
    before = [line for line in history if line["stage"] != "self-training"]
    stage = [line for line in before if line["stage"] == before[-1]["stage"]]
    best = max((line["dev_f1"] for line in stage if "dev_f1" in line), default=None)
    return best, before[-1]["seconds"]


def taught(panel, data: Data, config):
    """One model of a panel, which learnt on the training text, and the seconds that it took."""
    from convener.recipes.distill import DistillConfig, distill

    began = time.monotonic()
    settings = DistillConfig(seed=config.seed, optimiser=config.optimiser)
    student = distill(panel, data.distant, settings, data.dev)
    return student, round(time.monotonic() - began, 1)


def figures(scores) -> jobs.Row:
    """Exact precision, recall and F1 in per cent, and recall of names never labelled."""
    return jobs.percent(scores.exact) | {"unseen_recall": scores.as_dict()["unseen_recall"]}


def beats(scores, data: Data, row: jobs.Row, results: Path) -> float | None:
    """How sure it is that a row is above BOND's; BOND's own counts are kept for it."""
    from convener.evaluation.bootstrap import share_above
    from convener.evaluation.scores import Score, by_group

    parts = by_group(scores.documents, data.test)
    name = "-".join(str(row[column]) for column in ("set", "encoder", "seed")).replace("/", "_")
    kept = results.with_suffix(".counts") / f"{name}.json"
    if row["method"] == "bond":
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([astuple(part) for part in parts]), encoding="utf-8")
    if row["method"] == "bond" or not kept.exists():
        return None
    bonds = [Score(*counts) for counts in json.loads(kept.read_text(encoding="utf-8"))]
    return round(share_above(parts, bonds), 3)


if __name__ == "__main__":
    main()

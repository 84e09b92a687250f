"""The audit on real distant labels: is the top of its list wrong, and what does the patch mend?

    CONVENER_DATA=... python bench/audit.py --jobs 2

Labels of a dictionary on each training set are judged by experts that did not see them, with the
library's default settings, and scored against the gold labels of the same text, which nothing else
reads. `precision_at_100` is the share of wrong ones among the 100 labels that are doubted most;
`dictionary_f1_after` is of the labels with the changes that begin accepted, `…_all` with all.
With `--panel` a model is trained on the labels before and after, and scored on test.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "dictionary.json"
SETS = ("webpage", "wikigold", "twitter", "conll03")
KEY = ("task", "set", "part", "seed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--part", type=int, help="training sentences, otherwise all")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", nargs="+", type=int, default=[0])
    parser.add_argument("--panel", action="store_true", help="train on the labels too")
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    wanted = [
        {"task": "audit", "set": name, "part": options.part, "seed": seed}
        | {"folds": options.folds, "settings": options.setting, "panel": options.panel}
        for seed in options.seed
        for name in options.set
    ]
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)


def run(
    task: str,
    set: str,
    part: int | None,
    seed: int,
    folds: int,
    settings: dict[str, str],
    panel: bool,
) -> list[jobs.Row]:
    """Audit one set."""
    from convener.dictionary.patch import Patch
    from convener.dictionary.review import suggested
    from convener.evaluation.scores import score
    from convener.recipes.audit import judge
    from convener.recipes.run_config import RunConfig, override
    from convener.text.formats import read

    root = jobs.data() / "distant" / set
    labelled, gold = (
        list(read(root / f"train.{kind}.jsonl"))[:part] for kind in ("distant", "gold")
    )
    changes = jobs.changes(settings)
    config = override(RunConfig(), {"seed": seed} | changes)
    began = time.monotonic()
    judged = judge(labelled, config, folds)
    seconds = round(time.monotonic() - began, 1)
    suggestions = suggested((j.document, j.answers, j.outside) for j in judged)
    mended = list(Patch([c for c in suggestions if c.accept]).label(labelled))
    every = [change.model_copy(update={"accept": True}) for change in suggestions]
    changed = list(Patch(every).label(labelled))
    row: jobs.Row = {"task": task, "set": set, "part": part, "seed": seed}
    row |= {"sentences": len(labelled), "folds": folds, "settings": settings}
    row |= doubted(suggestions, gold)
    row |= {
        "dictionary_f1_before": jobs.percent(score(gold, labelled).exact)["f1"],
        "dictionary_f1_after": jobs.percent(score(gold, mended).exact)["f1"],
        "dictionary_f1_all": jobs.percent(score(gold, changed).exact)["f1"],
        "accepted": sum(change.accept for change in suggestions),
        "panel_f1_before": None,
        "panel_f1_after": None,
    }
    if panel:
        row["panel_f1_before"] = trained(labelled, root, config)
        row["panel_f1_after"] = trained(mended, root, config)
    return [row | {"seconds": seconds} | jobs.provenance()]


def doubted(suggestions: Sequence, gold: Sequence) -> jobs.Row:
    """How many of the labels doubted most are wrong, and the changes of each kind."""
    from convener.dictionary.patch import fingerprint

    true = {(fingerprint(d.text), e.start, e.end, e.label) for d in gold for e in d.entities}
    labels = [change for change in suggestions if change.change in ("replace", "remove")]
    wrong = [(c.text, c.start, c.end, c.label) not in true for c in labels]
    kinds = [change.change for change in suggestions]
    return {
        "precision_at_100": round(100 * sum(wrong[:100]) / max(1, len(wrong[:100])), 1),
        "precision_of_all": round(100 * sum(wrong) / max(1, len(wrong)), 1),
        "changes": {kind: kinds.count(kind) for kind in sorted({*kinds})},
    }


def trained(labelled: Sequence, root: Path, config) -> float:
    """Test F1 of a panel trained on the labels, its state chosen on dev."""
    from convener import api
    from convener.evaluation.scores import score
    from convener.text.formats import read

    model = api.train(labelled, dev=root / "dev.jsonl", config=config)
    test = list(read(root / "test.jsonl"))
    return jobs.percent(score(test, list(model.annotate(test))).exact)["f1"]


if __name__ == "__main__":
    main()

"""A dictionary that lists names which the text lacks: the model alone, and the two together.

    CONVENER_DATA=... python bench/beside.py --jobs 2

The dictionary holds the names that people labelled in the second half of a training split, as a
person would list them who knows the field and not the text. It labels the first sentences of the
first half, and the default learns from these labels, for `exchanges` with two copies of them in
which other names of the dictionary stand; `gold` learns from people's labels of the same sentences.
States are chosen on the first sentences of dev and scored on the first of test, by themselves and
with the dictionary at their side. The row `dictionary` is the dictionary alone, on the same test
sentences.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "beside.json"
SETS = ("ncbi", "bc2gm")
TRAIN, DEV, TEST = 800, 250, 900
COPIES = 2
KEY = ("set", "method", "seed")
METHODS = ("dictionary", "default", "exchanges", "gold")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=list(SETS))
    parser.add_argument("--method", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2])
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    wanted = [
        {"set": name, "method": method, "seed": seed}
        | {"settings": options.setting if method != "dictionary" else {}}
        for seed in options.seed
        for name in options.set
        for method in options.method
        if method != "dictionary" or seed == options.seed[0]
    ]
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)


def run(set: str, method: str, seed: int, settings: dict[str, str]) -> list[jobs.Row]:
    """Label, train, and score on test with and without the dictionary."""
    from convener import api
    from convener.evaluation.scores import score
    from convener.recipes.run_config import SUPERVISED, RunConfig, override
    from convener.text.formats import read

    root = jobs.data() / "domains" / set
    train, dev, test = (list(read(root / f"{name}.jsonl")) for name in ("train", "dev", "test"))
    gold, dev, test = train[:TRAIN], dev[:DEV], test[:TEST]
    names = dictionary(train[len(train) // 2 :])
    row = {"set": set, "method": method, "seed": seed, "settings": settings, "encoder": "minilm"}
    row |= {"train_sentences": TRAIN, "test_sentences": len(test), "names": len(names)}
    if method == "dictionary":
        alone = score(test, list(api.label(test, names))).exact
        return [row | jobs.percent(alone) | jobs.provenance()]
    labelled = gold if method == "gold" else list(api.label(gold, names))
    base = SUPERVISED if method == "gold" else RunConfig()
    asked = {"seed": seed, "exchanges": COPIES if method == "exchanges" else 0}
    config = override(base, asked | jobs.changes(settings))
    began = time.monotonic()
    model = api.train(labelled, dev=dev, config=config, names=names)
    row["seconds"] = round(time.monotonic() - began, 1)
    result = api.evaluate(model, test, names)
    assert result.beside is not None
    beside = {f"beside_{name}": value for name, value in jobs.percent(result.beside).items()}
    row |= beside | {"dev_f1": model.card.dev_f1, "rounds": model.card.history}
    return [row | jobs.percent(result.scores.exact) | jobs.provenance()]


def dictionary(documents: Sequence):
    """The names that people labelled."""
    from convener import Entry, Gazetteer

    return Gazetteer(
        Entry(*name)
        for name in sorted({(d.surface(e), e.label) for d in documents for e in d.entities})
    )


if __name__ == "__main__":
    main()

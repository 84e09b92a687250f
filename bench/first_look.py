"""A first look: the dictionary's labels, gold supervision, stage I, BOND and the panel.

    CONVENER_DATA=... python bench/first_look.py --set webpage wikigold --seed 0 1 2

Every row is one training run in a process of its own, with states chosen on the dev split and
scored on the test split. The dictionary's own labels are known on the training split only, so the
row `dictionary` scores them there against gold. Rows that the results file already has are not
run again, so the command can be stopped and repeated. The figures of every round go to a file
beside it.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import jobs

SETS = ("webpage", "wikigold", "twitter", "conll03")
METHODS = ("dictionary", "gold", "bond", "bond-moe")
RESULTS = Path(__file__).parent / "results" / "first_look.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--method", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--encoder", default="minilm")
    options = jobs.asked(parser, RESULTS, run, settings=False)
    if options is None:
        return
    wanted = [
        {"set": data, "method": method, "seed": seed, "encoder": options.encoder}
        for data in options.set
        for seed in options.seed
        for method in options.method
        if method != "dictionary" or seed == options.seed[0]
    ]
    key = ("set", "method", "seed", "encoder")
    jobs.run_all(__file__, wanted, options.results, key, options.jobs)


def run(set: str, method: str, seed: int, encoder: str) -> list[jobs.Row]:
    """Train one method on one set; its rows, those of `bond` being stage I and BOND."""
    from convener import api
    from convener.evaluation.scores import Scores, normal, score
    from convener.panel.panel import Panel
    from convener.recipes.run_config import SUPERVISED, RunConfig, override
    from convener.text.formats import read
    from convener.training.progress import Log

    root = jobs.data() / "distant" / set
    began = time.monotonic()

    def documents(name: str) -> list:
        return list(read(root / f"{name}.jsonl"))

    distant, dev, test = documents("train.distant"), documents("dev"), documents("test")
    known = {normal(d.surface(e)) for d in distant for e in d.entities}
    found: list[jobs.Row] = []

    def add(name: str, scores: Scores) -> None:
        found.append(
            {
                "set": set,
                "method": name,
                "seed": seed,
                **jobs.percent(scores.exact),
                "unseen_recall": scores.as_dict()["unseen_recall"],
                "seconds": round(time.monotonic() - began, 1),
                "peak_rss_mb": jobs.peak_mb(),
                "encoder": encoder,
                "train_sentences": len(distant),
            }
            | jobs.provenance()
        )

    if method == "dictionary":
        add("dictionary", score(documents("train.gold"), distant))
        return found

    class StageOne(Log):
        def stage_done(self, name: str, experts: Sequence) -> None:
            if method == "bond" and name == "warm-up":
                add("stage1", score(test, Panel(experts).annotate(test), known))

    settings = {"seed": seed, "tagger.encoder": encoder}
    if method == "gold":
        config = override(SUPERVISED, settings | {"words": "given"})
        model = api.train(documents("train.gold"), dev=dev, config=config)
    else:
        experts = 1 if method == "bond" else 3
        config = override(RunConfig(), settings | {"bond.experts": experts})
        model = api.train(distant, dev=dev, config=config, listener=StageOne())
    add(method, score(test, list(model.annotate(test)), known))
    found[-1]["rounds"] = model.card.history
    return found


if __name__ == "__main__":
    main()

"""Words as a source cut them, and words of raw text: what a tagger of the ones loses on the others.

    CONVENER_DATA=... python bench/words.py --seed 0 1 2 --setting optimiser.precision=bf16

A tagger is trained on gold labels of conll03, whose documents bring words of their own, with the
setting `words` as given and mixed. It is scored on test twice: by those words, and by the words
that convener cuts the same text into, as it does with any raw text.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "words.json"
KEY = ("words", "seed", "train_sentences")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", nargs="+", default=["given", "mixed"])
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--part", type=int, default=1000, help="training sentences")
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    wanted = [
        {"words": words, "seed": seed, "train_sentences": options.part}
        | {"settings": options.setting}
        for seed in options.seed
        for words in options.words
    ]
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)


def run(words: str, seed: int, train_sentences: int, settings: dict[str, str]) -> list[jobs.Row]:
    """Train, and score on both kinds of words."""
    from convener import api
    from convener.evaluation.scores import score
    from convener.recipes.run_config import SUPERVISED, override
    from convener.text.formats import read

    root = jobs.data() / "distant" / "conll03"
    train, dev, test = (list(read(root / f"{n}.jsonl")) for n in ("train.gold", "dev", "test"))
    changes = {"words": words, "seed": seed} | jobs.changes(settings)
    began = time.monotonic()
    model = api.train(train[:train_sentences], dev=dev[:600], config=override(SUPERVISED, changes))
    row = {"words": words, "seed": seed, "train_sentences": train_sentences}
    row |= {"seconds": round(time.monotonic() - began, 1), "settings": settings}
    for name, documents in (("given", test), ("raw", [replace(d, tokens=None) for d in test])):
        found = list(model.annotate(documents))
        row[f"{name}_f1"] = jobs.percent(score(documents, found).exact)["f1"]
    return [row | jobs.provenance()]


if __name__ == "__main__":
    main()

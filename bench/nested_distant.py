"""Nested entities from a dictionary alone: a panel of readers on GENIA, shown once.

    CONVENER_DATA=... python bench/nested_distant.py --part 600 3000

The dictionary holds the names that people labelled at least twice in the second half of the
training split. With `--right` above 0 it holds only those that they labelled in so large a share of
the places where they occur, as a person would who lists names that mostly mean it. It labels the
first sentences of the first half, names inside names too, and a reader (BOND) or a panel of readers
(BOND-MoE) learns from these labels. States are chosen on the first sentences of dev and scored on
the first of test. The row `dictionary` scores the dictionary's labels on test itself, and rows
beside it a reader with the dictionary at its side.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "nested_distant.json"
DEV, TEST = 150, 600
KEY = ("method", "seed", "train_sentences", "right")
BESIDE = " and the dictionary"
EXPERTS = {"dictionary": 0, "reader (BOND)": 1, "panel of readers": 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", nargs="+", default=list(EXPERTS))
    parser.add_argument("--part", nargs="+", type=int, default=[600], help="training sentences")
    parser.add_argument("--right", nargs="+", type=float, default=[0.0, 0.3], help="share")
    parser.add_argument("--seed", nargs="+", type=int, default=[0])
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    wanted = [
        {"method": method, "seed": seed, "train_sentences": part, "right": right}
        | {"settings": options.setting}
        for seed in options.seed
        for right in options.right
        for part in options.part
        for method in options.method
        if method != "dictionary" or part == options.part[0]
    ]
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)


def run(
    method: str, seed: int, train_sentences: int, right: float, settings: dict[str, str]
) -> list[jobs.Row]:
    """Label, train, and score on test."""
    from convener import api
    from convener.evaluation.scores import score
    from convener.recipes.run_config import RunConfig, override
    from convener.text.formats import read

    root = jobs.data() / "nested/genia"
    train, dev, test = (list(read(root / f"{name}.jsonl")) for name in ("train", "dev", "test"))
    dev, test = dev[:DEV], test[:TEST]
    names = dictionary(train[len(train) // 2 :], right)
    began = time.monotonic()
    if method == "dictionary":
        answers, curve = {method: list(api.label(test, names, nested=True))}, []
    else:
        changes = {"model": "reader", "seed": seed, "bond.experts": EXPERTS[method]}
        changes |= jobs.changes(settings)
        labelled = list(api.label(train[:train_sentences], names, nested=True))
        config = override(RunConfig(), changes)
        model = api.train(labelled, dev=dev, config=config)
        answers = {
            method: list(model.annotate(test)),
            f"{method}{BESIDE}": list(model.beside(names).annotate(test)),
        }
        curve = [record["dev_f1"] for record in model.card.history]
    row = {
        "seed": seed,
        "right": right,
        "dev_curve": curve,
        "settings": settings,
        "inner_gold": sum(inner(document.entities) for document in test),
        "names": len(names),
        "train_sentences": train_sentences,
        "test_sentences": len(test),
        "seconds": round(time.monotonic() - began, 1),
        "encoder": "minilm",
    }
    return [
        {"method": named}
        | jobs.percent(score(test, found).exact)
        | {"inner_found": sum(inner(document.entities) for document in found)}
        | row
        | jobs.provenance()
        for named, found in answers.items()
    ]


def dictionary(documents: Sequence, right: float):
    """Names labelled at least twice, and in so large a share of the places where they match."""
    from convener import Gazetteer, api
    from convener.dictionary import Entry

    counts = Counter((d.surface(e), e.label) for d in documents for e in d.entities)
    often = [name for name, times in counts.items() if times > 1]
    entries = [Entry(*name, id=str(number)) for number, name in enumerate(often)]
    matched, true = Counter[str](), Counter[str]()
    for given, found in zip(
        documents, api.label(documents, Gazetteer(entries), nested=True), strict=True
    ):
        gold = {(e.span, e.label) for e in given.entities}
        matched.update(e.id for e in found.entities)
        true.update(e.id for e in found.entities if (e.span, e.label) in gold)
    return Gazetteer(entry for entry in entries if true[entry.id] >= right * matched[entry.id])


def inner(entities: Sequence) -> int:
    """How many entities lie inside others."""
    return sum(
        any(o.start <= e.start and e.end <= o.end and o.span != e.span for o in entities)
        for e in entities
    )


if __name__ == "__main__":
    main()

"""Readers: Multi-NER against BERT-MRC and a tagger on gold labels, nested and flat.

    CONVENER_DATA=... python bench/multitask.py --seed 0 1 2

Every row is one training run in a process of its own, with the state chosen on dev and scored on
test. All methods of a set take the same steps on batches of the same number of sentences. With
`--part N` only the first N training sentences, a quarter as many of dev and half as many of test
are read, cut after a whole document where a set has documents. `bench/multitask_cost.py` measures
what readers cost.

Rows judge a span by its ends, as the paper, but for those called `inside`, which judge it by all of
its words, as is the default. `unseen` trains with shared heads on all types but one, then asks for
that one.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "multitask.json"
SETS = {
    "genia": ("nested/genia", "train"),
    "litbank": ("nested/litbank", "train"),
    "conll03": ("distant/conll03", "train.gold"),
}
READERS = {
    "bert-mrc": {"attention": "none"},
    "multi-ner": {},
    "multi-ner-inside": {"inside": True},
    "bert-mrc-inside": {"attention": "none", "inside": True},
    "multi-ner-2-layers": {"attention_layers": 2},
    "multi-ner-all-positions": {"attention": "positions"},
    "multi-ner-shared-heads": {"heads": "shared"},
    "multi-ner-apart-3": {"shared_layers": 3},
    "multi-ner-apart-4": {"shared_layers": 4},
    "multi-ner-apart-5": {"shared_layers": 5},
    "multi-ner-span-0.5": {"span_weight": 0.5},
    "multi-ner-balance-0.5": {"balance": 0.5},
}
SIZES = ("part", "rounds", "round_steps", "batch")
KEY = ("set", "method", "seed", *SIZES)
UNSEEN = {"genia": "DNA", "litbank": "LOC", "conll03": "LOC"}
ONE_SEED = [*list(READERS)[4:], "unseen"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--method", nargs="+", default=["tagger", *READERS])
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--part", type=int, help="training sentences, otherwise all")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--round-steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=32, help="sentences a step")
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    wanted = [
        {"task": "quality", "set": data, "method": method, "seed": seed}
        | {name: getattr(options, name) for name in SIZES}
        | {"settings": options.setting}
        for seed in options.seed
        for data in options.set
        for method in options.method
        if (method != "tagger" or data == "conll03")
        and (seed == options.seed[0] or method not in ONE_SEED)
    ]
    wanted.sort(key=lambda job: job["method"] in ONE_SEED)
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)


def run(
    task: str,
    set: str,
    method: str,
    seed: int,
    part: int | None,
    rounds: int,
    round_steps: int,
    batch: int,
    settings: dict[str, str],
) -> list[jobs.Row]:
    """Train one method on one set; the row, and what was seen on the way."""
    from convener import api
    from convener.evaluation.scores import score
    from convener.recipes.multitask import attention_between_types
    from convener.recipes.run_config import SUPERVISED, override
    from convener.text.formats import read

    folder, train = SETS[set]
    root = jobs.data() / folder
    training, dev, test = (
        beginning(list(read(root / f"{name}.jsonl")), part and round(part * share))
        for name, share in ((train, 1), ("dev", 0.25), ("test", 0.5))
    )
    if method == "unseen":
        training, dev = (without(documents, UNSEEN[set]) for documents in (training, dev))
    changes: dict[str, object] = {
        "seed": seed,
        "words": "given",
        "bond.round_steps": round_steps,
        "bond.warmup_rounds": rounds - 1,
        "bond.expert_rounds": 1,
        "optimiser.batch_sentences": batch,
        "optimiser.batch_pieces": 65536,
    }
    if method != "tagger":
        made = READERS[method if method in READERS else "multi-ner-shared-heads"]
        made = {"inside": False} | made
        changes |= {"model": "reader"} | {f"reader.{k}": v for k, v in made.items()}
    changes |= jobs.changes(settings)
    began = time.monotonic()
    model = api.train(training, dev=dev, config=override(SUPERVISED, changes))
    seconds = time.monotonic() - began
    if method == "unseen":
        from convener.models.questions import questions_for

        everything = (*model.labels, UNSEEN[set])
        model = model.ask({UNSEEN[set]: questions_for(everything)[UNSEEN[set]]})
        test = without(test, *(label for label in everything if label != UNSEEN[set]))
    scores = score(test, list(model.annotate(test)))
    row: jobs.Row = {
        "task": task,
        "set": set,
        "method": method,
        "seed": seed,
        **jobs.percent(scores.exact),
        "dev_f1": model.card.dev_f1,
        "type_f1": {label: round(100 * s.f1, 2) for label, s in scores.types.items()},
        "gold": {label: s.gold for label, s in scores.types.items()},
        "train_sentences": len(training),
        "test_sentences": len(test),
        "steps": rounds * round_steps,
        "part": part,
        "rounds": rounds,
        "round_steps": round_steps,
        "batch": batch,
        "seconds": round(seconds, 1),
        "settings": settings,
        "dev_curve": [record["dev_f1"] for record in model.card.history],
    }
    reader = model.panel.experts[0]
    if method in ("multi-ner", "multi-ner-shared-heads"):
        matrix = attention_between_types(reader, dev[:500])
        row["attention"] = [[round(value, 4) for value in line] for line in matrix]
        row["labels"] = list(model.labels)
    if method == "multi-ner-shared-heads":
        row["others"] = others(model, dev[:500])
    return [row | {"encoder": "minilm"} | jobs.provenance()]


def beginning(documents: list, sentences: int | None) -> list:
    """The first sentences, the last document of them kept whole."""
    if sentences is None or sentences >= len(documents):
        return documents
    last = documents[sentences - 1].group
    return [
        document
        for index, document in enumerate(documents)
        if index < sentences or (last is not None and document.group == last)
    ]


def without(documents: Sequence, *labels: str) -> list:
    """The documents without entities of some types."""
    return [
        replace(d, entities=tuple(e for e in d.entities if e.label not in labels))
        for d in documents
    ]


def others(model, documents: Sequence) -> dict[str, list[float]]:
    """For each type, the dev F1 of all other types, asked with it and without it."""
    from convener.evaluation.scores import score

    def f1(answering, label: str) -> float:
        found = without(list(answering.annotate(documents)), label)
        return round(100 * score(without(documents, label), found).exact.f1, 2)

    questions = model.panel.experts[0].config.questions
    moved = {}
    for label in model.labels:
        fewer = model.ask({name: text for name, text in questions.items() if name != label})
        moved[label] = [f1(model, label), f1(fewer, label)]
    return moved


if __name__ == "__main__":
    main()

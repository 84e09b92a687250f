"""How much noise each recipe stands: gold labels of the training text, spoilt by a known share.

    CONVENER_DATA=... python bench/noise.py --set webpage --kind mixed --share 0 0.2 0.4 0.6

Of the entities of the training text a share is spoilt: left out (`missing`), given another type
(`type`), moved by a word at one end (`boundary`), joined by as many false ones (`spurious`), or one
of the four each (`mixed`). Each recipe of `bench/bond_moe.py` then learns from these labels; states
are chosen on dev, and test is scored once. With a share of 0 the kind is `none`. Rows that the
results file already has are not made again.
"""

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import bond_moe
import jobs

RESULTS = Path(__file__).parent / "results" / "noise.json"
KEY = ("set", "kind", "share", "method", "seed")
METHODS = ("bond", "bond-moe", "default")
KINDS = ("missing", "type", "boundary", "spurious", "mixed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=["webpage", "wikigold"])
    parser.add_argument("--kind", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--share", nargs="+", type=float, default=[0.0, 0.2, 0.4, 0.6])
    parser.add_argument("--method", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2])
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    wanted = [
        {"set": name, "kind": kind, "share": share, "method": method, "seed": seed}
        | {"settings": options.setting}
        for seed in options.seed
        for name in options.set
        for kind, share in cases(options.kind, options.share)
        for method in options.method
    ]
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)


def cases(kinds: Sequence[str], shares: Sequence[float]) -> list[tuple[str, float]]:
    """Every kind with every share, and labels that are not spoilt once."""
    spoilt = [(kind, share) for kind in kinds for share in shares if share]
    return [("none", 0.0)] * (0.0 in shares) + spoilt


def run(
    set: str, kind: str, share: float, method: str, seed: int, settings: dict[str, str]
) -> list[jobs.Row]:
    """The rows of one job: that of the method, and with BOND that of stage I."""
    from convener.evaluation.scores import score

    began = time.monotonic()
    data = bond_moe.Data(set)
    data.distant = spoilt(data.gold, kind, share, seed)
    recipe, changes = bond_moe.METHODS[method], jobs.changes(settings)
    config = bond_moe.configured(recipe, "minilm", seed, changes)
    trained, stages = bond_moe.train(data, recipe, config)
    row = {"set": set, "kind": kind, "share": share, "method": method, "seed": seed}
    labels_f1 = bond_moe.figures(score(data.gold, data.distant))["f1"]
    row |= {"settings": settings, "labels_f1": labels_f1}
    row |= {"seconds": round(time.monotonic() - began, 1), "dev_f1": trained.dev_f1}
    rows = [row | bond_moe.figures(score(data.test, trained.panel.annotate(data.test)))]
    if method == "bond":
        dev_f1, seconds = bond_moe.before_self_training(trained.history)
        first = row | {"method": "stage1", "dev_f1": dev_f1, "seconds": seconds}
        rows.append(first | bond_moe.figures(score(data.test, stages[-2])))
    return [line | jobs.provenance() for line in rows]


def spoilt(documents: Sequence, kind: str, share: float, seed: int) -> list:
    """The documents with a share of their entities spoilt in one way."""
    from convener.text.documents import labels_of

    rng = random.Random(f"{kind} {share} {seed}")
    labels = labels_of(documents)
    if len(labels) < 2 and kind in {"type", "mixed"}:
        raise ValueError(f"expected two types or more to confuse, got {labels}")
    return [_spoilt(document, kind, share, labels, rng) for document in documents]


def _spoilt(document, kind: str, share: float, labels: Sequence[str], rng: random.Random):
    words = document.words()
    taken = {place for entity in document.entities for place in range(entity.start, entity.end)}
    free = [word for word in words if word[0] not in taken]
    entities = []
    for entity in document.entities:
        way = rng.choice(KINDS[:-1]) if kind == "mixed" else kind
        if rng.random() >= share:
            entities.append(entity)
        elif way == "type":
            others = [label for label in labels if label != entity.label]
            entities.append(replace(entity, label=rng.choice(others)))
        elif way == "boundary":
            moved = _moved(entity, words, taken, rng)
            taken |= set(range(moved.start, moved.end))
            entities.append(moved)
        elif way == "spurious":
            entities.append(entity)
            free = [word for word in free if word[0] not in taken]
            if free:
                start, end = free.pop(rng.randrange(len(free)))
                taken |= set(range(start, end))
                entities.append(replace(entity, start=start, end=end, label=rng.choice(labels)))
    return replace(document, entities=tuple(sorted(entities, key=lambda e: e.span)))


def _moved(entity, words: Sequence[tuple[int, int]], taken: set[int], rng: random.Random):
    """An entity with one end a word further in or out; one of a word grows where there is room."""
    inside = [word for word in words if entity.start <= word[0] < entity.end]
    before = [word for word in words if word[1] <= entity.start][-1:]
    after = [word for word in words if word[0] >= entity.end][:1]
    choices = [replace(entity, start=start) for start, _ in before if start not in taken]
    choices += [replace(entity, end=end) for start, end in after if start not in taken]
    if len(inside) > 1:
        choices += [replace(entity, start=inside[1][0]), replace(entity, end=inside[-2][1])]
    return rng.choice(choices) if choices else entity


if __name__ == "__main__":
    main()

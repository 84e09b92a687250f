"""What the labels are worth that abstention leaves out or that have a rival, held against gold.

    CONVENER_DATA=... python bench/abstention.py

For each set: how many labels of the dictionary the rule keeps and leaves out, and how many of each
are right, boundaries and type; how many words are unlisted names, how many of these belong to gold
entities, and whether the rule leaves them out. Of the labels kept that have a rival: how many are
right, how many would be right with the rival's type, and how many rivals contexts bear out, which
needs no gold label; and the same of those that are made ambiguous for it. No choice is made here:
training does not read gold labels.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "abstention.json"
SETS = ("conll03", "wikigold", "webpage", "twitter")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = [row_of(name) | jobs.provenance() for name in SETS]
    jobs.write(options.results, rows)
    for row in rows:
        print(row)


def row_of(name: str) -> jobs.Row:
    """The labels of a set."""
    from convener.dictionary.abstention import Reading
    from convener.dictionary.labeller import covered
    from convener.dictionary.writing import Writing
    from convener.text.formats import read

    root = jobs.data() / "distant" / name
    distant, gold = (list(read(root / f"train.{kind}.jsonl")) for kind in ("distant", "gold"))
    writing = Writing.of(distant)
    right = {kind: list[bool]() for kind in ("part", "edge", "common", "kept")}
    unlisted = list[bool]()
    for labelled, judge in zip(distant, gold, strict=True):
        reading = Reading(labelled, writing)
        names = {(entity.span, entity.label) for entity in judge.entities}
        places = covered(judge)
        unlisted += [start in places for start, _ in reading.unlisted()]
        for entity in labelled.entities:
            kind = reading.doubts[entity.span] or "kept"
            right[kind].append((entity.span, entity.label) in names)
    everything = list(chain.from_iterable(right.values()))
    counts = {"labels": everything, **right, "unlisted": unlisted}
    return {
        "set": name,
        "unlisted_unknown": writing.telling,
        **{kind: len(found) for kind, found in counts.items()},
        **{f"{kind}_precision": share(found) for kind, found in counts.items()},
        **rivals(distant, gold),
    }


def rivals(distant: Sequence, gold: Sequence) -> jobs.Row:
    """How many labels kept have a rival, and how many one that contexts bear out."""
    from convener.dictionary.abstention import abstaining
    from convener.recipes.rivals import believable, borne_out, mentions, rivals_of

    kept = abstaining(distant)
    found = rivals_of(mentions(kept))
    return {
        **either_right("rivals", found, kept, gold),
        "borne_out": round(100 * borne_out(kept, found).of_all, 1),
        **either_right("ambiguous", believable(kept, found), kept, gold),
    }


def either_right(name: str, rivals: Mapping, labelled: Sequence, gold: Sequence) -> jobs.Row:
    """How many labels have one of these rivals, and how many of either are right."""
    from convener.recipes.rivals import mention

    own, other = list[bool](), list[bool]()
    for document, judge in zip(labelled, gold, strict=True):
        names = {(entity.span, entity.label) for entity in judge.entities}
        for entity in document.entities:
            if rival := rivals.get(mention(document, entity)):
                own.append((entity.span, entity.label) in names)
                other.append((entity.span, rival) in names)
    return {name: len(own), f"{name}_own": share(own), f"{name}_other": share(other)}


def share(right: Sequence[bool]) -> float | None:
    return round(100 * sum(right) / len(right), 1) if right else None


if __name__ == "__main__":
    main()

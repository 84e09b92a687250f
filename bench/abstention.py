"""What the labels are worth that abstention leaves out, held against gold labels.

    CONVENER_DATA=... python bench/abstention.py

For each set: whether the rule is on by itself; how many labels of the dictionary it keeps and
leaves out, and how many of each are right, boundaries and type; how many words it leaves out as
unlisted names, and how many of these belong to gold entities. Nothing is trained, and no choice is
made here: training does not read gold labels.
"""

import argparse
import math
import os
from collections.abc import Sequence
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
    from convener.dictionary.abstention import abstaining, unlisted_names
    from convener.text.formats import read

    root = Path(os.environ["CONVENER_DATA"]) / "distant" / name
    distant, gold = (list(read(root / f"train.{kind}.jsonl")) for kind in ("distant", "gold"))
    kept = abstaining(distant, math.inf)
    common, parts = [], []
    for before, after in zip(distant, kept, strict=True):
        for entity in set(before.entities) - set(after.entities):
            alone = any(span == entity.span for span in after.unknown)
            (common if alone else parts).append((before.text, entity))
    right = {(d.text, e.span, e.label) for d in gold for e in d.entities}

    def share(labels: Sequence) -> float | None:
        good = sum((text, e.span, e.label) in right for text, e in labels)
        return round(100 * good / len(labels), 1) if labels else None

    everything = [(d.text, e) for d in distant for e in d.entities]
    left = [(d.text, e) for d in kept for e in d.entities]
    unlisted = [(g, w) for d, g in zip(distant, gold, strict=True) for w in unlisted_names(d)]
    names = sum(any(e.start <= w[0] < e.end for e in d.entities) for d, w in unlisted)
    return {
        "set": name,
        "on": abstaining(distant) != distant,
        "labels": len(everything),
        "precision": share(everything),
        "kept": len(left),
        "kept_precision": share(left),
        "parts": len(parts),
        "parts_precision": share(parts),
        "common": len(common),
        "common_precision": share(common),
        "unlisted": len(unlisted),
        "unlisted_names": round(100 * names / max(1, len(unlisted)), 1),
    }


if __name__ == "__main__":
    main()

"""Without a dev set: which sign of a good state can be trusted?

    CONVENER_DATA=... python bench/no_dev.py --set webpage wikigold --seed 0 1

A fifth of the names under a label are held out: their mentions are left unknown in training, so
finding them is a measure that needs no gold. BOND runs its fixed schedule on the rest, and after
each round come dev F1 (to judge by, never to choose by) and the measure: the harmonic mean of the
recall of held-out mentions and of the share of predictions that agree with the distant labels.
Rows compare the dev F1 of the last state (fixed schedule), of the state with the best measure, and
of the best state by dev.
"""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jobs
from accelerate import Accelerator

from convener.dictionary.abstention import abstaining
from convener.evaluation.scores import normal, score
from convener.inference.card import installed_versions
from convener.models.tagger import Tagger
from convener.panel.panel import Panel
from convener.recipes.bond import Bond
from convener.recipes.rounds import Runner
from convener.recipes.run_config import RunConfig, override
from convener.text.documents import Document, labels_of
from convener.text.formats import read
from convener.training.progress import Log

RESULTS = Path(__file__).parent / "results" / "no_dev.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=["webpage", "wikigold"])
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = json.loads(options.results.read_text()) if options.results.exists() else []
    for seed in options.seed:
        for data in options.set:
            if any((row["set"], row["seed"]) == (data, seed) for row in rows):
                continue
            rows.append(row_of(data, seed))
            print(json.dumps(rows[-1]), flush=True)
            options.results.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def row_of(data: str, seed: int) -> dict[str, object]:
    """Run BOND once and compare the ways to choose a state of it."""
    root = jobs.data() / "distant" / data
    distant, dev = list(read(root / "train.distant.jsonl")), list(read(root / "dev.jsonl"))
    supervision, held = hold_out(distant, seed)
    config = override(RunConfig(), {"bond.experts": 1, "seed": seed})
    expert = Tagger.create(labels_of(distant), config.tagger, seed)
    curve: list[tuple[float, float]] = []

    class Watch(Log):
        def round(self, record: Mapping[str, object]) -> None:
            panel = Panel(recipe.answering())
            measure = held_out_measure(distant, held, panel.annotate(distant))
            curve.append((measure, score(dev, panel.annotate(dev)).exact.f1))

    accelerator = Accelerator(cpu=True)
    recipe = Bond(supervision, expert, config.bond, config.optimiser, seed, accelerator, Watch())
    runner = Runner(
        recipe,
        dev_f1=None,
        patience=config.bond.patience,
        listener=recipe.listener,
        checkpoint=None,
        data={},
        settings={},
    )
    runner.run()
    return {
        "set": data,
        "seed": seed,
        "fixed_dev_f1": round(100 * curve[-1][1], 2),
        "held_out_dev_f1": round(100 * max(curve, key=lambda point: point[0])[1], 2),
        "best_dev_f1": round(100 * max(f1 for _, f1 in curve), 2),
        "encoder": "minilm",
        "versions": " ".join(f"{k}=={v}" for k, v in installed_versions().items()),
        "command": f"python bench/no_dev.py --set {data} --seed {seed}",
    }


def hold_out(documents: Sequence[Document], seed: int) -> tuple[list[Document], set[str]]:
    """Documents in which a fifth of the names is unknown, and these names."""
    names = sorted({normal(d.surface(e)) for d in documents for e in d.entities})
    held = set(random.Random(seed).sample(names, len(names) // 5))
    changed = []
    for marked, document in zip(abstaining(documents), documents, strict=True):
        hidden = [e for e in document.entities if normal(document.surface(e)) in held]
        kept = tuple(e for e in document.entities if e not in hidden)
        unknown = (*marked.unknown, *(e.span for e in hidden))
        changed.append(replace(document, entities=kept, unknown=unknown))
    return changed, held


def held_out_measure(
    distant: Sequence[Document], held: set[str], predicted: Sequence[Document]
) -> float:
    """Harmonic mean of held-out recall and agreement with the distant labels."""
    found = hidden = agreed = given = 0
    for truth, guess in zip(distant, predicted, strict=True):
        answers = {(e.span, e.label) for e in guess.entities}
        labels = {(e.span, e.label) for e in truth.entities}
        wanted = {(e.span, e.label) for e in truth.entities if normal(truth.surface(e)) in held}
        found, hidden = found + len(wanted & answers), hidden + len(wanted)
        agreed, given = agreed + len(labels & answers), given + len(answers)
    recall, agreement = found / max(hidden, 1), agreed / max(given, 1)
    return 2 * recall * agreement / (recall + agreement) if recall + agreement else 0.0


if __name__ == "__main__":
    main()

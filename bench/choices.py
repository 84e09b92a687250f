"""Choices behind the defaults, judged on dev: word shapes, hidden dropout, abstaining.

    CONVENER_DATA=... python bench/choices.py --seed 0

*Shapes* compares the tagger with and without the shape embedding on gold labels, the ceiling of
everything after. *Dropout* compares hidden dropout of 0 and .1 inside the encoder, on gold labels
and on distant ones in stage I. *Abstain* compares stage I with unlisted words that look like names
left out of the loss, or taken for outside. Rows that the results file already has are not run
again.
"""

import argparse
import json
from pathlib import Path

import jobs

from convener import api
from convener.inference.card import installed_versions
from convener.recipes.run_config import SUPERVISED, RunConfig, override

RESULTS = Path(__file__).parent / "results" / "choices.json"
SHAPES = {"words": "given", "bond.warmup_rounds": 5, "bond.expert_rounds": 1}
STAGE_ONE = {
    "bond.experts": 1,
    "bond.self_training": False,
    "bond.warmup_rounds": 2,
    "bond.expert_rounds": 1,
}
RUNS = [
    *(("shapes", data, value) for data in ("webpage", "wikigold") for value in (False, True)),
    *(
        (choice, data, value)
        for choice in ("dropout", "dropout, distant")
        for data in ("webpage", "wikigold", "twitter")
        for value in (0.0, 0.1)
    ),
    *(
        ("abstain", data, value)
        for data in ("webpage", "wikigold", "twitter")
        for value in ("never", "always")
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", nargs="+", type=int, default=[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = json.loads(options.results.read_text()) if options.results.exists() else []
    for seed in options.seed:
        for choice, data, value in RUNS:
            key = {"choice": choice, "set": data, "value": value, "seed": seed}
            if any(key.items() <= row.items() for row in rows):
                continue
            rows.append(key | measure(choice, data, value, seed))
            print(json.dumps(rows[-1]), flush=True)
            options.results.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def measure(choice: str, data: str, value: object, seed: int) -> dict[str, object]:
    """Train once and report the best dev F1."""
    root = jobs.data() / "distant" / data
    if choice == "shapes":
        changes = SHAPES | {"tagger.shapes": value, "seed": seed}
        config, labels = override(SUPERVISED, changes), "gold"
    elif choice == "dropout":
        changes = SHAPES | {"tagger.hidden_dropout": value, "seed": seed}
        config, labels = override(SUPERVISED, changes), "gold"
    elif choice == "dropout, distant":
        changes = STAGE_ONE | {"tagger.hidden_dropout": value, "seed": seed}
        config, labels = override(RunConfig(), changes), "distant"
    else:
        changes = STAGE_ONE | {"abstain": value, "seed": seed}
        config, labels = override(RunConfig(), changes), "distant"
    model = api.train(root / f"train.{labels}.jsonl", dev=root / "dev.jsonl", config=config)
    return {
        "dev_f1": model.card.dev_f1,
        "encoder": "minilm",
        "versions": " ".join(f"{k}=={v}" for k, v in installed_versions().items()),
        "command": f"python bench/choices.py --seed {seed}",
    }


if __name__ == "__main__":
    main()

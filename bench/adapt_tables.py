"""Tables on libraries of experts."""

import statistics

from markdown import load, summary, table

METHODS = {
    "unified": "unified model on all sources",
    "base": "the base alone",
    "best-by-similarity": "best single expert by similarity",
    "best-by-performance": "best single expert by performance",
    "oracle": "best single expert by test (oracle)",
    "merge-all": "merge of all",
    "ensemble-all": "ensemble of all",
    "similarity-only": "similarity only",
    "performance-only": "performance only",
    "sam": "SaM",
}
DEFAULT = {"merge": "ties", "m": 3, "n": 50}


def quality(others: bool = False) -> list[dict]:
    """Scores on targets, without or with experts of the other target domains."""
    rows = [row for row in load("adapt") if row["task"] == "quality"]
    return [row for row in rows if row["others"] == others]


def of(rows: list[dict], method: str, **settings: object) -> list[dict]:
    """Rows of a method with these settings, where it has settings at all."""
    return [
        row
        for row in rows
        if row["method"] == method
        and all(row[name] is None or row[name] == value for name, value in settings.items())
    ]


def average(rows: list[dict]) -> str:
    """Mean F1 over targets, for each seed, as a summary over seeds."""
    seeds = sorted({row["seed"] for row in rows}, key=str)
    by_seed = [[row["f1"] for row in rows if row["seed"] == seed] for seed in seeds]
    return summary([statistics.mean(values) for values in by_seed])


def adapt() -> str:
    """F1 by method and target, with experts of six other domains."""
    return by_target(quality())


def adapt_others() -> str:
    """F1 by method and target, where the library also has experts of the other targets."""
    return by_target(quality(others=True))


def by_target(rows: list[dict]) -> str:
    """F1 by method and target."""
    targets = list(dict.fromkeys(row["target"] for row in rows))
    lines = []
    for method, name in METHODS.items():
        settings = DEFAULT
        if method.startswith("best"):
            settings = DEFAULT | {"m": 1}
        if method == "merge-all":
            settings = {"merge": "ties", "n": 50}
        chosen = of(rows, method, **settings)
        if chosen:
            cells = [summary([r["f1"] for r in chosen if r["target"] == t]) for t in targets]
            lines.append([name, *cells, average(chosen)])
    return table(["", *targets, "mean"], lines)


def adapt_settings() -> str:
    """SaM by way of merging, number of experts and number of sentences."""
    rows = quality()
    lines = []
    for name in ("merge", "m", "n"):
        for value in sorted({r[name] for r in of(rows, "sam")}, key=str):
            lines.append([name, str(value), average(of(rows, "sam", **DEFAULT | {name: value}))])
    return table(["setting", "value", "SaM, mean F1"], lines)


def adapt_experts() -> str:
    """What was trained, and how each expert does on the targets by itself."""
    rows = quality()
    targets = list(dict.fromkeys(row["target"] for row in rows))
    lines = []
    for row in load("adapt"):
        if row["task"] == "expert" and not row["source"].startswith("unified for"):
            alone = [
                r for r in rows if r.get("expert") == row["source"] and r["method"] == "single"
            ]
            cells = [summary([r["f1"] for r in alone if r["target"] == t]) for t in targets]
            size = [f"{row['train_sentences']:,}", str(row["steps"]), f"{row['seconds']:.0f}"]
            lines.append([row["source"], *size, *cells])
    return table(["expert", "sentences", "steps", "seconds", *targets], lines)


def adapt_cost() -> str:
    """Seconds and memory of adapting."""
    return table(
        ["", "experts", "seconds", "peak MB"],
        (
            [row["step"], str(row["experts"]), f"{row['seconds']:.1f}", f"{row['peak_mb']:,}"]
            for row in load("adapt")
            if row["task"] == "cost"
        ),
    )

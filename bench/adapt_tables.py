"""Tables on libraries of experts."""

import statistics

from markdown import load, summary, table

ROWS = (
    ("unified model on all sources", "unified", None),
    ("the base alone", "base", None),
    ("best single expert by test (oracle)", "oracle", None),
    ("best single expert by similarity", "best-by-similarity", None),
    ("best single expert by performance, majority", "best-by-performance", "majority"),
    ("best single expert by performance, beyond base", "best-by-performance", "beyond-base"),
    ("merge of all", "merge-all", None),
    ("ensemble of all", "ensemble-all", None),
    ("similarity only", "similarity-only", None),
    ("performance only, majority", "performance-only", "majority"),
    ("performance only, beyond base", "performance-only", "beyond-base"),
    ("SaM, majority (the paper)", "sam", "majority"),
    ("SaM, beyond base", "sam", "beyond-base"),
)
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
    for name, method, vote in ROWS:
        settings = DEFAULT | {"vote": vote}
        if method.startswith("best"):
            settings |= {"m": 1}
        if method == "merge-all":
            settings = {"merge": "ties", "n": 50}
        chosen = of(rows, method, **settings)
        if chosen:
            cells = [summary([r["f1"] for r in chosen if r["target"] == t]) for t in targets]
            lines.append([name, *cells, average(chosen)])
    return table(["", *targets, "mean"], lines)


def adapt_settings() -> str:
    """SaM, by the vote of the majority, by way of merging, number of experts and of sentences."""
    rows = [row for row in quality() if row["vote"] in (None, "majority")]
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

"""Tables on distantly supervised training: rows of the papers, later baselines, and the default."""

import statistics
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from markdown import load, summary, table

METHODS = {
    "dictionary": "dictionary's labels, on the training text",
    "stage1": "stage I",
    "bond-published": "BOND as published, its state chosen on test",
    "bond": "BOND (all labels at their word, y²/f)",
    "bond-moe": "BOND-MoE",
    "no-fair": "BOND-MoE without fair assignment",
    "no-self-training": "BOND-MoE without self-training",
    "roster": "generalised cross entropy, labels removed (RoSTER)",
    "positive-unlabelled": "positive-unlabelled risk",
    "ema-teacher": "teacher a moving average",
    "default": "**the default**",
    "default-no-dev": "the default without a dev set",
    "default-no-dev-minus-self-training": "the default without a dev set and self-training",
    "default-minus-self-training": "the default without self-training",
    "default-reweighted": "the default that re-weights as BOND does, y²/f",
    "default-minus-rivals": "the default without rivals",
    "default-minus-abstention": "the default without abstention",
    "default-panel": "the default with a panel of 3",
    "distilled": "one model distilled from that panel",
    "gold": "gold labels",
}


def bond_moe() -> str:
    """Test F1 of every row on every set."""
    return by_set(load("bond_moe"), _summary)


def bond_moe_short() -> str:
    """The dictionary, BOND, the default and gold supervision."""
    own = {"dictionary": "dictionary's labels", "bond": "BOND"}
    own |= {method: METHODS[method] for method in ("default", "gold")}
    return by_set([row for row in load("bond_moe") if row["method"] in own], _summary, own)


def bond_moe_sure() -> str:
    """How often each row is above BOND when test documents are drawn anew, seed by seed."""
    rows = load("bond_moe")
    bond = {(_column(row), row["seed"]): row for row in rows if row["method"] == "bond"}

    def sure(row: dict) -> str:
        other = bond.get((_column(row), row["seed"]), {})
        if all(row[figure] == other.get(figure) for figure in ("precision", "recall")):
            return "="
        return "–" if row.get("beats_bond") is None else f"{100 * row['beats_bond']:.0f}"

    others = [row for row in rows if row["method"] not in {"dictionary", "bond"}]
    return by_set(others, lambda runs: " · ".join(map(sure, runs)))


def bond_moe_cost() -> str:
    """Training time and memory of the rows that are trainings of their own."""

    def cost(runs: list[dict]) -> str:
        known = [row["cpu_seconds"] for row in runs if "cpu_seconds" in row]
        seconds = statistics.median(known or [row["seconds"] for row in runs])
        memory = max(row["peak_rss_mb"] for row in runs)
        return f"{'' if known else '≈ '}{seconds:,.0f} s, {memory:,} MB"

    return by_set([row for row in load("bond_moe") if row.get("peak_rss_mb")], cost)


def panel_cost() -> str:
    """Time and memory of a panel, and how many times those of one BOND model of the same run."""
    rows = load("panel_cost")
    bond = {(row["set"], row["seed"]): row for row in rows if row["method"] == "bond"}

    def cells(row: dict) -> list[str]:
        one = bond[row["set"], row["seed"]]
        name = METHODS[row["method"]].partition(" (")[0]
        side = f", {row['workers']} experts at a time" if row["workers"] > 1 else ""
        memory = f"{row['peak_rss_mb']:,} MB"
        if "worker_peak_rss_mb" in row:
            memory += f", workers {row['worker_peak_rss_mb']:,} MB each"
        times = (f"{row[cost] / one[cost]:.2f}" for cost in ("seconds", "peak_rss_mb"))
        return [row["set"], name + side, f"{row['seconds']:,.0f} s", memory, *times]

    return table(["set", "", "time", "memory", "time / BOND", "memory / BOND"], map(cells, rows))


def by_set(
    rows: list[dict], cell: Callable[[list[dict]], str], names: dict[str, str] = METHODS
) -> str:
    """A line for each method that has rows, with a cell of its runs on each set."""
    runs = defaultdict[tuple[str, str], list[dict]](list)
    for row in rows:
        runs[row["method"], _column(row)].append(row)
    sets = list(dict.fromkeys(map(_column, rows)))
    kept = [method for method in names if any((method, data) in runs for data in sets)]
    return table(
        ["", *sets],
        (
            [names[m], *(cell(runs[m, data]) if (m, data) in runs else "–" for data in sets)]
            for m in kept
        ),
    )


def _column(row: dict) -> str:
    """The set, and the encoder if it is another than the embedded one."""
    encoder = row.get("encoder", "minilm")
    return str(row["set"]) if encoder == "minilm" else f"{row['set']}, {encoder}"


def _summary(runs: list[dict]) -> str:
    return summary([row["f1"] for row in runs])


def bond_moe_gap() -> str:
    """How much of the way from the dictionary's labels to gold supervision each row goes."""
    rows = load("bond_moe")
    ends = ("dictionary", "gold")
    sets = [
        name
        for name in dict.fromkeys(map(_column, rows))
        if all(f1s(rows, end, name) for end in ends)
    ]

    def cell(method: str, name: str) -> str:
        low, high = (statistics.mean(f1s(rows, end, name)) for end in ends)
        reached = f1s(rows, method, name)
        if not reached:
            return "–"
        return f"{100 * (statistics.mean(reached) - low) / (high - low):.0f} %"

    return table(
        ["", *sets],
        ([METHODS[m], *(cell(m, name) for name in sets)] for m in ("bond", "default")),
    )


def f1s(rows: list[dict], method: str, name: str) -> list[float]:
    """F1 of each seed of a method in a column."""
    return [row["f1"] for row in rows if (row["method"], _column(row)) == (method, name)]


def abstention() -> str:
    """What the labels are worth that are kept and left out."""

    def worth(row: dict, kind: str) -> str:
        share = row[f"{kind}_precision"]
        return f"{row[kind]:,} ({share:.0f} %)" if share is not None else "0"

    kinds = {
        "labels": "all labels",
        "kept": "kept",
        "part": "parts of names",
        "edge": "doubtful edges",
        "common": "common words",
        "unlisted": "unlisted names",
    }
    return table(
        ["", *kinds.values(), "left out too"],
        (
            [
                row["set"],
                *(worth(row, kind) for kind in kinds),
                "yes" if row["unlisted_unknown"] else "no",
            ]
            for row in load("abstention")
        ),
    )


def rivals() -> str:
    """Which of the two types of a label with a rival is right, and what contexts say of it."""

    def right(row: dict[str, Any], name: str) -> str:
        shares = (row[f"{name}_own"], row[f"{name}_other"])
        return "–" if None in shares else " · ".join(f"{share:.0f}" for share in shares)

    return table(
        [
            *("", "labels kept", "have a rival", "right: own · rival, %", "borne out, %"),
            *("made ambiguous", "right: own · rival, %"),
        ],
        (
            [
                *(row["set"], f"{row['kept']:,}", f"{row['rivals']:,}", right(row, "rivals")),
                *(f"{row['borne_out']:.0f}", f"{row['ambiguous']:,}", right(row, "ambiguous")),
            ]
            for row in load("abstention")
        ),
    )

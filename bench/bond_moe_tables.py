"""Tables on distantly supervised training: rows of the papers, later baselines, and the default."""

import statistics

from markdown import load, summary, table

METHODS = {
    "dictionary": "dictionary's labels, on the training text",
    "stage1": "stage I",
    "bond-published": "BOND as published, its state chosen on test",
    "bond": "BOND",
    "bond-moe": "BOND-MoE",
    "no-fair": "BOND-MoE without fair assignment",
    "no-self-training": "BOND-MoE without self-training",
    "roster": "generalised cross entropy, labels removed (RoSTER)",
    "positive-unlabelled": "positive-unlabelled risk",
    "ema-teacher": "teacher a moving average",
    "default": "**the default**",
    "default-no-dev": "the default without a dev set",
    "default-minus-abstention": "the default without abstention",
    "default-minus-self-training": "the default without self-training",
    "default-panel": "the default with a panel of 3",
}


def bond_moe() -> str:
    """Test F1 of every row on every set."""
    rows = load("bond_moe")
    sets = list(dict.fromkeys(row["set"] for row in rows))

    def cell(method: str, name: str) -> str:
        return summary([r["f1"] for r in rows if (r["method"], r["set"]) == (method, name)])

    return table(
        ["", *sets],
        (
            [title, *(cell(method, name) for name in sets)]
            for method, title in METHODS.items()
            if any(row["method"] == method for row in rows)
        ),
    )


def bond_moe_short() -> str:
    """The dictionary, BOND, the default and gold supervision."""
    rows = [row for row in load("bond_moe") if row["method"] in ("dictionary", "bond", "default")]
    sets = list(dict.fromkeys(row["set"] for row in rows if row["method"] == "default"))
    rows += [row for row in load("first_look") if row["method"] == "gold"]
    names = METHODS | {"dictionary": "dictionary's labels", "gold": "gold labels"}

    def cell(method: str, name: str) -> str:
        return summary([r["f1"] for r in rows if (r["method"], r["set"]) == (method, name)])

    return table(
        ["", *sets],
        (
            [names[method], *(cell(method, name) for name in sets)]
            for method in ("dictionary", "bond", "default", "gold")
        ),
    )


def bond_moe_gap() -> str:
    """How much of the way from the dictionary's labels to gold supervision each row goes."""
    rows = load("bond_moe")
    ends = {
        (method, name): statistics.mean(row["f1"] for row in chosen)
        for method in ("dictionary", "gold")
        for name in {row["set"] for row in rows}
        if (chosen := [r for r in load("first_look") if (r["method"], r["set"]) == (method, name)])
    }
    sets = [name for name in dict.fromkeys(row["set"] for row in rows) if ("gold", name) in ends]
    lines = []
    for method in ("bond", "default"):
        cells = []
        for name in sets:
            low, high = ends["dictionary", name], ends["gold", name]
            f1s = [row["f1"] for row in rows if (row["method"], row["set"]) == (method, name)]
            reached = (statistics.mean(f1s) - low) / (high - low) if f1s else None
            cells.append("–" if reached is None else f"{100 * reached:.0f} %")
        lines.append([METHODS[method], *cells])
    return table(["", *sets], lines)


def abstention() -> str:
    """What the labels are worth that are kept and left out."""

    def worth(row: dict, kind: str) -> str:
        share = row[f"{kind}_precision"]
        return f"{row[kind]:,} ({share:.0f} %)" if share is not None else "0"

    return table(
        ["", "on", "all labels", "kept", "parts of names", "common words", "unlisted names"],
        (
            [
                row["set"],
                "yes" if row["on"] else "no",
                f"{row['labels']:,} ({row['precision']:.0f} %)",
                *(worth(row, kind) for kind in ("kept", "parts", "common")),
                f"{row['unlisted']:,} ({row['unlisted_names']:.0f} %)",
            ]
            for row in load("abstention")
        ),
    )

"""A table and a figure of how much noise each recipe stands."""

from collections.abc import Sequence

from markdown import load, summary, table

METHODS = {"stage1": "stage I", "bond": "BOND", "bond-moe": "panel", "default": "the default"}
KINDS = {
    "missing": "left out",
    "type": "wrong type",
    "boundary": "wrong boundary",
    "spurious": "spurious",
    "mixed": "mixed",
}


def noise() -> str:
    """F1 of each recipe by kind and share of spoilt labels, and of the labels themselves."""
    rows = load("noise")
    cases = sorted(
        {(row["set"], row["kind"], row["share"]) for row in rows if row["share"]},
        key=lambda case: (case[0], list(KINDS).index(case[1]), case[2]),
    )
    clean = [(name, "none", 0.0) for name in dict.fromkeys(row["set"] for row in rows)]

    def cells(case: tuple[str, str, float]) -> list[str]:
        name, kind, share = case
        labels = {row["seed"]: row["labels_f1"] for row in rows if _is(row, case)}
        found = [summary(_f1s(rows, case, method)) for method in METHODS]
        spoilt = f"{KINDS[kind]}, {100 * share:.0f} %" if share else kind
        return [name, spoilt, summary(list(labels.values())), *found]

    return table(["set", "spoilt", "the labels", *METHODS.values()], map(cells, clean + cases))


def noise_figure() -> str:
    """F1 against the share of spoilt labels, a chart for each set and kind with several shares.

    Nothing where nothing was measured.
    """
    from convener.evaluation.chart import line_chart, side_by_side

    rows = load("noise")
    sets = dict.fromkeys((row["set"], row["kind"]) for row in rows if row["share"])
    charts = []
    for name, kind in sets:
        shares = sorted({row["share"] for row in rows if (row["set"], row["kind"]) == (name, kind)})
        shares = [0.0, *(share for share in shares if share)]
        lines = {
            METHODS[method]: [
                _mean(_f1s(rows, (name, kind if share else "none", share), method))
                for share in shares
            ]
            for method in METHODS
        }
        if len(shares) > 2:
            title = f"{name}: {KINDS[kind]}"
            charts.append(line_chart(title, [f"{100 * s:.0f} %" for s in shares], lines))
    return side_by_side(charts) if charts else ""


def _f1s(rows: Sequence[dict], case: tuple[str, str, float], method: str) -> list[float]:
    return [row["f1"] for row in rows if _is(row, case) and row["method"] == method]


def _is(row: dict, case: tuple[str, str, float]) -> bool:
    return (row["set"], row["kind"], row["share"]) == case


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None

"""Tables on readers."""

from collections import defaultdict

from markdown import load, mean, summary, table


def quality() -> list[dict]:
    """Training runs of readers."""
    return [row for row in load("multitask") if row["task"] == "quality"]


def multitask() -> str:
    """F1 of readers and a tagger by set, and how much each set was cut."""
    rows = [row for row in quality() if row["method"] != "unseen"]

    def where(row: dict) -> tuple:
        return row["set"], row["train_sentences"], row["steps"]

    sets = list(dict.fromkeys(map(where, rows)))

    def cell(method: str, chosen: tuple) -> str:
        return summary([r["f1"] for r in rows if (r["method"], where(r)) == (method, chosen)])

    return table(
        ["", *(f"{name}, {count:,} sentences, {steps} steps" for name, count, steps in sets)],
        (
            [method, *(cell(method, chosen) for chosen in sets)]
            for method in dict.fromkeys(row["method"] for row in rows)
        ),
    )


def multitask_types() -> str:
    """Mean F1 of each type under BERT-MRC and Multi-NER, rare types marked."""
    rows = quality()
    lines = []
    for data in dict.fromkeys(row["set"] for row in rows):
        both = [
            [row for row in rows if (row["set"], row["method"]) == (data, method)]
            for method in ("bert-mrc", "multi-ner")
        ]
        if not all(both):
            continue
        counts = both[0][0]["gold"]
        for label, count in counts.items():
            rare = ", rare" if count < 0.05 * sum(counts.values()) else ""
            cells = [summary([run["type_f1"][label] for run in runs]) for runs in both]
            lines.append([data, f"{label} ({count}{rare})", *cells])
    return table(["set", "type", "BERT-MRC", "Multi-NER"], lines)


def type_questions() -> str:
    """What one type's presence does to the others, mean over seeds."""
    seen = defaultdict[tuple[str, str], list[tuple[float, float]]](list)
    for row in quality():
        for label, pair in row.get("others", {}).items():
            seen[row["set"], label].append(pair)
    return table(
        ["set", "type", "others, F1 with it", "without it"],
        (
            [*case, *(summary(list(values)) for values in zip(*pairs, strict=True))]
            for case, pairs in seen.items()
        ),
    )


def unseen_types() -> str:
    """What readers answer that are asked for a type they never saw."""
    rows = [row for row in quality() if row["method"] == "unseen"]
    return table(
        ["set", "type", "F1"],
        ([row["set"], label, f"{f1:.1f}"] for row in rows for label, f1 in row["type_f1"].items()),
    )


def nested_distant() -> str:
    """Readers taught by a dictionary's nested labels."""
    groups = defaultdict(list)
    for row in load("nested_distant"):
        groups[row["right"], row["method"]].append(row)
    return table(
        ["names", "", "precision", "recall", "F1", "inner entities found"],
        (
            [
                f"right at least {100 * right:.0f} %" if right else "all",
                method,
                mean(rows, "precision"),
                mean(rows, "recall"),
                summary([row["f1"] for row in rows]),
                f"{mean(rows, 'inner_found')} (gold has {rows[0]['inner_gold']})",
            ]
            for (right, method), rows in groups.items()
        ),
    )


def type_attention() -> str:
    """The attention between types of the first Multi-NER reader of each set."""
    rows = [r for r in quality() if r["method"] == "multi-ner" and "attention" in r]
    first = {row["set"]: row for row in reversed(rows)}
    return "\n".join(
        table(
            [data, *row["labels"]],
            (
                [label, *(f"{value:.2f}" for value in values)]
                for label, values in zip(row["labels"], row["attention"], strict=True)
            ),
        )
        for data, row in sorted(first.items())
    )


def multitask_cost() -> str:
    """Seconds and memory by number of types."""
    rows = [row for row in load("multitask") if row["task"] == "cost"]
    lines = []
    for mode, types in sorted({(row["mode"], row["types"]) for row in rows}):
        chosen = {r["method"]: r for r in rows if (r["mode"], r["types"]) == (mode, types)}
        longest = max(row["words"] for row in chosen.values())
        cells = [
            f"{chosen[method][column]:,.{digits}f}"
            if method in chosen and (column != "peak_mb" or chosen[method]["words"] == longest)
            else "–"
            for column, digits in (("seconds_per_1000_words", 2), ("peak_mb", 0))
            for method in ("dense", "exact", "shared")
        ]
        lines.append([mode, str(types), *cells])
    models = ("dense", "exact", "shared")
    head = [f"{model}, {unit}" for unit in ("s", "MB") for model in models]
    return table(["", "types", *head], lines)

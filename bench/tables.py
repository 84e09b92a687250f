"""Writes the tables of the documentation from the results files: nothing is typed by hand.

    python bench/tables.py [--check]

A page holds `<!-- table: NAME -->` and `<!-- end -->`; what stands between is replaced. `--check`
changes nothing and fails if a page is not up to date.
"""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PAGES = ("README.md", "docs/results.md", "docs/readers.md")
METHODS = {
    "dictionary": "dictionary's labels",
    "stage1": "stage I",
    "bond": "BOND",
    "bond-moe": "panel (BOND-MoE)",
    "gold": "gold labels",
}
MARK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.S)


def load(name: str) -> list[dict]:
    """Rows of a results file, none if it was never made."""
    path = RESULTS / f"{name}.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return content if isinstance(content, list) else content["rows"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under a head, in Markdown."""
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines) + "\n"


def demo() -> str:
    """The four methods on the bundled corpus."""
    columns = ("precision", "recall", "f1", "unseen_recall")
    return table(
        ["", "precision", "recall", "F1", "recall, unseen names"],
        ([METHODS[row["method"]], *(f"{row[c]:.1f}" for c in columns)] for row in load("demo")),
    )


def first_look() -> str:
    """F1 by method and set: mean over seeds, half the range behind it, number of seeds."""
    rows = load("first_look")
    sets = list(dict.fromkeys(row["set"] for row in rows))

    def cell(data: str, method: str) -> str:
        return summary([r["f1"] for r in rows if (r["set"], r["method"]) == (data, method)])

    return table(
        ["", *sets],
        ([name, *(cell(data, method) for data in sets)] for method, name in METHODS.items()),
    )


def details() -> str:
    """Everything that was measured, a line for each set and method."""
    rows = load("first_look")
    lines = []
    for data in dict.fromkeys(row["set"] for row in rows):
        for method, name in METHODS.items():
            chosen = [r for r in rows if (r["set"], r["method"]) == (data, method)]
            if chosen:
                cells = [mean(chosen, c) for c in ("precision", "recall", "f1", "unseen_recall")]
                cost = [
                    f"{statistics.mean(r[c] for r in chosen):.0f}"
                    for c in ("seconds", "peak_rss_mb")
                ]
                lines.append([data, name, str(len(chosen)), *cells, *cost])
    head = ["set", "method", "seeds", "precision", "recall", "F1"]
    return table([*head, "recall, unseen", "seconds", "peak MB"], lines)


def no_dev() -> str:
    """Ways to choose a state without gold labels, judged by dev F1."""
    columns = ("fixed_dev_f1", "held_out_dev_f1", "best_dev_f1")
    return table(
        ["set", "seed", "fixed schedule", "held-out names", "best by dev"],
        (
            [row["set"], str(row["seed"]), *(f"{row[c]:.1f}" for c in columns)]
            for row in load("no_dev")
        ),
    )


def choices() -> str:
    """Dev F1 with and without what the defaults do."""
    rows = load("choices")

    def cell(choice: str, data: str, values: Sequence[object]) -> str:
        chosen = (r for r in rows if (r["choice"], r["set"]) == (choice, data))
        return summary([r["dev_f1"] for r in chosen if r["value"] in values])

    return table(
        ["choice", "set", "without", "with"],
        (
            [choice, data, cell(choice, data, (0, "never")), cell(choice, data, (1, 0.1, "always"))]
            for choice, data in dict.fromkeys((row["choice"], row["set"]) for row in rows)
        ),
    )


def throughput() -> str:
    """Training speed against a large matrix product on the same machine."""
    columns = ("train_gflops", "product_gflops", "ratio", "predict_words_per_second")
    return table(
        ["batch", "training, GFLOP/s", "product, GFLOP/s", "ratio", "prediction, words/s"],
        ([row["batch"], *(f"{row[c]:,}" for c in columns)] for row in load("throughput")),
    )


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
    """F1 of each type under BERT-MRC and Multi-NER, rare types marked."""
    rows = quality()
    lines = []
    for data in dict.fromkeys(row["set"] for row in rows):
        both = [
            next((r for r in rows if (r["set"], r["method"]) == (data, method)), None)
            for method in ("bert-mrc", "multi-ner")
        ]
        if None in both:
            continue
        total = sum(both[0]["gold"].values())
        for label, count in both[0]["gold"].items():
            rare = ", rare" if count < 0.05 * total else ""
            cells = [f"{row['type_f1'][label]:.1f}" for row in both]
            lines.append([data, f"{label} ({count}{rare})", *cells])
    return table(["set", "type", "BERT-MRC", "Multi-NER"], lines)


def type_questions() -> str:
    """What one type's presence does to the others, and what an unseen type gives."""
    rows = quality()
    unseen = {r["set"]: r["type_f1"] for r in rows if r["method"] == "unseen"}
    lines = []
    for row in rows:
        for label, (with_it, without_it) in row.get("others", {}).items():
            asked = unseen.get(row["set"], {}).get(label)
            cells = [
                f"{with_it:.1f}",
                f"{without_it:.1f}",
                "–" if asked is None else f"{asked:.1f}",
            ]
            lines.append([row["set"], label, *cells])
    return table(["set", "type", "others, F1 with it", "without it", "unseen, F1"], lines)


def nested_distant() -> str:
    """Readers taught by a dictionary's nested labels."""
    return table(
        ["", "precision", "recall", "F1", "inner entities found"],
        (
            [
                row["method"],
                *(f"{row[name]:.1f}" for name in ("precision", "recall", "f1")),
                f"{row['inner_found']} (gold has {row['inner_gold']})",
            ]
            for row in load("nested_distant")
        ),
    )


def type_attention() -> str:
    """The attention between types of a reader of GENIA."""
    rows = [r for r in quality() if r["set"] == "genia" and "attention" in r]
    if not rows:
        return "\n"
    row = next((r for r in rows if r["method"] == "multi-ner"), rows[0])
    return table(
        ["", *row["labels"]],
        (
            [label, *(f"{value:.2f}" for value in values)]
            for label, values in zip(row["labels"], row["attention"], strict=True)
        ),
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


def summary(values: list[float]) -> str:
    """Mean, half the range and number of seeds of some scores."""
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.1f} (1)"
    spread = (max(values) - min(values)) / 2
    return f"{statistics.mean(values):.1f} ± {spread:.1f} ({len(values)})"


def mean(rows: list[dict], column: str) -> str:
    """Mean of a column, a dash where it was not measured."""
    values = [row[column] for row in rows if row[column] is not None]
    return f"{statistics.mean(values):.1f}" if values else "–"


TABLES = {
    f.__name__: f
    for f in (
        *(demo, first_look, details, choices, no_dev, throughput),
        *(multitask, multitask_types, type_attention, type_questions),
        *(multitask_cost, nested_distant),
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for name in PAGES:
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = MARK.sub(lambda m: f"{m[1]}{TABLES[m[2]]()}{m[3]}", old)
        if check and new != old:
            sys.exit(f"{name} is not up to date: run python bench/tables.py")
        if new != old:
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()

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


def demo() -> str:
    """The four methods on the bundled corpus."""
    lines = ["| | precision | recall | F1 | recall, unseen names |", "|---|---|---|---|---|"]
    for row in load("demo"):
        cells = [f"{row[name]:.1f}" for name in ("precision", "recall", "f1", "unseen_recall")]
        lines.append(f"| {METHODS[row['method']]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def first_look() -> str:
    """F1 by method and set: mean over seeds, half the range behind it, number of seeds."""
    rows = load("first_look")
    sets = list(dict.fromkeys(row["set"] for row in rows))
    lines = [f"| | {' | '.join(sets)} |", "|---" * (len(sets) + 1) + "|"]
    for method, name in METHODS.items():
        cells = [
            summary([r["f1"] for r in rows if (r["set"], r["method"]) == (s, method)]) for s in sets
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def details() -> str:
    """Everything that was measured, a line for each set and method."""
    rows = load("first_look")
    lines = [
        "| set | method | seeds | precision | recall | F1 | recall, unseen | seconds | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for data in dict.fromkeys(row["set"] for row in rows):
        for method, name in METHODS.items():
            chosen = [r for r in rows if (r["set"], r["method"]) == (data, method)]
            if chosen:
                cells = [mean(chosen, c) for c in ("precision", "recall", "f1", "unseen_recall")]
                cost = [
                    f"{statistics.mean(r[c] for r in chosen):.0f}"
                    for c in ("seconds", "peak_rss_mb")
                ]
                lines.append(f"| {' | '.join([data, name, str(len(chosen)), *cells, *cost])} |")
    return "\n".join(lines) + "\n"


def no_dev() -> str:
    """Ways to choose a state without gold labels, judged by dev F1."""
    lines = [
        "| set | seed | fixed schedule | held-out names | best by dev |",
        "|---|---|---|---|---|",
    ]
    for row in load("no_dev"):
        cells = [f"{row[c]:.1f}" for c in ("fixed_dev_f1", "held_out_dev_f1", "best_dev_f1")]
        lines.append(f"| {row['set']} | {row['seed']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def choices() -> str:
    """Dev F1 with and without what the defaults do."""
    rows = load("choices")
    lines = ["| choice | set | without | with |", "|---|---|---|---|"]
    for choice, data in dict.fromkeys((row["choice"], row["set"]) for row in rows):
        cells = [
            summary(
                [
                    r["dev_f1"]
                    for r in rows
                    if (r["choice"], r["set"]) == (choice, data) and r["value"] in values
                ]
            )
            for values in ((0, "never"), (1, 0.1, "always"))
        ]
        lines.append(f"| {choice} | {data} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def throughput() -> str:
    """Training speed against a large matrix product on the same machine."""
    lines = [
        "| batch | training, GFLOP/s | product, GFLOP/s | ratio | prediction, words/s |",
        "|---|---|---|---|---|",
    ]
    for row in load("throughput"):
        cells = [f"{row[c]:,}" for c in ("train_gflops", "product_gflops", "ratio")]
        words = f"{row['predict_words_per_second']:,}"
        lines.append(f"| {row['batch']} | {' | '.join(cells)} | {words} |")
    return "\n".join(lines) + "\n"


def multitask() -> str:
    """F1 of readers and a tagger by set, and how much each set was cut."""
    rows = [r for r in load("multitask") if r["task"] == "quality" and r["method"] != "unseen"]
    sets = list(dict.fromkeys((row["set"], row["train_sentences"], row["steps"]) for row in rows))
    heads = [f"{name}, {count:,} sentences, {steps} steps" for name, count, steps in sets]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(sets) + 1) + "|"]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = [
            summary(
                [
                    row["f1"]
                    for row in rows
                    if row["method"] == method
                    and (row["set"], row["train_sentences"], row["steps"]) == chosen
                ]
            )
            for chosen in sets
        ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def multitask_types() -> str:
    """F1 of each type under BERT-MRC and Multi-NER, rare types marked."""
    rows = [row for row in load("multitask") if row["task"] == "quality"]
    lines = ["| set | type | BERT-MRC | Multi-NER |", "|---|---|---|---|"]
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
            lines.append(f"| {data} | {label} ({count}{rare}) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def type_questions() -> str:
    """What one type's presence does to the others, and what an unseen type gives."""
    lines = ["| set | type | others, F1 with it | without it | unseen, F1 |", "|---" * 5 + "|"]
    rows = [row for row in load("multitask") if row["task"] == "quality"]
    unseen = {r["set"]: r["type_f1"] for r in rows if r["method"] == "unseen"}
    for row in rows:
        for label, (with_it, without_it) in row.get("others", {}).items():
            asked = unseen.get(row["set"], {}).get(label)
            cells = [
                f"{with_it:.1f}",
                f"{without_it:.1f}",
                "–" if asked is None else f"{asked:.1f}",
            ]
            lines.append(f"| {row['set']} | {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def nested_distant() -> str:
    """Readers taught by a dictionary's nested labels."""
    lines = ["| | precision | recall | F1 | inner entities found |", "|---" * 5 + "|"]
    for row in load("nested_distant"):
        cells = [f"{row[name]:.1f}" for name in ("precision", "recall", "f1")]
        found = f"{row['inner_found']} (gold has {row['inner_gold']})"
        lines.append(f"| {row['method']} | {' | '.join(cells)} | {found} |")
    return "\n".join(lines) + "\n"


def type_attention() -> str:
    """The attention between types of a reader of GENIA."""
    rows = [r for r in load("multitask") if r.get("set") == "genia" and "attention" in r]
    if not rows:
        return "\n"
    row = next((r for r in rows if r["method"] == "multi-ner"), rows[0])
    lines = [f"| | {' | '.join(row['labels'])} |", "|---" * (len(row["labels"]) + 1) + "|"]
    for label, values in zip(row["labels"], row["attention"], strict=True):
        lines.append(f"| {label} | {' | '.join(f'{value:.2f}' for value in values)} |")
    return "\n".join(lines) + "\n"


def multitask_cost() -> str:
    """Seconds and memory by number of types."""
    rows = [row for row in load("multitask") if row["task"] == "cost"]
    lines = [
        "| | types | dense, s | exact, s | shared, s | dense, MB | exact, MB | shared, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
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
        lines.append(f"| {mode} | {types} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


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

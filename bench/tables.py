"""Writes tables and figures of the documentation from the results files: nothing is typed by hand.

    python bench/tables.py [--check]

A page holds `<!-- table: NAME -->` and `<!-- end -->`; what stands between is replaced. A figure is
a file of its own. `--check` changes nothing and fails if anything is not up to date.
"""

import argparse
import re
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import adapt_tables
import bond_moe_tables
import dictionary_tables
import inference_tables
import noise_tables
import reader_tables
import serving_tables
import settings_tables
from markdown import load, mean, summary, table

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
METHODS = {
    "dictionary": "dictionary's labels",
    "stage1": "stage I",
    "bond": "BOND",
    "bond-moe": "panel (BOND-MoE)",
    "gold": "gold labels",
}
MARK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.S)


def demo() -> str:
    """The four methods on the bundled corpus."""
    columns = ("precision", "recall", "f1", "unseen_recall")
    from convener.cli.demo import NAMES

    return table(
        ["", "precision", "recall", "F1", "recall, unseen names"],
        ([NAMES[row["method"]], *(f"{row[c]:.1f}" for c in columns)] for row in load("demo")),
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


def words() -> str:
    """Taggers of tokenised text on that text and on raw text."""
    rows = load("words")

    def cell(words: str, column: str) -> str:
        return summary([row[column] for row in rows if row["words"] == words])

    return table(
        ["trained on", "words as given", "words of raw text"],
        (
            [name, cell(kind, "given_f1"), cell(kind, "raw_f1")]
            for kind, name in (("given", "words as given"), ("mixed", "both (`--gold`)"))
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
    names = ("batch", "precision")
    columns = ("train_gflops", "product_gflops", "ratio", "predict_words_per_second")
    head = ["training, GFLOP/s", "product, GFLOP/s", "ratio", "prediction, words/s"]
    return table(
        [*names, *head],
        (
            [*(row[n] for n in names), *(f"{row[c]:,}" for c in columns)]
            for row in load("throughput")
        ),
    )


TABLES = {
    f.__name__: f
    for f in (
        *(demo, details, choices, words, no_dev, throughput),
        *(reader_tables.multitask, reader_tables.multitask_types, reader_tables.type_attention),
        *(reader_tables.type_questions, reader_tables.unseen_types, reader_tables.multitask_cost),
        *(
            reader_tables.nested_distant,
            adapt_tables.adapt,
            adapt_tables.adapt_settings,
            adapt_tables.adapt_others,
        ),
        *(adapt_tables.adapt_experts, adapt_tables.adapt_cost),
        *(dictionary_tables.engine, dictionary_tables.audit, dictionary_tables.beside),
        *(serving_tables.serving, serving_tables.serving_memory),
        *(inference_tables.inference, inference_tables.bulk),
        *(bond_moe_tables.abstention, bond_moe_tables.rivals),
        *(bond_moe_tables.bond_moe, bond_moe_tables.bond_moe_short, bond_moe_tables.bond_moe_gap),
        *(bond_moe_tables.bond_moe_sure, bond_moe_tables.bond_moe_cost),
        *(bond_moe_tables.panel_cost, noise_tables.noise),
    )
}
TABLES |= {
    f"settings_{part}": partial(settings_tables.settings, part)
    for part in ("run", "bond", "optimiser", "tagger", "reader", "generator")
}
FIGURES = {"noise.svg": noise_tables.noise_figure}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    fresh = {path: MARK.sub(_filled, path.read_text(encoding="utf-8")) for path in PAGES}
    fresh |= {ROOT / "docs" / name: figure() for name, figure in FIGURES.items()}
    for path, content in fresh.items():
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        if check:
            sys.exit(f"{path.relative_to(ROOT)} is not up to date: run python bench/tables.py")
        path.write_text(content, encoding="utf-8")


def _filled(place: re.Match[str]) -> str:
    """A table anew, between its marks."""
    return f"{place[1]}{TABLES[place[2]]()}{place[3]}"


if __name__ == "__main__":
    main()

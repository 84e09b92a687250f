"""Tables on dictionaries: many names, what they labelled, and what they are beside a model."""

from markdown import load, mean, summary, table


def engine() -> str:
    """Time, memory and speed of finding names, by tool and number of names."""
    rows = [row for row in load("dictionary") if row["task"] == "engine"]
    rows.sort(key=lambda row: (row["names"], -row["words_per_second"]))
    lines = []
    for row in rows:
        numbers = [f"{row[c]:,.1f}" for c in ("build_seconds", "load_seconds")]
        numbers += [f"{row['peak_rss_mb']:,}", f"{row['words_per_second']:,}"]
        lines.append([f"{row['names']:,}", row["tool"], *numbers, f"{row['same_percent']:.1f}"])
    head = ["names", "tool", "build, s", "ready, s", "peak MB", "words/s"]
    return table([*head, "texts with our spans, %"], lines)


def audit() -> str:
    """How many of the labels doubted most are wrong, and what the patch does to the labels."""
    lines = []
    for row in load("dictionary"):
        if row["task"] == "audit":
            columns = ("precision_at_100", "dictionary_f1_before", "dictionary_f1_after")
            more = ("dictionary_f1_all", "panel_f1_before", "panel_f1_after")
            cells = ["–" if row[c] is None else f"{row[c]:.1f}" for c in columns + more]
            lines.append([row["set"], f"{row['sentences']:,}", *cells])
    head = ["set", "sentences", "wrong of the first 100", "labels, F1", "patched", "all changes"]
    return table([*head, "model, test F1", "model on patched labels"], lines)


def beside() -> str:
    """Models by themselves and with the dictionary at their side."""
    names = {
        "dictionary": "dictionary",
        "default": "the default",
        "exchanges": "with other names in copies",
        "gold": "gold labels",
    }
    rows = load("beside")
    lines = []
    for data in dict.fromkeys(row["set"] for row in rows):
        for method, name in names.items():
            chosen = [r for r in rows if (r["set"], r["method"]) == (data, method)]
            both = [r for r in chosen if "beside_f1" in r]
            cells = [mean(chosen, "precision"), mean(chosen, "recall")]
            cells += [summary([r["f1"] for r in chosen])]
            cells += [mean(both, "beside_precision"), mean(both, "beside_recall")]
            if chosen:
                lines.append([data, name, *cells, summary([r["beside_f1"] for r in both])])
    head = ["set", "", "precision", "recall", "F1", "precision, both", "recall, both", "F1, both"]
    return table(head, lines)

"""Tables on dictionaries: finding many names, and auditing what they labelled."""

from markdown import load, table


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

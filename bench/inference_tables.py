"""Tables on the speed of prediction."""

from markdown import load, table

SYSTEMS = {
    "hf-pipeline": "transformers pipeline, same encoder",
    "spacy": "spaCy's own architecture",
    "gliner": "GLiNER, same encoder, four types",
    "tagger-torch": "tagger",
    "tagger-onnx": "tagger, ONNX",
    "tagger-int8": "tagger, ONNX int8",
    "distilled-torch": "one model distilled from the panel",
    "distilled-int8": "the same, ONNX int8",
    "panel-torch": "panel of 3 taggers",
    "panel-onnx": "panel of 3 taggers, ONNX",
    "reader-torch": "reader",
    "reader-onnx": "reader, ONNX",
}


def inference() -> str:
    """Words a second and peak memory on sentences and long documents, F1 on sentences."""
    measured = (row for row in load("inference") if row["task"] == "predict")
    rows = {(row["system"], row["data"]): row for row in measured}
    lines = []
    for system, name in SYSTEMS.items():
        found = [rows.get((system, data)) for data in ("conll03", "long")]
        if any(found):
            speeds = [f"{row['words_per_second']:,}" if row else "" for row in found]
            memory = max(row["peak_rss_mb"] for row in found if row)
            short = found[0]
            score = short["f1"] if short and system != "hf-pipeline" else None
            lines.append([name, *speeds, f"{memory:,}", "" if score is None else f"{score:.1f}"])
    return table(["", "sentences, words/s", "long documents, words/s", "peak MB", "F1"], lines)


def bulk() -> str:
    """Bulk runs: by workers, killed again and again, and over very many documents."""
    lines = []
    for row in load("inference"):
        if row["task"] == "bulk" and row["kills"]:
            name = f"{row['workers']} workers, killed {row['kills']} times"
            same = "the same output" if row["same"] else "**another output**"
        elif row["task"] == "bulk":
            name = f"{row['workers']} worker" + "s" * (row["workers"] > 1)
            same = f"{row['words_per_second']:,} words/s"
        elif row["task"] == "soak":
            name = f"one process, {row['documents']:,} short documents"
            same = f"{row['early_rss_mb']:,} MB in the first tenth"
        else:
            continue
        words, seconds = f"{row['words']:,}", f"{row['seconds']:,.0f}"
        lines.append([name, words, seconds, f"{row['peak_rss_mb']:,}", same])
    return table(["", "words", "seconds", "peak MB", ""], lines)

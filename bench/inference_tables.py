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
    rows = {(row["system"], row["data"]): row for row in load("inference")}
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

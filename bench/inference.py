"""How fast and how well a trained model predicts, beside other ways to run the same weights.

    CONVENER_DATA=data python bench/inference.py --models models --peers peers

Models are trained on gold of a part of conll03 where the folder `--models` lacks them. Every system
answers the same texts on one thread, in a process of its own: the first sentences of the test set,
and long documents made by joining them. `words_per_second` counts words between white space per
second of processor time in the best of two passes, with models loaded; `f1` is exact and on the
same texts.

- `hf-pipeline`: the token-classification pipeline of transformers around the tagger's weights, at
  the best of some batch sizes. It has no place for the shapes of words, which the tagger was
  trained with, so only its speed compares.
- `spacy`: spaCy's own architecture, its weights random, in an environment of its own below
  `--peers`; only its speed compares.
- `gliner`: GLiNER around the same encoder, its other weights random, likewise, asked about the four
  types; it cuts long documents, so it has sentences only.
- the others are convener's, which cut words as the data set does. `product_share` is the encoder's
  operations on real sub-words, a second, over those of a large matrix product in the same process.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "inference.json"
PEERS = {"spacy": ("spacy",), "gliner": ("gliner", "peft")}
OURS = {
    "tagger-torch": "tagger",
    "tagger-onnx": "tagger-onnx",
    "tagger-int8": "tagger-int8",
    "distilled-torch": "distilled",
    "distilled-int8": "distilled-int8",
    "panel-torch": "panel",
    "panel-onnx": "panel-onnx",
    "reader-torch": "reader",
    "reader-onnx": "reader-onnx",
}
BATCHES = (1, 4, 8, 16)
KEY = ("task", "system", "data")
PLAIN = {"optimiser.precision": "bf16", "bond.warmup_rounds": 1, "bond.expert_rounds": 1}
TRAINED = {
    "tagger": {
        "optimiser.precision": "bf16",
        "optimiser.learning_rate": 3e-4,
        "optimiser.batch_sentences": 32,
        "bond.round_steps": 50,
        "bond.warmup_rounds": 5,
    },
    "panel": PLAIN | {"bond.round_steps": 100, "bond.experts": 3},
    "reader": PLAIN | {"bond.round_steps": 120, "model": "reader", "reader.shared_layers": 3},
}
Spans = list[tuple[int, int, str]]
Answer = Callable[[Sequence[str]], list[Spans]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--peers", type=Path, default=Path("peers"))
    parser.add_argument("--sentences", type=int, default=3453)
    parser.add_argument("--long", type=int, default=1000, help="number of long documents")
    parser.add_argument("--systems", nargs="+", default=["hf-pipeline", *PEERS, *OURS])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", type=json.loads, help="run this job and print its row")
    parser.add_argument("--measure", type=json.loads, help="run this system, print figures")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(**options.measure)))
        return
    if options.one:
        print(json.dumps(one(options.one)))
        return
    os.environ |= {
        "BENCH_MODELS": str(options.models.resolve()),
        "BENCH_PEERS": str(options.peers.resolve()),
        "BENCH_SIZES": f"{options.sentences} {options.long}",
        "OMP_NUM_THREADS": "1",
    }
    planned = [
        {"task": "predict", "system": system, "data": data}
        for system in options.systems
        for data in ("conll03", "long")
        if (system, data) != ("gliner", "long")
    ]
    jobs.run_all(__file__, planned, options.results, KEY, at_once=1)


def one(job: jobs.Row) -> jobs.Row:
    """The row of a system on some data."""
    from convener.models.encoders import minilm_folder

    system, data = str(job["system"]), str(job["data"])
    models = Path(os.environ["BENCH_MODELS"])
    made = OURS.get(system, "tagger")
    python = installed(system) if system in PEERS else sys.executable
    make(models, made)
    texts = models / f"{data}.jsonl"
    write_texts(data, texts)
    model = minilm_folder() if system == "gliner" else models / made
    told = {"system": system, "model": str(model), "texts": str(texts)}
    command = [python, __file__, "--measure", json.dumps(told)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return job | json.loads(done.stdout.splitlines()[-1]) | jobs.provenance()


def installed(peer: str) -> str:
    """The Python of a peer's environment."""
    folder = Path(os.environ["BENCH_PEERS"]) / peer
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *PEERS[peer]], check=True)
    return str(folder / "bin" / "python")


def make(models: Path, name: str) -> None:
    """Train or export a model where it is missing."""
    from convener import api
    from convener.recipes.run_config import SUPERVISED, override
    from convener.text.formats import read

    if (models / name / "config.json").exists():
        return
    source, _, form = name.partition("-")
    if form:
        make(models, source)
        api.export(models / source, models / name, int8=form == "int8")
        return
    root = jobs.data() / "distant" / "conll03"
    gold, dev = list(read(root / "train.gold.jsonl")), list(read(root / "dev.jsonl"))
    if name == "distilled":
        make(models, "panel")
        api.distill(models / "panel", gold[:6000]).save_pretrained(models / name)
        return
    config = override(SUPERVISED, TRAINED[name])
    chosen = dev[:600] if name == "tagger" else None
    api.train(gold[:6000], dev=chosen, config=config).save_pretrained(models / name)


def write_texts(data: str, path: Path) -> None:
    """The texts of a kind with their gold labels, if they are not written yet."""
    sentences, count = map(int, os.environ["BENCH_SIZES"].split())
    root = jobs.data() / "distant" / "conll03"
    lines = (root / "test.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    if data == "long":
        chosen = [joined(rows, 50 * number) for number in range(count)]
    else:
        chosen = rows[:sentences]
    content = [json.dumps({"tokens": r["tokens"], "spans": r["spans"]}) for r in chosen]
    path.write_text("\n".join(content) + "\n", encoding="utf-8")


def joined(rows: Sequence[dict], first: int) -> dict:
    """Fifty sentences as one document."""
    tokens, spans = [], []
    for turn in range(first, first + 50):
        row = rows[turn % len(rows)]
        spans += [[s + len(tokens), e + len(tokens), label] for s, e, label in row["spans"]]
        tokens += row["tokens"]
    return {"tokens": tokens, "spans": spans}


def offsets(line: dict) -> tuple[str, set]:
    """The text of a row, its words a space apart, and its entities."""
    text = " ".join(line["tokens"])
    starts = [0]
    for token in line["tokens"]:
        starts.append(starts[-1] + len(token) + 1)
    return text, {(starts[s], starts[e] - 1, label) for s, e, label in line["spans"]}


def measure(system: str, model: str, texts: str) -> jobs.Row:
    """Answer all texts twice."""
    lines = [
        json.loads(line) for line in Path(texts).read_text(encoding="utf-8").split("\n") if line
    ]
    read, gold = zip(*map(offsets, lines), strict=True)
    words = sum(len(text.split()) for text in read)
    best: jobs.Row = {"words_per_second": 0}
    for name, answer in systems(system, Path(model), texts):
        for _ in range(2):
            began = time.process_time()
            found = answer(read)
            speed = round(words / (time.process_time() - began))
            if speed > int(str(best["words_per_second"])):
                best = {"words_per_second": speed, "setting": name, "f1": f1(gold, found)}
    trained = system not in PEERS
    row = best | {"words": words, "peak_rss_mb": peak_mb(), "f1": best["f1"] if trained else None}
    if system in ("tagger-torch", "distilled-torch"):
        row |= {"product_share": product_share(Path(model), texts, words / row["words_per_second"])}
    return row


def product_share(model: Path, texts: str, seconds: float) -> float:
    """How much of what a large matrix product reaches the encoder reached in so many seconds."""
    from throughput import forward_flops, matrix_product

    from convener import load
    from convener.text.formats import read

    (tagger,) = load(model).panel.experts
    examples = tagger.examples(list(read(texts)))
    flops = sum(forward_flops(tagger.encoder, len(example)) for example in examples)
    return round(flops / seconds / matrix_product(time.process_time), 3)


def peak_mb() -> int:
    """The most memory that this process had, its parent's aside, which `getrusage` can give."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def f1(gold: Sequence[set], found: Sequence[Spans]) -> float:
    """Exact F1 in per cent."""
    right = sum(len(g & set(f)) for g, f in zip(gold, found, strict=True))
    total = sum(map(len, gold)) + sum(len(set(f)) for f in found)
    return round(200 * right / max(1, total), 2)


def systems(system: str, model: Path, texts: str) -> Iterator[tuple[str, Answer]]:
    """The ways to run a system, the best of which counts."""
    if system == "hf-pipeline":
        yield from pipelines(model)
    elif system == "spacy":
        yield "batch 256", spacy()
    elif system == "gliner":
        yield from gliner(model)
    else:
        yield "", ours(model, texts)


def ours(model: Path, texts: str) -> Answer:
    from convener import load
    from convener.text.formats import read

    recogniser, documents = load(model), list(read(texts))
    return lambda _: [
        [(e.start, e.end, e.label) for e in found.entities]
        for found in recogniser.annotate(documents)
    ]


def pipelines(model: Path) -> Iterator[tuple[str, Answer]]:
    from transformers import BertForTokenClassification, pipeline

    from convener import load
    from convener.models.tagger import Tagger

    (tagger,) = load(model).panel.experts
    assert isinstance(tagger, Tagger)
    config = tagger.encoder.model.config
    config.id2label = dict(enumerate(tagger.layout.tags))
    config.label2id = {tag: number for number, tag in config.id2label.items()}
    wrapped = BertForTokenClassification(config).eval()
    wrapped.bert.load_state_dict(tagger.encoder.model.state_dict())
    wrapped.classifier.load_state_dict(tagger.head.state_dict())
    tokenizer = tagger.encoder.words.tokenizer
    tokenizer.model_max_length = 512
    pipe = pipeline(
        "token-classification",
        model=wrapped,
        tokenizer=tokenizer,
        aggregation_strategy="first",
        stride=64,
        device="cpu",
    )

    def of(batch: int) -> Answer:
        return lambda texts: [
            [(e["start"], e["end"], e["entity_group"]) for e in found]
            for found in pipe(list(texts), batch_size=batch)
        ]

    for batch in BATCHES:
        yield f"batch {batch}", of(batch)


def spacy() -> Answer:
    import spacy

    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner")
    for label in ("LOC", "MISC", "ORG", "PER"):
        ner.add_label(label)
    nlp.initialize()
    return lambda texts: [
        [(e.start_char, e.end_char, e.label_) for e in doc.ents]
        for doc in nlp.pipe(texts, batch_size=256)
    ]


def gliner(encoder: Path) -> Iterator[tuple[str, Answer]]:
    from gliner import GLiNER, GLiNERConfig

    labels = ["person", "organisation", "location", "miscellaneous"]
    made = GLiNER.from_config(GLiNERConfig(model_name=str(encoder), hidden_size=384)).eval()

    def of(batch: int) -> Answer:
        return lambda texts: [
            [(e["start"], e["end"], e["label"]) for e in found]
            for found in made.inference(list(texts), labels, threshold=0.99, batch_size=batch)
        ]

    for batch in BATCHES:
        yield f"batch {batch}", of(batch)


if __name__ == "__main__":
    main()

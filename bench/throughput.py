"""How much of the machine training uses: encoder FLOPs a second against a large matrix product.

    python bench/throughput.py

Training steps of the default tagger on the bundled text alternate with products of two large
matrices, so that both see the same machine in the same minute; the product is in float32 whatever
the steps are computed in. Counted are the operations of the encoder's layers on real sub-words:
padding, the embedding, the head and the optimiser count for nothing but take their time. A training
step is three forward passes (one forward, two backward).
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from convener.demo import load_data
from convener.dictionary import Labeller
from convener.inference.card import installed_versions
from convener.models.encoders import Encoder
from convener.models.tag_layout import TaggerConfig
from convener.models.tagger import Tagger
from convener.panel.panel import Panel
from convener.training.corpus import Corpus, DistantObjective
from convener.training.loop import Learner
from convener.training.optimiser_config import OptimiserConfig

RESULTS = Path(__file__).parent / "results" / "throughput.json"
SIZE = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    batches = (("16 sentences a step", 16), ("2,048 pieces a step", 1024))
    for (name, sentences), precision in itertools.product(batches, ("float32", "bf16")):
        config = OptimiserConfig(batch_sentences=sentences, precision=precision)
        row = {"batch": name, "precision": precision, "threads": options.threads}
        rows.append(row | measure(config, options.rounds, options.steps))
        print(json.dumps(rows[-1]), flush=True)
    versions = " ".join(f"{k}=={v}" for k, v in installed_versions().items())
    content = [row | {"encoder": "minilm", "versions": versions} for row in rows]
    options.results.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


class Counting(DistantObjective):
    """The usual objective, which also notes the lengths of what was trained on."""

    def __init__(self, allowed):
        super().__init__(allowed)
        object.__setattr__(self, "seen", [])

    def supervision(self, examples):
        """Supervision as usual."""
        self.seen.extend(len(example) for example in examples)
        return super().supervision(examples)


def measure(config: OptimiserConfig, rounds: int, steps: int) -> dict[str, float]:
    """Medians over rounds, each of some training steps, a prediction pass and some products."""
    data = load_data()
    documents = [Labeller(data.gazetteer)(document) for document in data.texts]
    expert = Tagger.create(data.gazetteer.labels, TaggerConfig(), seed=0)
    corpus = Corpus(documents, expert)
    learner = Learner(expert, "throughput", config, 10_000, Accelerator(cpu=True))
    words = sum(len(document.words()) for document in documents)
    trained, predicted, product, tokens = [], [], [], []
    for number in range(rounds + 1):
        objective = Counting(corpus.allowed)
        began = time.perf_counter()
        learner.train(corpus.examples, objective, steps, number, lambda: None)
        seconds = time.perf_counter() - began
        flops = 3 * sum(forward_flops(expert.encoder, length) for length in objective.seen)
        began = time.perf_counter()
        Panel([expert]).annotate(documents)
        predicting = time.perf_counter() - began
        if number:
            trained.append(flops / seconds)
            tokens.append(sum(objective.seen) / seconds)
            predicted.append(words / predicting)
            product.append(matrix_product())
    return {
        "train_gflops": round(statistics.median(trained) / 1e9, 1),
        "product_gflops": round(statistics.median(product) / 1e9, 1),
        "ratio": round(float(np.median(np.array(trained) / np.array(product))), 3),
        "train_pieces_per_second": round(statistics.median(tokens)),
        "predict_words_per_second": round(statistics.median(predicted)),
    }


def forward_flops(encoder: Encoder, length: int) -> int:
    """Operations of one forward pass of the encoder's layers over a window of that length."""
    c = encoder.model.config
    layer = 4 * c.hidden_size**2 + 2 * c.hidden_size * c.intermediate_size
    attention = 2 * length * c.hidden_size
    return 2 * length * c.num_hidden_layers * (layer + attention)


def matrix_product(clock: Callable[[], float] = time.perf_counter) -> float:
    """Operations of a large float32 matrix product in a second of the clock."""
    left, right = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    torch.mm(left, right)
    began = clock()
    for _ in range(4):
        torch.mm(left, right)
    return 4 * 2 * SIZE**3 / (clock() - began)


if __name__ == "__main__":
    main()

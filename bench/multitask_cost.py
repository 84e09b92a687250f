"""What a reader costs as types grow, against BERT-MRC written densely, as its paper describes it.

    CONVENER_DATA=... python bench/multitask_cost.py --results bench/results/multitask.json

`dense` reads each type's question with each context in a call of its own and scores all pairs of
sub-words by a head of 1,536 hidden units; `exact` is the paper's reader; `shared` is `exact` with
its five lower layers apart. The first words of GENIA's dev split go through each, 8 sentences at a
time, to predict or to train, in a process of its own. Time is the median of three passes after one
(of fewer, where they take over a minute), memory what a pass adds to the peak of the process (or of
the GPU).
"""

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

import jobs
import torch
from torch import Tensor, nn

TYPES = (2, 4, 8, 16, 32, 64)
BATCH = 8
LABELS = """
protein DNA RNA cell_line cell_type gene enzyme receptor antibody virus bacterium fungus
plant animal tissue organ disease symptom drug dose device procedure test hormone vitamin
sugar lipid acid peptide domain motif promoter exon intron mutation chromosome plasmid
vector primer probe assay method instrument company university person city country river
mountain journal book film song award event law language currency software vehicle weapon
food material mineral
""".split()  # noqa: SIM905


class DenseBertMrc(nn.Module):
    """Start, end and span scores of all sub-words and all pairs of them, one type at a time."""

    def __init__(self, encoder: nn.Module, hidden: int = 1536) -> None:
        super().__init__()
        self.encoder = encoder
        self.starts = nn.Linear(encoder.dim, 1)
        self.ends = nn.Linear(encoder.dim, 1)
        self.first = nn.Linear(2 * encoder.dim, hidden)
        self.second = nn.Linear(hidden, 1)

    def forward(self, ids: Tensor, mask: Tensor, segments: Tensor) -> tuple[Tensor, ...]:
        """Logits [batch, pieces], [batch, pieces] and [batch, pieces, pieces]."""
        hidden = self.encoder(ids, mask, torch.zeros_like(ids), segments)
        length = hidden.shape[1]
        pairs = torch.cat(
            [
                hidden[:, :, None].expand(-1, -1, length, -1),
                hidden[:, None].expand(-1, length, -1, -1),
            ],
            dim=-1,
        )
        spans = self.second(nn.functional.gelu(self.first(pairs))).squeeze(-1)
        return self.starts(hidden).squeeze(-1), self.ends(hidden).squeeze(-1), spans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--types", nargs="+", type=int, default=TYPES)
    parser.add_argument("--method", nargs="+", default=["dense", "exact", "shared"])
    parser.add_argument("--mode", nargs="+", default=["predict", "train"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--words", type=int, default=1000)
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parent / "results" / "multitask.json"
    )
    parser.add_argument("--one", type=json.loads, help="run this job in this process")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(**options.one)))
        return
    wanted = [
        {"task": "cost", "method": method, "mode": mode, "types": types, "device": options.device}
        | {"size": options.words}
        for mode in options.mode
        for types in options.types
        for method in options.method
    ]
    jobs.run_all(__file__, wanted, options.results, ("method", "mode", "types", "device"), 1)


def run(task: str, method: str, mode: str, types: int, device: str, size: int) -> jobs.Row:
    """Measure one method."""
    from convener.models.questions import questions_for
    from convener.models.reader import Reader
    from convener.models.reader_config import ReaderConfig
    from convener.text.formats import read

    documents, words = [], 0
    for document in read(jobs.data() / "nested/genia/dev.jsonl"):
        documents.append(document)
        words += len(document.words())
        if words >= size:
            break
    labels = LABELS[:types]
    layers = 5 if method == "shared" else 0
    config = ReaderConfig(width=16, nested=True, shared_layers=layers, inside=False)
    reader = Reader.create(labels, config, seed=0).to(device)
    examples = sorted(reader.examples(documents), key=len)
    batches = [examples[i : i + BATCH] for i in range(0, len(examples), BATCH)]
    if method == "dense":
        asked = [reader.encoder.words.text(q) for q in questions_for(labels).values()]
        model: nn.Module = DenseBertMrc(reader.encoder).to(device)
        passed = lambda batch: dense_pass(model, batch, asked, mode)  # noqa: E731
    else:
        model = reader
        passed = lambda batch: reader_pass(reader, batch, mode)  # noqa: E731
    model.train(mode == "train")
    before = peak(device)
    seconds: list[float] = []
    while len(seconds) < 4 and (len(seconds) < 2 or sum(seconds) < 60):
        began = time.perf_counter()
        for batch in batches:
            passed(batch)
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    row = {"task": task, "method": method, "mode": mode, "types": types, "device": device}
    return (
        row
        | {
            "seconds_per_1000_words": round(1000 * statistics.median(seconds[1:]) / words, 4),
            "peak_mb": round(peak(device) - before, 1),
            "words": size,
            "encoder": "minilm",
        }
        | jobs.provenance()
    )


def reader_pass(reader, batch, mode: str) -> None:
    """One batch through the reader, for all types at once."""
    read = reader.collate(batch).to(reader.type_weights.device)
    with torch.set_grad_enabled(mode == "train"):
        beliefs = reader(read)
        if mode == "train":
            beliefs.sum().backward()
            reader.zero_grad()


def dense_pass(model: DenseBertMrc, batch, asked: list[list[int]], mode: str) -> None:
    """One batch through the dense model, once for each type."""
    frame = model.encoder.words.frame
    device = model.starts.weight.device
    total: Tensor | float = 0.0
    for question in asked:
        rows = [[frame.first, *question, frame.last, *e.ids.tolist(), frame.last] for e in batch]
        size = max(map(len, rows))
        ids = torch.tensor([row + [0] * (size - len(row)) for row in rows]).to(device)
        mask = torch.tensor([[1] * len(row) + [0] * (size - len(row)) for row in rows]).to(device)
        segments = (torch.arange(size, device=device) >= len(question) + 2).long().expand_as(ids)
        with torch.set_grad_enabled(mode == "train"):
            logits = model(ids, mask, segments)
            if mode == "train":
                total = sum(part.sum() for part in logits)
                total.backward()
    model.zero_grad()


def peak(device: str) -> float:
    """Peak memory so far in MB."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()

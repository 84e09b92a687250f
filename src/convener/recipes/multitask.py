"""Multi-NER: NER as reading comprehension, a task for each type (arXiv 2309.11027, on BERT-MRC).

Given documents with entities of the types y ∈ Y:

1. Each type gets a question q_y (`convener.models.questions`).
2. A shared encoder reads (q_y, x) for every type; a word has one vector h_y for each task.
3. Self-attention between the tasks: h ← h + Attention(norm(h)) over the types at each word.
4. Each task has heads of its own for starts, ends and spans of its entities. A span is judged by
   its ends; by default also by the words between them, since ends alone take long to learn which
   of them belong together.
5. The joint loss is (L_start + L_end + w L_span) / (2 + w), binary cross entropies over all tasks.

Steps 2 to 5 are `convener.models.reader`. Flat documents give a reader that answers with the best
spans that do not overlap, nested ones a reader that answers with all. Trained on labels that a
person made, a reader takes the place of the one expert of plain training; on distant labels it can
be any expert of BOND-MoE's, so a panel of readers learns nested entities from a dictionary.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.text.documents import Document, WordIndex, crossing
from convener.training.batching import length_batches

MAX_WIDTH = 64
BATCH_PIECES = 8192
MOST_WEIGHT = 10.0


def reader_for(
    documents: Sequence[Document],
    labels: Sequence[str],
    config: ReaderConfig,
    seed: int,
    mixed: bool = False,
) -> Reader:
    """An untrained reader with what its configuration leaves open `settled` by the documents."""
    return Reader.create(labels, settled(documents, labels, config, mixed), seed)


def settled(
    documents: Sequence[Document],
    labels: Sequence[str],
    config: ReaderConfig,
    mixed: bool = False,
) -> ReaderConfig:
    """A configuration with what it leaves open read off the documents.

    That is the width of the longest entity in words, at most 64; whether entities nest; and how
    much each type weighs. Words are those of the documents, and if these are read in `mixed` ways
    also those of their raw text.
    """
    open_: dict[str, object] = {}
    if config.width is None:
        raw = [replace(document, tokens=None) for document in documents if document.tokens]
        open_["width"] = longest_entity([*documents, *raw] if mixed else documents)
    if config.nested is None:
        open_["nested"] = nests(documents)
    if config.type_weights is None and config.balance:
        open_["type_weights"] = balanced(documents, labels, config.balance)
    return config.model_copy(update=open_)


def longest_entity(documents: Sequence[Document]) -> int:
    """Words of the longest entity, from 1 to 64."""
    widths = [
        stop - first
        for document in documents
        for first, stop in map(WordIndex(document).words, (e.span for e in document.entities))
    ]
    return min(max(widths, default=1), MAX_WIDTH)


def nests(documents: Sequence[Document]) -> bool:
    """Whether any entities overlap."""
    return any(crossing(document.entities) for document in documents)


def balanced(
    documents: Sequence[Document], labels: Sequence[str], power: float
) -> tuple[float, ...]:
    """Weights n^−power of types with n entities, their mean over entities being 1.

    None weighs more than `MOST_WEIGHT` times the lightest, and a type without entities, which has
    nothing but "no" to teach, as much as that one: with more, all others would learn nothing.
    """
    counts = Counter(e.label for document in documents for e in document.entities)
    lightest = max(1, *(counts[label] for label in labels)) ** -power
    weights = [
        min(counts[label] ** -power, MOST_WEIGHT * lightest) if counts[label] else lightest
        for label in labels
    ]
    total = sum(weight * counts[label] for weight, label in zip(weights, labels, strict=True))
    scale = sum(counts[label] for label in labels) / total if total else 1.0
    return tuple(weight * scale for weight in weights)


def attention_between_types(reader: Reader, documents: Sequence[Document]) -> list[list[float]]:
    """Which type looks at which, a mean over the words of the documents; rows sum to 1.

    Raises:
        ConfigError: the reader has no attention between types.
    """
    reader.eval()
    examples = reader.examples(documents)
    total = torch.zeros(len(reader.labels), len(reader.labels), dtype=torch.float64)
    with torch.inference_mode():
        for indices in length_batches([len(example) for example in examples], BATCH_PIECES):
            batch = reader.collate([examples[index] for index in indices])
            looks = reader.looks(batch.to(reader.type_weights.device)).cpu()
            total += looks * len(batch.rows[0])
    rows: list[list[float]] = (total / total.sum(dim=1, keepdim=True).clamp(min=1e-9)).tolist()
    return rows

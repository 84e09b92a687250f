"""A panel that was exported, answering through ONNX Runtime instead of torch.

Windows, batches and decoding are those of every panel; only the beliefs come from elsewhere. What
the graph takes and gives is said in `convener.models.graphs`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from convener.errors import ConfigError, ModelError
from convener.inference.manifest import Exported, ModelConfig, check_files
from convener.models.layout import Example, Layout, Numbers, Padded, Rows, of_documents
from convener.models.pieces import WordPieces
from convener.models.span_layout import SpanLayout
from convener.models.tag_layout import TagLayout
from convener.panel.joint import Rule, answered
from convener.processes import threads_allowed
from convener.text.documents import Document
from convener.training.batching import rows_of_each

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"
BATCH_PIECES = 512

_SLOW = "SkipLayerNormFusion"  # its kernel takes longer than the two that it replaces

NEEDED = "expected ONNX for an exported model: pip install 'convener[onnx]'"


class FilePieces(WordPieces):
    """Sub-words as a saved tokenizer cuts them."""

    def __init__(self, file: Path, exported: Exported) -> None:
        super().__init__(exported.frame)
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def cut(self, texts: list[str]) -> list[list[int]]:
        """Sub-word ids of texts, without special ones."""
        return [e.ids for e in self._tokenizer.encode_batch(texts, add_special_tokens=False)]


class ExportedPanel:
    """A panel in one graph: it answers, and that is all."""

    def __init__(
        self, session: "InferenceSession", layout: Layout, experts: int, rule: Rule
    ) -> None:
        self.layout = layout
        self.experts = experts
        self.rule = rule
        self._session = session
        self._rows = _span_rows if isinstance(layout, SpanLayout) else _tag_rows

    @property
    def labels(self) -> tuple[str, ...]:
        """The types that the panel knows."""
        return self.layout.labels

    @property
    def flat(self) -> bool:
        """Whether entities never overlap."""
        return self.layout.flat

    def annotate(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the panel's entities in place of any they had."""
        found = self._beliefs(self.layout.examples(documents))
        beliefs = of_documents(found, len(documents))
        each = [
            [rows[:, expert] if len(rows) else rows for rows in beliefs]
            for expert in range(self.experts)
        ]
        return answered(self.layout, documents, each, self.rule)

    def _beliefs(self, examples: Sequence[Example]) -> Iterator[tuple[Example, Rows]]:
        """Log-probabilities [rows, experts, classes] of each example."""

        def rows(batch: Sequence[Example]) -> Rows:
            return self._rows(self._session, self.layout.padded(batch))

        return rows_of_each(examples, BATCH_PIECES, rows)


def open_exported(folder: Path, config: ModelConfig, exported: Exported) -> ExportedPanel:
    """The panel in a folder that `export` wrote.

    Raises:
        ConfigError: the extra `onnx` is not installed.
        ModelError: the folder was damaged.
    """
    try:
        from onnxruntime import InferenceSession, SessionOptions
    except ImportError:
        raise ConfigError(NEEDED) from None
    check_files(folder, config)
    options = SessionOptions()
    options.intra_op_num_threads = threads_allowed()
    providers = ["CPUExecutionProvider"]
    session = InferenceSession(
        str(folder / GRAPH), options, providers=providers, disabled_optimizers=[_SLOW]
    )
    words = FilePieces(folder / TOKENIZER, exported)
    layout = _layout(words, config, exported)
    return ExportedPanel(session, layout, config.experts, config.rule)


def _layout(words: WordPieces, config: ModelConfig, exported: Exported) -> Layout:
    if config.tagger is not None:
        return TagLayout(words, config.labels, exported.window, config.tagger.overlap)
    if config.reader is not None:
        reader = config.reader
        return SpanLayout(words, config.labels, reader, exported.window, exported.longest)
    raise ModelError("config.json describes no expert, it was altered: restore it")


def _tag_rows(session: "InferenceSession", padded: Padded) -> Rows:
    """Log-probabilities [words, experts, tags]."""
    feed = {"ids": padded.ids, "mask": padded.mask, "shapes": padded.shapes}
    (beliefs,) = session.run(None, feed)
    rows: Rows = beliefs[padded.rows[0], padded.rows[1]]
    return rows


def _span_rows(session: "InferenceSession", padded: Padded) -> Rows:
    """Log-probabilities [rows, experts, 2] of no and yes."""
    places, real = _places(padded)
    feed = {"ids": padded.ids, "mask": padded.mask, "shapes": padded.shapes}
    (logits,) = session.run(None, feed | {"places": places, "real": real})
    owned = np.arange(places.shape[1]) < padded.owned[:, None]
    cells = logits[owned].swapaxes(1, 2).reshape(-1, logits.shape[2])
    rows: Rows = -np.logaddexp(np.float32(0), np.stack([cells, -cells], axis=-1))
    return rows


def _places(padded: Padded) -> tuple[Numbers, Numbers]:
    """The sub-word of each word [batch, words], and where there is a word."""
    owners, positions = padded.rows
    counts = np.bincount(owners, minlength=len(padded.ids))
    there = np.arange(counts.max()) < counts[:, None]
    places = np.zeros(there.shape, dtype=np.int64)
    places[there] = positions
    return places, there.astype(np.int64)

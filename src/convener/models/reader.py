"""The reader: NER as reading comprehension, one question for each type (Multi-NER, BERT-MRC).

An encoder reads each question with the context. Word vectors [batch, words, types, dim] go through
attention between the types' tasks, then start, end and span heads score every word and the
candidate spans. Rows are those of a grid (`convener.models.spans`), each of two classes: no, yes.

A pair of words is a candidate if its start and its end are predicted, or in training if its start
and its end are taught. The loss is BERT-MRC's: starts, ends and candidate spans count 1 : 1 :
`span_weight`, each kind as a mean, divided by the sum (where no word is left unknown). Other spans
are believed to be none.

With `heads="shared"` no weight belongs to a type, so a reader can be asked about types that it was
never trained on.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from convener.errors import ConfigError
from convener.models.asking import Questions
from convener.models.encoders import Encoder
from convener.models.expert import Batch, Expert
from convener.models.questions import questions_for
from convener.models.reader_config import ReaderConfig
from convener.models.seeding import seeded
from convener.models.span_heads import Pairs, SpanHeads
from convener.models.span_layout import SpanLayout
from convener.models.spans import END, NEVER, SPANS, START
from convener.models.type_attention import TypeAttention

BORDERLINE = math.log(0.1 / 0.9)
_CPU_MIXED_VECTORS, _MIXED_VECTORS = 4_096, 131_072


class Reader(Expert):
    """An expert that answers one question for each type."""

    type_weights: Tensor

    def __init__(self, encoder: Encoder, labels: Sequence[str], config: ReaderConfig) -> None:
        super().__init__()
        asked = questions_for(labels, config.questions)
        self.config = config.model_copy(update={"questions": asked})
        self.width = config.width or 1
        self.encoder = encoder
        config.prepare(encoder)
        self.questions = Questions(encoder, list(asked.values()), config.shared_layers)
        window = min(config.window, encoder.max_pieces - self.questions.longest)
        self.layout: SpanLayout = SpanLayout(
            encoder.words, labels, self.config, window, self.questions.longest
        )
        self.attention = (
            TypeAttention(
                encoder.dim,
                config.attention_heads,
                config.attention_layers,
                config.attention,
                config.dropout,
            )
            if config.attention != "none"
            else None
        )
        types = len(self.labels) if config.heads == "per-type" else 1
        self.heads = SpanHeads(encoder.dim, encoder.dim, types, config.dropout, config.inside)
        weights = torch.tensor(config.type_weights or [1.0] * len(self.labels))
        if len(weights) != len(self.labels):
            raise ConfigError(
                f"expected type_weights for {len(self.labels)} types, got {len(weights)}: "
                "leave it out, or give one for each"
            )
        self.register_buffer("type_weights", weights, persistent=False)

    @classmethod
    def create(cls, labels: Sequence[str], config: ReaderConfig, seed: int) -> Self:
        """A reader with pretrained encoder and the rest drawn from the seed."""
        with seeded(seed):
            encoder = Encoder.from_pretrained(config.encoder, config.shapes)
        with seeded(seed):
            return cls(encoder, labels, config)

    @classmethod
    def from_folder(cls, folder: Path, labels: Sequence[str], config: ReaderConfig) -> Self:
        """The architecture of a saved reader, weights not yet loaded."""
        with seeded(0):
            return cls(Encoder.from_folder(folder, config.shapes), labels, config)

    def asked(self, questions: Mapping[str, str]) -> Self:
        """The same reader asked other questions, in place of its own.

        Raises:
            ConfigError: its heads belong to its types, or the questions do not fit.
        """
        if self.config.heads != "shared":
            raise ConfigError(
                "this reader has a head for each type, so it knows no others: "
                "train one with reader.heads=shared to ask it new questions"
            )
        update = {"questions": dict(questions), "type_weights": None}
        with seeded(0):
            other = type(self)(
                self.encoder, tuple(questions), self.config.model_copy(update=update)
            )
        other.attention, other.heads = self.attention, self.heads
        return other.to(self.type_weights.device).train(self.training)

    def new_parameters(self) -> list[nn.Parameter]:
        """Heads, attention between types, and shape embedding."""
        modules = [self.heads, self.attention, self.encoder.shapes]
        return [p for module in modules if module is not None for p in module.parameters()]

    def forward(self, batch: Batch, words: Tensor | None = None) -> Tensor:
        """Log-probabilities [rows, 2] of no and yes, as `learn` gives them."""
        return self.learn(batch, words)[0]

    def learn(self, batch: Batch, words: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities [rows, 2], and the weights of BERT-MRC's loss [rows].

        `words` [batch, words, types, dim], read under all questions, spare it reading them.
        """
        places, real = batch.words()
        owned = torch.arange(places.shape[1], device=places.device) < batch.owned[:, None]
        taught = self._taught(batch, owned)
        types = self._types(len(places), taught, self._sought(batch, owned))
        if words is None:
            words = self.questions.words(self.encoder, batch, types, places)
        present = _present(types, real)
        words = self._mixed(words, present)
        starts, ends = self.heads.edges(words, types)
        own = present & owned[:, :, None]
        least = 0.0 if self.training else BORDERLINE
        candidates = self._crossed((starts > least) & own, (ends > least) & present)
        if taught is not None:
            candidates |= self._taught_candidates(taught, types) & self._crossed(own, present)
        example, first, width, column = candidates.nonzero(as_tuple=True)
        scores = self.heads.scores(words, types, Pairs(example, first, first + width, column))
        spans = starts.new_full(candidates.shape, NEVER)
        spans = spans.index_put((example, first, width, column), scores)
        edges = torch.stack([starts, ends], dim=2)
        logits = self._by_type(torch.cat([edges, spans], dim=2), types, NEVER)[owned].view(-1)
        beliefs = nn.functional.logsigmoid(torch.stack([-logits, logits], dim=1))
        if taught is None:
            return beliefs, None
        seen = own[:, :, None].float()
        share = self.config.span_weight * seen.sum() / max(1, len(scores))
        weights = torch.cat([seen, seen, share * candidates.float()], dim=2)
        return beliefs, (self._by_type(weights, types, 0.0)[owned] * self.type_weights).view(-1)

    def _mixed(self, words: Tensor, present: Tensor) -> Tensor:
        """Words after the attention between types, in prediction a few examples at a time."""
        if self.attention is None:
            return words
        most = _CPU_MIXED_VECTORS if words.device.type == "cpu" else _MIXED_VECTORS
        vectors = words[0, ..., 0].numel()
        examples = len(words) if self.training else max(1, most // vectors)
        parts = zip(torch.split(words, examples), torch.split(present, examples), strict=True)
        mixed = [self.attention(*part) for part in parts]
        return mixed[0] if len(mixed) == 1 else torch.cat(mixed)

    def looks(self, batch: Batch) -> Tensor:
        """How much each type's reading looks at each other's, [types, types]."""
        if self.attention is None:
            raise ConfigError("this reader has no attention between types to look at")
        places, real = batch.words()
        types = self._types(len(places), None, None)
        words = self.questions.words(self.encoder, batch, types, places)
        return self.attention.looks(words, _present(types, real))

    def embed(self, batch: Batch) -> Tensor:
        """Mean hidden state of each context's sub-words, read without a question."""
        return self.encoder.mean(batch.ids, batch.mask, batch.shapes)

    def _taught(self, batch: Batch, owned: Tensor) -> Tensor | None:
        """What supervision calls entities, as a grid [batch, words, 2 + widths, types]."""
        if batch.taught is None:
            return None
        size = (SPANS + self.width, len(self.labels))
        grid = torch.zeros(*owned.shape, *size, dtype=torch.bool, device=owned.device)
        grid[owned] = (batch.taught[:, 1] > batch.taught[:, 0]).view(-1, *size)
        return grid

    def _sought(self, batch: Batch, owned: Tensor) -> Tensor | None:
        """The types of which supervision says anything at all [batch, types]."""
        if batch.taught is None:
            return None
        told = (batch.taught.min(dim=1).values < 1).view(-1, SPANS + self.width, len(self.labels))
        grid = torch.zeros(*owned.shape, len(self.labels), dtype=torch.bool, device=owned.device)
        grid[owned] = told.any(dim=1)
        return grid.any(dim=1)

    def _types(self, examples: int, taught: Tensor | None, sought: Tensor | None) -> Tensor:
        """The types that each example is asked about [batch, columns], −1 for none."""
        count, negatives = len(self.labels), self.config.negatives
        everything = torch.arange(count, device=self.type_weights.device).expand(examples, -1)
        if taught is None or sought is None or negatives is None or negatives >= count:
            return everything
        there = taught.any(dim=1).any(dim=1)
        drawn = torch.rand(examples, count, device=there.device) + there.int() + sought
        asked = torch.minimum(there.sum(dim=1) + negatives, sought.sum(dim=1))
        columns = max(1, int(asked.max()))
        order = drawn.argsort(dim=1, descending=True)[:, :columns]
        spare = torch.arange(columns, device=there.device) >= asked[:, None].clamp(min=1)
        return order.masked_fill(spare, -1)

    def _taught_candidates(self, taught: Tensor, types: Tensor) -> Tensor:
        """Spans whose start and end are taught, [batch, words, widths, columns]."""
        gold = taught.gather(3, _columns(types, taught.shape[:3]))
        return self._crossed(gold[:, :, START], gold[:, :, END]) | gold[:, :, SPANS:]

    def _crossed(self, first: Tensor, last: Tensor) -> Tensor:
        """Pairs of a first and a last word, as spans by width."""
        following = nn.functional.pad(last, (0, 0, 0, self.width - 1))
        return first[:, :, None] & following.unfold(1, self.width, 1).transpose(2, 3)

    def _by_type(self, columns: Tensor, types: Tensor, fill: float) -> Tensor:
        """Values of columns [batch, words, kinds, columns] as values of all types."""
        count = len(self.labels)
        if types.shape[1] == count and self.config.negatives is None:
            return columns
        places = types.masked_fill(types < 0, count)
        size = (*columns.shape[:3], count + 1)
        full = columns.new_full(size, fill)
        return full.scatter(3, _columns(places, columns.shape[:3]), columns)[..., :count]


def _present(types: Tensor, real: Tensor) -> Tensor:
    """Where a word is asked about [batch, words, columns]."""
    return real[:, :, None] & (types >= 0)[:, None]


def _columns(types: Tensor, size: Sequence[int]) -> Tensor:
    return types.clamp(min=0)[:, None, None].expand(*size, -1)

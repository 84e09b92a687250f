"""Start, end and span heads: from word vectors to scores of spans, for each type.

A span's score is W₂·gelu(W₁[h_i; h_j]), as in BERT-MRC. Since W₁[h_i; h_j] = U h_i + V h_j, the
products are made once a word instead of once a pair, and only candidate pairs are scored.

Two ends tell little about whether they belong together ("c-fos and c-jun"), so with `inside` the
score is W₂·gelu(U h_i + V h_j + M mean(h_i … h_j) + e_n), n being the number of words. Means come
from sums up to each word, so a pair costs one product more, however wide it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from convener.models.dropout import Dropout

_WIDTHS = 64
_RARE = -3.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """Spans to be scored, as indices [n]: example, first word, last word, and column of types."""

    example: Tensor
    first: Tensor
    last: Tensor
    column: Tensor


class SpanContent(nn.Module):
    """M mean(h_i … h_j) + e_n; all spans of 64 words or more have one e_n."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.mean = nn.Linear(dim, hidden, bias=False)
        self.widths = nn.Parameter(torch.zeros(_WIDTHS, hidden))

    def forward(self, words: Tensor, pairs: Pairs) -> Tensor:
        """What the words of each pair add to its score's hidden layer, [n, hidden]."""
        example, first, last, column = pairs.example, pairs.first, pairs.last, pairs.column
        sums = words.float().cumsum(dim=1)
        total = sums[example, last, column] - sums[example, first, column]
        total = total + words[example, first, column]
        mean: Tensor = self.mean((total / (last - first + 1)[:, None]).to(words.dtype))
        return mean + self.widths[(last - first).clamp(max=_WIDTHS - 1)]

    def by_width(self, words: Tensor, widths: int) -> Iterator[Tensor]:
        """The same of the spans that begin at each word, [batch, words, types, hidden] a width."""
        length = words.shape[1]
        sums = nn.functional.pad(self.mean(words).cumsum(dim=1), (0, 0, 0, 0, 1, widths - 1))
        for width in range(widths):
            total = sums[:, width + 1 : width + 1 + length] - sums[:, :length]
            yield total / (width + 1) + self.widths[min(width, _WIDTHS - 1)]


class SpanHeads(nn.Module):
    """Heads for `types` types, each with weights of its own, or all with the same if it is 1.

    Entities are rare, so starts and ends begin as improbable.
    """

    def __init__(self, dim: int, hidden: int, types: int, dropout: float, inside: bool) -> None:
        super().__init__()
        self.types = types
        self.dropout = Dropout(dropout)
        self.starts, self.start_bias = _vectors(types, dim, _RARE)
        self.ends, self.end_bias = _vectors(types, dim, _RARE)
        self.first = nn.Linear(dim, hidden)
        self.last = nn.Linear(dim, hidden, bias=False)
        self.spans, self.span_bias = _vectors(types, hidden, 0.0)
        self.content = SpanContent(dim, hidden) if inside else None

    def edges(self, words: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of starts and ends [batch, words, columns], float32.

        `words` is [batch, words, columns, dim], `types` [batch, columns] names each column's type.
        """
        words, own = self.dropout(words), self._own(types)
        return tuple(  # type: ignore[return-value]
            (torch.einsum("bwcd,bcd->bwc", words, vectors[own]) + bias[own][:, None]).float()
            for vectors, bias in ((self.starts, self.start_bias), (self.ends, self.end_bias))
        )

    def scores(self, words: Tensor, types: Tensor, pairs: Pairs) -> Tensor:
        """Logits of the pairs, [n], float32."""
        firsts = _once(self.first, words, pairs.example, pairs.first, pairs.column)
        lasts = _once(self.last, words, pairs.example, pairs.last, pairs.column)
        hidden = firsts + lasts
        if self.content is not None:
            hidden = hidden + self.content(words, pairs)
        hidden = self.dropout(nn.functional.gelu(hidden))
        own = self._own(types)[pairs.example, pairs.column]
        scores: Tensor = (hidden * self.spans[own]).sum(dim=-1) + self.span_bias[own]
        return scores.float()

    def _own(self, types: Tensor) -> Tensor:
        return types.clamp(0, self.types - 1)


def _once(product: nn.Linear, words: Tensor, *places: Tensor) -> Tensor:
    """The products of the words at some places, each made once however often it is there."""
    flat = torch.arange(words[..., 0].numel(), device=words.device).view(words.shape[:3])
    there, where = torch.unique(flat[places], return_inverse=True)
    products: Tensor = product(words.reshape(-1, words.shape[-1])[there])
    return products[where]


def _vectors(types: int, dim: int, bias: float) -> tuple[nn.Parameter, nn.Parameter]:
    weights = torch.empty(types, dim).normal_(std=0.02)
    return nn.Parameter(weights), nn.Parameter(torch.full((types,), bias))

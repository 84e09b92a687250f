"""Start, end and span heads: from word vectors to scores of spans, for each type.

A span's score is W₂·gelu(W₁[h_i; h_j]), as in BERT-MRC. Since W₁[h_i; h_j] = U h_i + V h_j, the
products are made once a word instead of once a pair, and only candidate pairs are scored.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from convener.models.dropout import Dropout

_RARE = -3.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """Spans to be scored, as indices [n]: example, first word, last word, and column of types."""

    example: Tensor
    first: Tensor
    last: Tensor
    column: Tensor


class SpanHeads(nn.Module):
    """Heads for `types` types, each with weights of its own, or all with the same if it is 1.

    Entities are rare, so starts and ends begin as improbable.
    """

    def __init__(self, dim: int, hidden: int, types: int, dropout: float) -> None:
        super().__init__()
        self.types = types
        self.dropout = Dropout(dropout)
        self.starts, self.start_bias = _vectors(types, dim, _RARE)
        self.ends, self.end_bias = _vectors(types, dim, _RARE)
        self.first = nn.Linear(dim, hidden)
        self.last = nn.Linear(dim, hidden, bias=False)
        self.spans, self.span_bias = _vectors(types, hidden, 0.0)

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
        firsts = self.first(words)[pairs.example, pairs.first, pairs.column]
        lasts = self.last(words)[pairs.example, pairs.last, pairs.column]
        hidden = self.dropout(nn.functional.gelu(firsts + lasts))
        own = self._own(types)[pairs.example, pairs.column]
        scores: Tensor = (hidden * self.spans[own]).sum(dim=-1) + self.span_bias[own]
        return scores.float()

    def _own(self, types: Tensor) -> Tensor:
        return types.clamp(0, self.types - 1)


def _vectors(types: int, dim: int, bias: float) -> tuple[nn.Parameter, nn.Parameter]:
    weights = torch.empty(types, dim).normal_(std=0.02)
    return nn.Parameter(weights), nn.Parameter(torch.full((types,), bias))

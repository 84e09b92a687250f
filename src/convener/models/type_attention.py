"""Self-attention between the tasks of a reader: what one type's reading tells another's.

Each word has one vector for each type that was asked about. Pre-norm multi-head attention mixes
them, over the types at each word or over all types and words, and is added to them. Its output
starts at zero, so an untrained layer changes nothing, and nothing in it depends on the order or
the number of types (Multi-NER, arXiv 2309.11027).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from convener.errors import ConfigError
from convener.models.dropout import Dropout

Scope = Literal["types", "positions"]


class TypeAttention(nn.Module):
    """Layers of attention over word vectors [batch, words, types, dim]."""

    def __init__(self, dim: int, heads: int, layers: int, scope: Scope, dropout: float) -> None:
        super().__init__()
        if dim % heads:
            raise ConfigError(
                f"expected a number of attention heads that divides {dim}, got {heads}"
            )
        self.scope = scope
        self.layers = nn.ModuleList(_Layer(dim, heads, dropout) for _ in range(layers))

    def forward(self, words: Tensor, present: Tensor) -> Tensor:
        """The words after all layers; `present` [batch, words, types] is where there is one."""
        vectors, there = self._sequences(words, present)
        for layer in self.layers:
            vectors = layer(vectors, there)
        return vectors.view(words.shape)

    def looks(self, words: Tensor, present: Tensor) -> Tensor:
        """Mean attention of each type to each [types, types], rows summing to 1.

        The mean is over words, layers and heads; attention to all words counts by type.
        """
        vectors, there = self._sequences(words, present)
        types = words.shape[2]
        total = words.new_zeros(types, types)
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            attention = layer.weights(vectors, there) * there[:, :, None]
            size = (len(vectors), -1, types, attention.shape[-1] // types, types)
            total += attention.reshape(size).sum(dim=(0, 1, 3))
            vectors = layer(vectors, there)
        return total / total.sum(dim=1, keepdim=True).clamp(min=1e-9)

    def _sequences(self, words: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        _, length, types, dim = words.shape
        size = length * types if self.scope == "positions" else types
        return words.reshape(-1, size, dim), present.reshape(-1, size)


class _Layer(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.inward = nn.Linear(dim, 3 * dim)
        self.outward = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)

    def forward(self, vectors: Tensor, there: Tensor) -> Tensor:
        query, key, value = self._projected(vectors)
        mixed = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=_visible(there)
        )
        joined = mixed.transpose(1, 2).reshape(vectors.shape)
        answer: Tensor = vectors + self.dropout(self.outward(joined))
        return answer

    def weights(self, vectors: Tensor, there: Tensor) -> Tensor:
        """Attention [sequences, from, to], the mean of the heads."""
        query, key, _ = self._projected(vectors)
        scores: Tensor = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        visible = scores.masked_fill(~_visible(there), -torch.inf)
        return visible.softmax(dim=-1).mean(dim=1)

    def _projected(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        sequences, length, dim = vectors.shape
        size = (sequences, length, 3, self.heads, dim // self.heads)
        both: Tensor = self.inward(self.norm(vectors))
        query, key, value = both.view(size).permute(2, 0, 3, 1, 4)
        return query, key, value


def _visible(there: Tensor) -> Tensor:
    """What may be looked at [sequences, 1, 1, length]: all that is there, or all if nothing is."""
    return (there | ~there.any(dim=1, keepdim=True))[:, None, None]

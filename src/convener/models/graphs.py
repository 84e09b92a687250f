"""Experts of one kind as one graph: tensors in, the beliefs of all of them out, no choice between.

What depends on the data in an expert's own code, such as runs of like length, is left to whoever
feeds the graph. Inputs are int64: `ids`, `mask`, `shapes` [batch, pieces].

- Of taggers it gives log-probabilities [batch, pieces, experts, tags].
- Of readers it also takes `places` [batch, words], the sub-word of each word, and `real`
  [batch, words], 1 where there is a word, and gives logits [batch, words, experts, cells], the
  cells being those of the grid at a word.
"""

from collections.abc import Sequence
from itertools import repeat

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from convener.models.asking import Join, closed
from convener.models.reader import BORDERLINE, Reader
from convener.models.spans import NEVER
from convener.models.tagger import Tagger


class TaggerGraph(nn.Module):
    """Taggers that read the same sub-words."""

    INPUTS = ("ids", "mask", "shapes")

    def __init__(self, taggers: Sequence[Tagger]) -> None:
        super().__init__()
        self.experts = nn.ModuleList(taggers)

    def forward(self, ids: Tensor, mask: Tensor, shapes: Tensor) -> Tensor:
        """Log-probabilities [batch, pieces, experts, tags]."""
        beliefs = []
        for tagger in self.experts:
            assert isinstance(tagger, Tagger)
            tags = tagger.head(tagger.encoder(ids, mask, shapes))
            beliefs.append(torch.log_softmax(tags, dim=-1))
        return torch.stack(beliefs, dim=2)


class ReaderGraph(nn.Module):
    """Readers that ask the same questions of the same sub-words."""

    INPUTS = ("ids", "mask", "shapes", "places", "real")

    def __init__(self, readers: Sequence[Reader]) -> None:
        super().__init__()
        self.experts = nn.ModuleList(_DenseReader(reader) for reader in readers)

    def forward(
        self, ids: Tensor, mask: Tensor, shapes: Tensor, places: Tensor, real: Tensor
    ) -> Tensor:
        """Logits [batch, words, experts, cells]."""
        logits = [reader(ids, mask, shapes, places, real) for reader in self.experts]
        return torch.stack(logits, dim=2)


class _DenseReader(nn.Module):
    """A reader that scores every span, and leaves out those it would not have scored."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader
        questions, layers = reader.questions, reader.questions.shared_layers
        with torch.no_grad():
            alone = questions.alone(reader.encoder) if layers else torch.zeros(0)
        self.alone = nn.Buffer(alone)

    def forward(
        self, ids: Tensor, mask: Tensor, shapes: Tensor, places: Tensor, real: Tensor
    ) -> Tensor:
        """Logits [batch, words, cells]."""
        reader, heads = self.reader, self.reader.heads
        words = self._words(ids, mask, shapes, places)
        batch, length, types = words.shape[:3]
        columns = torch.arange(types, device=ids.device).expand(batch, -1)
        present = (real > 0)[:, :, None].expand(-1, -1, types)
        if reader.attention is not None:
            words = reader.attention(words, present)
        starts, ends = heads.edges(words, columns)
        firsts, lasts = heads.first(words), heads.last(words)
        opens, closes = (starts > BORDERLINE) & present, (ends > BORDERLINE) & present
        own = torch.arange(types, device=ids.device).clamp(0, heads.types - 1)
        later = pad(lasts, (0, 0, 0, 0, 0, reader.width - 1))
        closing = pad(closes, (0, 0, 0, reader.width - 1))
        inside = heads.content
        contents = inside.by_width(words, reader.width) if inside else repeat(0.0, reader.width)
        spans = []
        for width, content in enumerate(contents):
            hidden = firsts + later[:, width : width + length] + content
            scores = (gelu(hidden) * heads.spans[own]).sum(dim=-1) + heads.span_bias[own]
            candidates = opens & closing[:, width : width + length]
            spans.append(torch.where(candidates, scores, NEVER))
        return torch.stack([starts, ends, *spans], dim=2).flatten(2)

    def _words(self, ids: Tensor, mask: Tensor, shapes: Tensor, places: Tensor) -> Tensor:
        """Vectors of words [batch, words, types, dim] under every question."""
        reader, questions, encoder = self.reader, self.reader.questions, self.reader.encoder
        batch, types = ids.shape[0], len(reader.labels)
        owners = torch.arange(batch, device=ids.device).repeat_interleave(types)
        asked = torch.arange(types, device=ids.device).repeat(batch)
        lengths = mask.sum(dim=1)
        size = questions.longest + ids.shape[1] + 1
        join = Join(questions.lengths[asked], lengths[owners], asked, owners, size)
        ids, shapes = closed(ids, mask, encoder.words.frame.last), closed(shapes, mask, 0)
        seen = join.there.long()
        if questions.shared_layers:
            there = (torch.arange(ids.shape[1], device=ids.device) <= lengths[:, None]).long()
            layers = questions.shared_layers
            contexts = encoder.below(ids, there, shapes, 1, questions.longest, layers)
            hidden = encoder.above(join(self.alone, contexts), seen, layers)
        else:
            joined = join(questions.ids, ids)
            joined_shapes = join(torch.zeros_like(questions.ids), shapes)
            hidden = encoder(joined, seen, joined_shapes, (~join.asking).long())
        at = places[owners] + questions.lengths[asked][:, None]
        vectors = hidden.gather(1, at[:, :, None].expand(-1, -1, hidden.shape[-1]))
        return vectors.view(batch, types, places.shape[1], -1).transpose(1, 2)

"""Questions and contexts, read together by one encoder.

Exactly as BERT-MRC, the encoder reads [CLS] question [SEP] context [SEP], once for each question
and context. Or its lower layers read questions and contexts apart, each once, and only the upper
ones read them together; questions are then kept from batch to batch until the expert learns, is
moved, or has weights written to it. (That it learns is told by gradients, since optimisers may
change weights without changing their version.)
Sequences go through the encoder in runs of like length, so that little of it is padding.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from convener.errors import ConfigError
from convener.models.encoders import Encoder
from convener.models.expert import Batch

_RUN_PIECES, _CPU_RUN_PIECES, _MIN_RUN_PIECES, _MIN_FILL = 16_384, 2_048, 2_048, 0.9


class Questions(nn.Module):
    """Tokenised questions, and how they are read with contexts.

    The encoder is not a part of it: `encoder` is passed to `words`.
    """

    ids: Tensor
    lengths: Tensor

    def __init__(self, encoder: Encoder, questions: Sequence[str], shared_layers: int) -> None:
        super().__init__()
        frame = encoder.words.frame
        texts = map(encoder.words.text, questions)
        pieces = [[frame.first, *ids, frame.last] for ids in texts]
        self.longest = max(map(len, pieces))
        if self.longest > encoder.max_pieces // 2:
            raise ConfigError(
                f"expected questions of at most {encoder.max_pieces // 2 - 2} sub-words, half of "
                f"what the encoder reads, got one of {self.longest - 2}: shorten it"
            )
        if shared_layers and not 0 < shared_layers < encoder.depth:
            raise ConfigError(
                f"expected shared_layers between 0 and {max(encoder.depth - 1, 0)} for this "
                f"encoder, got {shared_layers}"
            )
        self.shared_layers = shared_layers
        padded = [ids + [frame.padding] * (self.longest - len(ids)) for ids in pieces]
        self.register_buffer("ids", torch.tensor(padded), persistent=False)
        self.register_buffer("lengths", torch.tensor([*map(len, pieces)]), persistent=False)
        self._kept: tuple[list[int], Tensor] | None = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Questions":
        self._kept = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, object]:
        """Copies read their questions anew: their weights count their versions anew, too."""
        return self.__dict__ | {"_kept": None}

    def words(self, encoder: Encoder, batch: Batch, types: Tensor, places: Tensor) -> Tensor:
        """Vectors of words [batch, words, columns, dim] under the questions of each column.

        `types` [batch, columns] names the question of each column, −1 for none; `places`
        [batch, words] the sub-word of each word.
        """
        lengths = batch.mask.sum(dim=1)
        owners, columns = (types >= 0).nonzero(as_tuple=True)
        asked = types[owners, columns]
        sizes = self.lengths[asked] + lengths[owners] + 1
        apart = self._apart(encoder, batch, lengths) if self.shared_layers else None
        found: Tensor | None = None
        most = _CPU_RUN_PIECES if sizes.device.type == "cpu" else _RUN_PIECES
        for run in _runs(sizes, most):
            size = int(sizes[run].max())
            asking, context = self.lengths[asked[run]], lengths[owners[run]]
            join = Join(asking, context, asked[run], owners[run], size)
            hidden = self._read(encoder, batch, join, apart)
            at = places[owners[run]] + self.lengths[asked[run]][:, None]
            vectors = hidden[torch.arange(len(run), device=at.device)[:, None], at]
            if found is None:
                found = vectors.new_zeros(*types.shape, *vectors.shape[1:])
            found[owners[run], columns[run]] = vectors
        assert found is not None
        return found.transpose(1, 2)

    def _read(
        self, encoder: Encoder, batch: Batch, join: "Join", apart: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        mask = join.there.long()
        if apart is not None:
            return encoder.above(join(*apart), mask, self.shared_layers)
        ids = join(self.ids, closed(batch.ids, batch.mask, encoder.words.frame.last))
        shapes = join(torch.zeros_like(self.ids), closed(batch.shapes, batch.mask, 0))
        hidden: Tensor = encoder(ids, mask, shapes, (~join.asking).long())
        return hidden

    def _apart(self, encoder: Encoder, batch: Batch, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Questions and contexts after the lower layers; contexts stand after any question."""
        ids = closed(batch.ids, batch.mask, encoder.words.frame.last)
        there = torch.arange(ids.shape[1], device=ids.device) <= lengths[:, None]
        shapes = closed(batch.shapes, batch.mask, 0)
        layers = self.shared_layers
        contexts = encoder.below(ids, there.long(), shapes, 1, self.longest, layers)
        if torch.is_grad_enabled():
            self._kept = None
            return self.alone(encoder), contexts
        versions = [parameter._version for parameter in encoder.parameters()]
        if self._kept is None or self._kept[0] != versions:
            self._kept = versions, self.alone(encoder)
        return self._kept[1], contexts

    def alone(self, encoder: Encoder) -> Tensor:
        """Hidden states of the questions after the lower layers, [types, pieces, dim]."""
        there = torch.arange(self.longest, device=self.ids.device) < self.lengths[:, None]
        shapes = torch.zeros_like(self.ids)
        return encoder.below(self.ids, there.long(), shapes, 0, 0, self.shared_layers)


class Join:
    """Where the pieces of joined sequences come from: [sequences, size] of each."""

    def __init__(
        self, asking: Tensor, context: Tensor, types: Tensor, owners: Tensor, size: int
    ) -> None:
        self.types, self.owners = types[:, None], owners[:, None]
        sizes = asking + context + 1
        places = torch.arange(size, device=sizes.device)[None]
        self.there = places < sizes[:, None]
        self.asking = places < asking[:, None]
        self.question = torch.minimum(places, asking[:, None] - 1)
        self.context = torch.minimum((places - asking[:, None]).clamp(min=0), context[:, None])

    def __call__(self, questions: Tensor, contexts: Tensor) -> Tensor:
        """Join values of questions [types, pieces, …] and contexts [batch, pieces + 1, …]."""
        asked = questions[self.types, self.question]
        read = contexts[self.owners, self.context]
        asking = self.asking if asked.ndim == 2 else self.asking[:, :, None]
        return torch.where(asking, asked, read)


def closed(values: Tensor, mask: Tensor, last: int) -> Tensor:
    """Values with one more at the end of each row [batch, pieces + 1]."""
    longer = nn.functional.pad(values, (0, 1))
    return longer.scatter(1, mask.sum(dim=1, keepdim=True), last)


def _runs(sizes: Tensor, most: int) -> list[Tensor]:
    """Indices of sequences, cut where padding or a run, of `most` pieces, would grow too large.

    The longest come first.
    """
    order = sizes.argsort(descending=True, stable=True)
    lengths = sizes[order].tolist()
    cuts, begin, used = [], 0, 0
    for index, length in enumerate(lengths):
        padded = lengths[begin] * (index - begin + 1)
        loose = padded > _MIN_RUN_PIECES and used + length < _MIN_FILL * padded
        if index > begin and (padded > most or loose):
            cuts.append(index)
            begin, used = index, 0
        used += length
    return list(order.tensor_split(cuts))

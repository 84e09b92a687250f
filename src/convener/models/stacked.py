"""Many experts of one base, asked together: K adapters, one encoder, one pass over the sentences.

An expert is its base and some changes, so asking K of them does not take K bases. Sentences are
cut, batched and joined with questions once. The hidden states of all experts go through one encoder
as [K · sequences, pieces, dim]. What an expert changes outside of it, such as its heads, it keeps
for itself. The arithmetic is as much as if each were asked alone: hidden states differ from the
first layer on.

A linear layer makes its K weights W + B A when it is reached, and forgets them. To add B (A x) to
W x instead costs more once an expert reads over in · out / (in + out) sub-words, a few hundred.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from convener.errors import ConfigError, ModelError
from convener.models.adapter import Adapter, LowRank, apply
from convener.models.asking import Questions
from convener.models.encoders import Encoder
from convener.models.expert import Batch
from convener.models.layout import Example, Rows
from convener.models.questions import questions_for
from convener.models.reader import Reader
from convener.text.documents import Document, Entity


class Stacked(nn.Module):
    """Readers that differ from one base by an adapter each, and answer together.

    They share the base's tensors, which stay as they are.

    Raises:
        ConfigError: no adapter.
        ModelError: an adapter that does not fit the base, or that changes the embeddings of its
            encoder other than that of shapes.
    """

    def __init__(self, base: Reader, adapters: Sequence[Adapter]) -> None:
        super().__init__()
        if not adapters:
            raise ConfigError("expected at least one expert to ask, got none")
        stacked = [_low_rank(base, adapter) for adapter in adapters]
        experts = [
            _changed(base, {name: adapter[name] for name in adapter if name not in low_rank})
            for adapter, low_rank in zip(adapters, stacked, strict=True)
        ]
        self.experts = nn.ModuleList(experts)
        self.reader = experts[0]
        self.encoder = _Encoders(_changed(base, {}).encoder, [e.encoder for e in experts], stacked)
        asked = questions_for(base.labels, base.config.questions)
        questions = Questions(base.encoder, list(asked.values()), base.config.shared_layers)
        self.questions = questions.to(base.type_weights.device)

    def examples(self, documents: Sequence[Document]) -> list[Example]:
        """Windows of the documents, each of which costs what all experts read for it."""
        count = len(self.experts)
        return [replace(e, cost=e.cost * count) for e in self.reader.examples(documents)]

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples into one batch, as any of the experts does."""
        return self.reader.collate(examples)

    def forward(self, batch: Batch) -> Tensor:
        """Beliefs of each expert: log-probabilities [rows, experts, classes], float32."""
        places, _ = batch.words()
        types = torch.arange(len(self.reader.labels), device=places.device)
        words = self.questions.words(self.encoder, batch, types.expand(len(places), -1), places)
        own = words.view(*words.shape[:-1], len(self.experts), -1).unbind(-2)
        answers = [expert(batch, read) for expert, read in zip(self.experts, own, strict=True)]
        return torch.stack(answers, dim=1)

    def decode(self, document: Document, probabilities: Rows) -> tuple[Entity, ...]:
        """Entities of a document from the probabilities [rows, classes] of one expert."""
        return self.reader.decode(document, probabilities)


def _low_rank(base: Reader, adapter: Adapter) -> dict[str, LowRank]:
    """The changes of an adapter that the encoder's linear layers take as factors."""
    shapes = {
        name: module.weight.shape
        for name, module in base.encoder.named_modules(prefix="encoder")
        if isinstance(module, nn.Linear)
    }
    return {
        name: change
        for name, change in adapter.items()
        if isinstance(change, LowRank) and shapes.get(name) == change.shape
    }


def _changed(base: Reader, changes: Adapter) -> Reader:
    """A copy with changes, which shares with the base all tensors that they leave alone."""
    parameters = dict(base.named_parameters(remove_duplicate=False))
    names = [name for change in changes for name in (change, f"{change}.weight")]
    own = {id(parameters[name]) for name in names if name in parameters}
    shared = {id(t): t for t in (*base.parameters(), *base.buffers()) if id(t) not in own}
    copied = copy.deepcopy(base, shared)
    apply(copied, changes)
    return copied


class _Encoders(Encoder):
    """K encoders in one, whose hidden states lie side by side in the last dimension."""

    def __init__(
        self,
        base: Encoder,
        encoders: Sequence[Encoder],
        changes: Sequence[Mapping[str, LowRank]],
    ) -> None:
        super().__init__(base.model, base.words.tokenizer, shapes=False)
        self.words, self.shapes, self.count = base.words, base.shapes, len(encoders)
        for path, module in list(self.named_modules()):
            layers = [encoder.get_submodule(path) for encoder in encoders]
            factors = [change.get(f"encoder.{path}") for change in changes]
            if not any(factors) and all(_alike(layer, module) for layer in layers):
                continue
            if isinstance(module, nn.Embedding) and path != "shapes":
                raise ModelError(
                    "expected experts that leave the embeddings of their encoder alone, got a "
                    f"change of {path}: apply it to a reader of its own"
                )
            linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
            self.set_submodule(path, _Linear(linear, factors) if linear else _Each(layers))

    def forward(
        self, ids: Tensor, mask: Tensor, shapes: Tensor, segments: Tensor | None = None
    ) -> Tensor:
        """Hidden states [batch, pieces, K · dim] of ids, mask, shapes, segments [batch, pieces]."""
        ids, mask, shapes = map(self._every, (ids, mask, shapes))
        segments = None if segments is None else self._every(segments)
        return self._beside(super().forward(ids, mask, shapes, segments))

    def below(
        self, ids: Tensor, mask: Tensor, shapes: Tensor, segment: int, begin: int, layers: int
    ) -> Tensor:
        """Hidden states after the first layers, [batch, pieces, K · dim]."""
        ids, mask, shapes = map(self._every, (ids, mask, shapes))
        return self._beside(super().below(ids, mask, shapes, segment, begin, layers))

    def above(self, hidden: Tensor, mask: Tensor, layers: int) -> Tensor:
        """Hidden states after the last layer, from and to [batch, pieces, K · dim]."""
        stacked = hidden.view(*hidden.shape[:2], self.count, -1).movedim(2, 0).flatten(0, 1)
        return self._beside(super().above(stacked, self._every(mask), layers))

    def _every(self, values: Tensor) -> Tensor:
        return values.repeat(self.count, 1)

    def _beside(self, stacked: Tensor) -> Tensor:
        return stacked.view(self.count, -1, *stacked.shape[1:]).movedim(0, 2).flatten(2)


class _Linear(nn.Module):
    """Linear layers of K experts, their low-rank changes padded with zeros to one rank."""

    def __init__(self, layers: Sequence[nn.Linear], changes: Sequence[LowRank | None]) -> None:
        super().__init__()
        weights = [layer.weight.detach() for layer in layers]
        first = weights[0]
        alike = all(layer.weight is layers[0].weight for layer in layers)
        weight = first[None] if alike else torch.stack(weights)
        zeros = first.new_zeros(len(first))
        biases = [zeros if layer.bias is None else layer.bias.detach() for layer in layers]
        none = LowRank(first.new_zeros(0, first.shape[1]), first.new_zeros(len(first), 0))
        factors = [change or none for change in changes]
        rank = max(change.rank for change in factors)
        downs = [pad(change.down.to(first), (0, 0, 0, rank - change.rank)) for change in factors]
        ups = [pad(change.up.to(first), (0, rank - change.rank)) for change in factors]
        self.weight, self.bias = nn.Buffer(weight), nn.Buffer(torch.stack(biases)[:, None])
        self.down, self.up = nn.Buffer(torch.stack(downs)), nn.Buffer(torch.stack(ups))

    def forward(self, values: Tensor) -> Tensor:
        """Values [K · sequences, pieces, in] to [K · sequences, pieces, out]."""
        weights = torch.baddbmm(self.weight.expand(len(self.up), -1, -1), self.up, self.down)
        stacked = values.reshape(len(weights), -1, values.shape[-1])
        return torch.baddbmm(self.bias, stacked, weights.mT).view(*values.shape[:-1], -1)


class _Each(nn.Module):
    """Layers of K experts, each for its share of the first dimension."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, values: Tensor) -> Tensor:
        """Values [K · sequences, ...] to what the layers make of them."""
        parts = values.chunk(len(self.layers))
        return torch.cat([layer(part) for layer, part in zip(self.layers, parts, strict=True)])


def _alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether modules have the very same parameters, those of their parts aside."""
    both = zip(one.parameters(recurse=False), other.parameters(recurse=False), strict=True)
    return all(mine is its for mine, its in both)

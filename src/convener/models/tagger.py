"""The tagger: a linear head over the first sub-word of each word.

What its rows and classes are says `convener.models.tag_layout`.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from convener.models.dropout import Dropout
from convener.models.encoders import Encoder
from convener.models.expert import Batch, Expert
from convener.models.seeding import seeded
from convener.models.tag_layout import TaggerConfig, TagLayout


class Tagger(Expert):
    """An expert that tags words."""

    def __init__(self, encoder: Encoder, labels: Sequence[str], config: TaggerConfig) -> None:
        super().__init__()
        self.config = config
        window = min(config.window, encoder.max_pieces)
        self.layout: TagLayout = TagLayout(encoder.words, labels, window, config.overlap)
        self.encoder = encoder
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(encoder.dim, len(self.layout.tags))
        config.prepare(encoder)

    @classmethod
    def create(cls, labels: Sequence[str], config: TaggerConfig, seed: int) -> "Tagger":
        """A tagger with pretrained encoder and a head drawn from the seed."""
        with seeded(seed):
            encoder = Encoder.from_pretrained(config.encoder, config.shapes)
        with seeded(seed):
            return cls(encoder, labels, config)

    @classmethod
    def from_folder(cls, folder: Path, labels: Sequence[str], config: TaggerConfig) -> "Tagger":
        """The architecture of a saved tagger, weights not yet loaded."""
        with seeded(0):
            return cls(Encoder.from_folder(folder, config.shapes), labels, config)

    def new_parameters(self) -> list[nn.Parameter]:
        """Head and shape embedding."""
        shapes = self.encoder.shapes
        return [*self.head.parameters(), *(shapes.parameters() if shapes is not None else ())]

    def forward(self, batch: Batch) -> Tensor:
        """Log-probabilities [words, tags]."""
        return torch.log_softmax(self.logits(batch), dim=-1)

    def logits(self, batch: Batch) -> Tensor:
        """What the head says of each word before it is normalised, [words, tags], float32."""
        hidden = self.encoder(batch.ids, batch.mask, batch.shapes)
        words = self.dropout(hidden[batch.rows[0], batch.rows[1]])
        scores: Tensor = self.head(words).float()
        return scores

    def embed(self, batch: Batch) -> Tensor:
        """Mean hidden state of each example's sub-words."""
        return self.encoder.mean(batch.ids, batch.mask, batch.shapes)

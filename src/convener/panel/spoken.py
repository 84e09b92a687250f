"""Experts that answer in words: language models, of which only entities are known, no beliefs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import torch

from convener.errors import ConfigError
from convener.panel.panel import Panel
from convener.panel.selection import integrate
from convener.text.documents import Document

if TYPE_CHECKING:
    from convener.models.generator import Generator


class SpokenPanel:
    """Generators and their joint answer: the union of what each names, without scores.

    `malformed` counts what they said in all their answers that is no entity of the text.
    """

    def __init__(self, experts: "Sequence[Generator]") -> None:
        if not experts:
            raise ConfigError("expected at least one expert, got none")
        self.experts = list(experts)
        self.malformed = 0
        if len({expert.labels for expert in experts}) > 1:
            raise ConfigError("expected experts that are asked for the same types")

    def to(self, device: str | torch.device) -> "SpokenPanel":
        """Move all experts to a device and return the panel."""
        for expert in self.experts:
            expert.to(device)
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The types that the panel is asked for."""
        return self.experts[0].labels

    @property
    def layout(self) -> None:
        """There is none: texts and answers are words."""

    @property
    def alone(self) -> "list[SpokenPanel]":
        """Each expert as a panel of one."""
        return [SpokenPanel([expert]) for expert in self.experts]

    @property
    def flat(self) -> bool:
        """Whether entities never overlap."""
        return all(expert.config.nested is False for expert in self.experts)

    def annotate(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the panel's entities in place of any they had."""
        alone = [expert.annotate(documents) for expert in self.experts]
        self.malformed += sum(expert.malformed for expert in self.experts)
        return [
            replace(found[0], entities=integrate([d.entities for d in found], self.flat))
            for found in zip(*alone, strict=True)
        ]


AnyPanel: TypeAlias = Panel | SpokenPanel

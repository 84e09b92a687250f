"""The one typed configuration of a training run; reading settings needs no torch."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from convener.errors import ConfigError
from convener.models.generator_config import GeneratorConfig
from convener.models.reader_config import ReaderConfig
from convener.models.tag_layout import TaggerConfig
from convener.recipes.bond_config import MAX_PASS_STEPS, BondConfig
from convener.recipes.settings import by_path, parsed
from convener.training.optimiser_config import OptimiserConfig


class RunConfig(BaseModel):
    """Everything that decides a run besides its data."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of everything random."""
    labels: tuple[str, ...] | None = None
    """The types; left open, those of the training documents."""
    abstain: Literal["auto", "always", "never"] = "auto"
    """Whether unlisted names, and labels that capitals make doubtful, are left out of the loss;
    `auto` is where capitals tell names (`convener.dictionary.abstention.abstaining`)."""
    rivals: bool = True
    """Whether labels become ambiguous whose name looks like one of another type
    (`convener.recipes.rivals`)."""
    exchanges: int = Field(default=0, ge=0)
    """Copies of labelled documents in which names are exchanged for others of the dictionary, where
    training is given one (`convener.dictionary.exchange`)."""
    words: Literal["given", "mixed"] = "given"
    """How documents that bring words of their own are read in training: as given, or mixed, every
    second one by the words that raw text is cut into (`convener.text.tokens`)."""
    model: Literal["tagger", "reader", "generator"] = "tagger"
    """What the experts are; the part of the same name says what they are made of."""
    tagger: TaggerConfig = TaggerConfig()
    reader: ReaderConfig = ReaderConfig()
    generator: GeneratorConfig = GeneratorConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    bond: BondConfig = BondConfig()

    @field_validator("labels")
    @classmethod
    def _different(cls, labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if labels is not None and not (labels and all(labels) and len(set(labels)) == len(labels)):
            raise ValueError("expected different names of types")
        return labels

    @property
    def language_model(self) -> GeneratorConfig:
        """What a generator is made of, with the seed of the run."""
        return self.generator.model_copy(update={"seed": self.seed})

    @property
    def pretrained(self) -> str:
        """The encoder or the language model that the experts begin from."""
        if self.model == "generator":
            return self.generator.model
        return (self.tagger if self.model == "tagger" else self.reader).encoder


SUPERVISED = RunConfig(
    abstain="never",
    rivals=False,
    words="mixed",
    optimiser=OptimiserConfig(learning_rate=2e-4),
    bond=BondConfig(experts=1, self_training=False, warmup_rounds=12, longest_round=MAX_PASS_STEPS),
)
"""Plain training on labels that a person made: one expert, no self-training, more steps."""

PAPERS = {
    name: RunConfig(
        abstain="never",
        rivals=False,
        bond=BondConfig(experts=experts, reweight=1.0, longest_round=MAX_PASS_STEPS),
    )
    for name, experts in (("bond", 1), ("bond-moe", 3))
}
"""The papers' own recipes, which take every label of the dictionary, and its silence, as said."""


def override(config: RunConfig, changes: Mapping[str, object]) -> RunConfig:
    """The configuration with settings replaced, each named by its path such as `bond.tau`.

    Raises:
        ConfigError: there is no such setting, or the value does not fit it.
    """
    content = config.model_dump()
    for path, value in changes.items():
        *parents, name = path.split(".")
        section: object = content
        for parent in parents:
            section = section.get(parent) if isinstance(section, dict) else None
        if not isinstance(section, dict) or name not in section:
            known = list(by_path(RunConfig().model_dump()))
            near = [p for p in known if p.rpartition(".")[2] == path.rpartition(".")[2]]
            near = near or get_close_matches(path, known, 1) or ["seed", "bond.experts"]
            raise ConfigError(f"no setting {path!r}: expected one such as {' or '.join(near)}")
        section[name] = value
    return parse_config(content)


def parse_config(content: object) -> RunConfig:
    """A configuration from plain data.

    Raises:
        ConfigError: a setting is unknown or its value does not fit.
    """
    return parsed(RunConfig, content)

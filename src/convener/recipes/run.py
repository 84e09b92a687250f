"""One run from labelled documents to a panel, described by one typed configuration."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field, field_validator

from convener.dictionary import Gazetteer
from convener.dictionary.abstention import abstaining, left_out
from convener.dictionary.exchange import copies
from convener.errors import ConfigError
from convener.evaluation.scores import score
from convener.evaluation.training import Doubts
from convener.models.expert import Expert
from convener.models.generator_config import GeneratorConfig
from convener.models.reader_config import ReaderConfig
from convener.models.tag_layout import TaggerConfig
from convener.models.tagger import Tagger
from convener.models.weights import fingerprint_of
from convener.panel.panel import Panel
from convener.recipes.bond import Bond
from convener.recipes.bond_config import MAX_PASS_STEPS, BondConfig
from convener.recipes.checks import check_gold, check_labelled
from convener.recipes.multitask import reader_for
from convener.recipes.rivals import with_rivals
from convener.recipes.rounds import Runner
from convener.recipes.settings import by_path, parsed
from convener.text.documents import Document, group_indices, labels_of
from convener.text.formats.jsonl import characters_line
from convener.training.apart import working
from convener.training.loop import OptimiserConfig
from convener.training.progress import Listener, Log


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


@dataclass(frozen=True, slots=True)
class Trained:
    """A panel, the figures of every round, and the fingerprint of the training documents.

    `assigned` is the expert that each group of documents went to last, if they went to experts,
    `doubts` are the labels that something speaks against.
    """

    panel: Panel
    history: list[dict[str, object]]
    data_sha256: str
    assigned: tuple[int, ...] = ()
    doubts: Doubts = field(default_factory=Doubts)

    @property
    def dev_f1(self) -> float | None:
        """The best F1 on the dev set, in per cent as the history has it; None without one."""
        scores = (f1 for r in self.history if isinstance(f1 := r.get("dev_f1"), float))
        return max(scores, default=None)


def train_panel(
    documents: Sequence[Document],
    config: RunConfig,
    dev: Sequence[Document] | None = None,
    listener: Listener | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    expert: Expert | None = None,
    kind: type[Bond] = Bond,
    workers: int = 1,
    origin: Mapping[str, object] | None = None,
    names: Gazetteer | None = None,
) -> Trained:
    """Train a panel on distantly labelled documents.

    `dev` holds gold labels and chooses among states of the run; nothing else reads them. With a
    `checkpoint` folder the run can be stopped and, with `resume`, taken up again. `expert` takes
    the place of the untrained one that the configuration describes, `kind` that of the recipe;
    `origin` says what such an expert depends on besides its weights.
    With several `workers` so many experts learn at a time, each in a process of its own. `names`
    are those of a dictionary, which copies of the documents are given.

    Raises:
        ConfigError: settings that do not fit the data, or a checkpoint of another run.
        DataError: documents that the expert can't learn from.
    """
    if config.model == "generator":
        raise ConfigError(
            "expected taggers or readers, got language models, which have no beliefs to combine: "
            "use another model"
        )
    check_labelled(documents)
    listener = listener or Log()
    labels = config.labels or labels_of(documents)
    check_gold(dev, labels)
    accelerator = Accelerator()
    supervision, doubts = believed(documents, config)
    more = copies(supervision, names or (), config.exchanges, config.seed)
    if config.exchanges and not more:
        raise ConfigError(
            "expected a dictionary with names to put in the place of labelled ones, got none: "
            "give one with the types of the documents, or leave exchanges out"
        )
    expert = expert or make_expert([*documents, *more], labels, config)
    supervision += more
    recipe = kind(
        supervision, expert, config.bond, config.optimiser, config.seed, accelerator, listener
    )

    dev_examples = expert.examples(dev) if dev is not None else []

    def dev_f1(experts: Sequence[Expert]) -> float:
        assert dev is not None
        return score(dev, Panel(experts).annotate(dev, dev_examples)).exact.f1

    data, on_dev = fingerprint(documents), fingerprint(dev or ())
    begun = fingerprint_of(expert.state_dict())
    runner = Runner(
        recipe,
        dev_f1=dev_f1 if dev else None,
        patience=config.bond.patience,
        listener=listener,
        checkpoint=checkpoint,
        data={
            "documents": data,
            "dev documents": on_dev,
            "names": fingerprint(more),
            "weights to begin with": begun,
        },
        settings=config.model_dump(mode="json") | dict(origin or {}),
    )
    with working(min(workers, config.bond.experts)) as recipe.workers:
        history = runner.run(resume)
    assigned = () if recipe.assigned is None else tuple(recipe.assigned.tolist())
    assigned = assigned[: len(group_indices(documents))]
    return Trained(Panel(recipe.experts), history, data, assigned, doubts)


def believed(documents: Sequence[Document], config: RunConfig) -> tuple[list[Document], Doubts]:
    """What training believes of labelled documents, and which labels it doubts.

    `abstain`, `rivals` and `words` of the configuration say how far labels and words are taken as
    they come.
    """
    told, doubts = list(documents), Doubts()
    if config.abstain != "never":
        told = abstaining(documents, always=config.abstain == "always")
        doubts = Doubts(left_out(documents, told))
    if config.rivals:
        told, *rivals = with_rivals(told, config.reader.questions)
        doubts = Doubts(doubts.left_out, *rivals)
    return mixed(told) if config.words == "mixed" else told, doubts


def mixed(documents: Sequence[Document]) -> list[Document]:
    """The documents, of those with words of their own every second one without them."""
    own = itertools.count()
    return [
        replace(document, tokens=None)
        if document.tokens is not None and next(own) % 2
        else document
        for document in documents
    ]


def make_expert(documents: Sequence[Document], labels: Sequence[str], config: RunConfig) -> Expert:
    """An untrained expert of the configured kind."""
    if config.model == "reader":
        mixed = config.words == "mixed"
        return reader_for(documents, labels, config.reader, config.seed, mixed)
    return Tagger.create(labels, config.tagger, config.seed)


def fingerprint(documents: Sequence[Document]) -> str:
    """SHA-256 of documents with their labels."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(characters_line(document).encode())
    return digest.hexdigest()

"""One run from labelled documents to a panel, as its configuration says."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from accelerate import Accelerator

from convener.dictionary import Gazetteer
from convener.dictionary.abstention import abstaining, left_out
from convener.dictionary.exchange import copies
from convener.errors import ConfigError
from convener.evaluation.scores import score
from convener.evaluation.training import Doubts
from convener.models.expert import Expert
from convener.models.tagger import Tagger
from convener.models.weights import fingerprint_of
from convener.panel.panel import Panel
from convener.recipes.bond import Bond
from convener.recipes.checks import check_gold, check_labelled
from convener.recipes.multitask import reader_for
from convener.recipes.rivals import with_rivals
from convener.recipes.rounds import Runner
from convener.recipes.run_config import RunConfig
from convener.text.documents import Document, group_indices, labels_of
from convener.text.formats.jsonl import characters_line
from convener.training.apart import working
from convener.training.progress import Listener, Log


@dataclass(frozen=True, slots=True)
class Trained:
    """A panel, the figures of every round, and the fingerprint of the training documents.

    `assigned` is the expert that each group of documents went to last, if they went to experts, −1
    for groups that say nothing; `doubts` are the labels that something speaks against.
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
    assigned = recipe.told_apart()[: len(group_indices(documents))]
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

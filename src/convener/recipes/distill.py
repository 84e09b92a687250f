"""One model from a panel: a student that learns what the ensemble believes.

1. The panel's mean probabilities q of every word are worked out once, on all the text there is.
   No label is read.
2. A student, which begins as one of the experts, learns min KL(q ‖ p) over all words.

The student answers at the cost of one expert. The divergence is the true one, Σ q (log q − log p)
(Hinton et al., 2015, at temperature 1); the whole distribution is taught, not the likeliest class.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from convener.errors import ConfigError, DataError
from convener.evaluation.scores import score
from convener.models.expert import Expert
from convener.models.layout import Example
from convener.models.weights import fingerprint_of
from convener.panel.panel import Panel
from convener.recipes.bond import derived_seed
from convener.recipes.checks import check_gold
from convener.recipes.rounds import Recipe, Runner, Stage, State
from convener.recipes.run import Trained, fingerprint, mixed
from convener.text.documents import Document
from convener.training.corpus import SoftObjective
from convener.training.loop import Learner, batches_of_a_pass
from convener.training.losses import kl_divergence
from convener.training.optimiser_config import OptimiserConfig
from convener.training.progress import Listener, Log

MIN_ROUND_STEPS = 100


class DistillConfig(BaseModel):
    """How the student learns: so many rounds of so many steps.

    Left open, a round takes `MIN_ROUND_STEPS` steps on all the text. Where that is too few to see
    it all, each round takes as many as a pass over its own part, so that the rounds together see
    everything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0, lt=2**32)
    rounds: int = Field(default=4, ge=1)
    round_steps: int | None = Field(default=None, ge=1)
    patience: int = Field(default=4, ge=1)
    optimiser: OptimiserConfig = OptimiserConfig()


class Distillation(Recipe):
    """The student in training."""

    def __init__(
        self,
        panel: Panel,
        documents: Sequence[Document],
        config: DistillConfig,
        accelerator: Accelerator,
        listener: Listener,
    ) -> None:
        self.config = config
        self.accelerator = accelerator
        self.listener = listener
        self.panel = panel.to(accelerator.device)
        self.documents = documents
        self.experts = [panel.experts[0].clone()]
        self.learners = []
        self.examples = self.experts[0].examples(documents)
        self.shares, self.round_steps = self._shares()

    def prepare(self) -> None:
        """What the panel believes."""
        targets = self.panel.probabilities(self.documents, self.examples)
        weights = [np.ones(len(rows), np.float32) for rows in targets]
        self.objective = SoftObjective(targets, weights, kl_divergence)

    def _shares(self) -> tuple[list[list[Example]], int]:
        """What each round learns from, and in how many steps."""
        rounds, given = self.config.rounds, self.config.round_steps
        whole = [self.examples] * rounds
        if given or rounds > len(self.examples):
            return whole, given or MIN_ROUND_STEPS
        if all(steps <= MIN_ROUND_STEPS for steps in map(self._pass, whole, range(rounds))):
            return whole, MIN_ROUND_STEPS
        parts = [self.examples[r::rounds] for r in range(rounds)]
        return parts, max(MIN_ROUND_STEPS, *map(self._pass, parts, range(rounds)))

    def _pass(self, examples: Sequence[Example], round_: int) -> int:
        return batches_of_a_pass(examples, self.config.optimiser, self._seed(round_))

    def _seed(self, round_: int) -> int:
        return derived_seed(self.config.seed, round_)

    def stages(self) -> list[Stage]:
        """One stage."""
        c = self.config
        steps = c.rounds * self.round_steps
        return [Stage("distillation", c.rounds, steps, partial(self._open, steps), self._learn)]

    def _open(self, steps: int) -> list[Learner]:
        return [
            Learner(self.experts[0], "distillation", self.config.optimiser, steps, self.accelerator)
        ]

    def _learn(self, round_: int) -> dict[str, object]:
        loss = self.learners[0].train(
            self.shares[round_],
            self.objective,
            self.round_steps,
            self._seed(round_),
            self.listener.step,
        )
        return {"loss": round(loss, 5)}

    def shared_state(self) -> State:
        """Nothing: what the panel believes is worked out anew."""
        return {}

    def load_shared_state(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to take over."""


def distill(
    panel: Panel,
    documents: Sequence[Document],
    config: DistillConfig,
    dev: Sequence[Document] | None = None,
    listener: Listener | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> Trained:
    """A panel of one that answers as `panel` does.

    `dev` holds gold labels and chooses among rounds; nothing else reads labels. With a `checkpoint`
    folder the run can be stopped and, with `resume`, taken up again.

    Raises:
        ConfigError: the panel joins answers instead of taking their mean.
        DataError: no text, or a dev set without labels of the panel's types.
    """
    if panel.rule != "mean":
        raise ConfigError(
            f"expected a panel that takes the mean of its experts, got the rule {panel.rule!r}: "
            "distill one that convener train made"
        )
    bare = mixed([Document(document.text, tokens=document.tokens) for document in documents])
    if not any(document.words() for document in bare):
        raise DataError(f"expected text to learn from, got {len(bare)} documents without a word")
    check_gold(dev, panel.labels)
    listener = listener or Log()
    recipe = Distillation(panel, bare, config, Accelerator(), listener)
    dev_examples = recipe.experts[0].examples(dev) if dev is not None else []

    def dev_f1(experts: Sequence[Expert]) -> float:
        assert dev is not None
        return score(dev, Panel(experts).annotate(dev, dev_examples)).exact.f1

    data, on_dev = fingerprint(bare), fingerprint(dev or ())
    runner = Runner(
        recipe,
        dev_f1=dev_f1 if dev else None,
        patience=config.patience,
        listener=listener,
        checkpoint=checkpoint,
        data={
            "documents": data,
            "dev documents": on_dev,
            "experts": _known(panel),
        },
        settings=config.model_dump(mode="json"),
    )
    history = runner.run(resume)
    return Trained(Panel(recipe.experts), history, data)


def _known(panel: Panel) -> str:
    """What a panel knows, as text: its types, and the weights of its experts."""
    return f"{panel.labels} {[fingerprint_of(expert.state_dict()) for expert in panel.experts]}"

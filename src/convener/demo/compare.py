"""The dictionary, stage I, one expert and a panel on the same text: what each step brings.

The default is one expert; its state after stage I gives the second row. The panel is then trained
in the same way. No gold label is read before the scores: the schedule is fixed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from convener import api
from convener.demo import DemoData
from convener.dictionary.labeller import Labeller
from convener.evaluation.result import Evaluation, evaluation
from convener.inference.recogniser import Recogniser
from convener.models.expert import Expert
from convener.panel.panel import Panel
from convener.recipes.run_config import RunConfig
from convener.text.documents import Document
from convener.training.progress import Listener, Record

OnMethod = Callable[[str, Evaluation], None]


@dataclass(slots=True)
class AfterStageOne:
    """Passes everything on to another listener and scores the experts when stage I is done."""

    listener: Listener
    score: Callable[[Panel], None]

    def stage(self, name: str, steps: int) -> None:
        """Pass on."""
        self.listener.stage(name, steps)

    def step(self) -> None:
        """Pass on."""
        self.listener.step()

    def round(self, record: Record) -> None:
        """Pass on."""
        self.listener.round(record)

    def stage_done(self, name: str, experts: Sequence[Expert]) -> None:
        """Score a single expert at the end of its stage I."""
        self.listener.stage_done(name, experts)
        if name == "warm-up":
            self.score(Panel(experts))


def compare(
    data: DemoData, listener: Listener, on_method: OnMethod, config: RunConfig
) -> Recogniser:
    """Score each method in turn, telling `on_method`, and return the one expert, the default.

    `config` makes the panel, and with one expert the default.
    """
    labeller = Labeller(data.gazetteer)
    labels = data.gazetteer.labels

    def tell(method: str, predicted: Sequence[Document]) -> None:
        on_method(method, evaluation(data.test, predicted, labels, data.gazetteer))

    tell("dictionary", list(labeller.label(data.test)))
    training = list(labeller.label(data.texts))
    after = AfterStageOne(listener, lambda panel: tell("stage1", panel.annotate(data.test)))
    default = api.train(training, experts=1, config=config, listener=after)
    tell("bond", list(default.annotate(data.test)))
    panel = api.train(training, config=config, listener=listener)
    tell("bond-moe", list(panel.annotate(data.test)))
    return default

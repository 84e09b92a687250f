"""Plain training of a language model on labelled documents: the recipe of SaM's generators.

It is taught the right answers and nothing else: no state of the run is chosen, so dev documents
only tell how good it became.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convener.errors import ConfigError, DataError
from convener.evaluation.scores import score
from convener.models.devices import available
from convener.panel.spoken import SpokenPanel
from convener.recipes.run import RunConfig, fingerprint
from convener.text.documents import Document, labels_of
from convener.training.progress import Listener, Silence

if TYPE_CHECKING:
    from convener.models.generator import Generator

STAGE = "teach the language model"


@dataclass(frozen=True, slots=True)
class Instructed:
    """A panel of one generator, the figures of its training, the fingerprint of the documents."""

    panel: SpokenPanel
    history: list[dict[str, object]]
    data_sha256: str
    dev_f1: float | None


def instruct(
    documents: Sequence[Document],
    config: RunConfig,
    dev: Sequence[Document] | None = None,
    listener: Listener | None = None,
    generator: "Generator | None" = None,
) -> Instructed:
    """Teach a generator, that of the configuration or another one, what the documents say.

    Raises:
        ConfigError: settings of other recipes, no language model, or one that does not fit.
        DataError: no labels, or labels that can't be learnt.
    """
    check(config)
    labels = config.labels or labels_of(documents)
    if not labels:
        raise DataError(f"expected labelled documents, got {len(documents)} without an entity")
    from convener.models.generator import Generator

    listener = listener or Silence()
    settings = config.generator.model_copy(update={"seed": config.seed})
    if generator is None:
        generator = Generator.from_pretrained(settings.model, labels, settings)
    listener.stage(STAGE, generator.config.steps)
    loss = generator.to(available()).fit(documents, listener.step)
    panel = SpokenPanel([generator])
    dev_f1 = round(100 * score(dev, panel.annotate(dev)).exact.f1, 2) if dev else None
    record: dict[str, object] = {"stage": STAGE, "loss": round(loss, 4), "dev_f1": dev_f1}
    listener.round(record)
    listener.stage_done(STAGE, [])
    return Instructed(panel, [record], fingerprint(documents), dev_f1)


def check(config: RunConfig) -> None:
    """Raise ConfigError if a configuration is not that of plain training."""
    if config.bond.self_training or config.bond.experts != 1:
        raise ConfigError(
            "expected plain training of a language model, got the recipe for distant labels: "
            "add --gold, which takes the labels as they are"
        )

"""Plain training of a language model on labelled documents: the recipe of SaM's generators.

It is taught the right answers and nothing else: no state of the run is chosen, so dev documents
only tell how good it became.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convener.evaluation.scores import score
from convener.models.devices import available
from convener.panel.spoken import SpokenPanel
from convener.recipes.checks import check_gold, check_labelled, check_plain
from convener.recipes.run import fingerprint
from convener.recipes.run_config import RunConfig
from convener.text.documents import Document, labels_of
from convener.training.progress import Listener, Log

if TYPE_CHECKING:
    from convener.models.generator import Generator

STAGE = "teach the language model"


@dataclass(frozen=True, slots=True)
class Instructed:
    """A panel of one generator, and the figures of its training.

    `found` are the dev documents as it answers them, `data_sha256` is the fingerprint of the
    training documents.
    """

    panel: SpokenPanel
    history: list[dict[str, object]]
    data_sha256: str
    dev_f1: float | None
    found: list[Document]


def instruct(
    documents: Sequence[Document],
    config: RunConfig,
    dev: Sequence[Document] | None = None,
    listener: Listener | None = None,
    generator: "Generator | None" = None,
) -> Instructed:
    """Teach a generator what the documents say.

    One that is given is taught as it is. Otherwise it is that of the configuration, and what it
    learnt is merged into it, so that it needs its base no more.

    Raises:
        ConfigError: settings of other recipes, no language model, or one that does not fit.
        DataError: no labels, or labels that can't be learnt.
        ModelError: LoRA of the language model can't be merged.
    """
    check_plain(config)
    check_labelled(documents)
    labels = config.labels or labels_of(documents)
    check_gold(dev, labels)
    from convener.models.generator import Generator

    listener = listener or Log()
    student = generator
    if student is None:
        settings = config.language_model
        student = Generator.from_pretrained(settings.model, labels, settings)
    student.changes()
    listener.stage(STAGE, student.config.steps)
    loss = student.to(available()).fit(documents, listener.step)
    if generator is None:
        student = student.to("cpu").merged(student.changes())
    panel = SpokenPanel([student]).to(available())
    found = panel.annotate(dev or [])
    dev_f1 = round(100 * score(dev, found).exact.f1, 2) if dev else None
    record: dict[str, object] = {"stage": STAGE, "loss": round(loss, 4), "dev_f1": dev_f1}
    listener.round(record)
    listener.stage_done(STAGE, [])
    return Instructed(panel, [record], fingerprint(documents), dev_f1, found)

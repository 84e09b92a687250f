"""The verbs as plain functions; the command line is a thin layer over them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convener.dictionary import Gazetteer, Labeller
from convener.errors import DataError
from convener.evaluation.bootstrap import f1_interval
from convener.evaluation.report import Matrix, mistakes, render
from convener.evaluation.scores import Score, Scores, score
from convener.inference.card import Card, installed_versions
from convener.inference.recogniser import Recogniser
from convener.recipes.run import RunConfig, override, train_panel
from convener.text.documents import Document, group_indices
from convener.text.formats import read
from convener.training.progress import Listener

Texts = str | Path | Iterable[str] | Iterable[Document]


def label(
    texts: Texts, gazetteer: Gazetteer, abstain: bool = False, nested: bool = False
) -> Iterator[Document]:
    """Documents labelled by a dictionary, one at a time.

    `texts` is a file in any format that `convener.text.formats.read` knows, or an iterable of
    strings or documents. With `abstain`, unlisted words that look like names are left out of
    training instead of being taken for ordinary words; with `nested`, names inside names are
    labelled too, for readers.
    """
    return Labeller(gazetteer, abstain, nested).label(as_documents(texts))


def train(
    documents: Texts,
    *,
    dev: Texts | None = None,
    experts: int | None = None,
    seed: int | None = None,
    config: RunConfig | None = None,
    listener: Listener | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> Recogniser:
    """A panel trained by BOND-MoE on distantly labelled documents.

    `experts` and `seed` override those of `config`. `dev` holds gold labels and is used only to
    choose among states of the run. See `convener.recipes.bond` for the method.

    Raises:
        ConfigError: settings that do not fit the data.
        DataError: no labels, or labels that cannot be learnt.
    """
    wanted = {"bond.experts": experts, "seed": seed}
    config = override(config or RunConfig(), {k: v for k, v in wanted.items() if v is not None})
    training = list(as_documents(documents))
    gold = list(as_documents(dev)) if dev is not None else None
    folder = Path(checkpoint) if checkpoint is not None else None
    trained = train_panel(training, config, gold, listener, folder, resume)
    card = Card(
        encoder=config.expert.encoder,
        documents=len(training),
        groups=len(group_indices(training)),
        data_sha256=trained.data_sha256,
        dev_f1=trained.dev_f1,
        versions=installed_versions(),
        run=config.model_dump(mode="json"),
        history=trained.history,
    )
    return Recogniser(trained.panel, card)


def load(folder: str | Path, device: str | None = None) -> Recogniser:
    """The model in a folder that `save_pretrained` or `convener train` wrote.

    `device` is such as "cpu" or "cuda:1"; left open, it is the accelerator if there is one.
    """
    return Recogniser.from_folder(folder, device)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores, the 95 % interval of exact F1, and gold types that the model can't find."""

    scores: Scores
    interval: tuple[float, float]
    unknown_labels: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Everything in percentages."""
        return {
            **self.scores.as_dict(),
            "f1_interval": [round(100 * bound, 2) for bound in self.interval],
            "unknown_labels": list(self.unknown_labels),
        }


def evaluate(
    model: Recogniser | str | Path, data: Texts, dictionary: Gazetteer | None = None
) -> Evaluation:
    """Score a model on documents with gold labels.

    With a dictionary, recall is also given apart for names that it lists and that it does not.

    Raises:
        DataError: there is no gold entity to find.
    """
    recogniser, gold, found = _answered(model, data)
    return evaluation(gold, found, recogniser.labels, dictionary)


def report(
    model: Recogniser | str | Path, data: Texts, dictionary: Gazetteer | None = None
) -> tuple[Evaluation, str]:
    """As `evaluate`, and a page about it in HTML: scores, mistakes, which type looks at which.

    Raises:
        DataError: there is no gold entity to find.
    """
    recogniser, gold, found = _answered(model, data)
    result = evaluation(gold, found, recogniser.labels, dictionary)
    looks = recogniser.attention_between_types(gold)
    matrix = None
    if looks is not None:
        note = "Mean attention over all words: how much the row's type reads of the column's."
        matrix = Matrix("Attention between types", recogniser.labels, looks, note)
    title = f"{len(gold)} documents, {len(recogniser.labels)} types"
    page = render(title, result.scores, result.interval, mistakes(gold, found), matrix)
    return result, page


def _answered(
    model: Recogniser | str | Path, data: Texts
) -> tuple[Recogniser, list[Document], list[Document]]:
    """The model, the gold documents, and what it finds in them."""
    recogniser = model if isinstance(model, Recogniser) else load(model)
    gold = list(as_documents(data))
    return recogniser, gold, list(recogniser.annotate(gold))


def evaluation(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    labels: Sequence[str],
    dictionary: Gazetteer | None = None,
) -> Evaluation:
    """Scores of predictions by anything that knows the types `labels`."""
    found = {entity.label for document in gold for entity in document.entities}
    if not found:
        raise DataError(f"expected gold labels, got {len(gold)} documents without an entity")
    scores = score(gold, predicted, dictionary)
    units = [
        sum((scores.documents[index] for index in members), Score())
        for members in group_indices(gold)
    ]
    return Evaluation(scores, f1_interval(units), tuple(sorted(found - set(labels))))


def as_documents(texts: Texts) -> Iterator[Document]:
    """Documents of a file, of strings, or of documents."""
    if isinstance(texts, str | Path):
        yield from read(texts)
        return
    for text in texts:
        yield text if isinstance(text, Document) else Document(text)

"""The verbs as plain functions; the command line is a thin layer over them.

What needs torch is imported where it is used, so an exported model answers without it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from convener.dictionary import Gazetteer, Labeller
from convener.evaluation.calibration import (
    calibration_error,
    fitted_temperature,
    outcomes,
    tempered,
)
from convener.evaluation.report import Matrix, mistakes, render
from convener.evaluation.result import Evaluation, evaluation
from convener.evaluation.scores import score
from convener.inference import hub
from convener.inference.beside import joined
from convener.inference.card import Card, installed_versions
from convener.inference.recogniser import Recogniser
from convener.text.documents import Document, group_indices
from convener.text.formats import read
from convener.training.progress import Listener

if TYPE_CHECKING:
    from convener.recipes.distill import DistillConfig
    from convener.recipes.run_config import RunConfig

Texts = str | Path | Iterable[str] | Iterable[Document]
Names = Gazetteer | str | Path


def label(
    texts: Texts, gazetteer: Names, abstain: bool = False, nested: bool = False
) -> Iterator[Document]:
    """Documents labelled by a dictionary, one at a time.

    `texts` is a file in any format that `convener.text.formats.read` knows, or an iterable of
    strings or documents, `gazetteer` may be the file of a dictionary too. With `abstain`, unlisted
    words that look like names are left out of training instead of being taken for ordinary words;
    with `nested`, names inside names are labelled too, for readers.
    """
    return Labeller(Gazetteer.of(gazetteer), abstain, nested).label(as_documents(texts))


def train(
    documents: Texts,
    *,
    dev: Texts | None = None,
    experts: int | None = None,
    seed: int | None = None,
    config: "RunConfig | Mapping[str, object] | None" = None,
    listener: Listener | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    workers: int = 1,
    names: Names | None = None,
) -> Recogniser:
    """A panel trained by BOND-MoE on distantly labelled documents.

    `experts` and `seed` override those of `config`, which may be plain data. `dev` holds gold
    labels and is used only to choose among states of the run. So many `workers`, processes of their
    own, train experts at a time; a script that asks for several needs the guard
    `if __name__ == "__main__":`. With a `checkpoint` folder the run can be stopped and, with
    `resume`, taken up again, but for that of a language model. `names`, a dictionary or its file,
    are for copies of the documents, if `config` has `exchanges`. The method is that of
    `convener.recipes.bond`, for a language model that of `convener.recipes.instruct`.

    Raises:
        ConfigError: settings that do not fit the data.
        DataError: no labels, or labels that cannot be learnt.
    """
    from convener.recipes.checks import check_plain
    from convener.recipes.instruct import Instructed, instruct
    from convener.recipes.portrait import page
    from convener.recipes.run import Trained, train_panel
    from convener.recipes.run_config import override, parse_config

    wanted = {"bond.experts": experts, "seed": seed}
    config = parse_config({} if config is None else config)
    config = override(config, {k: v for k, v in wanted.items() if v is not None})
    training = list(as_documents(documents))
    gold = list(as_documents(dev)) if dev is not None else None
    folder = Path(checkpoint) if checkpoint is not None else None
    made: Instructed | Trained
    if config.model == "generator":
        check_plain(config, resume)
        made = instruct(training, config, gold, listener)
        config = config.model_copy(update={"generator": made.panel.experts[0].config})
        found, left_out, told = made.found, 0, None
    else:
        listed = None if names is None else Gazetteer.of(names)
        made = train_panel(
            training, config, gold, listener, folder, resume, workers=workers, names=listed
        )
        found, left_out = made.panel.annotate(gold or []), sum(made.doubts.left_out.values())
        told = page(made, training, gold or [], found)
    card = Card(
        encoder=config.pretrained,
        documents=len(training),
        groups=len(group_indices(training)),
        data_sha256=made.data_sha256,
        dev_f1=made.dev_f1,
        types=_counted(entity.label for d in training for entity in d.entities),
        sources=_counted(entity.source or "the data" for d in training for entity in d.entities),
        left_out=left_out,
        versions=installed_versions(),
        run=config.model_dump(mode="json"),
        history=made.history,
    )
    card = card.model_copy(update=_on_dev(gold, found, made.panel.labels))
    return Recogniser(made.panel, card, told)


def distill(
    panel: Recogniser | str | Path,
    texts: Texts,
    *,
    dev: Texts | None = None,
    config: "DistillConfig | Mapping[str, object] | None" = None,
    listener: Listener | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> Recogniser:
    """One model that answers as a panel does, at the cost of one of its experts.

    It learns from all of `texts`, whose labels are not read. See `convener.recipes.distill`, whose
    settings `config` may name as plain data.

    Raises:
        ConfigError: the panel is merged, or settings that do not fit.
        DataError: no text.
    """
    teacher = panel if isinstance(panel, Recogniser) else load(panel)
    from convener.recipes.distill import DistillConfig
    from convener.recipes.distill import distill as distill_panel
    from convener.recipes.settings import parsed

    config = parsed(DistillConfig, {} if config is None else config)
    documents = list(as_documents(texts))
    gold = list(as_documents(dev)) if dev is not None else None
    folder = Path(checkpoint) if checkpoint is not None else None
    made = distill_panel(teacher.panel, documents, config, gold, listener, folder, resume)
    card = teacher.card.model_copy(
        update={
            "distilled": {
                "experts": len(teacher.panel.experts),
                "documents": len(documents),
                "data_sha256": made.data_sha256,
                "settings": config.model_dump(mode="json"),
                "history": made.history,
            },
            "dev_f1": made.dev_f1,
            "versions": installed_versions(),
        }
        | _on_dev(gold, made.panel.annotate(gold or []), made.panel.labels)
    )
    return Recogniser(made.panel, card)


def export(model: Recogniser | str | Path, folder: str | Path, *, int8: bool = False) -> None:
    """Write a model as one ONNX graph, which `load` brings back and runs without torch.

    With `int8` the weights of products are rounded to whole numbers.

    Raises:
        ConfigError: the extra `onnx` is not installed, or the model was exported before.
        ModelError: the folder has other things in it, or the encoder's tokenizer can't be exported.
    """
    from convener.inference.export import export_panel

    recogniser = model if isinstance(model, Recogniser) else load(model)
    export_panel(recogniser.panel, recogniser.card, folder, int8)


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _on_dev(
    gold: Sequence[Document] | None, found: Sequence[Document], labels: Sequence[str]
) -> dict[str, object]:
    """What dev documents tell for a card: the interval of F1, the temperature, what it mends.

    Without any the temperature is left as it is.
    """
    if not gold:
        return {"dev_interval": None, "calibration_error": None}
    low, high = evaluation(gold, found, labels).interval
    rated = outcomes(gold, found)
    temperature = fitted_temperature(*rated)
    changed = [tempered(document, temperature) for document in found]
    before, after = calibration_error(*rated), calibration_error(*outcomes(gold, changed))
    errors = None if before is None or after is None else (round(before, 4), round(after, 4))
    interval = (round(100 * low, 2), round(100 * high, 2))
    return {"dev_interval": interval, "temperature": temperature, "calibration_error": errors}


def load(model: str | Path, device: str | None = None) -> Recogniser:
    """The model in a folder that `save_pretrained` or `convener train` wrote, or on the hub.

    A name such as "user/model", of which there is no folder, is fetched from the Hugging Face hub.
    `device` is such as "cpu" or "cuda:1"; left open, it is the accelerator if there is one.

    Raises:
        ModelError: there is no such model, or it is damaged.
    """
    return Recogniser.from_folder(hub.local(model), device)


def evaluate(
    model: Recogniser | str | Path, data: Texts, dictionary: Names | None = None
) -> Evaluation:
    """Score a model on documents with gold labels.

    With a dictionary or its file, recall is also given apart for names that it lists and that it
    does not, and the scores of the dictionary by itself and at the model's side.

    Raises:
        DataError: there is no gold entity to find.
    """
    *_, result = _evaluated(model, data, dictionary)
    return result


def report(
    model: Recogniser | str | Path, data: Texts, dictionary: Names | None = None
) -> tuple[Evaluation, str]:
    """As `evaluate`, and a page about it in HTML: scores, mistakes, which type looks at which.

    Raises:
        DataError: there is no gold entity to find.
    """
    recogniser, gold, found, result = _evaluated(model, data, dictionary)
    looks = recogniser.attention_between_types(gold)
    matrix = None
    if looks is not None:
        note = "Mean attention over all words: how much the row's type reads of the column's."
        matrix = Matrix("Attention between types", recogniser.panel.labels, looks, note)
    title = f"{len(gold)} documents, {len(recogniser.labels)} types"
    if result.calibration_error is not None:
        title += f", calibration error {result.calibration_error:.3f}"
    if result.beside is not None:
        title += f", F1 {100 * result.beside.f1:.2f} with the dictionary at its side"
    page = render(title, result.scores, result.interval, mistakes(gold, found), matrix)
    return result, page


def _evaluated(
    model: Recogniser | str | Path, data: Texts, dictionary: Names | None
) -> tuple[Recogniser, list[Document], list[Document], Evaluation]:
    """The model, the gold documents, what it finds in them, and how good that is."""
    recogniser = model if isinstance(model, Recogniser) else load(model)
    gold, before = list(as_documents(data)), recogniser.malformed
    found = list(recogniser.annotate(gold))
    names = None if dictionary is None else Gazetteer.of(dictionary)
    result = evaluation(gold, found, recogniser.labels, names)
    result = replace(result, malformed=recogniser.malformed - before)
    if names is not None:
        alone = [joined(document.relabelled(()), names, recogniser.flat) for document in gold]
        both = [joined(document, names, recogniser.flat) for document in found]
        listed, beside = score(gold, alone).exact, score(gold, both).exact
        result = replace(result, listed=listed, beside=beside)
    return recogniser, gold, found, result


def as_documents(texts: Texts) -> Iterator[Document]:
    """Documents of a file, of strings, or of documents."""
    if isinstance(texts, str | Path):
        yield from read(texts)
        return
    for text in texts:
        yield text if isinstance(text, Document) else Document(text)

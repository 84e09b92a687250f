"""Libraries of experts as plain functions: train one for a library, adapt a library to a domain."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from convener.api import Texts, as_documents
from convener.dictionary import Gazetteer
from convener.errors import ConfigError, ConvenerError
from convener.inference.card import Card, installed_versions
from convener.inference.memory import Memory
from convener.inference.recogniser import Recogniser
from convener.inference.shelf import OF_EXPERTS, Library, empty
from convener.models.adapter import Adapter
from convener.models.encoders import placed
from convener.models.lora import LoraSettings, changes, inject
from convener.models.questions import questions_for
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.models.sentences import domain
from convener.panel.library import ExpertCard, check_name
from convener.panel.selection import Vector, sampled
from convener.recipes.adapt import AdaptConfig, Adapted, adapt
from convener.recipes.checks import check_gold, check_labelled, check_plain
from convener.recipes.instruct import Instructed, instruct
from convener.recipes.multitask import settled
from convener.recipes.run import Trained, fingerprint, train_panel
from convener.recipes.run_config import SUPERVISED, RunConfig, override, parse_config
from convener.text.documents import Document, group_indices, labels_of
from convener.training.progress import Listener


def train_expert(
    documents: Texts,
    name: str,
    library: str | Path,
    *,
    dev: Texts | None = None,
    config: RunConfig | Mapping[str, object] | None = None,
    lora: LoraSettings | None = None,
    base: Recogniser | str | Path | None = None,
    licence: str = "unknown",
    source: str = "",
    listener: Listener | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    names: Gazetteer | None = None,
) -> ExpertCard:
    """Train a LoRA expert of a library's base on labelled documents, and put it in the library.

    A library that is not there yet is made: with `base`, a reader whose heads are shared by all
    types, or with one drawn from the seed; or, if the configuration has the model "generator", with
    its language model, the base of all experts to come. Left open, `config` is plain training of a
    reader on labels that a person made; one for distant labels, which may be plain data, trains by
    BOND. `lora` is for readers. With a `checkpoint` folder a reader's training can be stopped and
    taken up again. `names` are those of a dictionary, for copies if `config` has `exchanges`.

    Raises:
        ConfigError: settings that do not fit the data or the library, a base for a library that has
            one, or a name that is taken or that no folder can have.
        DataError: no labels.
        ModelError: the library is damaged.
    """
    check_name(name)
    config = SUPERVISED if config is None else parse_config(config)
    if config.bond.experts != 1:
        raise ConfigError(
            f"expected one expert to put in the library, got a panel of {config.bond.experts}: "
            "train them one by one, each with a name of its own"
        )
    if config.model == "tagger":
        config = override(config, {"model": "reader"})
    if config.model == "generator":
        check_plain(config, resume)
    training = list(as_documents(documents))
    gold = list(as_documents(dev)) if dev is not None else None
    check_labelled(training)
    labels = config.labels or labels_of(training)
    check_gold(gold, labels)
    folder = Path(library)
    questions = questions_for(labels, config.reader.questions)
    settings = settled(training, list(questions), config.reader, config.words == "mixed")
    kept = Path(checkpoint) if checkpoint is not None else None
    made: Instructed | Trained
    learnt: Adapter
    with _gone_if_refused(folder):
        shelf = _opened(folder, config, base)
        if name in shelf.names:
            raise ConfigError(
                f"{folder} has an expert {name!r} already: remove it or choose a name"
            )
        if config.model == "generator":
            generator = shelf.generator(tuple(questions), config.language_model)
            config = config.model_copy(update={"generator": generator.config})
            made = instruct(training, config, gold, listener, generator)
            learnt = generator.changes()
        else:
            begun = shelf.reader(questions, settings)
            _check_reader(config.reader, begun.config, folder)
            config = config.model_copy(update={"reader": begun.config})
            given = training, config, gold, listener, kept, resume
            teach = partial(train_panel, *given, names=names)
            made, learnt = _changed(begun, teach, lora or LoraSettings(), config.seed)
    mean, spread, sentences = domain([document.text for document in training], config.seed)
    card = ExpertCard(
        name=name,
        base=shelf.config.base,
        types=questions,
        width=settings.width or 1,
        nested=bool(settings.nested),
        embedding=tuple(mean.tolist()),
        spread=spread,
        sentences=sentences,
        documents=len(training),
        dev_f1=made.dev_f1,
        licence=licence,
        source=source,
        data_sha256=made.data_sha256,
        versions=installed_versions(),
        run=config.model_dump(mode="json"),
    )
    shelf.put(card, learnt)
    return card


def _changed(
    before: Reader, teach: Callable[..., Trained], lora: LoraSettings, seed: int
) -> tuple[Trained, Adapter]:
    """A reader trained with LoRA, and how it differs from the one before."""
    student = before.clone()
    inject(student, lora, seed)
    made = teach(expert=student, origin={"lora": lora.model_dump(mode="json")})
    reader = made.panel.experts[0].to("cpu")
    assert isinstance(reader, Reader)
    return made, changes(reader, before)


@contextmanager
def _gone_if_refused(folder: Path) -> Iterator[None]:
    """Leaves no library behind that was made for an expert which could not be trained."""
    new = not folder.exists() or empty(folder)
    try:
        yield
    except ConvenerError:
        if new and not any(path.is_dir() for path in folder.glob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _check_reader(given: ReaderConfig, own: ReaderConfig, folder: Path) -> None:
    """Raise ConfigError if settings were chosen that are not those of a library's readers."""
    given = given.model_copy(update={"encoder": placed(given.encoder)})
    usual = ReaderConfig().model_dump(exclude={"questions", *OF_EXPERTS})
    for name, value in usual.items():
        asked, there = getattr(given, name), getattr(own, name)
        if asked not in (value, there):
            raise ConfigError(
                f"the experts of {folder} have reader.{name}={there}, got {asked}: leave it out, "
                "or make another library"
            )


def _opened(folder: Path, config: RunConfig, base: Recogniser | str | Path | None) -> Library:
    if folder.exists() and not empty(folder):
        if base is not None:
            raise ConfigError(f"{folder} has a base already: leave the base out")
        return Library.open(folder)
    if config.model == "generator":
        if base is not None:
            raise ConfigError("a library of language models has none but --encoder as its base")
        return Library.of_language_model(folder, config.generator)
    trained = None
    if base is not None:
        model = base if isinstance(base, Recogniser) else Recogniser.from_folder(base, "cpu")
        reader = model.panel.experts[0]
        if not isinstance(reader, Reader) or len(model.panel.experts) > 1:
            raise ConfigError(
                f"expected one reader as the base, got {len(model.panel.experts)} of kind "
                f"{type(reader).__name__.lower()}: train one with --model reader --experts 1"
            )
        trained = reader.to("cpu")
    return Library.create(folder, config.reader, config.seed, trained)


@dataclass(frozen=True, slots=True)
class Adaptation:
    """A model for a target, what its experts were chosen by, and the sentences they were asked.

    `places` of the experts and of the `target` are in the plane of their embeddings' main axes.
    """

    model: Recogniser
    adapted: Adapted
    sample: list[Document]
    places: dict[str, tuple[float, float]]
    target: tuple[float, float]


def adapt_library(
    library: str | Path,
    texts: Texts,
    types: list[str] | Mapping[str, str],
    *,
    config: AdaptConfig | None = None,
    gold: Texts | None = None,
    listener: Listener | None = None,
) -> Adaptation:
    """The best model for a new domain that a library's experts make without training (SaM).

    `types` are the target's entity types, or their questions by type; `gold` is a small labelled
    sample, which replaces the vote of the experts.

    Raises:
        ConfigError: an empty library, or settings that do not fit.
        DataError: no text.
    """
    config = config or AdaptConfig()
    shelf = Library.open(library)
    cards = shelf.cards()
    target = list(as_documents(texts))
    questions = dict(types) if isinstance(types, Mapping) else questions_for(types)
    labelled = list(as_documents(gold)) if gold is not None else None
    check_gold(labelled, list(questions), "the labelled sample")
    texts_of = [document.text for document in target]
    memory = Memory(shelf)
    vector = memory.vector(
        f"{config.seed} {fingerprint(target)}", lambda: domain(texts_of, config.seed)[0]
    )
    sample = labelled or [
        target[index] for index in sampled(len(target), config.sentences, config.seed)
    ]
    settings = shelf.settings(cards.values())
    asked = hashlib.sha256(
        f"{json.dumps(questions)} {settings.model_dump_json()} {fingerprint(sample)}".encode()
    ).hexdigest()
    adapted = adapt(
        shelf.family(questions, settings),
        questions,
        cards,
        shelf.adapter,
        vector,
        [replace(document, entities=()) for document in sample],
        config,
        labelled,
        partial(memory.answers, asked),
        listener,
    )
    card = Card(
        encoder=shelf.config.pretrained,
        documents=len(target),
        groups=len(group_indices(target)),
        data_sha256=fingerprint(target),
        dev_f1=None,
        versions=installed_versions(),
        run={
            "adapt": config.model_dump(mode="json"),
            "experts": {name: card.licence for name, card in cards.items()},
            "chosen": {kind: list(names) for kind, names in adapted.chosen.items()},
            "rankings": {
                kind: [[r.name, round(r.score, 4), round(r.spread, 4)] for r in ranking]
                for kind, ranking in adapted.rankings.items()
            },
        },
        history=[],
    )
    *points, here = in_plane([*(card.vector for card in cards.values()), vector])
    places = dict(zip(cards, points, strict=True))
    return Adaptation(Recogniser(adapted.panel, card), adapted, sample, places, here)


def in_plane(vectors: Sequence[Vector]) -> list[tuple[float, float]]:
    """Points of the plane in which the vectors differ most (principal components)."""
    matrix = np.stack(vectors).astype(np.float64)
    _, _, axes = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    points = (matrix - matrix.mean(axis=0)) @ axes[:2].T
    padded = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    return [(float(x), float(y)) for x, y in padded]

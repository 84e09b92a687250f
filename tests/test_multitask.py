"""Multi-NER end to end: settings read off the documents, training, panels of readers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from convener import Document, Entity, Recogniser, evaluate, load, train
from convener.errors import ConfigError
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.models.span_layout import SpanLayout
from convener.recipes import multitask
from convener.recipes.multitask import (
    attention_between_types,
    balanced,
    longest_entity,
    reader_for,
)
from convener.recipes.run import make_expert
from convener.recipes.run_config import RunConfig, override, parse_config
from convener.training.progress import Log
from tests.conftest import DRUGS, PLACES

MakeReader = Callable[..., Reader]
Spans = list[set[tuple[tuple[int, int], str]]]

QUESTIONS = {"DRUG": "she took a tea ?", "FAC": "the clinic ?", "LOC": "in ?"}


@pytest.fixture(scope="module")
def nested(texts: list[str]) -> list[Document]:
    """The toy sentences, in which clinics hold the places that they are named after."""
    names = (
        [(drug, "DRUG") for drug in DRUGS]
        + [(place, "LOC") for place in PLACES]
        + [(f"clinic of {place}", "FAC") for place in PLACES]
    )
    return [
        Document(
            text,
            tuple(
                Entity(text.index(name), text.index(name) + len(name), label)
                for name, label in names
                if name in text
            ),
        )
        for text in texts
    ]


@pytest.fixture(scope="module")
def reader_config(tiny_encoder: Path) -> Callable[..., RunConfig]:
    """A configuration that trains one tiny reader in seconds."""

    def make(changes: Mapping[str, object] | None = None, **reader: object) -> RunConfig:
        made = {"encoder": str(tiny_encoder), "train_embeddings": True, "questions": QUESTIONS}
        config = parse_config(
            {
                "model": "reader",
                "abstain": "never",
                "reader": made | reader,
                "optimiser": {"learning_rate": 3e-3, "head_learning_rate": 1e-2},
                "bond": {
                    "experts": 1,
                    "self_training": False,
                    "warmup_rounds": 4,
                    "round_steps": 20,
                },
            }
        )
        return override(config, changes or {})

    return make


@pytest.fixture(scope="module")
def model(nested: list[Document], reader_config: Callable[..., RunConfig]) -> Recogniser:
    """A reader that has learnt the toy sentences."""
    return train(nested, config=reader_config())


def found(documents: Sequence[Document]) -> Spans:
    return [{(e.span, e.label) for e in document.entities} for document in documents]


def same(left: Recogniser, right: Recogniser) -> bool:
    """Whether two models have equal parameters."""
    pairs = zip(left.panel.experts, right.panel.experts, strict=True)
    return all(
        torch.equal(a, b)
        for one, other in pairs
        for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


def test_the_width_is_that_of_the_longest_entity(nested: list[Document]) -> None:
    assert longest_entity(nested) == 4
    assert longest_entity([]) == longest_entity([Document("tea")]) == 1
    long = "tea " * 100
    assert longest_entity([Document(long, (Entity(0, 400, "LOC"),))]) == 64


def test_entities_are_found_on_raw_text_where_words_are_mixed(tiny_encoder: Path) -> None:
    day = Document("on 1996-08-28", (Entity(3, 13, "DATE"),), tokens=((0, 2), (3, 13)))
    config = ReaderConfig(encoder=str(tiny_encoder), questions={"DATE": "Which day?"})
    run = RunConfig(model="reader", reader=config)
    for words, width in (("given", 1), ("mixed", len(Document(day.text).words()) - 1)):
        expert = make_expert([day], ["DATE"], run.model_copy(update={"words": words}))
        assert isinstance(expert.layout, SpanLayout)
        assert expert.layout.width == width


def test_open_settings_are_read_off_the_documents(
    nested: list[Document], tiny_encoder: Path
) -> None:
    config = ReaderConfig(encoder=str(tiny_encoder), questions=QUESTIONS, balance=0.5)
    labels = tuple(QUESTIONS)
    made = reader_for(nested, labels, config, seed=0).config
    assert (made.width, made.nested) == (4, True)
    assert made.type_weights == balanced(nested, labels, 0.5)
    flat = [replace(d, entities=tuple(e for e in d.entities if e.label != "FAC")) for d in nested]
    made = reader_for(flat, labels, config, seed=0).config
    assert (made.width, made.nested) == (2, False)
    fixed = config.model_copy(update={"width": 7, "nested": False, "balance": 0.0})
    made = reader_for(nested, labels, fixed, seed=0).config
    assert (made.width, made.nested, made.type_weights) == (7, False, None)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_balance_weighs_entities_by_one_on_average(nested: list[Document], power: float) -> None:
    labels = ("DRUG", "FAC", "LOC", "RARE")
    counts = {x: sum(e.label == x for d in nested for e in d.entities) for x in labels}
    weights = dict(zip(labels, balanced(nested, labels, power), strict=True))
    mean = sum(weights[x] * counts[x] for x in labels) / sum(counts.values())
    assert mean == pytest.approx(1)
    assert weights["FAC"] / weights["DRUG"] == pytest.approx(
        (counts["DRUG"] / counts["FAC"]) ** power
    )
    assert counts["DRUG"] > counts["FAC"]
    assert weights["RARE"] == min(weights.values())
    if not power:
        assert set(weights.values()) == {1.0}
    assert balanced([], labels, power) == (1.0,) * 4


def test_no_type_weighs_so_much_that_others_learn_nothing() -> None:
    often = Document("Rome " * 5000, tuple(Entity(i, i + 4, "LOC") for i in range(0, 25000, 5)))
    once = Document("tea", (Entity(0, 3, "DRUG"),))
    for power in (0.5, 1.0):
        drug, place, none = balanced([often, once], ("DRUG", "LOC", "NONE"), power)
        assert drug == pytest.approx(10 * place)
        assert none == place


@pytest.mark.parametrize(
    "setting",
    [
        {"balance": 1.5},
        {"balance": float("nan")},
        {"type_weights": (0.0, 0.0)},
        {"type_weights": (-1.0, 1.0)},
        {"type_weights": (float("inf"), 1.0)},
    ],
)
def test_weights_that_teach_nothing_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"reader\.(balance|type_weights)"):
        parse_config({"model": "reader", "reader": setting})


@pytest.mark.parametrize("scope", ["types", "positions"])
def test_attention_between_types(
    reader: MakeReader, nested: list[Document], monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    expert = reader(tuple(QUESTIONS), attention=scope)
    with torch.no_grad():
        for parameter in expert.parameters():
            parameter += 0.3 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())
            )
    documents = [*nested[:8], Document(""), Document("Rome " * 150)]
    together = np.array(attention_between_types(expert, documents))
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-5)
    assert together.std() > 0.01
    monkeypatch.setattr(multitask, "BATCH_PIECES", 1)
    np.testing.assert_allclose(attention_between_types(expert, documents), together, atol=1e-5)


def test_no_attention_to_look_at(reader: MakeReader, nested: list[Document]) -> None:
    with pytest.raises(ConfigError, match="no attention between types"):
        attention_between_types(reader(attention="none"), nested)


def test_it_learns_nested_entities(model: Recogniser, nested: list[Document]) -> None:
    assert evaluate(model, nested).scores.exact.f1 > 0.9
    (answer,) = model.predict(["The clinic of Rome is closed ."])
    assert [(e.start, e.end, e.label) for e in answer] == [(4, 18, "FAC"), (14, 18, "LOC")]


@pytest.mark.parametrize(
    "settings",
    [
        {"shared_layers": 1},
        {"attention": "positions", "heads": "shared"},
        {"attention": "none", "negatives": 1, "balance": 0.5},
    ],
)
def test_every_kind_of_reader_learns(
    nested: list[Document], reader_config: Callable[..., RunConfig], settings: dict[str, object]
) -> None:
    trained = train(nested, config=reader_config(**settings))
    assert evaluate(trained, nested).scores.exact.f1 > 0.9


def test_flat_entities_give_a_flat_reader(
    labelled: list[Document], reader_config: Callable[..., RunConfig]
) -> None:
    trained = train(labelled, config=reader_config())
    (expert,) = trained.panel.experts
    assert isinstance(expert, Reader)
    assert not expert.config.nested
    assert evaluate(trained, labelled).scores.exact.f1 > 0.9


def test_save_and_load_is_the_identity(model: Recogniser, texts: list[str], tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.card == model.card
    assert model.predict(texts) == again.predict(texts)
    assert any(model.predict(texts))
    again.save_pretrained(tmp_path / "twice")
    for path in (tmp_path / "model").rglob("*"):
        if path.is_file():
            copy = tmp_path / "twice" / path.relative_to(tmp_path / "model")
            assert copy.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("settings", [{}, {"shared_layers": 1, "negatives": 1}])
def test_a_run_repeats(
    nested: list[Document], reader_config: Callable[..., RunConfig], settings: dict[str, object]
) -> None:
    short = {"bond.warmup_rounds": 1, "bond.round_steps": 6}
    config = reader_config(short, **settings)
    first = train(nested, config=config)
    assert same(first, train(nested, config=parse_config(first.card.run)))
    assert not same(first, train(nested, config=config, seed=1))


class Stages(Log):
    """Keeps the figures of each round."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, object]] = []

    def round(self, record: Mapping[str, object]) -> None:
        self.records.append(record)


@pytest.mark.parametrize("settings", [{}, {"shared_layers": 1}])
def test_a_panel_of_readers_goes_through_all_stages(
    nested: list[Document],
    reader_config: Callable[..., RunConfig],
    tmp_path: Path,
    settings: dict[str, object],
) -> None:
    panel = {
        "bond.experts": 2,
        "bond.self_training": True,
        "bond.warmup_rounds": 4,
        "bond.expert_rounds": 1,
        "bond.self_rounds": 2,
        "bond.reweight": 1.0,
    }
    listener = Stages()
    config = reader_config(panel, **settings)
    trained = train(nested, dev=nested, config=config, listener=listener)
    stages = [record["stage"] for record in listener.records]
    assert stages == ["warm-up"] * 4 + ["experts"] + ["self-training"] * 2
    assert float(str(listener.records[-1]["dev_f1"])) > 85
    clinics = [d for d in nested if "clinic" in d.text]
    pairs = zip(found(clinics), found(list(trained.annotate(clinics))), strict=True)
    assert sum(gold <= answer for gold, answer in pairs) >= 4
    trained.save_pretrained(tmp_path / "model")
    texts = [document.text for document in nested]
    assert load(tmp_path / "model").predict(texts) == trained.predict(texts)


def test_a_trained_reader_answers_other_questions(
    nested: list[Document], reader_config: Callable[..., RunConfig]
) -> None:
    trained = train(nested, config=reader_config(heads="shared"))
    same_questions = trained.ask(QUESTIONS)
    assert found(list(same_questions.annotate(nested))) == found(list(trained.annotate(nested)))
    renamed = trained.ask({"PLACE": QUESTIONS["LOC"]})
    assert renamed.labels == ("PLACE",)
    assert any(e.label == "PLACE" for d in renamed.annotate(nested) for e in d.entities)

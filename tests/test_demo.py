"""The bundled corpus is what it says, and the whole job works on it."""

import re
from collections.abc import Callable

import pytest

from convener import label, train
from convener.demo import DemoData, load_data
from convener.demo.compare import compare
from convener.evaluation.result import evaluation
from convener.recipes.run_config import RunConfig, override
from convener.training.progress import Log

TRAPS = ("Jordan", "Washington", "May", "Amazon", "Apple")


@pytest.fixture(scope="module")
def data() -> DemoData:
    """The bundled corpus."""
    return load_data()


def test_there_is_enough_of_it(data: DemoData) -> None:
    assert len(data.texts) >= 400
    assert len(data.test) >= 150
    assert not any(document.entities for document in data.texts)
    assert sum(not document.entities for document in data.test) > 10


def test_no_sentence_stands_twice(data: DemoData) -> None:
    sentences = [document.text for document in (*data.texts, *data.test)]
    assert len(set(sentences)) == len(sentences)


def test_no_sentence_is_another_with_a_name_swapped(data: DemoData) -> None:
    frames = [re.sub(r"\b[A-Z]\w*\b", "", document.text) for document in (*data.texts, *data.test)]
    long = [frame for frame in frames if len(frame.split()) > 4]
    assert len(set(long)) == len(long)


def test_gold_labels_are_clean(data: DemoData) -> None:
    for document in data.test:
        for entity in document.entities:
            surface = document.surface(entity)
            assert surface == surface.strip()
            assert entity.label in {"PER", "ORG", "LOC", "PRODUCT"}
            assert entity.span[0] in {start for start, _ in document.words()}
            assert entity.span[1] in {end for _, end in document.words()}


def test_the_dictionary_knows_about_half_of_the_names(data: DemoData) -> None:
    names = {document.surface(e) for document in data.test for e in document.entities}
    known = sum(name in data.gazetteer for name in names)
    assert 0.4 < known / len(names) < 0.6


def test_the_traps_are_set(data: DemoData) -> None:
    corpus = [document.text for document in data.texts]
    for trap in TRAPS:
        assert trap in data.gazetteer
        assert sum(trap in text.split() for text in corpus) >= 2


def test_a_dictionary_and_raw_text_become_a_better_model(data: DemoData) -> None:
    distant = list(label((d.text for d in data.texts), data.gazetteer))
    short = {"bond.warmup_rounds": 2, "bond.expert_rounds": 1, "bond.self_training": False}
    model = train(distant, experts=1, config=override(RunConfig(), short))
    labels = data.gazetteer.labels
    before = list(label((d.text for d in data.test), data.gazetteer))
    dictionary = evaluation(data.test, before, labels, data.gazetteer)
    learnt = evaluation(data.test, list(model.annotate(data.test)), labels, data.gazetteer)
    assert learnt.scores.exact.f1 > dictionary.scores.exact.f1 + 0.08
    assert learnt.scores.unseen is not None
    assert learnt.scores.unseen.recall > 0.5


def test_the_four_methods_are_compared(
    data: DemoData, run_config: Callable[..., RunConfig]
) -> None:
    small = DemoData(data.texts[:40], data.gazetteer, data.test[:20])
    told: list[str] = []
    config = run_config(experts=2, round_steps=1, self_rounds=1)
    default = compare(small, Log(), lambda name, _: told.append(name), config)
    assert told == ["dictionary", "stage1", "bond", "bond-moe"]
    assert len(default.panel.experts) == 1

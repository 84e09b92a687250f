"""The training loop does what its settings say: rates by step and by part, decay, averages."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from convener.models.tag_layout import TaggerConfig
from convener.models.tagger import Tagger
from convener.panel.panel import log_beliefs
from convener.text.documents import Document
from convener.training.corpus import Corpus
from convener.training.loop import Learner, follow, parameter_groups
from convener.training.optimiser_config import OptimiserConfig


@pytest.fixture
def tagger(tiny_encoder: Path) -> Callable[[int], Tagger]:
    """Makes an untrained tagger of the toy sentences."""
    config = TaggerConfig(encoder=str(tiny_encoder))
    return lambda seed: Tagger.create(("DRUG", "LOC"), config, seed)


def learnt(expert: Tagger, documents: list[Document], config: OptimiserConfig) -> list[list[float]]:
    """The rates of each of ten steps, by group of parameters."""
    corpus, rates = Corpus(documents, expert), list[list[float]]()
    learner = Learner(expert, "stage", config, 10, Accelerator())

    def note() -> None:
        rates.append([group["lr"] for group in learner.optimiser.param_groups])

    learner.train(corpus.examples, corpus.distant_objective(), 10, 0, note)
    return rates


def test_rates_rise_and_fall_as_the_stage_goes_on(
    tagger: Callable[[int], Tagger], labelled: list[Document]
) -> None:
    config = OptimiserConfig(learning_rate=1e-4, head_learning_rate=1e-3, warmup=0.2)
    by_group = list(zip(*learnt(tagger(0), labelled, config), strict=True))
    for rates in by_group:
        peak = rates.index(max(rates))
        assert 0 < peak < 3
        assert list(rates[: peak + 1]) == sorted(rates[: peak + 1])
        assert list(rates[peak:]) == sorted(rates[peak:], reverse=True)
        assert rates[-1] < 0.3 * max(rates)
    highest = {round(max(rates), 6) for rates in by_group}
    assert max(highest) == pytest.approx(10 * min(highest))


def test_what_is_new_learns_faster_and_vectors_do_not_decay(
    tagger: Callable[[int], Tagger],
) -> None:
    expert = tagger(0)
    config = OptimiserConfig(learning_rate=1e-4, head_learning_rate=1e-3, weight_decay=0.5)
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in parameter_groups(expert, config)
        for parameter in group["params"]  # type: ignore[attr-defined]
    }
    new = {id(parameter) for parameter in expert.new_parameters()}
    learning = [parameter for parameter in expert.parameters() if parameter.requires_grad]
    assert found == {
        id(p): (1e-3 if id(p) in new else 1e-4, 0.5 if p.ndim > 1 else 0.0) for p in learning
    }
    assert {p.ndim > 1 for p in learning} == {id(p) in new for p in learning} == {True, False}


def test_an_average_follows_slowly(tagger: Callable[[int], Tagger]) -> None:
    average, expert = tagger(0), tagger(1)
    before = {name: values.clone() for name, values in average.learned_state().items()}
    follow(average, expert, 0.9)
    for name, values in average.learned_state().items():
        expected = 0.9 * before[name] + 0.1 * expert.learned_state()[name]
        torch.testing.assert_close(values, expected)


def test_bf16_computes_otherwise(tagger: Callable[[int], Tagger], labelled: list[Document]) -> None:
    wide, narrow = tagger(0), tagger(0)
    learnt(wide, labelled, OptimiserConfig())
    learnt(narrow, labelled, OptimiserConfig(precision="bf16"))
    pairs = zip(wide.learned_state().values(), narrow.learned_state().values(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)


def test_dropout_is_on_in_training_alone(
    tagger: Callable[[int], Tagger], labelled: list[Document]
) -> None:
    """Only the draws of dropout differ: the whole corpus is one batch, in one order or another."""
    wide = OptimiserConfig(batch_sentences=1000, batch_pieces=10**6, learning_rate=1e-3)
    losses = []
    for seed in (0, 0, 1):
        expert = tagger(0)
        corpus = Corpus(labelled, expert)
        learner = Learner(expert, "stage", wide, 10, Accelerator())
        objective = corpus.distant_objective()
        losses.append(learner.train(corpus.examples, objective, 1, seed, lambda: None))
        answers = [log_beliefs(expert, corpus.examples, len(labelled)) for _ in range(2)]
        assert all(map(np.array_equal, *answers))
    assert losses[0] == losses[1]
    assert losses[0] != pytest.approx(losses[2], rel=1e-5)


def test_gradients_are_clipped(tagger: Callable[[int], Tagger], labelled: list[Document]) -> None:
    """A gradient far below what the optimiser adds to its divisor moves next to nothing."""

    def moved(clip: float) -> float:
        expert = tagger(0)
        before = expert.head.weight.detach().clone()
        learnt(expert, labelled, OptimiserConfig(clip=clip, weight_decay=0.0))
        return float((expert.head.weight.detach() - before).abs().max())

    assert moved(1e-12) < 1e-3 * moved(1.0)

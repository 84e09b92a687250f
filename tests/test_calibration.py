"""Laws of calibrated scores: order and entities stay, and scores come nearer to the truth."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convener import Document, Entity, Recogniser, load, train
from convener.evaluation.calibration import (
    calibration_error,
    fitted_temperature,
    outcomes,
    tempered,
)
from convener.recipes.run_config import RunConfig

probabilities = st.floats(0, 1)
temperatures = st.floats(0.1, 10)


def document(*scores: float) -> Document:
    entities = tuple(Entity(i, i + 1, "X", score=score) for i, score in enumerate(scores))
    return Document("x" * len(scores), entities)


@given(st.lists(probabilities, min_size=2, max_size=8), temperatures)
def test_a_temperature_keeps_entities_and_their_order(scores: list[float], t: float) -> None:
    before = document(*scores)
    after = tempered(before, t)
    assert [(e.span, e.label) for e in after.entities] == [
        (e.span, e.label) for e in before.entities
    ]
    new = [entity.score or 0.0 for entity in after.entities]
    assert all(0 <= score <= 1 for score in new)
    order = np.argsort(scores, kind="stable")
    assert (np.diff(np.array(new)[order]) >= 0).all()


@given(st.lists(probabilities, max_size=5))
def test_a_temperature_of_one_is_the_identity(scores: list[float]) -> None:
    assert tempered(document(*scores), 1.0) == document(*scores)


@given(temperatures)
def test_a_half_stays_a_half(t: float) -> None:
    assert tempered(document(0.5), t).entities[0].score == 0.5


@pytest.mark.parametrize("truth", [0.4, 1.0, 3.0])
def test_the_temperature_of_the_data_is_found(truth: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(2, 2, 20_000)
    right = (random.random(len(logits)) < 1 / (1 + np.exp(-logits / truth))).astype(float)
    scores = 1 / (1 + np.exp(-logits))
    assert fitted_temperature(scores, right) == pytest.approx(truth, rel=0.1)


def test_what_has_no_score_gets_none() -> None:
    found = Document("Rome Oslo", (Entity(0, 4, "LOC"), Entity(5, 9, "LOC", 0.7)))
    first, second = tempered(found, 3.0).entities
    assert first.score is None
    assert second.score not in {None, 0.7}


def test_without_mistakes_or_entities_nothing_is_fitted() -> None:
    assert fitted_temperature(np.array([]), np.array([])) == 1.0
    assert fitted_temperature(np.array([0.9, 0.8]), np.ones(2)) == 1.0
    assert calibration_error(np.array([]), np.array([])) is None


def test_the_calibration_error_by_hand() -> None:
    scores = np.array([0.95, 0.95, 0.25, 1.0])
    right = np.array([1.0, 0.0, 0.0, 1.0])
    assert calibration_error(scores, right) == pytest.approx((0.9 + 0.25) / 4)


def test_outcomes_leave_out_what_was_not_looked_for() -> None:
    gold = [Document("ab", (Entity(0, 1, "X"),), types=("X",))]
    found = [Document("ab", (Entity(0, 1, "X", score=0.9), Entity(1, 2, "Y", score=0.8)))]
    scores, right = outcomes(gold, found)
    assert (scores.tolist(), right.tolist()) == ([0.9], [1.0])


@pytest.fixture(scope="module")
def model(labelled: list[Document], run_config: Callable[..., RunConfig]) -> Recogniser:
    """A model of distant labels half of which dev contradicts."""
    dev = [d if n % 2 else Document(d.text) for n, d in enumerate(labelled)]
    return train(labelled, dev=dev, config=run_config(experts=1, self_training=False))


def test_training_fits_a_temperature_on_dev(model: Recogniser) -> None:
    assert model.card.temperature > 1
    assert model.card.calibration_error is not None
    before, after = model.card.calibration_error
    assert after < before


def test_the_temperature_is_kept_and_used(
    model: Recogniser, texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("calibrated") / "model"
    model.save_pretrained(folder)
    plain = Recogniser(model.panel, model.card.model_copy(update={"temperature": 1.0}))
    for own, raw, kept in zip(
        *(m.predict(texts) for m in (model, plain, load(folder))), strict=True
    ):
        assert own == kept
        assert [e.span for e in own] == [e.span for e in raw]
        assert all((a.score or 0) <= (b.score or 0) for a, b in zip(own, raw, strict=True))
    assert "temperature of scores" in (folder / "README.md").read_text(encoding="utf-8")


def test_without_dev_scores_are_the_models_own(
    labelled: list[Document], run_config: Callable[..., RunConfig]
) -> None:
    made = train(labelled, config=run_config(experts=1, self_training=False))
    assert (made.card.temperature, made.card.calibration_error) == (1.0, None)

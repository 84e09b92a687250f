"""Laws that every panel keeps, of one expert or of several."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convener import Document, Entity, Recogniser, load, train
from convener.errors import ConfigError, ModelError
from convener.inference.card import Card
from convener.models.tagger import Tagger
from convener.panel.panel import Panel, agreement, mean_probabilities
from convener.recipes.run_config import RunConfig

QUIET = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=[1, 2])
def model(
    request: pytest.FixtureRequest,
    labelled: list[Document],
    run_config: Callable[..., RunConfig],
) -> Recogniser:
    """A trained model of one expert, and one of two."""
    return train(labelled, config=run_config(experts=request.param))


def assert_same(left: list[list[Entity]], right: list[list[Entity]]) -> None:
    """The same entities; scores may differ by what the order of additions changes."""
    assert [[(e.span, e.label) for e in text] for text in left] == [
        [(e.span, e.label) for e in text] for text in right
    ]
    for one, other in zip(itertools.chain(*left), itertools.chain(*right), strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-3)


def test_it_learns_the_toy_corpus(model: Recogniser, labelled: list[Document]) -> None:
    found = list(model.annotate(labelled))
    right = sum(
        {(e.span, e.label) for e in a.entities} == {(e.span, e.label) for e in b.entities}
        for a, b in zip(found, labelled, strict=True)
    )
    assert right > 0.9 * len(labelled)


@pytest.mark.parametrize("given", [None, 5, b"Rome", {"text": "Rome"}, ["Rome", None]])
def test_what_is_no_text_is_refused(model: Recogniser, given: Any) -> None:
    with pytest.raises(ConfigError, match="expected a text"):
        model.predict(given)
    texts: Any = ["Rome"]
    with pytest.raises(ConfigError, match="expected a document, got 'Rome': predict takes texts"):
        list(model.annotate(texts))


def test_an_answer_takes_the_place_of_all_that_was_said(
    model: Recogniser, labelled: list[Document]
) -> None:
    said = replace(labelled[0], unknown=((0, 4),), types=("DRUG", "LOC"))
    (found,) = model.annotate([said])
    assert found == replace(said, entities=found.entities, unknown=(), types=None)


def test_texts_without_a_character_are_not_gathered_without_end(
    model: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convener.inference.recogniser.CHUNK_CHARACTERS", 10)
    texts = iter([""] * 50)
    assert next(model.predict(texts)) == []
    assert len(list(texts)) >= 30


def test_a_string_a_list_and_an_iterator_agree(model: Recogniser, texts: list[str]) -> None:
    one_by_one = [model.predict(text) for text in texts]
    assert_same(model.predict(texts), one_by_one)
    stream = model.predict(iter(texts))
    assert not isinstance(stream, list)
    assert_same(list(stream), one_by_one)


def test_order_and_neighbours_change_nothing(model: Recogniser, texts: list[str]) -> None:
    assert_same(model.predict(texts[::-1])[::-1], model.predict(texts))


@QUIET
@given(st.text(alphabet=st.sampled_from("Romeaspirin .\r\n\u0301🙂東"), max_size=60))
def test_the_offset_law(model: Recogniser, text: str) -> None:
    for entity in model.predict(text):
        assert text[entity.start : entity.end].strip() == text[entity.start : entity.end] != ""
        assert entity.score is not None
        assert 0 < entity.score <= 1


def test_a_long_text_is_read_whole(model: Recogniser) -> None:
    sentence = "We gave aspirin in Oslo today . "
    alone = model.predict(sentence)
    assert alone
    found = {e.start for e in model.predict(sentence * 50)}
    for offset in range(0, 50 * len(sentence), len(sentence)):
        assert all(e.start + offset in found for e in alone)


def test_an_endless_stream_is_answered_as_it_comes(model: Recogniser) -> None:
    taken = itertools.count()
    endless = ("We gave aspirin in Oslo today ." for _ in taken)
    answers = list(itertools.islice(model.predict(endless), 3))
    assert answers[0] == answers[2] != []
    assert next(taken) < 10_000


def test_texts_without_words(model: Recogniser) -> None:
    assert model.predict("") == []
    assert model.predict(["", " \n"]) == [[], []]
    assert model.predict([]) == []


def test_a_path_is_no_text(model: Recogniser, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a text or several, got the path"):
        model.predict(tmp_path)  # type: ignore[call-overload]


def test_save_and_load_is_the_identity(model: Recogniser, texts: list[str], tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.labels == model.labels
    assert again.card == model.card
    assert again.predict(texts) == model.predict(texts)
    again.save_pretrained(tmp_path / "twice")
    for path in (tmp_path / "model").rglob("*"):
        if path.is_file():
            copy = tmp_path / "twice" / path.relative_to(tmp_path / "model")
            assert copy.read_bytes() == path.read_bytes()


def test_a_saved_model_holds_no_pickle(model: Recogniser, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "model")
    endings = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert endings == {".json", ".md", ".safetensors", ".html"}


@pytest.mark.parametrize("name", ["expert-0.safetensors", "encoder/tokenizer.json", "run.json"])
def test_a_damaged_folder_is_refused(model: Recogniser, tmp_path: Path, name: str) -> None:
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"?")
    with pytest.raises(ModelError, match=rf"{name} is not the file that was saved"):
        load(tmp_path / "model")
    path.unlink()
    with pytest.raises(ModelError, match=rf"{name} is missing"):
        load(tmp_path / "model")


def test_folders_that_are_no_models(model: Recogniser, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError, match=r"it has no config\.json"):
        load(tmp_path)
    config = tmp_path / "config.json"
    config.write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        load(tmp_path)
    config.write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(ModelError, match="expected schema_version 1, got 99"):
        load(tmp_path)
    config.write_text(json.dumps({"architectures": ["BertModel"]}))
    with pytest.raises(ModelError, match=r"no model that convener trained: .* --encoder"):
        load(tmp_path)


@pytest.mark.parametrize("content", ['{"name": "my app"}', "[]", '{"kind": 1}', "{", "\xff"])
def test_a_folder_that_is_not_a_model_is_never_replaced(
    model: Recogniser, tmp_path: Path, content: str
) -> None:
    (tmp_path / "config.json").write_text(content, encoding="latin-1")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelError, match="with other things in it"):
        model.save_pretrained(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_altered_configuration_is_refused(model: Recogniser, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"labels": ["DRUG"]}))
    with pytest.raises(ModelError, match="does not fit the weights"):
        load(tmp_path / "model")
    path.write_text(json.dumps(config | {"experts": 0}))
    with pytest.raises(ModelError, match="experts"):
        load(tmp_path / "model")


def test_saving_never_overwrites_what_is_no_model(model: Recogniser, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("keep me")
    with pytest.raises(ModelError, match="other things in it"):
        model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_panel_answers_with_the_mean(tagger: Callable[[int], Tagger]) -> None:
    experts = [tagger(seed) for seed in range(3)]
    documents = [Document("Rome and Oslo ."), Document("tea")]
    joint = Panel(experts).probabilities(documents)
    single = [Panel([expert]).probabilities(documents) for expert in experts]
    for index, rows in enumerate(joint):
        np.testing.assert_allclose(rows, np.mean([s[index] for s in single], axis=0), atol=1e-6)


def test_identical_experts_answer_as_one(tagger: Callable[[int], Tagger]) -> None:
    expert = tagger(0)
    documents = [Document("Rome and Oslo .")]
    three = Panel([expert, expert.clone(), expert.clone()]).probabilities(documents)
    np.testing.assert_allclose(three[0], Panel([expert]).probabilities(documents)[0], atol=1e-6)


def test_a_panel_needs_experts_of_one_kind(tagger: Callable[[int], Tagger]) -> None:
    with pytest.raises(ConfigError, match="at least one expert"):
        Panel([])
    other = Tagger(tagger(0).encoder, ("PER",), tagger(0).config)
    with pytest.raises(ConfigError, match="same types"):
        Panel([tagger(0), other])


def test_agreement_counts_rows_where_somebody_speaks() -> None:
    first = np.log(np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8]], dtype=np.float32))
    second = np.log(np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], dtype=np.float32))
    assert agreement([[first], [second]]) == 0.5
    assert agreement([[first], [first]]) == 1.0
    np.testing.assert_allclose(mean_probabilities([[first], [second]])[0][0], [0.85, 0.15])


def test_the_card_of_a_model(model: Recogniser) -> None:
    assert isinstance(model.card, Card)
    assert model.card.run["seed"] == 0
    assert model.card.history

"""A dictionary at a model's side finds what the model overlooks, and overrules nothing it knows."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convener import Document, Entity, Entry, Gazetteer, Recogniser, evaluate, load
from convener.api import report
from convener.evaluation.scores import score
from convener.files import sha256
from convener.inference import bulk
from convener.inference.beside import joined
from convener.inference.bulk import predict_file
from convener.models.reader import Reader
from convener.panel.panel import Panel
from convener.text.documents import crossing
from convener.text.formats import read
from tests.program import convener, refusal
from tests.test_bulk import here, told, work_for

NAMES = Gazetteer(
    [
        Entry("sea fever", "DISEASE"),
        Entry("fever", "DISEASE"),
        Entry("aspirin", "DRUG"),
        Entry("mercury", "DRUG"),
        Entry("mercury", "PLANET"),
    ]
)
WORDS = ["sea", "fever", "aspirin", "mercury", "and"]


@st.composite
def answers(draw: st.DrawFn) -> Document:
    """A text of the dictionary's words, and entities of a flat model in it."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9))
    text = " ".join(words)
    starts = [len(" ".join(words[:i])) + bool(i) for i in range(len(words))]
    entities, at = [], 0
    while at < len(words):
        size = draw(st.integers(0, 3))
        stop = min(len(words), at + size)
        if size:
            label = draw(st.sampled_from(["DRUG", "DISEASE", "PLANET"]))
            entities.append(Entity(starts[at], starts[stop - 1] + len(words[stop - 1]), label, 0.5))
        at = stop + (not size)
    return Document(text, tuple(entities))


def _longer(entity: Entity, other: Entity) -> bool:
    """Whether it overlaps another one, and is longer."""
    overlap = entity.start < other.end and other.start < entity.end
    return overlap and entity.end - entity.start > other.end - other.start


@given(answers())
def test_flat_answers_stay_flat_and_lose_a_name_to_a_longer_one_alone(answered: Document) -> None:
    both = joined(answered, NAMES, flat=True).entities
    assert crossing(both) is None
    assert len({entity.span for entity in both}) == len(both)
    for entity in answered.entities:
        assert entity in both or any(_longer(e, entity) for e in both)
    for match in NAMES.matches(answered.text):
        (entry, *more) = match.entries
        listed = Entity(match.start, match.end, entry.label)
        here = [e for e in both if e.start < listed.end and listed.start < e.end]
        assert more or any(e.span == listed.span or not _longer(listed, e) for e in here)


@given(answers())
def test_nothing_listed_is_overlooked(answered: Document) -> None:
    both = joined(answered, NAMES, flat=False).entities
    assert set(answered.entities) <= set(both)
    spans = {entity.span for entity in both}
    for match in NAMES.matches(answered.text, nested=True):
        assert (match.start, match.end) in spans or len(match.entries) > 1
    alone = joined(answered.relabelled(()), NAMES, flat=True).entities
    assert {entity.label for entity in alone} <= {"DISEASE", "DRUG"}


@given(answers())
def test_the_model_decides_the_type_of_what_both_name(answered: Document) -> None:
    for flat in (True, False):
        for entity in joined(answered, NAMES, flat).entities:
            if entity.span in {said.span for said in answered.entities}:
                assert entity in answered.entities


def test_what_a_model_is_unsure_of_is_listed_by_the_same_type_alone() -> None:
    said = (Entity(0, 7, "DISEASE", 0.4), Entity(12, 17, "DISEASE", 0.3))
    both = joined(Document("aspirin for fever"), NAMES, flat=True, said=said).entities
    assert [(entity.span, entity.label, entity.score) for entity in both] == [
        ((12, 17), "DISEASE", None)
    ]


def test_an_uncommon_name_is_found_and_its_type_is_known(model: Path) -> None:
    ner = load(model, "cpu")
    beside = ner.beside(NAMES)
    assert set(beside.labels) == {*ner.labels, "DISEASE", "DRUG", "PLANET"}
    text = "He had sea fever."
    assert "sea fever" not in [text[e.start : e.end] for e in ner.predict(text)]
    (found,) = [e for e in beside.predict(text, threshold=0.99) if e.label == "DISEASE"]
    assert (found.span, found.score, found.source) == ((7, 16), None, "dictionary")


def test_a_reader_that_is_asked_keeps_the_dictionary(
    model: Path, reader: Callable[..., Reader]
) -> None:
    made = Recogniser(Panel([reader(heads="shared")]), load(model, "cpu").card)
    asked = made.beside(NAMES).ask({"DRUG": "Which drugs are named?"})
    assert (6, 15, "DISEASE") in [(*e.span, e.label) for e in asked.predict("A bad sea fever.")]


def test_the_dictionary_is_scored_alone_and_beside(
    model: Path, labelled: list[Document], tmp_path: Path
) -> None:
    listed = tmp_path / "names.csv"
    listed.write_text("".join(f"{entry.surface},{entry.label}\n" for entry in NAMES))
    gold = [*labelled, Document("A sea fever.", (Entity(2, 11, "DISEASE"),))]
    result = evaluate(load(model, "cpu"), gold, NAMES)
    assert result.listed is not None
    assert result.beside is not None
    beside = load(model, "cpu").beside(listed)
    assert result.beside == score(gold, list(beside.annotate(gold))).exact
    assert result.beside.found == result.scores.exact.found + 1
    assert evaluate(load(model, "cpu"), gold).listed is None


def test_workers_find_the_same(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "STRETCH_BYTES", 60)
    names, texts = tmp_path / "names.txt", tmp_path / "notes.txt"
    names.write_text("sea fever\nland fever\n")
    texts.write_text("He had sea fever.\nIn Oslo it was land fever.\n" * 4)
    options = ["--dictionary", names, "--label=DISEASE"]
    two = ("-o", tmp_path / "two.jsonl", "--resume")
    alone = convener("predict", model, texts, *options, "-o", tmp_path / "one.jsonl")
    for done in (alone, *(convener("predict", model, texts, *options, *two) for _ in range(2))):
        line = "--dictionary has types that the model does not: DISEASE (it has DRUG, LOC)"
        assert line in done.stderr
        assert done.stdout == ("" if done is alone else f"wrote {tmp_path / 'two.jsonl'}\n")
    found, same = (list(read(tmp_path / f"{name}.jsonl")) for name in ("one", "two"))
    assert told(found) == told(same)
    assert sum(e.label == "DISEASE" for d in found for e in d.entities) == 8
    given = {"path": str(names), "label": "DISEASE", "stop": ["sea fever"]}
    work = work_for(model, dictionary=given)
    predict_file(texts, tmp_path / "three.jsonl", work, here)
    three = list(read(tmp_path / "three.jsonl"))
    assert sum(e.label == "DISEASE" for d in three for e in d.entities) == 4
    compiled = tmp_path / "names.bin"
    convener("compile", names, "--label=DISEASE", "-o", compiled)
    sure = ["--dictionary", compiled, "--threshold=1", "--resume", "-o", tmp_path / "four.jsonl"]
    convener("predict", model, texts, *sure)
    four = [e for d in read(tmp_path / "four.jsonl") for e in d.entities]
    assert [(e.label, e.score) for e in four if e.label == "DISEASE"] == [("DISEASE", None)] * 8


def test_workers_want_files_of_names(model: Path, tmp_path: Path) -> None:
    texts = tmp_path / "notes.txt"
    texts.write_text("He had sea fever.\n")
    run = ["predict", model, texts, "-o", tmp_path / "out.jsonl", "--resume", "--dictionary", "-"]
    assert "expected a file, which workers need, got - for names" in refusal(*run)


def test_a_matrix_of_attention_has_the_types_of_the_model(
    model: Path, labelled: list[Document], reader: Callable[..., Reader]
) -> None:
    made = Recogniser(Panel([reader(("LOC", "DRUG"))]), load(model, "cpu").card)
    _, page = report(made.beside(NAMES), labelled)
    head = page[page.index("Attention between types") :]
    assert 0 < head.index("LOC") < head.index("DRUG")
    assert made.beside(NAMES).labels == ("LOC", "DRUG", "DISEASE", "PLANET")


def test_a_run_with_another_dictionary_is_another_run(model: Path, tmp_path: Path) -> None:
    names, texts = tmp_path / "names.csv", tmp_path / "notes.txt"
    names.write_text("sea fever,DISEASE\n")
    texts.write_text("He had sea fever.\n")
    run = ["predict", model, texts, "-o", tmp_path / "out.jsonl", "--resume"]
    convener(*run, "--dictionary", names)
    receipt = json.loads((tmp_path / "out.jsonl.done").read_text())
    before = (tmp_path / "out.jsonl").read_text()
    assert receipt["run"]["dictionary"]["path"] == sha256(names)
    names.write_text("fever,DISEASE\n")
    convener(*run, "--dictionary", names)
    assert (tmp_path / "out.jsonl").read_text() != before

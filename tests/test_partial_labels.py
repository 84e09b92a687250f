"""Documents in which only some types were looked for: nothing is concluded about the others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from convener import train
from convener.dictionary import Entry, Gazetteer, Labeller
from convener.errors import DataError
from convener.evaluation.scores import score
from convener.models.reader import Reader
from convener.models.spans import SPANS
from convener.models.tagger import Tagger
from convener.recipes.run_config import SUPERVISED, override
from convener.text.documents import Document, Entity, labels_of
from convener.text.formats import read, write
from tests.conftest import PATTERNS

LIMA = Document("Lima gave tea", (Entity(0, 4, "LOC"),), types=("LOC",))


def only(documents: list[Document], label: str) -> list[Document]:
    return [
        replace(d, entities=tuple(e for e in d.entities if e.label == label), types=(label,))
        for d in documents
    ]


def test_a_label_that_was_not_looked_for_is_refused() -> None:
    with pytest.raises(DataError, match="'DRUG' at 0-4 is of a type that was not looked for"):
        Document("Lima", (Entity(0, 4, "DRUG"),), types=("LOC",))


def test_types_that_never_occur_are_types_all_the_same() -> None:
    assert labels_of([LIMA, Document("tea", types=("DRUG",))]) == ("DRUG", "LOC")


@pytest.mark.parametrize("format", ["jsonl", "tokens"])
def test_they_are_written_and_read(tmp_path: Path, format: str) -> None:
    tokens = replace(LIMA, tokens=LIMA.words())
    write(tmp_path / "a.jsonl", [tokens], format)  # type: ignore[arg-type]
    assert list(read(tmp_path / "a.jsonl")) == [tokens]
    with pytest.raises(DataError, match=r"which types were looked for: write \.jsonl"):
        write(tmp_path / "a.conll", [tokens])


def test_a_dictionary_looks_for_all_its_types() -> None:
    labeller = Labeller(Gazetteer([Entry("tea", "DRUG")]))
    assert labeller(LIMA).types is None


def test_a_tagger_may_call_other_words_anything_else(
    tagger: Callable[..., Tagger],
) -> None:
    allowed = tagger(0).allowed(LIMA)
    o, b_drug, i_drug, b_loc = 0, 1, 2, 3
    assert [set(np.flatnonzero(row)) for row in allowed] == [
        {b_loc},
        {o, b_drug, i_drug},
        {o, b_drug, i_drug},
    ]


def test_a_reader_is_told_nothing_of_the_other_types(reader: Callable[..., Reader]) -> None:
    expert = reader(("LOC", "DRUG"))
    grid = expert.allowed(LIMA).reshape(3, SPANS + expert.width, 2, 2)
    assert grid[:, :, 1].all()
    assert not grid[:, :, 0].all(axis=-1).any()


def test_no_question_is_spent_on_a_type_that_was_not_looked_for(
    reader: Callable[..., Reader],
) -> None:
    labels = tuple("ABCDEFGH")
    expert = reader(labels, negatives=2)
    documents = [
        Document("Lima gave tea", (Entity(0, 4, "C"),), types=("C", "F", "G", "H")),
        Document("Rome", types=("B",)),
        Document("Oslo"),
    ]
    examples = expert.examples(documents)
    taught = np.concatenate([expert.allowed(document) for document in documents])
    batch = replace(expert.collate(examples), taught=torch.from_numpy(taught).float())
    asked: list[list[str]] = []
    words = expert.questions.words

    def watched(encoder: object, batch: object, types: torch.Tensor, places: object) -> object:
        asked.extend([labels[i] for i in row if i >= 0] for row in types.tolist())
        return words(encoder, batch, types, places)  # type: ignore[arg-type]

    expert.questions.words = watched  # type: ignore[method-assign, assignment]
    for _ in range(20):
        expert.train().learn(batch)
    first, second, third = asked[0::3], asked[1::3], asked[2::3]
    assert all(row[0] == "C" and len(row) == 3 and set(row) <= set("CFGH") for row in first)
    assert all(row == ["B"] for row in second)
    assert {name for row in third for name in row} == set(labels)


def test_guesses_of_other_types_are_neither_right_nor_wrong() -> None:
    guess = Document(LIMA.text, (Entity(0, 4, "LOC"), Entity(10, 13, "DRUG")))
    assert score([LIMA], [guess]).exact.f1 == 1
    assert set(score([LIMA], [guess]).types) == {"LOC"}
    assert score([replace(LIMA, types=None)], [guess]).exact.precision == 0.5


@pytest.mark.parametrize("kind", ["tagger", "reader"])
def test_files_of_different_types_make_one_model_of_all(
    kind: str, labelled: list[Document], tiny_encoder: Path
) -> None:
    settings = {
        "model": kind,
        f"{kind}.encoder": str(tiny_encoder),
        "tagger.train_embeddings": True,
        "reader.train_embeddings": True,
        "reader.dropout": 0.0,
        "reader.questions": {"DRUG": "gave ?", "LOC": "In ?"},
        "optimiser.learning_rate": 1e-2,
        "optimiser.head_learning_rate": 1e-2,
        "bond.round_steps": 40,
        "bond.warmup_rounds": 3,
    }
    chequered = [sum(divmod(index, len(PATTERNS))) % 2 for index in range(len(labelled))]
    halves = [
        only([document], ("DRUG", "LOC")[turn])[0]
        for document, turn in zip(labelled, chequered, strict=True)
    ]
    model = train(halves, config=override(SUPERVISED, settings))
    found = list(model.annotate(labelled))
    assert score(labelled, found).exact.f1 > 0.9
    ignorant = [replace(document, types=None) for document in halves]
    model = train(ignorant, config=override(SUPERVISED, settings))
    assert score(labelled, list(model.annotate(labelled))).exact.f1 < 0.8

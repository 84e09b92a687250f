"""Real benchmark sets, where they are at hand: read whole, counted, learnt from."""

import json
from pathlib import Path

import pytest

from convener.evaluation.scores import score
from convener.text.documents import group_indices
from convener.text.formats import read, write
from tests.program import convener

COUNTS = {
    "conll03": (14041, 203621, 17781, 82.38, 62.33, 946),
    "twitter": (2393, 44076, 1002, 46.71, 31.64, 2393),
    "webpage": (385, 5293, 393, 62.60, 45.14, 385),
    "wikigold": (1142, 25819, 2282, 47.90, 47.63, 138),
}


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_distant_sets_are_read_whole(data_folder: Path, name: str) -> None:
    distant = list(read(data_folder / "distant" / name / "train.distant.jsonl"))
    gold = list(read(data_folder / "distant" / name / "train.gold.jsonl"))
    exact = score(gold, distant).exact
    found = (
        len(distant),
        sum(len(document.words()) for document in distant),
        sum(len(document.entities) for document in distant),
        round(100 * exact.precision, 2),
        round(100 * exact.recall, 2),
        len(group_indices(distant)),
    )
    assert found == COUNTS[name]


def test_the_offset_law_on_every_set(data_folder: Path) -> None:
    for path in sorted(data_folder.rglob("dev.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line, document in zip(lines, read(path), strict=True):
                item = json.loads(line)
                expected = [" ".join(item["tokens"][a:b]) for a, b, _ in item["spans"]]
                assert [document.surface(e) for e in document.entities] == expected


@pytest.mark.parametrize("ending", ["conll", "jsonl"])
def test_formats_hold_a_real_set(data_folder: Path, tmp_path: Path, ending: str) -> None:
    documents = list(read(data_folder / "distant" / "webpage" / "train.distant.jsonl"))
    write(tmp_path / f"copy.{ending}", documents)
    copies = list(read(tmp_path / f"copy.{ending}"))
    assert [d.text for d in copies] == [d.text for d in documents]
    assert [d.tokens for d in copies] == [d.tokens for d in documents]
    assert [{(e.span, e.label) for e in d.entities} for d in copies] == [
        {(e.span, e.label) for e in d.entities} for d in documents
    ]


def test_train_and_evaluate_run_on_a_real_set(data_folder: Path, tmp_path: Path) -> None:
    folder, model = data_folder / "distant" / "webpage", tmp_path / "model"
    short = ["--set=bond.round_steps=20", "--set=bond.self_rounds=1", "--experts=1"]
    dev = ["--dev", folder / "dev.jsonl"]
    convener("train", folder / "train.distant.jsonl", *dev, "-o", model, *short)
    scores = tmp_path / "scores.json"
    done = convener("evaluate", model, folder / "test.jsonl", "--json", scores)
    assert json.loads(scores.read_text())["exact"]["f1"] > 20
    assert "type-blind" in done.stdout

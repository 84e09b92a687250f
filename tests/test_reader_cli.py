"""Readers on the command line: trained, asked, reported, refused."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from convener import Recogniser, load
from convener.panel.panel import Panel
from convener.text.formats import read
from tests.program import convener, refusal

PLACES = ("Rome", "Oslo", "Lima", "Cairo")
PATTERNS = ("The clinic of {} is closed .", "She lives in {} today .", "In {} nobody works .")


@dataclass(frozen=True)
class Desk:
    """Files of a user, a reader with shared heads, and options that make it tiny."""

    text: Path
    dictionary: Path
    gold: Path
    model: Path
    tiny: Sequence[str]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Desk:
    """Text in which places lie inside clinics, labelled by a dictionary and trained on."""
    folder = tmp_path_factory.mktemp("desk")
    texts = [pattern.format(place) for place in PLACES for pattern in PATTERNS] * 2
    (folder / "notes.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    names = [f"{p},LOC" for p in PLACES] + [f"clinic of {p},FAC" for p in PLACES]
    (folder / "names.csv").write_text("surface,label\n" + "\n".join(names), encoding="utf-8")
    files = [folder / name for name in ("notes.txt", "names.csv", "gold.jsonl", "model")]
    convener("label", files[0], files[1], "--nested", "-o", files[2])
    questions = folder / "questions.json"
    questions.write_text(json.dumps({"LOC": "In ?", "FAC": "The clinic ?"}), encoding="utf-8")
    tiny = [
        "--model=reader",
        f"--questions={questions}",
        f"--encoder={tiny_encoder}",
        "--set=reader.train_embeddings=true",
        "--set=reader.dropout=0",
        "--set=optimiser.learning_rate=3e-3",
        "--set=optimiser.head_learning_rate=1e-2",
        "--set=bond.round_steps=15",
    ]
    shared = "--set=reader.heads=shared"
    convener("train", files[2], "--gold", "--dev", files[2], "-o", files[3], *tiny, shared)
    return Desk(*files, tiny)


def test_nested_names_are_labelled_and_learnt(desk: Desk, tmp_path: Path) -> None:
    wanted = [{(e.start, e.end, e.label) for e in d.entities} for d in read(desk.gold)]
    assert {len(entities) for entities in wanted} == {1, 2}
    output = tmp_path / "found.jsonl"
    convener("predict", desk.model, desk.text, "-o", output)
    found = [{(e.start, e.end, e.label) for e in d.entities} for d in read(output)]
    assert sum(a == b for a, b in zip(found, wanted, strict=True)) > 0.9 * len(wanted)


def test_a_reader_is_asked_for_other_types(desk: Desk) -> None:
    question = "TOWN=In ?"
    text = "She lives in Oslo today ."
    answer = convener("predict", desk.model, "--text", text, "--question", question).stdout
    assert [e["label"] for e in json.loads(answer)["entities"]] == ["TOWN"]


def test_a_panel_that_is_asked_combines_its_experts_as_before(desk: Desk) -> None:
    reader = load(desk.model)
    joined = Recogniser(Panel(reader.panel.experts * 2, "union"), reader.card)
    assert joined.ask({"TOWN": "In ?"}).panel.rule == "union"


def test_a_panel_looks_as_its_experts_do_on_average(desk: Desk) -> None:
    documents = list(read(desk.gold))
    one, other = load(desk.model), load(desk.model)
    with torch.no_grad():
        for parameter in other.panel.experts[0].parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    joined = Recogniser(Panel([*one.panel.experts, *other.panel.experts]), one.card)
    first, second, both = (
        np.array(model.attention_between_types(documents)) for model in (one, other, joined)
    )
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_allclose(both, (first + second) / 2, atol=1e-6)


def test_info_shows_the_questions(desk: Desk) -> None:
    shown = convener("info", desk.model).stdout
    assert re.search(r"kind +reader\n", shown)
    assert "nested" in shown
    assert "The clinic ?" in shown


def test_the_report_is_one_page(desk: Desk, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = convener("evaluate", desk.model, desk.gold, "--report", page)
    content = page.read_text(encoding="utf-8")
    assert content.startswith("<!DOCTYPE html>")
    assert "Attention between types" in content
    shares = load(desk.model).attention_between_types(list(read(desk.gold)))
    assert shares is not None
    cells = re.findall(r'<td style="--heat[^>]*>([\d.]+)</td>', content)
    assert cells == [f"{value:.2f}" for row in shares for value in row]
    assert "F1" in done.stdout


def test_own_questions_are_used_and_checked_for_gaps(desk: Desk, tmp_path: Path) -> None:
    questions = tmp_path / "questions.json"
    own = {"LOC": "In where ?", "FAC": "Which ?"}
    questions.write_text(json.dumps(own), encoding="utf-8")
    output = tmp_path / "model"
    short = ["--set=bond.round_steps=1", "--set=bond.warmup_rounds=1"]
    arguments = ["--gold", *desk.tiny, "--questions", questions, "-o", output]
    convener("train", desk.gold, *arguments, *short)
    assert "In where ?" in convener("info", output).stdout
    questions.write_text(json.dumps({"LOC": "Where?"}), encoding="utf-8")
    assert "FAC" in refusal("train", desk.gold, *arguments)
    questions.write_text(json.dumps({"LOC": "Where?", "FAC": " where? "}), encoding="utf-8")
    assert "LOC" in refusal("train", desk.gold, *arguments)


def test_what_does_not_fit_is_refused_in_one_line(desk: Desk, tmp_path: Path) -> None:
    output = tmp_path / "model"
    flat = refusal("train", desk.gold, "--gold", "-o", output)
    assert "a tagger learns flat entities only" in flat
    questions = tmp_path / "questions.json"
    questions.write_text("{}", encoding="utf-8")
    assert "--model reader" in refusal("train", desk.gold, "--questions", questions, "-o", output)
    assert "TYPE=QUESTION" in refusal("predict", desk.model, "--text", "a", "--question", "LOC")
    twice = ("--question", "LOC=Where ?", "--question", "LOC=In what place ?")
    assert "two for 'LOC'" in refusal("predict", desk.model, "--text", "a", *twice)
    assert not output.exists()

"""A library on the command line: experts trained into it, looked after, adapted to new text."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from convener.cli.adapt import wanted_types
from convener.errors import ConfigError
from convener.evaluation.choice import Choice, render
from convener.text.documents import Document
from convener.text.formats import write
from tests.program import convener, refusal


@dataclass(frozen=True)
class Shelf:
    """Files of a user: gold labels, unlabelled text, types, and a library of two experts."""

    gold: Path
    text: Path
    types: Path
    library: Path
    tiny: Sequence[str | Path]


@pytest.fixture(scope="module")
def shelf(
    tmp_path_factory: pytest.TempPathFactory, labelled: list[Document], tiny_encoder: Path
) -> Shelf:
    """A library made by the command line."""
    folder = tmp_path_factory.mktemp("shelf")
    write(folder / "gold.jsonl", labelled)
    lines = "\n".join(document.text for document in labelled)
    (folder / "songs.txt").write_text(lines, encoding="utf-8")
    questions = {"DRUG": "gave ?", "LOC": "In ?"}
    (folder / "types.json").write_text(json.dumps(questions), encoding="utf-8")
    tiny = [
        "--gold",
        "--model=reader",
        f"--encoder={tiny_encoder}",
        f"--questions={folder / 'types.json'}",
        "--set=bond.round_steps=6",
        "--set=bond.warmup_rounds=2",
        "--set=optimiser.learning_rate=1e-2",
    ]
    names = ("gold.jsonl", "songs.txt", "types.json", "experts")
    made = Shelf(*(folder / name for name in names), tiny)
    for name in ("news", "films"):
        convener("train", made.gold, "--expert", name, "--library", made.library, *tiny)
    return made


def test_a_table_is_no_list_of_types(tmp_path: Path) -> None:
    path = tmp_path / "drugs.csv"
    path.write_text("surface,label\naspirin,DRUG\n")
    with pytest.raises(ConfigError, match="expected a type a line, got 'surface,label'"):
        wanted_types(path)


def test_experts_are_listed_shown_and_checked(shelf: Shelf) -> None:
    listed = convener("experts", "list", shelf.library).stdout
    assert "news" in listed
    assert "films" in listed
    shown = json.loads(convener("experts", "show", shelf.library, "news").stdout)
    assert shown["types"]["LOC"] == "In ?"
    assert "2 of 2 experts are whole" in convener("experts", "check", shelf.library).stdout


def test_experts_of_which_none_finds_anything_are_chosen_by_similarity(
    shelf: Shelf, tmp_path: Path
) -> None:
    (tmp_path / "quiet.txt").write_text(".\n" * 5)
    arguments = ["--types", shelf.types, "-o", tmp_path / "model"]
    done = convener("adapt", shelf.library, tmp_path / "quiet.txt", *arguments, "--experts=1")
    assert "by performance no expert is above 0: chosen by similarity" in done.stderr
    assert "both selections agree" in done.stderr


def test_adapting_saves_a_model_like_any_other(shelf: Shelf, tmp_path: Path) -> None:
    model, page = tmp_path / "model", tmp_path / "page.html"
    arguments = ["--types", shelf.types, "-o", model, "--report", page, "--experts", "2"]
    done = convener("adapt", shelf.library, shelf.text, *arguments)
    assert "by similarity" in done.stdout
    assert "by performance" in done.stdout
    assert "both selections agree" in done.stderr
    answer = json.loads(convener("predict", model, "--text", "We gave codeine .").stdout)
    assert {e["label"] for e in answer["entities"]} <= {"DRUG", "LOC"}
    assert "experts merged, by similarity" in (model / "README.md").read_text(encoding="utf-8")
    shown = convener("info", model).stdout
    assert re.search(r"kind +reader\n", shown)
    assert "SaM" in shown
    assert "merged by similarity" in shown
    assert "seed" not in shown
    patch = ["--patch", tmp_path / "patch.jsonl"]
    assert "that convener train made" in refusal("audit", model, shelf.gold, *patch)
    content = page.read_text(encoding="utf-8")
    assert "<svg" in content
    assert "news" in content
    assert "http" not in content


def test_an_expert_may_be_called_target() -> None:
    places = {"news": (0.0, 0.0), "target": (1.0, 2.0)}
    page = render(Choice({}, {}, places, (2.0, 1.0)), [])
    drawn = re.findall(r'cx="(\d+)" cy="(\d+)" r="(\d)".*?>([^<>]+)</text>', page, re.DOTALL)
    assert drawn == [
        ("40", "30", "5", "news"),
        ("250", "330", "5", "target"),
        ("460", "180", "7", "the target"),
    ]


def test_experts_come_and_go(shelf: Shelf, tmp_path: Path) -> None:
    library = tmp_path / "library"
    shutil.copytree(shelf.library, library)
    assert "removed news" in convener("experts", "remove", library, "news").stdout
    assert "news" not in convener("experts", "list", library).stdout
    source = shelf.library / "news"
    assert "added news" in convener("experts", "add", library, source).stdout
    assert "already" in refusal("experts", "add", library, source)
    assert "no expert 'late'" in refusal("experts", "remove", library, "late")
    again = ("train", shelf.gold, "--expert", "news", "--library", ".", *shelf.tiny)
    assert "already" in refusal(*again, folder=library)


def test_bad_input_gets_one_line(shelf: Shelf, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    types = ["--types", shelf.types, "-o", model]
    assert "no library" in refusal("adapt", tmp_path / "none", shelf.text, *types)
    assert "expected sentences" in refusal("adapt", shelf.library, tmp_path / "empty.txt", *types)
    none = ["--types", tmp_path / "empty.txt", "-o", model]
    assert "a type a line" in refusal("adapt", shelf.library, shelf.text, *none)
    assert "merge.method" in refusal("adapt", shelf.library, shelf.text, *types, "--merge", "blend")
    assert "-o MODEL, or --expert" in refusal("train", shelf.gold, "--expert", "x", *shelf.tiny)
    named = ["--expert", "a/b", "--library", tmp_path / "new", *shelf.tiny]
    assert "expected a name" in refusal("train", shelf.gold, *named)
    assert not model.exists()

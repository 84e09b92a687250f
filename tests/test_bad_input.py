"""What a user gets for bad input: one clear line, code 2, and nothing half-written."""

import json
import shutil
from pathlib import Path

import pytest

from convener import Document
from convener.text.formats import write
from tests.program import convener, refusal

GOOD = '{"text": "aspirin helps", "entities": [{"start": 0, "end": 7, "label": "DRUG"}]}\n'
OUTSIDE = '{"text": "aspirin", "entities": [{"start": 3, "end": 9, "label": "DRUG"}]}\n'
NESTED = (
    '{"text": "New York", "entities": [{"start": 0, "end": 8, "label": "LOC"},'
    ' {"start": 4, "end": 8, "label": "LOC"}]}\n'
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (GOOD.encode() + b'{"text": \n', ":2: Invalid JSON"),
        (GOOD.encode() + b'{"words": []}\n', ":2: expected 'text', got"),
        (OUTSIDE.encode(), ":1: entity 'DRUG' at 3-9 is outside its text"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "expected UTF-8 text, got byte 0x89"),
        (NESTED.encode(), "flat entities only"),
        (b'{"text": "no labels"}\n', "without a single entity"),
    ],
    ids=["empty", "broken", "keys", "offset", "binary", "nested", "unlabelled"],
)
def test_bad_training_data(
    tmp_path: Path, tiny_encoder: Path, content: bytes, expected: str
) -> None:
    data = tmp_path / "data.jsonl"
    data.write_bytes(content)
    output = tmp_path / "model"
    line = refusal("train", data, "-o", output, f"--encoder={tiny_encoder}", "--experts=1")
    assert expected in line
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


@pytest.mark.parametrize("name", ["notes.csv", "page.HTML", "notes.txt.gz", "report.pdf"])
def test_what_is_no_text_is_not_read_as_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("note_id,text\n1,She took aspirin\n")
    (tmp_path / "names.csv").write_text("aspirin,DRUG\n")
    line = refusal("label", name, "names.csv", "-o", "out.jsonl", folder=tmp_path)
    assert line.startswith(f"{name}: expected text or labelled documents, got {Path(name).suffix}")
    assert line.endswith("as standard input" if name.endswith("gz") else '{"text": "…"} a line')
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("asked", [("-o", "model"), ("--expert", "a", "--library", "b")])
def test_one_expert_has_nobody_to_learn_beside(tmp_path: Path, asked: tuple[str, ...]) -> None:
    (tmp_path / "data.jsonl").write_text(GOOD)
    line = refusal("train", "data.jsonl", *asked, "--workers", "2", folder=tmp_path)
    assert line.startswith("expected --workers with a panel")
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "model", "gold.jsonl", "-o", "gold.jsonl"),
        ("evaluate", "model", "gold.jsonl", "--json", "gold.jsonl"),
        ("evaluate", "model", "gold.jsonl", "--report", "./gold.jsonl"),
        ("label", "gold.jsonl", "names.csv", "-o", "names.csv"),
        ("audit", "gold.jsonl", "names.csv", "--report", "gold.jsonl"),
        ("convert", "gold.jsonl", "gold.jsonl"),
        ("compile", "names.csv", "-o", "names.csv"),
        ("distill", "model", "gold.jsonl", "-o", "model"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_read_is_not_written_over(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "gold.jsonl").write_text(GOOD)
    (tmp_path / "names.csv").write_text("aspirin,DRUG\n")
    (tmp_path / "model").mkdir()
    line = refusal(*arguments, folder=tmp_path)
    assert "is read, so nothing is written there: choose another name" in line
    assert (tmp_path / "gold.jsonl").read_text() == GOOD
    assert (tmp_path / "names.csv").read_text() == "aspirin,DRUG\n"


def test_bad_items_can_be_left_out(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(GOOD + "{broken\n" + OUTSIDE + GOOD)
    names = tmp_path / "names.csv"
    names.write_text("aspirin,DRUG\n")
    output = tmp_path / "out.jsonl"
    done = convener("label", data, names, "-o", output, "--on-error", "skip")
    assert f"{data}:2: Invalid JSON" in done.stderr
    assert "2 bad items were left out" in done.stderr
    assert len(output.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "found none in 0 rows"),
        ("surface,label\n,DRUG\n", "found none in 1 rows"),
        ("aspirin\n", "has no label; --label gives the type of names without one"),
        ('surface,label\n"aspirin,DRUG\n', "check its quotes"),
        ("drug,label\naspirin,DRUG\n", "call the column of names surface, name or term"),
    ],
    ids=["empty", "no name", "no label", "quotes", "header"],
)
def test_bad_dictionaries(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "notes.txt").write_text("aspirin helps\n")
    (tmp_path / "names.csv").write_text(content)
    output = tmp_path / "out.jsonl"
    line = refusal("label", tmp_path / "notes.txt", tmp_path / "names.csv", "-o", output)
    assert expected in line
    assert not output.exists()


def test_a_dictionary_with_doubtful_rows_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Jordan took aspirin\n")
    rows = "aspirin,DRUG\naspirin,DRUG\n,DRUG\nJordan,PER\nJordan,LOC\nthe tea,\n,A\n,B\n"
    (tmp_path / "names.csv").write_text(rows)
    done = convener("label", tmp_path / "notes.txt", tmp_path / "names.csv", "-o", "-")
    names = tmp_path / "names.csv"
    assert f"4 rows of {names} cannot be used: {names}:3: expected a name" in done.stderr
    assert f"; {names}:6: the name 'the tea' has no label; {names}:7: expected" in done.stderr
    assert f"{names}:8" not in done.stderr
    assert f"1 rows of {names} repeat a name" in done.stderr
    assert "such as Jordan (LOC, PER)" in done.stderr
    assert "Jordan (LOC/PER): 1" in done.stderr
    labels = [entity["label"] for entity in json.loads(done.stdout)["entities"]]
    assert labels == ["LOC", "PER", "DRUG"]


def test_settings_that_make_no_sense(tmp_path: Path, tiny_encoder: Path) -> None:
    data, output = tmp_path / "data.jsonl", tmp_path / "model"
    data.write_text(GOOD)
    encoder = f"--encoder={tiny_encoder}"
    assert "no setting 'bond.nothing'" in refusal(
        "train", data, "-o", output, "--set", "bond.nothing=1"
    )
    assert "NAME=VALUE" in refusal("train", data, "-o", output, "--set", "tau")
    assert "unknown label 'DRUG': the model knows LOC" in refusal(
        "train", data, "-o", output, encoder, "--labels", "LOC", "--experts=1"
    )
    assert "different names" in refusal("train", data, "-o", output, "--labels", "A,,B")
    assert "give one of them" in refusal("train", data, "-o", output, "--gold", "--config", data)
    assert "give one of them" in refusal("train", data, "-o", output, "--gold", "--paper", "bond")
    both = ("--gold", "--dictionary", data)
    assert "give one of the two" in refusal("train", data, "-o", output, *both)
    for option in ("--plurals", "--case=exact", "--label=DRUG", f"--stop={data}", "--nested"):
        assert "add --dictionary" in refusal("train", data, "-o", output, option)
    in_one_go = ("--model=generator", "--resume")
    assert "in one go" in refusal("train", data, "-o", output, *in_one_go)
    assert "other things in it" in refusal("train", data, "-o", ".", folder=tmp_path)
    assert "cannot load the encoder" in refusal("train", data, "-o", output, "--encoder=no/such")
    (tmp_path / "run.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    assert "the configuration: expected " in refusal(
        "train", data, "-o", output, "--config", tmp_path / "list.json"
    )
    (tmp_path / "list.json").unlink()
    assert "expected a configuration in JSON" in refusal(
        "train", data, "-o", output, "--config", tmp_path / "run.json"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.jsonl", "run.json"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("trin", "No such command 'trin'. Did you mean 'train'?; see convener --help"),
        ("experts", "Missing command; see convener experts --help"),
        ("predict", "Missing argument 'model'; see convener predict --help"),
        ("predict a b c", "Got unexpected extra argument(s) (c); see convener predict --help"),
        ("info a --nope", "No such option: --nope; see convener info --help"),
    ],
)
def test_a_command_that_does_not_exist(command: str, expected: str) -> None:
    assert refusal(*command.split()) == expected


def test_a_value_that_no_option_takes() -> None:
    line = refusal("train", "notes.txt", "--workers=0")
    assert line.startswith("Invalid value for '--workers': ")
    assert line.endswith("; see convener train --help")


def test_scores_and_a_page_are_two_files(model: Path, tmp_path: Path) -> None:
    same = ("--json", tmp_path / "same", "--report", tmp_path / "same")
    assert "expected two files" in refusal("evaluate", model, tmp_path / "gold.jsonl", *same)


def test_a_model_that_is_missing_or_altered(model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("aspirin\n")
    assert "no model folder" in refusal("predict", tmp_path / "none", tmp_path / "notes.txt")
    assert "has no config.json" in refusal("info", tmp_path)
    altered = tmp_path / "altered"
    shutil.copytree(model, altered)
    weights = altered / "expert-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x01\x02\x03")
    assert "is not the file that was saved" in refusal("predict", altered, tmp_path / "notes.txt")


def test_a_line_of_two_megabytes_is_read_whole(model: Path, tmp_path: Path) -> None:
    sentence = "We gave aspirin in Oslo today . "
    text = sentence * (2_000_000 // len(sentence))
    (tmp_path / "notes.txt").write_text(text + "\n")
    output = tmp_path / "found.jsonl"
    convener("predict", model, tmp_path / "notes.txt", "-o", output)
    (line,) = output.read_text().splitlines()
    found = json.loads(line)
    assert found["text"] == text
    ends = [entity["end"] for entity in found["entities"]]
    assert ends[-1] > len(text) - len(sentence)
    assert len(ends) > 2 * len(text) / len(sentence) * 0.9


def test_a_word_of_two_megabytes(model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x" * 2_000_000 + " aspirin\n")
    done = convener("predict", model, tmp_path / "notes.txt")
    assert len(json.loads(done.stdout)["text"]) == 2_000_008


def test_places_that_cannot_be_written(model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("aspirin helps\n")
    (tmp_path / "names.csv").write_text("aspirin,DRUG\n")
    notes, names = tmp_path / "notes.txt", tmp_path / "names.csv"
    assert "/proc/out.jsonl: " in refusal("label", notes, names, "-o", "/proc/out.jsonl")
    assert "expected a file to write to" in refusal("label", notes, names, "-o", tmp_path)
    assert "which is a file" in refusal("label", notes, names, "-o", notes / "out.jsonl")
    assert "No space left" in refusal("predict", model, notes, "-o", "/dev/full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["names.csv", "notes.txt"]


def test_a_disk_that_fills_up(tmp_path: Path, tiny_encoder: Path, labelled: list[Document]) -> None:
    data, output = tmp_path / "data.jsonl", tmp_path / "model"
    write(data, labelled)
    tiny = [f"--encoder={tiny_encoder}", "--experts=1", "--set=bond.round_steps=1"]
    refusal("train", data, "-o", output, *tiny, room=20_000)
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]
    names = tmp_path / "names.csv"
    names.write_text("aspirin,DRUG\n")
    refusal("label", data, names, "-o", tmp_path / "out.jsonl", room=500)
    assert not (tmp_path / "out.jsonl").exists()
    assert not list(tmp_path.glob(".*"))

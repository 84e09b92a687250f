"""Compiled dictionaries: the same answers from a file, and a damaged file gives none."""

import json
import pickle
import random
from pathlib import Path

import pytest

from convener.dictionary import Entry, Gazetteer, Labeller
from convener.errors import ConfigError, DataError
from convener.text.documents import Document
from convener.text.formats import read
from tests.program import convener
from tests.test_finder import some_entries, some_text, spans

LISTED = [
    Entry("Jordan", "PER", "p1", priority=-2),
    Entry("Jordan", "LOC", priority=-2),
    Entry("folic acid", "DRUG", case="exact"),
    Entry("allergy", "ILL", "ü"),
]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "names"
    Gazetteer(LISTED, plurals=True).save(path)
    return path


def test_a_compiled_dictionary_answers_as_one_in_memory(tmp_path: Path) -> None:
    rng = random.Random(0)
    for _ in range(20):
        entries = some_entries(rng)
        listed = Gazetteer(entries, possessives=True, plurals=True)
        listed.save(tmp_path / "names")
        loaded = Gazetteer.from_file(tmp_path / "names")
        for _ in range(50):
            text = some_text(rng, 6)
            for nested in (False, True):
                assert list(loaded.matches(text, nested)) == list(listed.matches(text, nested))


def test_saving_and_loading_changes_nothing(saved: Path) -> None:
    listed, loaded = Gazetteer(LISTED, plurals=True), Gazetteer.from_file(saved)
    assert set(loaded) == set(listed) == set(LISTED)
    assert len(loaded) == len(listed) == 4
    assert loaded.labels == listed.labels
    assert loaded.ambiguous == listed.ambiguous == {"Jordan": ("LOC", "PER")}
    assert "JORDAN" in loaded
    assert "allergies" in loaded
    assert "jord" not in loaded
    assert (loaded.unusable, loaded.left_out, loaded.duplicates) == ([], [], 0)


def test_the_same_names_make_the_same_file(saved: Path, tmp_path: Path) -> None:
    Gazetteer(LISTED, plurals=True).save(tmp_path / "again")
    assert saved.read_bytes() == (tmp_path / "again").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"names", "again"}


def test_stop_lists_work_on_compiled_dictionaries(saved: Path) -> None:
    stopped = Gazetteer.from_file(saved, stop=["ALLERGY", "unlisted"])
    assert spans(stopped, "allergy, allergies of Jordan", False) == [(22, 28, ("LOC", "PER"))]
    assert len(stopped) == 3
    assert "allergy" not in stopped
    assert Entry("allergy", "ILL", "ü") not in set(stopped)


def test_texts_with_half_a_surrogate_pair_are_read(saved: Path) -> None:
    text = "folic \ud800 acid\udfff Jordan"
    assert [text[a:b] for a, b, _ in spans(Gazetteer.from_file(saved), text, False)] == ["Jordan"]


def test_a_damaged_file_is_refused_in_one_line(saved: Path) -> None:
    content = saved.read_bytes()
    rng = random.Random(0)
    damaged = [content[: rng.randrange(20, len(content))] for _ in range(20)]
    for _ in range(50):
        place = rng.randrange(20, len(content))
        damaged.append(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    for wrong in [*damaged, content + b"x"]:
        saved.write_bytes(wrong)
        with pytest.raises(DataError, match=r"names: [^\n]*: compile it again$"):
            Gazetteer.from_file(saved)


def test_a_file_of_another_version_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes().replace(b"dictionary 1", b"dictionary 2", 1))
    with pytest.raises(DataError, match="version 1, got '2': compile it again"):
        Gazetteer.from_file(saved)


def test_what_is_settled_is_not_asked_again(saved: Path) -> None:
    with pytest.raises(DataError, match="is compiled: label, case, possessives and plurals"):
        Gazetteer.from_file(saved, case="exact")
    with pytest.raises(DataError, match="compiled already"):
        Gazetteer.from_file(saved).save(saved)
    with pytest.raises(DataError, match="expected names to compile"):
        Gazetteer([]).save(saved)


DOCUMENTS = [Document(f"allergy {number} of Jordan") for number in range(300)]


@pytest.mark.parametrize("compiled", [False, True])
def test_processes_give_what_one_gives_in_order(saved: Path, compiled: bool) -> None:
    labeller = Labeller(Gazetteer.from_file(saved) if compiled else Gazetteer(LISTED), nested=True)
    alone = list(labeller.label(DOCUMENTS))
    assert list(labeller.label(iter(DOCUMENTS), workers=2)) == alone
    elsewhere: Labeller = pickle.loads(pickle.dumps(labeller))
    assert list(elsewhere.label(DOCUMENTS)) == alone


def test_processes_read_no_further_ahead_than_they_need(saved: Path) -> None:
    endless = (Document("Jordan") for _ in iter(int, 1))
    labelled = Labeller(Gazetteer.from_file(saved)).label(endless, workers=2)
    assert len(next(labelled).entities) == 2
    labelled.close()  # type: ignore[attr-defined]


def test_at_least_one_process_is_needed(saved: Path) -> None:
    with pytest.raises(ConfigError, match="at least one worker, got 0"):
        Labeller(Gazetteer.from_file(saved)).label([], workers=0)


def test_every_verb_takes_a_compiled_dictionary(tmp_path: Path) -> None:
    (tmp_path / "drugs.csv").write_bytes(
        b"aspirin,DRUG\ncan,DRUG\n\xff,DRUG\nher,DRUG\ncodeine,DRUG\n"
    )
    (tmp_path / "notes.txt").write_text("Aspirins can help her.\nCodeine too.\n" * 200)
    (tmp_path / "stop.txt").write_text("Codeine\n")
    names, output = tmp_path / "drugs.names", tmp_path / "labelled.jsonl"
    stopped = convener("compile", tmp_path / "drugs.csv", "-o", names, code=2)
    assert "drugs.csv:3: expected UTF-8 text, got byte 0xff" in stopped.stderr
    made = convener("compile", tmp_path / "drugs.csv", "-o", names, "--plurals", "--on-error=skip")
    assert made.stdout.startswith(f"2 names in {names}")
    assert "1 bad items were left out" in made.stderr
    assert "2 names" in made.stderr
    assert "drugs.csv:2: 'can' is a common word in lower case" in made.stderr
    convener(
        *("label", tmp_path / "notes.txt", names, "-o", output),
        *("--workers=2", f"--stop={tmp_path / 'stop.txt'}"),
    )
    found = [document.surface(e) for document in read(output) for e in document.entities]
    assert found == ["Aspirins"] * 200
    assert json.loads(output.read_text().splitlines()[0])["text"] == "Aspirins can help her."

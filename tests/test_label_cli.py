"""`convener label` with rules that vote and patches that mend."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from convener.dictionary.parallel import BATCH
from convener.dictionary.patch import Change, Place, fingerprint, write_patch
from convener.text.formats import read
from tests.program import ENVIRONMENT, PROGRAM, convener, refusal

TEXTS = ("Dr Rome took aspirin in Rome", "a bath in Bath near York")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Text, a dictionary and rules."""
    (tmp_path / "notes.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    names = "surface,label,case\nRome,LOC,\naspirin,DRUG,\nBath,LOC,ignore\nYork,LOC,\n"
    (tmp_path / "names.csv").write_text(names, encoding="utf-8")
    rules = [{"label": "PER", "before": ["Dr"], "shape": ["title"], "name": "doctors"}]
    (tmp_path / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    return tmp_path


def labelled(folder: Path, *more: str | Path) -> tuple[list[set[tuple[str, str]]], str]:
    out = folder / "out.jsonl"
    done = convener("label", folder / "notes.txt", folder / "names.csv", "-o", out, *more)
    found = [{(d.surface(e), e.label) for e in d.entities} for d in read(out)]
    return found, done.stderr


def test_rules_vote_with_the_dictionary(folder: Path) -> None:
    rules = f"--rules={folder / 'rules.json'}"
    found, said = labelled(folder, rules)
    assert found[0] == {("Rome", "LOC"), ("Rome", "PER"), ("aspirin", "DRUG")}
    assert "dictionary: " in said
    assert "doctors: 1 proposed, 100 % contradicted" in said
    first = next(read(folder / "out.jsonl"))
    assert {e.label for e in first.entities if e.start == 3} == {"LOC", "PER"}
    found, _ = labelled(folder, rules, "--vote=priority")
    assert found[0] == {("Rome", "LOC"), ("aspirin", "DRUG")}
    _, said = labelled(folder, rules, "--vote=accuracy")
    assert "accuracy" in said


def test_labels_that_give_way_are_counted(folder: Path) -> None:
    assert "replaced" not in labelled(folder)[1]
    labelled(folder)
    again = folder / "again.jsonl"
    said = convener("label", folder / "out.jsonl", folder / "names.csv", "-o", again).stderr
    count = sum(len(document.entities) for document in read(folder / "out.jsonl"))
    assert f"labels that the text brought, replaced by the dictionary's: {count}\n" in said


def test_what_a_dictionary_may_not_mean_is_said(folder: Path) -> None:
    (folder / "names.csv").write_text("aspirin,DRUG\nRome,LOC\nYork,loc\nTea,Drug\n")
    _, said = labelled(folder)
    assert "DRUG and Drug are types that differ in their case only" in said
    assert "LOC and loc are types that differ in their case only" in said
    (folder / "names.csv").write_text("D1,Zed\nD2,Yak\n")
    _, said = labelled(folder)
    assert "no name was found: check which column holds the names" in said


def test_a_vote_keeps_what_abstaining_leaves_open(folder: Path) -> None:
    (folder / "notes.txt").write_text("Then Zed met Dr Who in Rome", encoding="utf-8")
    labelled(folder, f"--rules={folder / 'rules.json'}", "--abstain")
    document = next(read(folder / "out.jsonl"))
    assert [document.text[start:end] for start, end in document.unknown] == ["Zed", "Dr"]


def test_a_patch_mends_names_and_labels(folder: Path) -> None:
    where = {"text": fingerprint(TEXTS[0]), "start": 3, "end": 7}
    patch = folder / "patch.jsonl"
    write_patch(
        patch,
        [
            Change(change="exact", surface="Bath", label="LOC"),
            Change(change="drop", surface="York", label="LOC"),
            Change(
                change="replace",
                surface="Rome",
                label="LOC",
                to=Place(start=0, end=7, label="PER"),
                **where,
            ),
            Change(change="remove", surface="Oslo", label="LOC", text="0" * 16, start=0, end=4),
        ],
    )
    found, said = labelled(folder, f"--patch={patch}")
    assert found == [
        {("Dr Rome", "PER"), ("aspirin", "DRUG"), ("Rome", "LOC")},
        {("Bath", "LOC")},
    ]
    assert "1 changes of" in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--rules=missing.json",), "missing.json"),
        (("--rules=rules.json", "--nested"), "leave out --nested"),
        (("--patch=names.csv",), "names.csv:1: "),
    ],
)
def test_what_does_not_fit_is_refused(
    folder: Path, arguments: tuple[str, ...], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    line = refusal("label", "notes.txt", "names.csv", "-o", "out.jsonl", *arguments)
    assert reason in line
    assert not (folder / "out.jsonl").exists()


def test_types_that_rows_give_are_told_beside_a_label(folder: Path) -> None:
    (folder / "names.csv").write_text("drug,RxCUI\naspirin,1191\n", encoding="utf-8")
    found, said = labelled(folder, "--label", "DRUG")
    assert found[0] == {("aspirin", "1191")}
    assert "give types of their own, 2 in all, such as 1191: --label is for the others" in said


def test_names_that_smart_case_passes_over_are_told(folder: Path) -> None:
    (folder / "names.csv").write_text("Aspirin,DRUG\nBath,LOC\n", encoding="utf-8")
    found, said = labelled(folder)
    assert found == [set(), {("Bath", "LOC")}]
    assert "passed over in lower case: 2 (aspirin 1, bath 1); --case ignore takes them" in said


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_stopping_a_group_of_workers_leaves_nothing(folder: Path, sign: signal.Signals) -> None:
    """Terminals and schedulers signal a whole group of processes, so idle workers hear it too."""
    before = set(folder.iterdir())
    command = ["label", "-", folder / "names.csv", "-o", folder / "out.jsonl", "--workers=2"]
    running = subprocess.Popen(
        [PROGRAM, *command],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdin is not None
    running.stdin.write(b"Dr Rome took aspirin in Rome\n" * 10 * BATCH)
    running.stdin.flush()
    until = time.monotonic() + 120
    while not any(path.stat().st_size for path in set(folder.iterdir()) - before):
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.5)
    os.killpg(running.pid, sign)
    said = running.communicate()[1].decode()
    assert running.returncode == 130
    assert "Traceback" not in said
    assert set(folder.iterdir()) == before
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)

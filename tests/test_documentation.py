"""What the documentation shows is true: commands run, the example works, tables are generated."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from convener.recipes.run import RunConfig
from convener.text.documents import Document
from convener.text.formats import write
from tests.test_architecture import PROJECT
from tests.test_cli import VERBS, convener

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)
FAST = {
    "train": ["--set=bond.round_steps=1", "--set=bond.self_rounds=1", "--set=bond.expert_rounds=1"],
    "distill": ["--rounds=1", "--steps=1"],
}


def blocks(language: str) -> list[str]:
    """The code blocks of a language on all pages."""
    pages = [path.read_text(encoding="utf-8") for path in PAGES]
    return [code for page in pages for name, code in BLOCK.findall(page) if name == language]


@pytest.fixture
def folder(tmp_path: Path, labelled: list[Document]) -> Path:
    """A folder with the files that the examples speak of."""
    (tmp_path / "notes.txt").write_text("\n".join(d.text for d in labelled), encoding="utf-8")
    (tmp_path / "types.txt").write_text("DRUG\nLOC\n", encoding="utf-8")
    (tmp_path / "drugs.csv").write_text("surface,label\naspirin,DRUG\ncodeine,DRUG\n")
    rules = '[{"label": "LOC", "before": ["in"], "shape": ["title"]}]'
    (tmp_path / "rules.json").write_text(rules, encoding="utf-8")
    write(tmp_path / "test.jsonl", labelled)
    return tmp_path


def test_every_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    inline = re.findall(r"`(convener [a-z]+ [^`]*-o [^`]*)`", PAGES[0].read_text(encoding="utf-8"))
    lines = [line for code in blocks("bash") for line in code.splitlines()]
    commands = [line for line in lines if line.startswith("convener ")] + inline
    assert {shlex.split(command)[1] for command in commands} >= set(VERBS) - {"demo", "serve"}
    for command in commands:
        _, verb, *arguments = shlex.split(command, comments=True)
        convener(verb, *arguments, *FAST.get(verb, []))


def test_the_example_works(
    folder: Path, monkeypatch: pytest.MonkeyPatch, run_config: Callable[..., RunConfig]
) -> None:
    monkeypatch.chdir(folder)
    (example,) = blocks("python")
    names: dict[str, object] = {}
    with (folder / "notes.txt").open(encoding="utf-8") as notes:
        example = example.replace("experts=3", "experts=3, config=tiny")
        given = {"notes": notes, "tiny": run_config()}
        exec(example.replace('open("notes.txt")', "notes"), names | given, names)
    assert names["ner"].predict("We gave aspirin today .")  # type: ignore[attr-defined]


def test_the_tables_are_generated() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "bench" / "tables.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_settings_on_the_page_exist() -> None:
    page = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    config = RunConfig().model_dump()
    for path in re.findall(r"`((?:bond|optimiser|tagger|reader)\.\w+)`", page):
        section, name = path.split(".")
        assert name in config[section]


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists()

"""What the documentation shows is true: commands run, the example works, tables are generated."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convener import Entry, load
from convener.recipes.distill import DistillConfig
from convener.recipes.run_config import RunConfig
from convener.recipes.settings import by_path
from convener.text.documents import Document
from convener.text.formats import read, write
from tests.program import convener
from tests.test_architecture import PROJECT
from tests.test_cli import VERBS

README = PROJECT / "README.md"
PAGES = [README, *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)
FAST = {
    "train": [
        "--set=bond.round_steps=1",
        "--set=bond.self_rounds=1",
        "--set=bond.expert_rounds=1",
        "--set=generator.steps=1",
        "--set=generator.max_new_tokens=8",
    ],
    "distill": ["--rounds=1", "--steps=1"],
}


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a language on a page."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [code for name, code in found if name == language]


def commands(page: Path) -> list[str]:
    """The commands that a page shows, those of its text last."""
    lines = [line for code in blocks(page, "bash") for line in code.splitlines()]
    inline = re.findall(r"`(convener [a-z]+ [^`]*-o [^`]*)`", page.read_text(encoding="utf-8"))
    return [line for line in lines if line.startswith("convener ")] + inline * (page == README)


def run(folder: Path, page: Path) -> None:
    """Run the commands of a page in a folder."""
    for command in commands(page):
        _, verb, *arguments = shlex.split(command, comments=True)
        convener(verb, *arguments, *FAST.get(verb, []), folder=folder)


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, labelled: list[Document], tiny_llama: Path
) -> Path:
    """A folder with the files that the examples speak of, and what the first page makes of them."""
    folder = tmp_path_factory.mktemp("documentation")
    (folder / "notes.txt").write_text("\n".join(d.text for d in labelled), encoding="utf-8")
    (folder / "types.txt").write_text("DRUG\nLOC\n", encoding="utf-8")
    (folder / "drugs.csv").write_text("surface,label\naspirin,DRUG\ncodeine,DRUG\n")
    rules = '[{"label": "LOC", "before": ["in"], "shape": ["title"]}]'
    (folder / "rules.json").write_text(rules, encoding="utf-8")
    write(folder / "test.jsonl", labelled)
    shutil.copytree(tiny_llama, folder / "llm")
    run(folder, README)
    return folder


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_every_command_runs(page: Path, folder: Path) -> None:
    run(folder, page)


def test_every_verb_is_shown() -> None:
    shown = {shlex.split(command)[1] for page in PAGES for command in commands(page)}
    assert shown >= set(VERBS) - {"demo", "serve"}


def test_the_example_works(
    folder: Path, monkeypatch: pytest.MonkeyPatch, run_config: Callable[..., RunConfig]
) -> None:
    monkeypatch.chdir(folder)
    (example,) = blocks(README, "python")
    names: dict[str, Any] = {}
    with (folder / "notes.txt").open(encoding="utf-8") as notes:
        example = example.replace("train(documents)", "train(documents, config=tiny)")
        given = {"notes": notes, "tiny": run_config()}
        exec(example.replace('open("notes.txt")', "notes"), names | given, names)
    assert names["ner"].predict("We gave aspirin today .")


def test_the_example_of_a_vote_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    example, _ = blocks(PROJECT / "docs" / "rules.md", "python")
    with (folder / "notes.txt").open(encoding="utf-8") as notes:
        names: dict[str, Any] = {"notes": notes}
        exec(example.replace('open("notes.txt")', "notes"), names)
    sources = {e.source for d in names["labelled"] for e in d.entities}
    assert sources == {"drugs.csv", "LOC rule 1"}


def test_the_example_of_a_vocabulary_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    item = "http://www.wikidata.org/entity/Q1"
    (folder / "painters.csv").write_text(f"item,itemLabel\n{item},Ida\nnone,Bo\n")
    _, example = blocks(PROJECT / "docs" / "rules.md", "python")
    names: dict[str, Any] = {}
    exec(example, names)
    assert list(names["painters"]) == [Entry("Ida", "PER", "Q1")]
    assert len(names["refused"]) == 1


def test_the_example_of_spacy_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (example,) = blocks(PROJECT / "docs" / "formats.md", "python")
    names: dict[str, Any] = {}
    exec(example, names)
    found = load("drug-ner").predict(names["doc"].text)
    assert names["doc"]._.convener == tuple(found)


def test_the_example_of_settings_works(
    folder: Path, monkeypatch: pytest.MonkeyPatch, run_config: Callable[..., RunConfig]
) -> None:
    monkeypatch.chdir(folder)
    (example,) = blocks(PROJECT / "docs" / "settings.md", "python")
    example = example.replace("seed=1, ", "seed=1, tagger=tiny.tagger, ")
    example = example.replace('"experts": 3', '"experts": 3, "round_steps": 1')
    names: dict[str, Any] = {"tiny": run_config()}
    exec(example, names)
    run = names["model"].card.run
    assert (run["seed"], run["bond"]["experts"], run["optimiser"]["precision"]) == (1, 3, "bf16")


def test_the_examples_in_python_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, run_config: Callable[..., RunConfig]
) -> None:
    monkeypatch.chdir(folder)
    example = "\n".join(blocks(PROJECT / "docs" / "python.md", "python"))
    for shown, quick in {
        'seed=1, bond={"experts": 3}': 'seed=1, bond={"experts": 3} | once, tagger=tiny.tagger',
        'distill(model, "notes.txt")': 'distill(model, "notes.txt", config=short)',
        '"library", config=RunConfig(seed=1)': '"library", config=reader',
    }.items():
        assert shown in example
        example = example.replace(shown, quick)
    once = {"round_steps": 1, "self_rounds": 1}
    names: dict[str, Any] = {
        "tiny": run_config(),
        "once": once,
        "short": DistillConfig(rounds=1, round_steps=1),
        "reader": {"reader": {"encoder": run_config().tagger.encoder}, "bond": once},
    }
    exec(example, names)
    assert names["bad"] == []
    assert {d.text for d in read("found.jsonl")} == {d.text for d in read("test.jsonl")}
    assert load("adapted").labels == load("drug-ner-onnx").labels[:1] == ("DRUG",)


def test_every_setting_is_explained() -> None:
    page = (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*) \|$", page, re.M)
    assert [name for name, meaning in rows if not meaning.strip()] == []
    assert {name for name, _ in rows} == set(by_path(RunConfig().model_dump()))


def test_every_example_is_run() -> None:
    shown = {page.stem for page in PAGES if blocks(page, "python")}
    assert shown == {"README", "formats", "python", "rules", "settings"}


def test_the_tables_are_generated() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "bench" / "tables.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    empty = re.compile(r"<!-- table: \w+ -->\n(\|.*\n){0,2}<!-- end -->")
    assert not [page.stem for page in PAGES if empty.search(page.read_text(encoding="utf-8"))]


def test_the_settings_on_the_page_exist() -> None:
    page = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    config = RunConfig().model_dump()
    for path in re.findall(r"`((?:bond|optimiser|tagger|reader|generator)\.\w+)`", page):
        section, name = path.split(".")
        assert name in config[section]


def anchors(page: Path) -> set[str]:
    """What links to parts of a page may name: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_pages_lead_somewhere() -> None:
    parts = 0
    for page in PAGES:
        for link in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8")):
            target, _, part = link.partition("#")
            there = page.parent / target if target else page
            assert there.exists(), link
            assert not part or part in anchors(there), link
            parts += bool(part)
    assert parts > 10

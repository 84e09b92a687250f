"""The rows of the benchmark: each trains, and none reads a gold label that it should not."""

import shlex
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from convener.evaluation.scores import Scores, score
from convener.recipes.run_config import PAPERS
from convener.text.documents import Document, Entity, crossing
from convener.text.formats import write

SETTINGS: dict[str, object] = {
    "bond.round_steps": 3,
    "bond.self_rounds": 2,
    "tagger.train_embeddings": True,
}
SPENT = {"seconds", "cpu_seconds", "peak_rss_mb", "rounds"}
READ_GOLD = {"gold", "bond-published"}


@pytest.fixture(scope="module")
def bench(benches: Path) -> ModuleType:
    """The benchmark's module."""
    del benches
    import bond_moe

    return bond_moe


@pytest.fixture(scope="module")
def folders(labelled: list[Document], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A toy set, and the same with every gold label of training and test text replaced."""
    made = []
    for name, wrong in (("right", False), ("wrong", True)):
        folder = tmp_path_factory.mktemp(name)
        shuffled = [
            replace(d, entities=tuple(replace(e, label="DRUG") for e in d.entities[:1]))
            for d in labelled
        ]
        write(folder / "train.distant.jsonl", labelled, "tokens")
        write(folder / "dev.jsonl", labelled[:12], "tokens")
        for split in ("train.gold", "test"):
            write(folder / f"{split}.jsonl", shuffled if wrong else labelled, "tokens")
        made.append(folder)
    return made


def test_no_row_but_those_that_say_so_reads_gold_labels(
    bench: ModuleType, folders: list[Path], tiny_encoder: Path
) -> None:
    assert set(bench.METHODS) > READ_GOLD
    for name, method in bench.METHODS.items():
        answers = []
        for folder in folders:
            data = bench.Data(str(folder))
            config = bench.configured(method, str(tiny_encoder), 0, SETTINGS)
            trained, _ = bench.train(data, method, config)
            if name == "default-panel":
                trained, _ = bench.taught(trained.panel, data, config)
            found = trained.panel.annotate([Document(d.text, tokens=d.tokens) for d in data.test])
            answers.append((trained.history[0]["loss"], trained.dev_f1, found))
        (loss, dev_f1, found), (other_loss, other_f1, other_found) = answers
        if name == "gold":
            assert loss != other_loss
        elif name == "bond-published":
            assert dev_f1 != other_f1
        else:
            assert (loss, dev_f1, found) == (other_loss, other_f1, other_found), name


def test_a_row_says_what_it_is_and_the_same_seed_gives_it_twice(
    bench: ModuleType,
    folders: list[Path],
    tiny_encoder: Path,
    tmp_path: Path,
) -> None:
    settings = {name: str(value).lower() for name, value in SETTINGS.items()}
    place = (str(folders[0]), 0, str(tiny_encoder), settings, str(tmp_path / "rows.json"))

    def rows(method: str) -> list[dict[str, object]]:
        data, *others = place
        return [
            {k: v for k, v in row.items() if k not in SPENT}
            for row in bench.run(data, method, *others)
        ]

    bond, stage_one = rows("bond")
    assert (bond["method"], stage_one["method"]) == ("bond", "stage1")
    assert bond["dev_f1"] >= stage_one["dev_f1"]
    panel, parted = rows("bond-moe")
    assert (panel["method"], parted["method"]) == ("bond-moe", "no-self-training")
    default = rows("default")
    assert [row["method"] for row in default] == ["default", "default-minus-self-training"]
    assert all(0 <= float(str(row["beats_bond"])) <= 1 for row in (stage_one, *default))
    assert rows("default") == default
    no_dev, half_way = rows("default-no-dev")
    assert half_way["method"] == "default-no-dev-minus-self-training"
    assert no_dev["dev_f1"] is half_way["dev_f1"] is None
    (dictionary,) = rows("dictionary")
    assert dictionary["f1"] == 100.0
    panel, student = rows("default-panel")
    assert (panel["method"], student["method"]) == ("default-panel", "distilled")
    assert student["dev_f1"] is not None


def test_a_row_is_held_against_bond_of_the_same_set_encoder_and_seed(
    bench: ModuleType, labelled: list[Document], tmp_path: Path
) -> None:
    class Data:
        test = labelled

    blind = score(labelled, [replace(d, entities=()) for d in labelled])
    perfect = score(labelled, labelled)
    results = tmp_path / "rows.json"

    def beats(method: str, scores: Scores, **changed: object) -> float | None:
        row = {"set": "a/toy", "encoder": "minilm", "seed": 0, "method": method} | changed
        found: float | None = bench.beats(scores, Data, row, results)
        return found

    assert beats("default", perfect) is None
    assert beats("bond", blind) is None
    assert beats("default", perfect) == 1.0
    assert beats("default", blind) == 0.0
    assert beats("default", perfect, set="b/toy") is None
    assert beats("default", perfect, encoder="other") is None
    assert beats("default", perfect, seed=1) is None


def test_the_gap_closed_and_what_is_not_averaged(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bench
    import bond_moe_tables as tables  # type: ignore[import-not-found]

    def row(method: str, f1: float, encoder: str = "minilm") -> dict[str, object]:
        return {"set": "toy", "method": method, "encoder": encoder, "f1": f1}

    rows = [row("dictionary", 50.0), row("bond", 45.0), row("default", 60.0), row("gold", 70.0)]
    rows.append(row("default", 70.0, "large"))
    monkeypatch.setattr(tables, "load", {"bond_moe": rows}.get)
    head, _, bond, default = tables.bond_moe_gap().splitlines()
    assert (head, bond[-9:], default[-8:]) == ("| | toy |", "| -25 % |", "| 50 % |")
    assert tables.bond_moe().splitlines()[0] == "| | toy | toy, large |"
    assert "60.0 (1) | 70.0 (1)" in tables.bond_moe()
    rows.append(row("gold", 80.0))
    assert "| 40 % |" in tables.bond_moe_gap()
    rows.append(row("gold", 80.0, "large"))
    assert tables.bond_moe_gap().splitlines()[0] == "| | toy |"


def test_a_row_that_answers_as_bond_does_is_told_from_one_that_was_not_held_against_it(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bench
    import bond_moe_tables as tables

    def row(method: str, seed: int, figure: float, beats: float | None) -> dict[str, object]:
        scores = {"precision": figure, "recall": figure, "beats_bond": beats}
        return {"set": "toy", "method": method, "seed": seed} | scores

    rows = [row("bond", seed, 50.0, None) for seed in (0, 1, 2)]
    rows += [
        row("stage1", 0, 50.0, 0.0),
        row("stage1", 1, 40.0, 0.25),
        row("stage1", 2, 60.0, None),
    ]
    monkeypatch.setattr(tables, "load", {"bond_moe": rows}.get)
    assert tables.bond_moe_sure().splitlines()[2:] == ["| stage I | = · 25 · – |"]


def test_rows_are_known_however_their_settings_were_written(
    bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "rows.json"
    bench.jobs.write(results, [{"x": 1, "settings": {"a": '"bf16"'}}])
    bench.jobs.run_all("none.py", [{"x": 1, "settings": {"a": "bf16"}}], results, ("x",), 1)
    with pytest.raises(SystemExit):
        bench.jobs.run_all("none.py", [{"x": 1, "settings": {"a": "fp8"}}], results, ("x",), 1)
    assert "is there with other settings" in capsys.readouterr().err


def test_labels_that_are_not_spoilt_are_learnt_from_once(bench: ModuleType) -> None:
    del bench
    import noise  # type: ignore[import-not-found]

    assert noise.cases(["type", "mixed"], [0.0, 0.4]) == [
        ("none", 0.0),
        ("type", 0.4),
        ("mixed", 0.4),
    ]


def test_settings_are_read_as_a_shell_leaves_them(bench: ModuleType) -> None:
    given = {"a": "bf16", "b": '"bf16"', "c": "3", "d": "false"}
    assert bench.jobs.changes(given) == {"a": "bf16", "b": "bf16", "c": 3, "d": False}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--set", "webpag"], "expected one of webpage, wikigold, twitter, conll03 or a folder"),
        (["--setting", "bond.tau"], "expected --setting NAME=VALUE, got bond.tau"),
        (["--setting", "bond.nope=1"], "no setting 'bond.nope'"),
    ],
)
def test_mistakes_are_told_before_any_job(
    bench: ModuleType,
    folders: list[Path],
    given: list[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CONVENER_DATA", str(folders[0]))
    monkeypatch.setattr("sys.argv", ["bond_moe.py", "--set", str(folders[0]), *given])
    with pytest.raises(SystemExit):
        bench.main()
    assert expected in capsys.readouterr().err


def test_bond_runs_before_what_is_held_against_it(
    bench: ModuleType, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    waves: list[list[str]] = []
    monkeypatch.setattr(bench.jobs, "run_all", lambda _, wave, *more: waves.append(wave))
    asked = ["--method", "gold", "bond", "dictionary", "--seed", "1", "2"]
    monkeypatch.setattr("sys.argv", ["bond_moe.py", "--set", str(folders[0]), *asked])
    bench.main()
    first, second = ([(job["method"], job["seed"]) for job in wave] for wave in waves)
    assert first == [("bond", 1), ("bond", 2)]
    assert second == [("gold", 1), ("gold", 2), ("dictionary", 0)]


def test_the_command_of_a_row_can_be_repeated(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["--one", '{"set": "a b", "settings": {}}']
    monkeypatch.setattr("sys.argv", ["bond_moe.py", *given])
    assert shlex.split(bench.jobs.provenance()["command"])[2:] == given


def test_a_job_that_fails_is_told_and_the_others_are_run(
    bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.py"
    row = "json.dumps(job | {'f1': 1 / job['x']})"
    script.write_text(f"import json, sys\njob = json.loads(sys.argv[2])\nprint({row})")
    results = tmp_path / "new" / "folder" / "rows.json"
    with pytest.raises(SystemExit, match="1 of 3 jobs failed"):
        bench.jobs.run_all(str(script), [{"x": 1}, {"x": 0}, {"x": 2}], results, ("x",), 1)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert [row["x"] for row in bench.jobs.read(results)] == [1, 2]


@pytest.mark.parametrize("kind", ["missing", "type", "boundary", "spurious", "mixed"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_labels_are_spoilt_by_the_share_that_was_asked_for(
    bench: ModuleType, labelled: list[Document], kind: str, share: float
) -> None:
    import noise

    del bench
    spoilt = noise.spoilt(labelled, kind, share, seed=0)
    before = [{(e.span, e.label) for e in d.entities} for d in labelled]
    after = [{(e.span, e.label) for e in d.entities} for d in spoilt]
    count = sum(map(len, before))
    lost = sum(len(a - b) for a, b in zip(before, after, strict=True)) / count
    added = sum(len(b - a) for a, b in zip(before, after, strict=True)) / count
    assert spoilt == noise.spoilt(labelled, kind, share, seed=0)
    expected = 0.75 * share if kind == "mixed" else share
    assert lost == pytest.approx(0 if kind == "spurious" else expected, abs=0.2)
    assert added == pytest.approx(0 if kind == "missing" else expected, abs=0.2)
    assert (lost + added > 0) == (share > 0)
    for document in spoilt:
        assert crossing(document.entities) is None
        starts, ends = zip(*document.words(), strict=True)
        assert all(e.start in starts and e.end in ends for e in document.entities)


def test_one_type_cannot_be_confused(bench: ModuleType) -> None:
    import noise

    del bench
    places = [Document("Rome", (Entity(0, 4, "LOC"),))]
    assert noise.spoilt(places, "missing", 1.0, seed=0)[0].entities == ()
    with pytest.raises(ValueError, match="two types or more"):
        noise.spoilt(places, "mixed", 0.5, seed=0)


def test_the_papers_take_the_dictionary_at_its_word() -> None:
    assert {config.abstain for config in PAPERS.values()} == {"never"}
    assert {name: config.bond.experts for name, config in PAPERS.items()} == {
        "bond": 1,
        "bond-moe": 3,
    }


def test_the_parts_of_a_set_are_whole_documents(bench: ModuleType) -> None:
    documents = [Document("a b", group=group) for group in "xxyyyz"]
    assert bench.first_documents(documents, 3) == [0, 1, 2, 3, 4]

"""The command line as a user meets it: the real program in a process of its own."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from convener import __version__
from convener.cli.console import out
from convener.cli.stopping import stoppable
from convener.errors import DataError
from convener.text.documents import Document, Entity
from convener.text.formats import read, write
from tests.program import ENVIRONMENT, PROGRAM, convener

VERBS = (
    *("demo", "compile", "label", "train", "evaluate", "predict", "info", "adapt", "audit"),
    *("convert", "export", "distill"),
    "serve",
)


@dataclass(frozen=True)
class Workplace:
    """Files of a user, and options that train a tiny model."""

    folder: Path
    text: Path
    dictionary: Path
    gold: Path
    model: Path
    tiny: Sequence[str]


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    labelled: list[Document],
    tiny_encoder: Path,
) -> Workplace:
    """Text, dictionary, gold labels, and a model made from raw text in one command."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "notes.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    names = sorted({(d.surface(e), e.label) for d in labelled for e in d.entities})
    rows = "".join(f"{surface},{label}\n" for surface, label in names)
    (folder / "names.csv").write_text(f"surface,label\n{rows}", encoding="utf-8")
    write(folder / "gold.jsonl", labelled)
    tiny = [
        f"--encoder={tiny_encoder}",
        "--experts=2",
        "--set=tagger.train_embeddings=true",
        "--set=optimiser.learning_rate=3e-3",
        "--set=optimiser.head_learning_rate=1e-2",
        "--set=bond.round_steps=8",
    ]
    files = [folder / name for name in ("notes.txt", "names.csv", "gold.jsonl", "model")]
    convener("train", files[0], "--dictionary", files[1], "-o", files[3], *tiny)
    return Workplace(folder, *files, tiny)


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example(verb: str) -> None:
    assert f"convener {verb}" in convener(verb, "--help").stdout.split("Example:")[1]


def test_label_writes_documents_and_a_summary(place: Workplace, tmp_path: Path) -> None:
    output = tmp_path / "labelled.jsonl"
    done = convener("label", place.text, place.dictionary, "-o", output)
    assert list(read(output)) != list(read(place.text))
    assert [d.text for d in read(output)] == [d.text for d in read(place.text)]
    assert "documents: 30, with a match: 25 (83.3 %)" in done.stderr
    assert "DRUG: 20" in done.stderr


def test_predict_reads_a_file_a_text_and_standard_input(place: Workplace, tmp_path: Path) -> None:
    output = tmp_path / "found.jsonl"
    convener("predict", place.model, place.text, "-o", output)
    found = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert len(found) == 30
    for item in found:
        for entity in item["entities"]:
            assert entity["label"] in {"DRUG", "LOC"}
            assert 0 < entity["score"] <= 1
    by_stdin = convener("predict", place.model, stdin=place.text.read_text(encoding="utf-8"))
    assert by_stdin.stdout == output.read_text(encoding="utf-8")
    by_option = convener("predict", place.model, "--text", found[0]["text"])
    assert json.loads(by_option.stdout) == found[0]


def test_evaluate_prints_and_writes_scores(place: Workplace, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    done = convener(
        "evaluate", place.model, place.gold, "--json", scores, "--dictionary", place.dictionary
    )
    content = json.loads(scores.read_text(encoding="utf-8"))
    assert content["exact"]["f1"] > 80
    low, high = content["f1_interval"]
    assert low <= content["exact"]["f1"] <= high
    assert content["unseen_recall"] is None
    assert f"F1 {content['exact']['f1']:.2f}" in done.stdout
    assert {"DRUG", "LOC"} == set(content["types"])


def test_every_verb_reads_a_dictionary_alike(place: Workplace, tmp_path: Path) -> None:
    text, names, stop = (tmp_path / name for name in ("notes.txt", "names.csv", "stop.txt"))
    text.write_text("Statins and tablets in Oslo\n" * 4)
    names.write_text("statin,DRUG\ntablet,DRUG\nOslo,LOC\n")
    stop.write_text("tablet\n")
    options = (f"--stop={stop}", "--plurals")
    told = convener("label", text, names, "-o", tmp_path / "out.jsonl", *options).stderr
    assert "DRUG: 4" in told
    assert told in convener("audit", text, names, *options).stdout
    quick = [*place.tiny, "--experts=1", "--set=bond.round_steps=1"]
    trained = ("train", text, "--dictionary", names, "-o", tmp_path / "model", *options, *quick)
    gold = tmp_path / "gold.jsonl"
    spans = ((0, 7, "DRUG"), (12, 19, "DRUG"))
    write(gold, [Document("Statins and tablets in Oslo", tuple(Entity(*s) for s in spans))])
    said = convener(*trained, "--dev", gold).stderr
    assert told in said
    assert re.search(r"F1 on dev: dictionary 50\.0, model [\d.]+, both [\d.]+", said)
    plain = convener("evaluate", place.model, gold, "--dictionary", names).stdout
    done = convener("evaluate", place.model, gold, "--dictionary", names, *options).stdout
    assert "recall on unseen names" in plain
    assert "recall on seen names" not in plain
    assert done.count(" of 1\n") == 2


def test_who_trains_with_a_dictionary_is_told_what_it_brings_to_the_model(
    place: Workplace, tmp_path: Path
) -> None:
    names, dev = tmp_path / "names.csv", tmp_path / "dev.jsonl"
    names.write_text("aspirin,DRUG\nsea fever,LOC\n")
    texts = [("aspirin", "DRUG"), ("sea fever", "LOC"), ("sea fever", "LOC"), ("A gnu.", "ANIMAL")]
    write(dev, [Document(text, (Entity(0, len(text), label),)) for text, label in texts])
    told = ("train", place.text, "--dictionary", names, "--dev", dev, "-o", tmp_path / "model")
    said = convener(*told, *place.tiny, "--experts=1").stderr
    (line,) = (line for line in said.splitlines() if line.startswith("F1 on dev"))
    listed, alone, both = map(float, re.findall(r"\d+\.\d", line))
    assert listed == both == 85.7
    assert alone < 85.7
    assert "--dev has types that the model does not: ANIMAL, LOC (it has DRUG)" in said
    assert line.endswith("; predict --dictionary has both")


def test_labels_inside_words_are_told(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    write(data, [Document("We gave aspirin.", (Entity(8, 12, "DRUG"), Entity(8, 15, "DRUG")))])
    done = convener("train", data, "-o", tmp_path / "model", "--encoder=./none", code=2)
    assert (
        "labels that begin or end inside a word, which is learnt whole: 1, such as "
        "'aspi' in 'We gave aspirin.'"
    ) in done.stderr


def test_scores_go_to_standard_output_alone(place: Workplace) -> None:
    done = convener("evaluate", place.model, place.gold, "--json", "-")
    assert 0 <= json.loads(done.stdout)["exact"]["f1"] <= 100


def test_info_says_what_a_model_is(place: Workplace) -> None:
    shown = convener("info", place.model).stdout
    assert "DRUG, LOC" in shown
    assert "30 in 30 groups" in shown
    assert json.loads(convener("info", place.model, "--json").stdout)["experts"] == 2


def test_a_saved_configuration_repeats_the_run(place: Workplace, tmp_path: Path) -> None:
    run, output = place.model / "run.json", tmp_path / "again"
    again = ("train", place.text, "--dictionary", place.dictionary, "--config", run, "-o", output)
    assert "replaced" not in convener(*again).stderr
    assert f"{output} is there, and replaced when all is done" in convener(*again).stderr
    for name in ("expert-0.safetensors", "expert-1.safetensors", "run.json"):
        assert (output / name).read_bytes() == (place.model / name).read_bytes()


@pytest.mark.parametrize(("paper", "experts"), [("bond", 1), ("bond-moe", 3)])
def test_a_paper_is_run_as_it_is_written(
    place: Workplace, tmp_path: Path, paper: str, experts: int
) -> None:
    quick = [option for option in place.tiny if not option.startswith("--experts")]
    output = tmp_path / "model"
    convener("train", place.gold, "--paper", paper, "-o", output, *quick)
    run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    assert (run["abstain"], run["rivals"], run["bond"]["experts"]) == ("never", False, experts)
    assert len(list(output.glob("expert-*.safetensors"))) == experts


def test_a_panel_that_dev_has_made_one_expert_is_told(place: Workplace, tmp_path: Path) -> None:
    slow = [*place.tiny[:-1], "--set=bond.round_steps=60", "--set=bond.self_training=false"]
    output = tmp_path / "model"
    told = convener("train", place.gold, "--dev", place.gold, "-o", output, *slow).stderr
    assert "one expert, not 2" in told
    assert len(list(output.glob("expert-*.safetensors"))) == 1
    assert "| experts | 1 |" in (output / "README.md").read_text(encoding="utf-8")


def stopped_at(line: str, sign: signal.Signals, arguments: Sequence[str | Path]) -> str:
    """Send a signal to a run when it prints a line; what it then prints, and its exit code.

    The run heeds signals even where this process was started in the background, deaf to SIGINT.
    """
    with subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stderr is not None
        next(shown for shown in running.stderr if shown.startswith(line))
        running.send_signal(sign)
        rest = running.stderr.read()
        return f"{rest}{running.wait()}"


def slow_run(place: Workplace, output: Path) -> list[str | Path]:
    """A run long enough to be stopped in the middle, however busy the machine is."""
    long = ["--set=bond.self_rounds=60"]
    return ["train", place.text, "--dictionary", place.dictionary, "-o", output, *place.tiny, *long]


def test_interrupted_and_resumed_gives_the_same_model(place: Workplace, tmp_path: Path) -> None:
    output, whole = tmp_path / "model", tmp_path / "whole"
    arguments = slow_run(place, output)
    end = stopped_at("experts: round=1", signal.SIGINT, arguments).splitlines()
    assert end[-2].startswith("convener: stopped: ")
    assert end[-2].endswith("model.checkpoint holds what is done, --resume takes it up")
    assert end[-1] == "130"
    assert [path.name for path in tmp_path.iterdir()] == ["model.checkpoint"]
    convener(*arguments, "--resume")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    convener(*slow_run(place, whole))
    for name in ("expert-0.safetensors", "expert-1.safetensors"):
        assert (output / name).read_bytes() == (whole / name).read_bytes()


def test_a_scheduler_stops_a_run_as_a_person_does(place: Workplace, tmp_path: Path) -> None:
    end = stopped_at("warm-up: round=2", signal.SIGTERM, slow_run(place, tmp_path / "model"))
    assert end.splitlines()[-2].endswith(
        "model.checkpoint holds what is done, --resume takes it up"
    )
    assert end.endswith("130")
    assert [path.name for path in tmp_path.iterdir()] == ["model.checkpoint"]


def test_a_killed_run_leaves_no_half_written_model(place: Workplace, tmp_path: Path) -> None:
    arguments = slow_run(place, tmp_path / "model")
    assert stopped_at("warm-up: round=2", signal.SIGKILL, arguments).endswith("-9")
    assert not (tmp_path / "model").exists()
    convener(*arguments, "--resume")
    assert (tmp_path / "model" / "expert-1.safetensors").is_file()


def test_a_single_process_that_is_stopped_says_how_to_keep_answers(
    place: Workplace, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [PROGRAM, "predict", place.model, "-", "-o", tmp_path / "found.jsonl"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as running:
        until = time.monotonic() + 120
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < until
            time.sleep(0.05)
        running.send_signal(signal.SIGTERM)
        said = running.communicate()[1]
    assert running.returncode == 130
    assert said.splitlines()[0] == (
        "convener: stopped: nothing is kept; a run with --resume keeps what is done"
    )
    assert not list(tmp_path.iterdir())


def test_what_stands_in_place_of_a_checkpoint_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "model.checkpoint").mkdir()
    with (
        pytest.raises(DataError, match="is in the way of checkpoints"),
        stoppable(tmp_path / "model", resume=False),
    ):
        pass
    assert (tmp_path / "model.checkpoint").is_dir()


def test_what_is_said_is_said_as_it_was_written() -> None:
    with out.capture() as said:
        out.print("lib:warning:.jsonl [a]", markup=False)
    assert said.get() == "lib:warning:.jsonl [a]\n"


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "train notes.txt -o model --set bond.nope=1",
        "train notes.txt -o model --paper bond --set seed=early",
        "train notes.txt -o model --model generator",
        "distill nope notes.txt -o model",
        "predict nope notes.txt",
        "evaluate nope notes.txt",
        "info nope",
    ],
)
def test_help_and_mistakes_are_told_before_torch_is_loaded(command: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Ada met Bob.")
    script = (
        "import atexit, sys; from convener.cli.main import main\n"
        "atexit.register(lambda: print('torch' in sys.modules)); main()"
    )
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", script, *command.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert told.returncode == (0 if command == "--help" else 2)
    assert told.stdout.splitlines()[-1] == "False", told.stderr
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("program", [[PROGRAM], [sys.executable, "-m", "convener"]])
def test_it_tells_its_version(program: list[str | Path]) -> None:
    told = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == __version__

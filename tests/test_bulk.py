"""Bulk prediction: many workers, killed and taken up again, answer as one process would."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convener import load
from convener.errors import ConfigError, DataError, ModelError
from convener.inference import bulk, workers
from convener.inference.bulk import Work, Worker, predict_file
from convener.text.documents import Document
from convener.text.formats import read, write
from convener.text.formats.lines import Stretch, numbered_lines, stretches
from tests import serving_models
from tests.dying import FATAL, die, die_of_a_line
from tests.program import ENVIRONMENT, convener, refusal

SMALL = 600
START = (
    f"from convener.inference import bulk; bulk.STRETCH_BYTES = {SMALL}; import convener.cli.main"
)


@pytest.fixture(scope="module")
def source(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents that differ, a line each."""
    path = tmp_path_factory.mktemp("source") / "many.jsonl"
    write(path, (Document(f"{text} {i}", id=str(i)) for i, text in enumerate(texts * 12)))
    return path


@pytest.fixture(scope="module")
def expected(model: Path, source: Path) -> list[Document]:
    """What one process answers."""
    return list(load(model, "cpu").annotate(read(source)))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "STRETCH_BYTES", SMALL)


def work_for(model: Path, **options: object) -> Callable[..., Work]:
    return lambda parts, form: Work(str(model), parts, form, **options)  # type: ignore[arg-type]


def here(work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
    """One worker in this process, which takes the stretches in any order."""
    worker = Worker(work)
    return map(worker.answer, random.Random(0).sample(todo, len(todo)))


def breaks(work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
    """A run that is stopped after two stretches."""
    yield from here(work, todo[:2])
    raise KeyboardInterrupt


def told(documents: Sequence[Document]) -> list[tuple[object, ...]]:
    return [(d.id, d.text, [(e.span, e.label) for e in d.entities]) for d in documents]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\x00"))), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stretches_are_the_file(tmp_path: Path, lines: list[str], data: st.DataObject) -> None:
    path = tmp_path / "any.txt"
    path.write_bytes("\n".join(lines).encode())
    size = data.draw(st.integers(1, 1 + path.stat().st_size))
    parts = list(stretches(path, size))
    assert sum(part.size for part in parts) == path.stat().st_size
    found = [line for part in parts for line in part.lines(pytest.fail)]
    assert found == list(numbered_lines(path))


def test_parts_answer_as_the_whole(
    model: Path, source: Path, expected: list[Document], tmp_path: Path
) -> None:
    shown: list[tuple[int, int]] = []
    output = tmp_path / "found.jsonl"
    left_out = predict_file(
        source, output, work_for(model), here, progress=lambda *s: shown.append(s)
    )
    assert left_out == []
    assert told(list(read(output))) == told(expected)
    assert len(shown) > 10
    assert shown == sorted(shown)
    assert shown[-1] == (source.stat().st_size, source.stat().st_size)
    assert {path.name for path in tmp_path.iterdir()} == {"found.jsonl", "found.jsonl.done"}


def test_threshold_and_flat_reach_the_workers(model: Path, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "found.jsonl"
    scores = [e.score or 0 for d in load(model).annotate(read(source)) for e in d.entities]
    middle = sorted(scores)[len(scores) // 2]
    predict_file(source, output, work_for(model, threshold=middle, flat=True), here)
    kept = [e.score or 0 for d in read(output) for e in d.entities]
    assert len(kept) == sum(score >= middle for score in scores) < len(scores)


def test_of_nested_entities_workers_keep_the_best_apart(tiny_encoder: Path, tmp_path: Path) -> None:
    nested = serving_models.reader(tiny_encoder)
    nested.save_pretrained(tmp_path / "reader")
    source, output = tmp_path / "notes.txt", tmp_path / "found.jsonl"
    source.write_text("The clinic of Rome is closed .\n" * 3)
    counts = []
    for flat in (False, True):
        work = work_for(tmp_path / "reader", flat=flat)
        predict_file(source, output, work, here)
        found = list(read(output))
        assert told(found) == told(nested.annotate(read(source), flat=flat))
        counts.append(sum(len(document.entities) for document in found))
    assert counts == [6, 3]


def test_bad_items_are_listed_even_if_another_run_met_them(
    model: Path, source: Path, tmp_path: Path
) -> None:
    path, output = tmp_path / "bad.jsonl", tmp_path / "found.jsonl"
    lines = source.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "{broken\n", *lines[1:], '{"text": 7}\n']))

    skipping = work_for(model, on_error="skip")
    with pytest.raises(KeyboardInterrupt):
        predict_file(path, output, skipping, breaks)
    left_out = predict_file(path, output, skipping, here, resume=True)
    assert len(left_out) == 2
    assert left_out[0].startswith(f"{path}:2: ")
    assert left_out[1].startswith(f"{path}:{len(lines) + 2}: ")
    assert len(list(read(output))) == len(lines)
    with pytest.raises(DataError, match=r"bad\.jsonl:\d+: "):
        predict_file(path, output, work_for(model), here)


def test_a_run_that_a_bad_item_stopped_goes_on_without_it(
    model: Path, source: Path, tmp_path: Path
) -> None:
    path, output = tmp_path / "bad.jsonl", tmp_path / "found.jsonl"
    path.write_text(source.read_text() + "{broken\n" + source.read_text())
    with pytest.raises(DataError, match=r"bad\.jsonl:\d+: "):
        predict_file(path, output, work_for(model), here)
    answered = list(output.with_name("found.jsonl.parts").glob("*.jsonl"))
    taken: list[Stretch] = []

    def watched(work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
        taken.extend(todo)
        return here(work, todo)

    skipping = work_for(model, on_error="skip")
    assert len(predict_file(path, output, skipping, watched, resume=True)) == 1
    assert answered
    assert not {f"{stretch.start:015d}.jsonl" for stretch in taken} & {p.name for p in answered}


def test_a_finished_run_is_taken_up_by_doing_nothing(
    model: Path, source: Path, tmp_path: Path
) -> None:
    path, output = tmp_path / "notes.jsonl", tmp_path / "found.jsonl"
    path.write_text(source.read_text() + "{broken\n")

    def again(change: Callable[[], object], **options: object) -> bool:
        """Whether the run is repeated after a change."""
        parts: list[Stretch] = []

        def watched(work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
            parts.extend(todo)
            return here(work, todo)

        change()
        work = work_for(model, on_error="skip", **options)
        left_out = predict_file(path, output, work, watched, resume=True)
        assert len(left_out) == 1
        return bool(parts)

    assert again(lambda: None)
    assert not again(lambda: None)
    assert again(lambda: None, threshold=0.5)
    assert again(lambda: None)
    assert again(output.unlink)
    assert again(lambda: output.write_text("mine\n"))
    assert again(lambda: path.write_text(path.read_text() + path.read_text().splitlines()[0]))
    assert not again(lambda: None)


@pytest.mark.parametrize("told", ["", "[]", "{}", '{"left_out": 1}'])
def test_what_is_no_receipt_is_not_believed(
    model: Path, source: Path, tmp_path: Path, told: str
) -> None:
    output = tmp_path / "found.jsonl"
    output.write_text("mine\n")
    Path(f"{output}.done").write_text(told)
    predict_file(source, output, work_for(model), here, resume=True)
    assert output.read_text() != "mine\n"


def test_notes_beside_a_model_do_not_make_it_another(
    model: Path, source: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(model, tmp_path / "model"))
    output = copied / "found.jsonl"

    with pytest.raises(KeyboardInterrupt):
        predict_file(source, output, work_for(copied), breaks)
    with (copied / "README.md").open("a") as card:
        card.write("Mind the gap.\n")
    predict_file(source, output, work_for(copied), here, resume=True)
    assert len(list(read(output))) == len(list(read(source)))


def test_an_output_that_cannot_be_is_refused_before_any_work(
    model: Path, source: Path, tmp_path: Path
) -> None:
    def never(work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
        raise AssertionError

    (tmp_path / "folder").mkdir()
    (tmp_path / "a.jsonl.done").mkdir()
    (tmp_path / "b.jsonl.parts").write_text("")
    for name in ("folder", "a.jsonl", "b.jsonl"):
        with pytest.raises(DataError, match="expected a f"):
            predict_file(source, tmp_path / name, work_for(model), never, resume=True)
    with pytest.raises(ConfigError, match=r"ends in \.jsonl"):
        predict_file(source, tmp_path / "found.conll", work_for(model), never)
    lost = tmp_path / "c.jsonl.parts"
    lost.mkdir()
    (lost / "000000000000000.jsonl").write_text('{"text": "of another run"}\n')
    with pytest.raises(ConfigError, match="parts of an unknown run"):
        predict_file(source, tmp_path / "c.jsonl", work_for(model), never, resume=True)


def test_another_run_is_not_taken_up(
    model: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "found.jsonl"

    def stops(work: Work, todo: Sequence[Stretch]) -> Iterator[Stretch]:
        with pytest.raises(ConfigError, match="another run is writing"):
            predict_file(source, output, work_for(model), here, resume=True)
        yield from here(work, todo[:1])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_file(source, output, work_for(model), stops)
    with pytest.raises(ConfigError, match="--resume takes it up"):
        predict_file(source, output, work_for(model), here)
    other = shutil.copytree(model, tmp_path / "other")
    config = other / "config.json"
    config.write_text(config.read_text() + "\n")
    edited = tmp_path / "edited.jsonl"
    shutil.copyfile(source, edited)
    refused = pytest.raises(ConfigError, match="another input, model, options or version")
    with refused:
        predict_file(source, output, work_for(model, threshold=0.5), here, resume=True)
    with refused:
        predict_file(source, output, work_for(other), here, resume=True)
    with refused:
        predict_file(edited, output, work_for(model), here, resume=True)
    with monkeypatch.context() as patched, refused:
        patched.setattr(bulk, "STRETCH_BYTES", SMALL + 1)
        predict_file(source, output, work_for(model), here, resume=True)
    with monkeypatch.context() as patched, refused:
        patched.setattr(bulk, "installed_versions", lambda: {"convener": "0.0.9"})
        predict_file(source, output, work_for(model), here, resume=True)
    touched = source.stat()
    os.utime(source, ns=(touched.st_atime_ns, touched.st_mtime_ns + 1))
    with refused:
        predict_file(source, output, work_for(model), here, resume=True)
    os.utime(source, ns=(touched.st_atime_ns, touched.st_mtime_ns))
    columns = tmp_path / "columns.conll"
    columns.write_text("Rome B-LOC\n")
    with pytest.raises(ConfigError, match="expected a document a line"):
        predict_file(columns, output, work_for(model), here)


def test_workers_that_keep_dying_end_the_run(
    model: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_answer", die)
    with pytest.raises(ModelError, match="died 3 times in a row"):
        predict_file(source, tmp_path / "found.jsonl", work_for(model), workers.processes(1))


def test_an_input_that_kills_its_worker_comes_last_and_is_named(
    model: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = list(stretches(source, SMALL))
    monkeypatch.setenv(FATAL, str(plan[0].line))
    monkeypatch.setattr(workers, "_answer", die_of_a_line)
    output, done = tmp_path / "found.jsonl", list[int]()
    with pytest.raises(ModelError, match=rf"at one of {source}:1: give fewer"):
        predict_file(
            source,
            output,
            work_for(model),
            workers.processes(1),
            progress=lambda at, _: done.append(at),
        )
    assert done[-1] == source.stat().st_size - plan[0].size
    monkeypatch.setenv(FATAL, "0")
    predict_file(source, output, work_for(model), workers.processes(1), resume=True)
    assert len(list(read(output))) == len(list(read(source)))


def test_a_run_that_never_began_leaves_nothing(
    model: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "found.jsonl"
    with pytest.raises(ConfigError, match="expected a threshold from 0 to 1, got 7"):
        predict_file(source, output, work_for(model, threshold=7), here)
    with pytest.raises(ModelError, match="no model folder at"):
        predict_file(source, output, work_for(tmp_path / "none"), here)
    monkeypatch.setattr(workers, "_answer", die)
    with pytest.raises(ModelError, match="died 3 times"):
        predict_file(source, output, work_for(model), workers.processes(1))
    assert not any(tmp_path.iterdir())


def begin(*arguments: object) -> subprocess.Popen[bytes]:
    """The program with small stretches, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", f"{START} as c; c.main()", *map(str, arguments)],
        env=ENVIRONMENT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def members(group: int) -> set[int]:
    """Processes of a group."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.add(int(folder.name))
    return found


def until(true: Callable[[], object], seconds: float = 120) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_killed_and_taken_up_again_is_one_run(model: Path, source: Path, tmp_path: Path) -> None:
    """The first process is killed, then a worker; nothing is lost, doubled or left running."""
    whole, output = tmp_path / "whole.jsonl", tmp_path / "found.jsonl"
    command = ("predict", model, source, "--workers", 2, "-o")
    assert begin(*command, whole).wait(120) == 0
    first = begin(*command, output)
    parts = Path(f"{output}.parts")
    assert until(lambda: len(list(parts.glob("*.jsonl"))) > 2)
    first.kill()
    assert until(lambda: not members(first.pid))
    assert first.wait() == -signal.SIGKILL
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.jsonl")}
    assert kept
    second = begin(*command, output, "--resume")
    assert until(lambda: len(list(parts.glob("*.jsonl"))) > len(kept))
    worker = max(members(second.pid) - {second.pid})
    os.kill(worker, signal.SIGKILL)
    assert second.wait(120) == 0
    assert output.read_bytes() == whole.read_bytes()
    left = {path.name.removesuffix(".done") for path in tmp_path.iterdir()}
    assert left == {"found.jsonl", "whole.jsonl"}


def test_what_workers_cannot_do_is_refused(model: Path, source: Path) -> None:
    assert "expected a file to read and -o FILE" in refusal(
        "predict", str(model), str(source), "--workers", "2"
    )
    assert "expected a threshold from 0 to 1, got 7" in refusal(
        "predict", str(model), "--text", "Rome", "--threshold", "7"
    )
    pipe, output = source.with_name("pipe"), source.with_name("pipe.jsonl")
    os.mkfifo(pipe)
    line = refusal("predict", str(model), str(pipe), "--workers", "2", "-o", str(output))
    assert "which workers need, got the pipe" in line
    assert "expected a file of names, which is read twice, got a pipe" in refusal(
        "label", str(source), str(pipe), "--label", "X", "-o", str(output)
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::ResourceWarning")
def test_ray_answers_though_a_worker_is_killed(
    model: Path, source: Path, expected: list[Document], tmp_path: Path
) -> None:
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    output = tmp_path / "found.jsonl"
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": 3}\n')
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        pids = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if b"RayWorker" in _content(path)
        ]
        if not killed and done < total and pids:
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])

    try:
        run = workers.on_ray("local", 2)
        predict_file(source, output, work_for(model), run, progress=kill_one)
        with pytest.raises(DataError, match=r"bad\.jsonl:1: text: expected"):
            predict_file(bad, tmp_path / "none.jsonl", work_for(model), run)
    finally:
        ray.shutdown()
    assert killed
    assert told(list(read(output))) == told(expected)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_user_gives_it_to_workers(model: Path, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "found.jsonl"
    done = convener("predict", model, source, "-o", output, "--workers", "2")
    assert "100.0 %" in done.stderr
    assert len(list(read(output))) == len(list(read(source)))

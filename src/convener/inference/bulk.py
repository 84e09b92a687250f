"""Prediction over a file too big for one process or one night.

The input has a document a line. It is cut at ends of lines into stretches; each is read, answered
and written to a file of its own by whichever worker is free, and these parts are joined in order
at the end. A part is there whole or not at all, so a run that was killed is taken up where it
stopped, with nothing lost and nothing doubled, by any number of workers, here or elsewhere. What
is finished is written down beside the output, so that taking it up again does nothing.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from convener.dictionary import Gazetteer
from convener.errors import ConfigError, DataError
from convener.files import check_no_folder, open_output, sha256
from convener.inference.card import installed_versions
from convener.inference.keeping import checked
from convener.inference.manifest import CONFIG, read_config
from convener.inference.recogniser import Recogniser
from convener.text.formats import Format, format_of, read_stretch, write
from convener.text.formats.detection import of_labels
from convener.text.formats.lines import Stretch, stretches

STRETCH_BYTES = 2**17
LINE_FORMATS = ("text", "jsonl", "tokens")

Progress = Callable[[int, int], None]
"""Is told how many bytes of the input are answered, and how many there are."""

Run = Callable[["Work", Sequence[Stretch]], Iterator[Stretch]]
"""Answers stretches, each by a `Worker`, and gives back each that is done."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker needs to know; `parts` is the folder that it writes to.

    `dictionary` is what `Gazetteer.from_file` takes, as JSON has it, for the one at the model's
    side.
    """

    model: str
    parts: str
    format: Format
    questions: Mapping[str, str] | None = None
    threshold: float = 0.0
    flat: bool = False
    on_error: Literal["stop", "skip"] = "stop"
    dictionary: Mapping[str, Any] | None = None


class Worker:
    """A model that answers stretches of a file."""

    def __init__(self, work: Work) -> None:
        model = Recogniser.from_folder(work.model)
        self.work = work
        self.model = model.ask(work.questions) if work.questions else model
        if work.dictionary is not None:
            skip = (lambda _: None) if work.on_error == "skip" else None
            names = Gazetteer.from_file(**work.dictionary, on_error=skip)
            self.model = self.model.beside(names)

    def answer(self, stretch: Stretch) -> Stretch:
        """Write the part of a stretch, and before it the bad items that are left out."""
        work, left_out = self.work, list[str]()

        def skip(error: DataError) -> None:
            left_out.append(str(error))

        documents = read_stretch(stretch, work.format, skip if work.on_error == "skip" else None)
        found = self.model.annotate(documents, threshold=work.threshold, flat=work.flat)
        answered = list(found)
        part = _part(work.parts, stretch)
        with open_output(part.with_suffix(".left-out")) as stream:
            stream.writelines(json.dumps(line) + "\n" for line in left_out)
        write(part, answered, "jsonl")
        return stretch


def predict_file(
    source: str | Path,
    output: str | Path,
    work: Callable[[str, Format], Work],
    run: Run,
    resume: bool = False,
    progress: Progress = lambda done, of: None,
) -> list[str]:
    """Answer a file by workers, and return what was wrong with items that were left out.

    `work` is told the folder of the parts, `OUTPUT.parts`, and the format of the input. With
    `resume`, nothing is done where `OUTPUT.done` says that this run is finished.

    Raises:
        ConfigError: an unfinished run is there and is not to be resumed, or is another one.
        DataError: the input has no document a line, or a bad item is not to be left out.
    """
    found = format_of(source)
    if found not in LINE_FORMATS:
        raise ConfigError(
            f"expected a document a line (text or JSON Lines) for several workers, got {found}: "
            "convert the file, or leave out --workers and --resume"
        )
    parts, receipt = Path(f"{output}.parts"), Path(f"{output}.done")
    _check_output(Path(output), parts, receipt)
    given = work(str(parts), found)
    checked(given.threshold)
    read_config(Path(given.model))
    plan = list(stretches(source, STRETCH_BYTES))
    total = sum(stretch.size for stretch in plan)
    described = _described(given, Path(source))
    if resume and not parts.exists():
        finished = _finished(receipt, described, Path(output))
        if finished is not None:
            progress(total, total)
            return finished
    with _locked(parts, described, resume):
        missing = [stretch for stretch in plan if not _part(parts, stretch).exists()]
        done = total - sum(stretch.size for stretch in missing)
        progress(done, total)
        for stretch in run(given, missing) if missing else ():
            done += stretch.size
            progress(done, total)
        with open_output(output) as joined:
            for part in (_part(parts, stretch) for stretch in plan):
                with part.open(encoding="utf-8", newline="\n") as stream:
                    shutil.copyfileobj(stream, joined)
        left_out = list(_left_out(_part(parts, stretch) for stretch in plan))
        with open_output(receipt) as stream:
            json.dump(_receipt(described, Path(output), left_out), stream, indent=1)
        retired = parts.rename(parts.with_name(f".{parts.name}.retired-{os.getpid()}"))
    shutil.rmtree(retired)
    return left_out


def _check_output(output: Path, parts: Path, receipt: Path) -> None:
    """Raise an error if the answers could not be written in the end."""
    if of_labels(output) != "jsonl":
        raise ConfigError(
            f"expected an output that ends in .jsonl, which workers write, got {output}: "
            "rename it, or leave out --workers and --resume"
        )
    for path in (output, receipt):
        check_no_folder(path)
    if parts.exists() and not parts.is_dir():
        raise DataError(f"expected a folder for parts, got the file {parts}: choose another output")


def _part(parts: str | Path, stretch: Stretch) -> Path:
    return Path(parts) / f"{stretch.start:015d}.jsonl"


def _left_out(parts: Iterable[Path]) -> Iterator[str]:
    for part in parts:
        yield from map(json.loads, part.with_suffix(".left-out").read_text().splitlines())


def _described(work: Work, source: Path) -> str:
    """Everything that decides the answers to items that are not bad, as text."""
    stat = source.stat()
    told = asdict(work) | {
        "model": sha256(Path(work.model) / CONFIG),
        "convener": installed_versions()["convener"],
    }
    told |= {"parts": None, "on_error": None}
    if work.dictionary is not None:
        told["dictionary"] = {**work.dictionary, "path": sha256(work.dictionary["path"])}
    size = {"bytes": stat.st_size, "changed": stat.st_mtime_ns, "stretch": STRETCH_BYTES}
    return json.dumps(told | {"source": str(source.resolve())} | size, indent=1)


def _receipt(described: str, output: Path, left_out: list[str]) -> dict[str, object]:
    """What was done, how the output was left, and what is not in it."""
    stat = output.stat()
    state = {"bytes": stat.st_size, "changed": stat.st_mtime_ns}
    return {"run": json.loads(described), "output": state, "left_out": left_out}


def _finished(receipt: Path, described: str, output: Path) -> list[str] | None:
    """What a finished run like this left out, if its output is still as it was written."""
    if not receipt.is_file() or not output.is_file():
        return None
    try:
        told = json.loads(receipt.read_text(encoding="utf-8"))
    except ValueError:
        return None
    left_out: list[str] = told.get("left_out", []) if isinstance(told, dict) else []
    return left_out if told == _receipt(described, output, left_out) else None


@contextmanager
def _locked(parts: Path, described: str, resume: bool) -> Iterator[None]:
    """The folder of parts, made or found again, for one run at a time."""
    if parts.exists() and not resume:
        raise ConfigError(
            f"{parts} is there from an unfinished run: --resume takes it up, or remove the folder"
        )
    parts.mkdir(parents=True, exist_ok=True)
    with (parts / "plan.json").open("a+", encoding="utf-8") as plan:
        try:
            fcntl.flock(plan, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"another run is writing to {parts}: wait for it") from None
        plan.seek(0)
        before = plan.read()
        if before and before != described:
            raise ConfigError(
                f"{parts} is from a run with another input, model, options or version: "
                "repeat the same command, or remove the folder"
            )
        if not before and len(list(parts.iterdir())) > 1:
            raise ConfigError(f"{parts} has parts of an unknown run: remove the folder")
        if not before:
            plan.write(described)
            plan.flush()
        try:
            yield
        finally:
            if parts.is_dir() and len(list(parts.iterdir())) == 1:
                shutil.rmtree(parts)

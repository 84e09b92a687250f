"""`convener predict`: text in, entities out as JSON Lines."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from convener.cli import options
from convener.cli.console import Skipped, err, out, share
from convener.errors import ConfigError, DataError
from convener.files import keep_apart
from convener.text.documents import Document
from convener.text.formats import write


def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a model.")],
    source: Annotated[
        str, typer.Argument(help="Text, JSONL or CoNLL file; - is standard input.")
    ] = "-",
    text: Annotated[str | None, typer.Option(help="Read this text instead of a file.")] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(help="Ask a reader this instead of its own, as TYPE=QUESTION; repeatable."),
    ] = None,
    dictionary: options.DictionaryBeside = None,
    names_label: options.DictionaryLabel = None,
    case: options.DictionaryCase = options.CaseOption.SMART,
    stop: options.Stop = None,
    possessives: options.Possessives = False,
    plurals: options.Plurals = False,
    threshold: Annotated[float, typer.Option(help="Leave out entities with a lower score.")] = 0.0,
    flat: Annotated[
        bool, typer.Option("--flat", help="Of entities that overlap, keep the best apart.")
    ] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="Where to write.")] = "-",
    workers: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Take up a run of workers that was stopped.")
    ] = False,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster whose workers answer, or local.")
    ] = None,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Find entities: one JSON line for each document, in order.

    Example: `convener predict drug-ner notes.txt -o found.jsonl`

    Example: `convener predict drug-ner notes.jsonl -o found.jsonl --workers 8 --resume`
    """
    if text is not None and source != "-":
        raise ConfigError(f"expected a file or --text, got both ({source})")
    keep_apart(output, model, source, dictionary, stop)
    questions = _questions(question or ())
    matching = options.Matching(names_label, case, stop, possessives, plurals)
    from convener.inference.hub import local
    from convener.inference.manifest import read_config

    model = local(model)
    by_workers = workers > 1 or resume or ray is not None
    if by_workers:
        _check_files(source, dictionary, stop)
    names = options.given_gazetteer(dictionary, matching, on_error)
    if names is not None:
        known = questions or read_config(model).labels
        options.tell_unknown("--dictionary", names.labels, known)
    if by_workers:
        kept: dict[str, Any] = {"threshold": threshold, "flat": flat, "on_error": on_error.value}
        if dictionary is not None:
            kept["dictionary"] = {"path": str(Path(dictionary).resolve())} | matching.of_file()
        _by_workers(model, source, output, workers, ray, resume, questions or None, kept)
        return
    from convener import api

    recogniser = api.load(model)
    if questions:
        recogniser = recogniser.ask(questions)
    if names is not None:
        recogniser = recogniser.beside(names)
    documents = iter([Document(text)]) if text is not None else options.documents(source, on_error)
    try:
        write(output, recogniser.annotate(documents, threshold=threshold, flat=flat))
    except KeyboardInterrupt:
        if output != "-":
            err.print("convener: stopped: nothing is kept; a run with --resume keeps what is done")
        raise
    options.tell_malformed(recogniser.malformed)


def _by_workers(
    model: Path,
    source: str,
    output: str,
    workers: int,
    ray: str | None,
    resume: bool,
    questions: Mapping[str, str] | None,
    kept: Mapping[str, Any],
) -> None:
    """Answer a file by several processes; what they left out is listed at the end."""
    from convener.inference.bulk import Work, predict_file
    from convener.inference.workers import on_ray, processes

    if "-" in (source, output):
        raise ConfigError("expected a file to read and -o FILE, which workers need")
    if ray is not None:
        source, output = (str(Path(path).resolve()) for path in (source, output))
        model = model.resolve()
    work = partial(Work, str(model), questions=questions, **kept)
    run = processes(workers) if ray is None else on_ray(ray, workers)
    try:
        with share("predict") as progress:
            left_out = predict_file(source, output, work, run, resume, progress)
    except KeyboardInterrupt:
        if Path(f"{output}.parts").is_dir():
            done = f"{output}.parts holds what is done, --resume takes it up"
            err.print(f"convener: stopped: {done}", markup=False)
        raise
    skipped = Skipped()
    for cause in left_out:
        skipped(DataError(cause))
    skipped.report()
    out.print(f"wrote {output}", markup=False)


def _check_files(source: str, *names: str | None) -> None:
    """Raise ConfigError if what workers read cannot be read more than once."""
    if Path(source).is_fifo():
        raise ConfigError(f"expected a file, which workers need, got the pipe {source}")
    for path in names:
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"expected a file, which workers need, got {path} for names")


def _questions(texts: Sequence[str]) -> dict[str, str]:
    questions: dict[str, str] = {}
    for label, asked in map(_question, texts):
        if label in questions:
            raise ConfigError(f"expected one --question for each type, got two for {label!r}")
        questions[label] = asked
    return questions


def _question(text: str) -> tuple[str, str]:
    label, equals, asked = text.partition("=")
    if not equals or not label.strip():
        raise ConfigError(f"expected --question TYPE=QUESTION, got {text!r}")
    return label.strip(), asked.strip()

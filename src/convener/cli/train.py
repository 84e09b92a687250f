"""`convener train`: labelled documents, or raw text with a dictionary, become a model."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convener.cli import options
from convener.cli.console import err, out, rounds
from convener.cli.label import Brought, summary_lines
from convener.cli.stopping import stoppable
from convener.dictionary import Gazetteer, Labeller, Summary
from convener.errors import ConfigError
from convener.panel.library import check_name
from convener.text.documents import Document, labels_of

if TYPE_CHECKING:
    from convener.evaluation.result import Evaluation
    from convener.recipes.run_config import RunConfig


def train(
    data: Annotated[
        str, typer.Argument(help="Labelled JSONL or CoNLL; any text with --dictionary.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the model.")
    ] = None,
    dictionary: Annotated[
        str | None, typer.Option(help="Label the data by these names first.")
    ] = None,
    names_label: options.DictionaryLabel = None,
    case: options.DictionaryCase = options.CaseOption.SMART,
    stop: options.Stop = None,
    possessives: options.Possessives = False,
    plurals: options.Plurals = False,
    nested: options.Nested = False,
    dev: Annotated[str | None, typer.Option(help="Gold-labelled file to choose by.")] = None,
    experts: Annotated[int | None, typer.Option(help="How many experts; 1 is BOND.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    model: Annotated[
        options.Kind | None,
        typer.Option(
            help="Taggers of words, readers that answer a question for each type, or a language "
            "model with LoRA."
        ),
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="JSON object of a reader's questions by type.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="minilm, a local folder, or a hub id of what to begin from."),
    ] = None,
    gold: Annotated[
        bool, typer.Option("--gold", help="The labels were made by hand: train plainly on them.")
    ] = False,
    paper: Annotated[
        options.Paper | None, typer.Option(help="The recipe of a paper, not the default one.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="The types, comma-separated; otherwise those of the data.")
    ] = None,
    expert: Annotated[
        str | None, typer.Option(help="Put a LoRA expert of this name in --library instead.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option(help="A library, made if it is not there.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="Reader that a new library's experts begin from.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the expert, for its card.")] = "unknown",
    config: Annotated[
        Path | None, typer.Option(help="A run.json that a model was saved with.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting of the documentation, such as bond.fair=false."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="So many experts of a panel learn at a time.")
    ] = 1,
    resume: Annotated[bool, typer.Option(help="Take up a run that was stopped.")] = False,
    on_error: options.OnErrorOption = options.OnError.STOP,
) -> None:
    """Train a panel of experts on distant labels.

    Example: `convener train notes.txt --dictionary drugs.csv -o drug-ner`
    """
    if sum((gold, paper is not None, config is not None)) > 1:
        raise ConfigError("--gold, --paper and --config are configurations: give one of them")
    if base is not None and expert is None:
        raise ConfigError("--base is what a new library begins from: add --expert and --library")
    if (expert is None) != (library is None) or (expert is None) == (output is None):
        raise ConfigError("expected -o MODEL, or --expert NAME with --library FOLDER")
    if output is not None:
        output = output.resolve()
        _check_target(output)
    if expert is not None:
        check_name(expert)
    if expert is not None and model is options.Kind.TAGGER:
        raise ConfigError("experts of a library are readers or language models, got tagger")
    if dictionary is None and nested:
        raise ConfigError("--nested says how names label: add --dictionary, or leave it out")
    matching = options.Matching(names_label, case, stop, possessives, plurals)
    matching.check(dictionary)
    changes = {
        "bond.experts": experts,
        "seed": seed,
        "model": model.value if model is not None else None,
        "labels": [name.strip() for name in labels.split(",")] if labels is not None else None,
    }
    run = _configuration(
        gold, paper, config, changes, setting or [], encoder, questions, expert is not None
    )
    if gold and dictionary is not None and run.model != "generator":
        raise ConfigError(
            "--gold is for labels made by hand, and --dictionary replaces them: give one of the two"
        )
    if run.model == "generator":
        from convener.recipes.checks import check_plain

        check_plain(run, resume)
    if workers > 1 and (expert is not None or run.bond.experts == 1):
        raise ConfigError(
            "expected --workers with a panel, whose experts learn side by side, got one expert: "
            "add --experts, or leave out --workers"
        )
    names = options.given_gazetteer(dictionary, matching, on_error)
    documents = options.documents(data, on_error)
    if names is not None:
        documents = _summarised(Labeller(names, nested=nested), documents)
    training = list(documents)
    if names is None:
        options.tell_cut_words(training)
    chosen_by = list(options.documents(dev, on_error)) if dev else None
    if chosen_by:
        options.tell_unknown("--dev", labels_of(chosen_by), run.labels or labels_of(training))
    if expert is not None and library is not None:
        _train_expert(training, expert, library, base, chosen_by, run, licence, data, resume, names)
    if output is not None:
        _train_model(training, output, chosen_by, run, resume, workers, names)


def _check_target(output: Path) -> None:
    from convener.inference import manifest

    manifest.check_target(output)


def _configuration(
    gold: bool,
    paper: options.Paper | None,
    config: Path | None,
    changes: Mapping[str, object],
    settings: Sequence[str],
    encoder: str | None,
    questions: Path | None,
    expert: bool,
) -> "RunConfig":
    given = {name: value for name, value in changes.items() if value is not None}
    given |= dict(map(_setting, settings))
    saved = _json_file(config) if config is not None else {}
    from convener.models.questions import read_questions
    from convener.recipes.run_config import PAPERS, SUPERVISED, override, parse_config

    base = SUPERVISED if gold else PAPERS[paper] if paper is not None else parse_config(saved)
    run = override(base, given)
    if expert and run.model == "tagger":
        run = override(run, {"model": "reader"})
    if encoder is not None:
        part = "model" if run.model == "generator" else "encoder"
        run = override(run, {f"{run.model}.{part}": encoder})
    if questions is not None:
        if run.model != "reader":
            raise ConfigError("--questions are for readers: add --model reader")
        run = override(run, {"reader.questions": read_questions(questions)})
    return run


def _summarised(labeller: Labeller, documents: Iterable[Document]) -> Iterator[Document]:
    summary, brought = Summary(labeller.gazetteer), Brought()
    yield from summary.watch(labeller.label(brought.watch(documents)))
    for line in [*brought.lines(), *summary_lines(summary)]:
        err.print(line, markup=False)


def _train_expert(
    training: list[Document],
    name: str,
    library: Path,
    base: Path | None,
    dev: list[Document] | None,
    run: "RunConfig",
    licence: str,
    source: str,
    resume: bool,
    names: Gazetteer | None,
) -> None:
    from convener import experts

    library = library.resolve()
    beside = library.with_name(f"{library.name}.{name}")
    with stoppable(beside, resume) as (folder, resume), rounds() as listener:
        experts.train_expert(
            training,
            name,
            library,
            dev=dev,
            config=run,
            base=base,
            licence=licence,
            source=source,
            listener=listener,
            checkpoint=folder,
            resume=resume,
            names=names,
        )
    out.print(f"put {name} in {library}", markup=False)


def _train_model(
    training: list[Document],
    output: Path,
    dev: list[Document] | None,
    run: "RunConfig",
    resume: bool,
    workers: int,
    names: Gazetteer | None,
) -> None:
    from convener import api

    with stoppable(output, resume) as (folder, resume):
        with rounds() as listener:
            model = api.train(
                training,
                dev=dev,
                config=run,
                listener=listener,
                checkpoint=folder,
                resume=resume,
                workers=workers,
                names=names,
            )
        model.save_pretrained(output)
    if model.card.left_out:
        err.print(
            f"abstained from {model.card.left_out} of {sum(model.card.types.values())} labels: "
            f"see {output / 'training.html'}",
            markup=False,
        )
    if model.card.dev_f1 == 0:
        err.print("nothing on dev was found right: more --dev or more text may tell", markup=False)
    if run.model != "generator" and len(model.panel.experts) < run.bond.experts:
        err.print(
            f"one expert, not {run.bond.experts}: on dev nothing was better than the model from "
            "which they parted; without --dev the panel is kept",
            markup=False,
        )
    if names is not None and dev:
        err.print(_beside(api.evaluate(model, dev, names)), markup=False)
    out.print(f"saved {output}", markup=False)


def _beside(result: "Evaluation") -> str:
    """What a model and its dictionary are worth by themselves and together."""
    assert result.listed is not None
    assert result.beside is not None
    alone = result.scores.exact
    scores = (("dictionary", result.listed), ("model", alone), ("both", result.beside))
    line = "F1 on dev: " + ", ".join(f"{name} {100 * score.f1:.1f}" for name, score in scores)
    return line + ("; predict --dictionary has both" if result.beside.f1 > alone.f1 else "")


def _json_file(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a configuration in JSON ({error})") from None


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"expected --set NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value

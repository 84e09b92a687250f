"""Language models as experts: kept in libraries, chosen, merged, and answering in words."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from convener import load, train
from convener.api import distill, evaluate, export
from convener.errors import ConfigError, DataError, ModelError
from convener.evaluation.scores import score
from convener.experts import adapt_library, train_expert
from convener.inference.recogniser import Recogniser
from convener.inference.shelf import Library
from convener.models import generator as module
from convener.models.adapter import dense
from convener.models.generator import Generator
from convener.models.generator_config import GeneratorConfig
from convener.panel.merging import MergeConfig, merge
from convener.panel.selection import integrate
from convener.panel.spoken import SpokenPanel
from convener.recipes.adapt import AdaptConfig
from convener.recipes.audit import judge
from convener.recipes.run import train_panel
from convener.recipes.run_config import SUPERVISED, RunConfig, override
from convener.recipes.settings import parsed
from convener.serving.catalogue import Served
from convener.text.documents import Document
from convener.text.formats import write
from tests.conftest import HIDDEN
from tests.program import convener, refusal
from tests.test_generator import TINY
from tests.test_generator import refusal as told

Make = Callable[..., RunConfig]
SETTINGS = TINY | {"steps": 150}


@pytest.fixture(scope="module")
def config(tiny_llama: Path) -> Make:
    """Plain training of a tiny language model in seconds."""

    def make(**settings: object) -> RunConfig:
        given = {"model": str(tiny_llama)} | SETTINGS | settings
        changes = {f"generator.{name}": value for name, value in given.items()}
        return override(SUPERVISED, {"model": "generator"} | changes)

    return make


@pytest.fixture(scope="module")
def places(labelled: list[Document]) -> list[Document]:
    """The toy sentences, of which only places are labelled."""
    return [Document(d.text, tuple(e for e in d.entities if e.label == "LOC")) for d in labelled]


@pytest.fixture(scope="module")
def library(
    tmp_path_factory: pytest.TempPathFactory,
    labelled: list[Document],
    places: list[Document],
    config: Make,
) -> Path:
    """Three experts: one of drugs and places, one of places alone, one of half the sentences."""
    folder = tmp_path_factory.mktemp("spoken") / "library"
    train_expert(labelled, "clinic", folder, dev=labelled, config=config(), licence="CC0")
    train_expert(places, "places", folder, config=config(model="", steps=60))
    train_expert(labelled[::2], "half", folder, config=config(steps=60))
    return folder


@pytest.fixture(scope="module")
def adapted(library: Path, labelled: list[Document]) -> Recogniser:
    """What the library makes for its own text, two experts by each selection."""
    chosen = AdaptConfig(experts=2, sentences=12)
    return adapt_library(library, labelled, ["DRUG", "LOC"], config=chosen).model


def found(model: Recogniser, documents: list[Document]) -> list[Document]:
    return list(model.annotate(documents))


def test_an_expert_alone_is_what_was_trained(library: Path, labelled: list[Document]) -> None:
    card = Library.open(library).card("clinic")
    assert card.dev_f1 is not None
    assert card.dev_f1 > 90
    sample = labelled[:12]
    chosen = AdaptConfig(experts=1, select="performance")
    made = adapt_library(library, labelled, ["DRUG", "LOC"], config=chosen, gold=sample)
    assert made.adapted.chosen == {"performance": ("clinic",)}
    assert round(100 * score(labelled, found(made.model, labelled)).exact.f1, 2) == card.dev_f1
    assert made.model.flat


def test_the_chosen_are_merged_and_answer_like_any_model(
    adapted: Recogniser, labelled: list[Document], tmp_path: Path
) -> None:
    assert set(adapted.labels) == {"DRUG", "LOC"}
    assert set(adapted.card.run) == {"adapt", "experts", "chosen", "rankings"}
    adapted.save_pretrained(tmp_path / "model")
    again = load(tmp_path / "model")
    assert found(again, labelled) == found(adapted, labelled)
    assert again.card == adapted.card
    again.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "expert-0" / "model" / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load(tmp_path / "model")


def test_experts_are_asked_once(
    library: Path, labelled: list[Document], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "library"
    shutil.copytree(library, copy)
    chosen = AdaptConfig(experts=1, sentences=6)
    first = adapt_library(copy, labelled, ["DRUG", "LOC"], config=chosen).adapted
    Library.open(copy).remove("half")
    card = json.loads((copy / "places" / "card.json").read_text(encoding="utf-8"))
    (copy / "places" / "card.json").write_text(json.dumps(card | {"width": 40}), encoding="utf-8")
    monkeypatch.setattr(module, "generate", None)
    second = adapt_library(copy, labelled, ["DRUG", "LOC"], config=chosen).adapted
    assert {r.name for r in first.rankings["performance"]} == {"clinic", "half", "places"}
    assert {r.name for r in second.rankings["performance"]} == {"clinic", "places"}


@pytest.mark.parametrize("method", ["linear", "ties", "dare-ties", "cat", "svd"])
def test_every_way_of_merging_makes_a_model(
    library: Path, labelled: list[Document], method: str
) -> None:
    settings = {"select": "similarity", "experts": 2, "merge": {"method": method}}
    made = adapt_library(library, labelled, ["LOC"], config=parsed(AdaptConfig, settings))
    (expert,) = made.adapted.panel.experts
    assert isinstance(expert, Generator)
    shelf, names = Library.open(library), made.adapted.chosen["similarity"]
    whole = merge(
        [shelf.adapter(name) for name in names], [1.0, 1.0], parsed(MergeConfig, {"method": method})
    )
    base = shelf.generator(["LOC"]).merged({}).model.state_dict()
    after = expert.model.state_dict()
    for name, change in whole.items():
        assert dense(change).abs().max() > 0
        torch.testing.assert_close(after[f"{name}.weight"], base[f"{name}.weight"] + dense(change))


def test_a_model_needs_its_base_no_more(
    labelled: list[Document],
    tiny_llama: Path,
    config: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_llama, "llm")
    model = train(labelled, config=config(model="llm", steps=2))
    model.save_pretrained("model")
    train_expert(labelled, "x", "library", config=config(model="llm", steps=2))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert Library.open(tmp_path / "library").check() == {}
    shutil.rmtree(tmp_path / "llm")
    assert found(load(tmp_path / "model"), labelled) == found(model, labelled)


def test_layers_that_cannot_be_merged_are_refused_before_any_training(
    labelled: list[Document], tiny_llama: Path, config: Make, tmp_path: Path
) -> None:
    settings = GPT2Config(
        vocab_size=500, n_positions=256, n_embd=HIDDEN, n_layer=1, n_head=2, eos_token_id=3
    )
    folder = tmp_path / "gpt"
    shutil.copytree(tiny_llama, folder)
    GPT2LMHeadModel(settings).save_pretrained(folder)
    run = config(model=str(folder), steps=10**9)
    assert "plain LoRA of a linear layer" in told(lambda: train(labelled, config=run), ModelError)
    with pytest.raises(ModelError, match="plain LoRA of a linear layer"):
        train_expert(labelled, "x", tmp_path / "library", config=run)
    assert not (tmp_path / "library").exists()


def test_what_cannot_be_placed_is_counted(
    library: Path, labelled: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = AdaptConfig(experts=1, select="similarity")
    model = adapt_library(library, labelled, ["DRUG", "LOC"], config=chosen).model
    assert model.malformed == 0
    said = [5, 6, 7]
    monkeypatch.setattr(module, "generate", lambda _, prompts, *rest: [(said, True)] * len(prompts))
    assert [evaluate(model, labelled[:4]).malformed for _ in range(2)] == [4, 4]
    assert model.malformed == 8


def test_together_they_answer_with_the_union(library: Path, labelled: list[Document]) -> None:
    shelf = Library.open(library)
    base = shelf.generator(["DRUG", "LOC"], GeneratorConfig.model_validate(SETTINGS))
    experts = [base.merged(shelf.adapter(name)) for name in ("places", "half")]
    alone = [SpokenPanel([expert]).annotate(labelled) for expert in experts]
    assert alone == [expert.annotate(labelled) for expert in experts]
    for panel in (SpokenPanel(experts), SpokenPanel(experts[::-1])):
        assert [d.entities for d in panel.annotate(labelled)] == [
            integrate([d.entities for d in both], panel.flat) for both in zip(*alone, strict=True)
        ]
    with pytest.raises(ConfigError, match="the same types"):
        SpokenPanel([experts[0], experts[1].asked(["LOC"])])
    with pytest.raises(ConfigError, match="at least one"):
        SpokenPanel([])


def test_a_language_model_is_trained_and_served_like_any_model(
    labelled: list[Document], config: Make
) -> None:
    model = train(labelled, dev=labelled[:8], config=config(steps=30))
    assert model.card.encoder == config().generator.model
    assert model.card.calibration_error is None
    assert model.card.history[0]["dev_f1"] == model.card.dev_f1
    served = Served("lm", model)
    assert (served.kind, served.experts, served.asks, served.nested) == (
        "generators",
        1,
        True,
        False,
    )
    assert model.alone[0].labels == model.labels
    assert model.ask({"CITY": "?"}).labels == ("CITY",)
    assert model.attention_between_types(labelled) is None
    assert evaluate(model, labelled).calibration_error is None


def test_what_needs_beliefs_is_refused(
    adapted: Recogniser, labelled: list[Document], config: Make, tmp_path: Path
) -> None:
    for action in (
        lambda: adapted.panel,
        lambda: export(adapted, tmp_path / "model"),
        lambda: distill(adapted, labelled),
        lambda: train_panel(labelled, config()),
        lambda: judge(labelled, config(), 2),
    ):
        with pytest.raises(ConfigError, match="taggers or readers, got"):
            action()


def test_what_does_not_fit_a_library_is_refused(
    library: Path, labelled: list[Document], config: Make, tiny_encoder: Path, tmp_path: Path
) -> None:
    def expert(where: Path, run: RunConfig, **more: object) -> Callable[[], object]:
        return lambda: train_expert(labelled, "late", where, config=run, **more)  # type: ignore[arg-type]

    for doubt in ({"bond.self_training": True}, {"rivals": True}, {"abstain": "auto"}):
        distant = override(SUPERVISED, {"model": "generator", "generator.model": "x"} | doubt)
        assert "--gold" in told(expert(library, distant), ConfigError)
    reader = override(SUPERVISED, {"model": "reader", "reader.encoder": str(tiny_encoder)})
    assert "add --model generator" in told(expert(library, reader), ConfigError)
    assert "another library" in told(expert(library, config(model="other")), ConfigError)
    three = override(config(), {"bond.experts": 3})
    assert "got 3 experts" in told(lambda: train(labelled, config=three), ConfigError)
    assert "in one go" in told(expert(library, config(), resume=True), ConfigError)
    assert "in one go" in told(lambda: train(labelled, config=config(), resume=True), ConfigError)
    new = tmp_path / "new"
    assert "got none" in told(expert(new, config(model="")), ConfigError)
    assert "--encoder as its base" in told(expert(new, config(), base=library), ConfigError)
    assert not new.exists()
    Library.create(new, reader.reader, 0)
    assert "leave --model out" in told(expert(new, config()), ConfigError)
    nothing = [Document("tea")]
    assert "without a single" in told(lambda: train(nothing, config=config()), DataError)
    assert "in the dev set" in told(
        lambda: train(labelled, dev=nothing, config=config(steps=10**9)), DataError
    )
    assert "got none" in told(lambda: train(labelled, config=config(model="")), ConfigError)


@pytest.mark.parametrize("bases", [(), ("reader", "generator")])
def test_a_library_has_one_base(library: Path, tmp_path: Path, bases: tuple[str, ...]) -> None:
    index = json.loads((library / "library.json").read_text(encoding="utf-8"))
    content = {name: index.get(name, {}) for name in bases}
    (tmp_path / "library.json").write_text(json.dumps(content | {"base": index["base"]}))
    with pytest.raises(ModelError, match="expected one base"):
        Library.open(tmp_path)


def test_another_base_is_refused(
    library: Path, tiny_llama: Path, labelled: list[Document], tmp_path: Path
) -> None:
    copy, moved = tmp_path / "library", tmp_path / "llama"
    shutil.copytree(library, copy)
    shutil.copytree(tiny_llama, moved)
    index = json.loads((copy / "library.json").read_text(encoding="utf-8"))
    index["generator"]["model"] = str(moved)
    (copy / "library.json").write_text(json.dumps(index), encoding="utf-8")
    assert Library.open(copy).check() == {}
    weights = moved / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    reason = told(lambda: adapt_library(copy, labelled, ["LOC"]), ModelError)
    assert "is not what the experts of this library were made for" in reason


def test_on_the_command_line(
    library: Path, labelled: list[Document], tiny_llama: Path, tmp_path: Path
) -> None:
    gold, notes, types = (tmp_path / name for name in ("gold.jsonl", "notes.txt", "types.txt"))
    write(gold, labelled)
    notes.write_text("\n".join(document.text for document in labelled[:10]), encoding="utf-8")
    types.write_text("DRUG\nLOC\n", encoding="utf-8")
    tiny = [f"--set=generator.{name}={value}" for name, value in (SETTINGS | {"steps": 8}).items()]
    plain = ["train", gold, "--model=generator", f"--encoder={tiny_llama}", *tiny]
    own, model = tmp_path / "library", tmp_path / "model"
    convener(*plain, "--gold", "--expert=news", "--library", own)
    assert "1 of 1 experts are whole" in convener("experts", "check", own).stdout
    chosen = ["--types", types, "--sentences=4", "--report", tmp_path / "page.html"]
    done = convener("adapt", library, notes, *chosen, "-o", model)
    assert "by performance" in done.stdout
    assert "both selections agree: one merged model answers" in done.stderr
    assert "<svg" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.search(r"kind +generator\n", convener("info", model).stdout)
    text = ["--text", "We gave codeine in Oslo today .", "--flat", "--threshold=0.5"]
    answer = json.loads(convener("predict", model, *text).stdout)
    assert (19, "LOC") in [(e["start"], e["label"]) for e in answer["entities"]]
    convener(*plain, "--gold", "-o", tmp_path / "alone")
    assert "a language model with LoRA" in (tmp_path / "alone" / "README.md").read_text("utf-8")
    assert "add --gold" in refusal(*plain, "-o", tmp_path / "distant")
    tagger = ["--model=tagger", "--expert=x", "--library", own]
    assert "got tagger" in refusal("train", gold, *tagger)

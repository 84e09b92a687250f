"""A library whose experts begin from a trained reader, and experts whose training is stopped."""

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from convener import train
from convener.errors import ConfigError
from convener.evaluation.scores import score
from convener.experts import adapt_library, train_expert
from convener.inference.recogniser import Recogniser
from convener.inference.shelf import Library
from convener.models.adapter import dense
from convener.models.lora import LoraSettings
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.recipes.adapt import AdaptConfig
from convener.recipes.run_config import SUPERVISED, RunConfig, override
from convener.text.documents import Document
from convener.text.formats import write
from tests.program import convener
from tests.test_cli import stopped_at

QUESTIONS = {"DRUG": "gave ?", "LOC": "In ?"}


@pytest.fixture(scope="module")
def config(tiny_encoder: Path) -> Callable[..., RunConfig]:
    """Plain training in seconds."""

    def make(model: str = "reader", **settings: object) -> RunConfig:
        plain = {
            "model": model,
            f"{model}.encoder": str(tiny_encoder),
            f"{model}.train_embeddings": True,
            f"{model}.dropout": 0.0,
            "optimiser.learning_rate": 1e-2,
            "optimiser.head_learning_rate": 1e-2,
            "bond.round_steps": 40,
            "bond.warmup_rounds": 4,
        }
        if model == "reader":
            plain |= {"reader.questions": QUESTIONS, "reader.heads": "shared"}
        return override(SUPERVISED, plain | settings)

    return make


@pytest.fixture(scope="module")
def base(labelled: list[Document], config: Callable[..., RunConfig]) -> Recogniser:
    """A reader that knows drugs and places."""
    return train(labelled, config=config())


def test_experts_begin_from_the_trained_reader(
    base: Recogniser, labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    base.save_pretrained(folder)
    short = config(**{"bond.round_steps": 1, "optimiser.learning_rate": 1e-9})
    short = override(short, {"optimiser.head_learning_rate": 1e-9})
    lora = LoraSettings(rank=2)
    train_expert(labelled, "still", tmp_path / "lib", config=short, lora=lora, base=folder)
    shelf = Library.open(tmp_path / "lib")
    assert shelf.check() == {}
    made = adapt_library(tmp_path / "lib", labelled, QUESTIONS, config=AdaptConfig(experts=1))
    known = list(base.annotate(labelled))
    assert score(labelled, known).exact.f1 > 0.9
    assert score(known, list(made.model.annotate(labelled))).exact.f1 > 0.99
    first = base.panel.experts[0]
    assert isinstance(first, Reader)
    reader = shelf.reader(QUESTIONS, ReaderConfig(width=2, nested=False))
    for name, values in reader.state_dict().items():
        torch.testing.assert_close(values, first.state_dict()[name], rtol=0, atol=0)


def test_what_no_library_can_begin_from_is_refused(
    base: Recogniser, labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    quick = {"bond.round_steps": 1, "bond.warmup_rounds": 1}
    tagger = train(labelled, config=config("tagger", **quick))
    own = train(labelled, config=config(**quick, **{"reader.heads": "per-type"}))
    for model, reason in ((tagger, "of kind tagger"), (own, "a head for each type")):
        with pytest.raises(ConfigError, match=reason):
            train_expert(labelled, "x", tmp_path / "lib", config=config(), base=model)
        assert not (tmp_path / "lib").exists()
    Library.create(tmp_path / "there", config().reader, 0)
    with pytest.raises(ConfigError, match="has a base already"):
        train_expert(labelled, "x", tmp_path / "there", config=config(), base=base)


def test_a_stopped_expert_is_taken_up_and_is_the_same(
    base: Recogniser, labelled: list[Document], tiny_encoder: Path, tmp_path: Path
) -> None:
    write(tmp_path / "gold.jsonl", labelled)
    (tmp_path / "questions.json").write_text(json.dumps(QUESTIONS), encoding="utf-8")
    base.save_pretrained(tmp_path / "base")

    def command(library: Path, *more: str) -> Sequence[str | Path]:
        run: list[str | Path] = ["train", tmp_path / "gold.jsonl", "--gold"]
        run += ["--expert", "news", "--library", library, "--base", tmp_path / "base"]
        run += ["--questions", tmp_path / "questions.json"]
        return [*run, "--set=bond.round_steps=12", "--set=bond.warmup_rounds=20", *more]

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    convener(*command(whole))
    end = stopped_at("warm-up: round=2", signal.SIGINT, command(parts)).splitlines()
    assert end[-2].endswith("parts.news.checkpoint holds what is done, --resume takes it up")
    assert end[-1] == "130"
    assert Library.open(parts).names == []
    again = [part for part in command(parts, "--resume") if part not in ("--base",)]
    again.remove(tmp_path / "base")
    convener(*again)
    assert not (tmp_path / "parts.news.checkpoint").exists()
    one, other = (Library.open(folder).adapter("news") for folder in (whole, parts))
    assert one.keys() == other.keys()
    for name, change in one.items():
        torch.testing.assert_close(dense(change), dense(other[name]), rtol=0, atol=0)

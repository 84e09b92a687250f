"""Models on the hub, by a fake of it, and the cards that it shows."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest

from convener import Document, Recogniser, load, train
from convener.errors import ModelError
from convener.inference.card import render
from convener.inference.hub import FILES
from convener.models.generator import Generator
from convener.models.generator_config import GeneratorConfig
from convener.panel.spoken import SpokenPanel
from convener.recipes.run_config import RunConfig
from convener.serving.catalogue import load as serving
from tests.program import refusal


class Hub:
    """A folder that answers as the hub does; it notes what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[dict[str, Any]] = []

    def api(self, token: str | None = None) -> "Hub":
        self.asked.append({"token": token})
        return self

    def create_repo(self, name: str, **settings: Any) -> SimpleNamespace:
        if name.startswith("others/"):
            raise OSError("403 Forbidden: you may not write here\nRequest ID: 1")
        self.asked.append(settings)
        address = f"https://hub.example/{name}"
        return type("Address", (SimpleNamespace,), {"__str__": lambda _: address})(repo_id=name)

    def upload_folder(self, repo_id: str, folder_path: Path, **settings: Any) -> None:
        self.asked.append(settings)
        for path in filter(Path.is_file, folder_path.rglob("*")):
            if any(path.match(pattern) for pattern in settings["allow_patterns"]):
                copy = self.folder / repo_id / path.relative_to(folder_path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)

    def download(self, name: str, allow_patterns: list[str]) -> str:
        self.asked.append({"name": name, "allow_patterns": allow_patterns})
        if not (self.folder / name).is_dir():
            raise OSError(f"404: no repository {name}\nRequest ID: 2")
        return str(self.folder / name)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub in place of the real one."""
    fake = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", fake.api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake.download)
    return fake


@pytest.fixture(scope="module")
def model(labelled: list[Document], run_config: Callable[..., RunConfig]) -> Recogniser:
    """A tiny model with a dev set."""
    return train(labelled, config=run_config(experts=1, self_rounds=1), dev=labelled[:6])


def test_a_model_goes_to_the_hub_and_comes_back(hub: Hub, model: Recogniser) -> None:
    address = model.push_to_hub("ada/drugs", licence="apache-2.0", private=True, token="secret")
    assert address == "https://hub.example/ada/drugs"
    assert hub.asked[:2] == [{"token": "secret"}, {"private": True, "exist_ok": True}]
    assert hub.asked[2]["allow_patterns"] == FILES
    assert not (hub.folder / "ada" / "drugs" / "training.html").exists()
    back = load("ada/drugs", "cpu")
    assert hub.asked[3] == {"name": "ada/drugs", "allow_patterns": FILES}
    text = "We gave aspirin in Rome today ."
    assert back.predict(text) == model.predict(text) != []
    assert back.card.licence == "apache-2.0"


def test_a_card_edited_on_the_hub_is_no_damage(hub: Hub, model: Recogniser) -> None:
    model.push_to_hub("ada/drugs")
    (hub.folder / "ada" / "drugs" / "README.md").write_text("Edited.")
    assert load("ada/drugs").labels == model.labels
    (hub.folder / "ada" / "drugs" / "run.json").write_text("{}")
    with pytest.raises(ModelError, match="not the file that was saved"):
        load("ada/drugs")


def test_a_language_model_goes_with_its_chat_template(
    hub: Hub, model: Recogniser, tiny_llama: Path
) -> None:
    base = Generator.from_pretrained(str(tiny_llama), ["DRUG"], GeneratorConfig(max_new_tokens=9))
    base.tokenizer.chat_template = (
        "{% for message in messages %}{{ message.content }}{% endfor %}Answer:"
    )
    speaking = Recogniser(SpokenPanel([base.merged({})]), model.card)
    speaking.push_to_hub("ada/speaking")
    (back,) = load("ada/speaking").alone
    assert back.labels == ("DRUG",)
    assert (hub.folder / "ada/speaking/expert-0/model/chat_template.jinja").is_file()


def test_a_server_takes_models_of_the_hub(hub: Hub, model: Recogniser) -> None:
    model.push_to_hub("ada/drugs")
    assert list(serving([Path("ada/drugs")])) == ["drugs"]


def test_a_folder_never_asks_the_hub(
    hub: Hub, model: Recogniser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("ada/drugs")
    assert load("ada/drugs").labels == model.labels
    for name in ("none", "ada/none", "./ada/none", "/ada/none", "~ada/none", "a/b/c", "../none"):
        with pytest.raises(ModelError, match="no model folder"):
            load(name)
    assert not hub.asked


def test_what_the_hub_refuses_is_one_line(hub: Hub, model: Recogniser) -> None:
    with pytest.raises(ModelError) as caught:
        load("ada/none")
    assert str(caught.value) == (
        "no model folder at ada/none, and none fetched from the hub (404: no repository ada/none): "
        "give a folder that training wrote, or the name of a model on the hub"
    )
    with pytest.raises(ModelError, match="cannot put the model on the hub as others/x \\(403"):
        model.push_to_hub("others/x")


def test_a_name_without_network_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("aspirin\n")
    line = refusal("predict", "ada/none", tmp_path / "notes.txt", folder=tmp_path)
    assert line.startswith("no model folder at ada/none, and none fetched from the hub (")


def test_the_card_says_what_the_model_is(
    model: Recogniser, labelled: list[Document], tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path / "model")
    content = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    front = huggingface_hub.ModelCard(content).data.to_dict()
    assert front == {
        "library_name": "convener",
        "pipeline_tag": "token-classification",
        "license": "unknown",
        "tags": ["named-entity-recognition", "convener", "distant-supervision"],
    }
    assert "| recipe | BOND (KDD 2020), taggers |" in content
    assert "| training entities, DRUG | 20 |" in content
    count = sum(len(document.entities) for document in labelled)
    assert f"| labels by dictionary | {count} |" in content
    card = model.card
    assert card.dev_f1 is not None
    assert card.dev_interval is not None
    low, high = card.dev_interval
    assert low <= card.dev_f1 <= high
    assert f"| F1 on the dev set | {card.dev_f1} (95 % interval {low} to {high}) |" in content
    assert "The dev set also chose among the states of the run" in content


@pytest.mark.parametrize(
    ("encoder", "base"),
    [
        ("minilm", "sentence-transformers/all-MiniLM-L6-v2"),
        ("google-bert/bert-base-cased", "google-bert/bert-base-cased"),
        ("/home/ada/encoder", None),
    ],
)
def test_the_hub_is_told_of_encoders_that_it_may_know(
    model: Recogniser, encoder: str, base: str | None
) -> None:
    card = render(model.card.model_copy(update={"encoder": encoder}), model.labels, 1)
    assert huggingface_hub.ModelCard(card).data.to_dict().get("base_model") == base
    assert "| experts | 1 |" in card

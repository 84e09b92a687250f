"""Exported models: the same answers without torch, whatever kind of panel they come from."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from convener import Document, Entry, Gazetteer, Recogniser, export, load
from convener.errors import ConfigError, ModelError
from convener.evaluation.scores import score
from convener.inference.card import Card
from convener.models.expert import Expert
from convener.models.reader import Reader
from convener.models.tag_layout import TaggerConfig
from convener.models.tagger import Tagger
from convener.panel.joint import Rule
from convener.panel.panel import Panel
from convener.text.formats import read
from tests.program import ENVIRONMENT, convener

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

TEXTS = [
    "We gave aspirin in New York today .",
    "Rome and Oslo like codeine , Lima likes tea . " * 9,
    "",
    "🙂 naïve Cairo\r\nclinic \u0301 [SEP] 東京 " + "unheard" * 30,
    "insulin",
]


CARD = Card(
    encoder="tiny",
    documents=1,
    groups=1,
    data_sha256="0",
    dev_f1=None,
    versions={},
    run={"seed": 0, "model": "tagger", "bond": {"experts": 1, "self_training": False}},
    history=[],
)


def recogniser(*experts: Expert, rule: Rule = "mean") -> Recogniser:
    """A recogniser whose weights are far enough from zero to find entities."""
    torch.manual_seed(0)
    for expert in experts:
        for parameter in expert.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        if isinstance(expert, Reader):
            for bias in (expert.heads.start_bias, expert.heads.end_bias, expert.heads.span_bias):
                bias.data.fill_(0.3)
    return Recogniser(Panel([expert.eval() for expert in experts], rule), CARD)


@pytest.fixture(scope="module")
def models(tagger: Callable[[int], Tagger], reader: Callable[..., Reader]) -> dict[str, Recogniser]:
    """One model of each kind."""
    return {
        "panel": recogniser(tagger(0), tagger(1)),
        "reader": recogniser(reader(attention_layers=2, attention="positions")),
        "merged": recogniser(
            reader(seed=1, shared_layers=1, nested=False, heads="shared", inside=False),
            reader(seed=2, shared_layers=1, nested=False, heads="shared", inside=False),
            rule="union",
        ),
    }


@pytest.fixture(scope="module")
def folders(models: dict[str, Recogniser], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where they are exported to."""
    folder = tmp_path_factory.mktemp("exported")
    for name, model in models.items():
        export(model, folder / name)
    return folder


def flat(answers: list[list[object]]) -> Iterator[object]:
    return itertools.chain.from_iterable(answers)


def assert_parity(model: Recogniser, other: Recogniser, texts: list[str]) -> int:
    """The same entities, with scores within 2e-4; how many there are."""
    expected, found = model.predict(texts), other.predict(texts)
    assert [[(e.span, e.label) for e in text] for text in found] == [
        [(e.span, e.label) for e in text] for text in expected
    ]
    pairs = list(zip(flat(found), flat(expected), strict=True))
    for one, two in pairs:
        assert one.score == pytest.approx(two.score, abs=2e-4)  # each is rounded to 4 decimals
    return len(pairs)


@pytest.mark.parametrize("kind", ["panel", "reader", "merged"])
def test_an_exported_model_answers_alike(
    models: dict[str, Recogniser], folders: Path, kind: str
) -> None:
    exported = load(folders / kind)
    assert exported.labels == models[kind].labels
    assert exported.card == models[kind].card
    alone = assert_parity(models[kind], exported, TEXTS)
    assert alone > 3
    beside = exported.beside(Gazetteer([Entry("codeine , Lima likes tea", "TRADE")]))
    assert "TRADE" in [entity.label for entity in beside.predict(TEXTS[1])]


@pytest.mark.parametrize("kind", ["panel", "merged"])
def test_batch_order_and_neighbours_change_nothing(folders: Path, kind: str) -> None:
    exported = load(folders / kind)
    alone = [exported.predict(text) for text in TEXTS]
    for answers in (exported.predict(TEXTS), exported.predict(TEXTS[::-1])[::-1]):
        assert [[(e.span, e.label) for e in a] for a in answers] == [
            [(e.span, e.label) for e in a] for a in alone
        ]
    assert [len(a) for a in exported.predict(iter(TEXTS))] == [len(a) for a in alone]


def test_an_exported_model_needs_no_torch(folders: Path) -> None:
    code = """
import sys

sys.modules["torch"] = sys.modules["transformers"] = None
from convener import load
from convener.errors import ConfigError

model = load(sys.argv[1])
print(len(model.predict(sys.argv[2])))
for act in (lambda: model.panel, lambda: model.ask({"LOC": "?"})):
    try:
        act()
    except ConfigError:
        print("refused")
"""
    command = [sys.executable, "-c", code, folders / "panel", TEXTS[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    found = len(load(folders / "panel").predict(TEXTS[1]))
    assert done.stdout.split() == [str(found), "refused", "refused"]


def test_what_only_weights_can_do_is_refused(folders: Path, tmp_path: Path) -> None:
    exported = load(folders / "reader")
    for act in (
        lambda: exported.ask({"LOC": "a place ?"}),
        lambda: exported.save_pretrained(tmp_path / "again"),
        lambda: export(exported, tmp_path / "again"),
    ):
        with pytest.raises(ConfigError, match="got one that was exported and only answers"):
            act()
    with pytest.raises(ConfigError, match="expected the device cpu"):
        load(folders / "reader", device="cuda")
    assert exported.attention_between_types([]) is None


def test_a_damaged_graph_is_refused(folders: Path) -> None:
    graph = folders / "merged" / "model.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1] + b"?")
    with pytest.raises(ModelError, match=r"model\.onnx is not the file that was saved"):
        load(folders / "merged")
    graph.write_bytes(content)


def test_int8_by_the_verb(models: dict[str, Recogniser], tmp_path: Path) -> None:
    models["panel"].save_pretrained(tmp_path / "model")
    fast = tmp_path / "fast"
    onto = convener("export", tmp_path / "model", "-o", tmp_path / "model", "--onnx", code=2)
    assert "holds a model that was not exported: choose another name" in onto.stderr
    assert "MB" in convener("export", tmp_path / "model", "-o", fast, "--int8").stderr
    assert "ONNX, int8" in convener("info", fast).stdout
    said = json.loads(convener("predict", fast, "--text", TEXTS[0]).stdout)
    exported = load(fast)
    assert len(said["entities"]) == len(exported.predict(TEXTS[0]))
    documents = list(models["panel"].annotate(map(Document, TEXTS)))
    assert score(documents, list(exported.annotate(documents))).exact.f1 > 0.9
    assert exported.predict(TEXTS) == [exported.predict(text) for text in TEXTS]


@pytest.mark.skipif("CONVENER_DATA" not in os.environ, reason="CONVENER_DATA is not set")
def test_parity_on_real_text(data_folder: Path, tmp_path: Path) -> None:
    expert = Tagger.create(("LOC", "PER"), TaggerConfig(), 0)
    torch.manual_seed(0)
    expert.head.weight.data.normal_()
    model = Recogniser(Panel([expert.eval()]), CARD)
    export(model, tmp_path / "minilm")
    documents = itertools.islice(read(data_folder / "distant" / "wikigold" / "test.jsonl"), 60)
    texts = [document.text for document in documents]
    assert assert_parity(model, load(tmp_path / "minilm"), texts) > 50


def test_a_server_takes_an_exported_model(models: dict[str, Recogniser], folders: Path) -> None:
    testclient = pytest.importorskip("starlette.testclient")
    from convener.serving.app import create_app

    app = create_app({"panel": load(folders / "panel"), "reader": load(folders / "reader")})
    with testclient.TestClient(app) as client:
        told = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
        assert told["panel"]["experts"] == 1
        assert (told["reader"]["kind"], told["reader"]["asks"]) == ("readers", False)
        asked = {"model": "panel", "texts": TEXTS[:2]}
        answer = client.post("/v1/predict", json=asked).json()["documents"]
        found = [[(e["start"], e["end"], e["label"]) for e in d["entities"]] for d in answer]
        expected = models["panel"].predict(TEXTS[:2])
        assert found == [[(*e.span, e.label) for e in text] for text in expected]
        refused = client.post(
            "/v1/ask", json={"model": "reader", "texts": ["x"], "questions": {"LOC": None}}
        )
        assert refused.status_code == 422
        assert "exported" in refused.json()["error"]

"""The server's answers and refusals, asked within this process."""

import asyncio
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from convener import ConfigError, Document, Entry, Gazetteer, Recogniser
from convener.recipes.run_config import RunConfig
from convener.serving.app import create_app
from convener.serving.batching import Batcher
from convener.serving.catalogue import load
from convener.serving.limits import Limits
from convener.serving.refusals import Refusal
from tests import serving_models
from tests.serving_models import in_a_thread

TEXT = "We gave aspirin in Oslo today ."
SMALL = Limits(texts=8, characters=1_000, body_bytes=20_000, queue=20)


@pytest.fixture(scope="module")
def models(
    labelled: list[Document], run_config: Callable[..., RunConfig], tiny_encoder: Path
) -> dict[str, Recogniser]:
    return {
        "panel": serving_models.panel(labelled, run_config),
        "reader": serving_models.reader(tiny_encoder),
    }


@pytest.fixture(scope="module")
def app(models: dict[str, Recogniser]) -> FastAPI:
    return create_app(models, SMALL)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def post(client: TestClient, verb: str, code: int = 200, **body: object) -> dict[str, object]:
    response = client.post(f"/v1/{verb}", json=body)
    assert response.status_code == code, response.text
    content: dict[str, object] = response.json()
    if code >= 400:
        assert list(content) == ["error"]
        assert "\n" not in str(content["error"])
    return content


def test_it_says_what_it_has(client: TestClient) -> None:
    assert client.get("/health").json() == client.get("/ready").json() == {"status": "ok"}
    panel, reader = client.get("/v1/models").json()["models"]
    assert (panel["name"], panel["kind"], panel["experts"]) == ("panel", "taggers", 2)
    assert panel["labels"] == ["DRUG", "LOC"]
    assert not panel["asks"]
    assert not panel["nested"]
    assert reader["questions"] == {"LOC": "In ?", "FAC": "The clinic ?"}
    assert reader["asks"]
    assert reader["nested"]


@pytest.mark.parametrize("text", [TEXT, "😀 aspirin\r\nin é Oslo 👩‍👩‍👧", "", " \t", "x" * 1000])
def test_predict_is_that_of_the_library(
    client: TestClient, models: dict[str, Recogniser], text: str
) -> None:
    answer = client.post("/v1/predict", json={"texts": [TEXT, text], "model": "panel"}).json()
    expected = models["panel"].predict([TEXT, text])
    for document, entities, source in zip(answer["documents"], expected, (TEXT, text), strict=True):
        assert [(e["start"], e["end"], e["label"]) for e in document["entities"]] == [
            (e.start, e.end, e.label) for e in entities
        ]
        for found in document["entities"]:
            assert source[found["start"] : found["end"]] == found["text"]


def test_threshold_and_flat_are_those_of_the_library(
    client: TestClient, models: dict[str, Recogniser]
) -> None:
    text = "The clinic of Rome is closed ."
    nested = post(client, "predict", texts=[text], model="reader")
    flat = post(client, "predict", texts=[text], model="reader", flat=True)
    none = post(client, "predict", texts=[text], model="reader", threshold=1)
    counts = [len(a["documents"][0]["entities"]) for a in (nested, flat, none)]  # type: ignore[index]
    assert counts == [2, 1, 0]


def test_a_dictionary_stands_beside_the_models(models: dict[str, Recogniser]) -> None:
    names = Gazetteer(
        [Entry("clinic", "SITE"), Entry("Rome is", "SAYING"), Entry("aspirin", "LOC")]
    )
    beside = {name: model.beside(names) for name, model in models.items()}
    texts = [TEXT, "The clinic of Rome is closed ."]
    with TestClient(create_app(beside, SMALL)) as client:
        known = client.get("/v1/models").json()["models"]
        assert [model["labels"][2:] for model in known] == [["SAYING", "SITE"]] * 2
        for name, threshold, flat in itertools.product(beside, (0.0, 0.5, 1.0), (False, True)):
            asked = {"model": name, "threshold": threshold, "flat": flat}
            answer = post(client, "predict", texts=texts, **asked)
            expected = beside[name].predict(texts, threshold=threshold, flat=flat)
            assert spans(answer) == [[(*e.span, e.label) for e in text] for text in expected]
        together, *alone = post(client, "experts", texts=texts, model="panel")["opinions"]  # type: ignore[misc]
        assert (4, 10, "SITE") in spans(together)[1]
        assert all((4, 10, "SITE") not in spans(opinion)[1] for opinion in alone)
        questions = {"TOWN": "In ?"}
        answer = post(client, "ask", texts=texts, model="reader", questions=questions)
        assert {label for text in spans(answer) for _, _, label in text} <= {"TOWN"}


def spans(answer: dict[str, Any]) -> list[list[tuple[int, int, str]]]:
    return [
        [(e["start"], e["end"], e["label"]) for e in document["entities"]]
        for document in answer["documents"]
    ]


def test_experts_are_each_alone(client: TestClient, models: dict[str, Recogniser]) -> None:
    opinions = post(client, "experts", texts=[TEXT] * 3, model="panel")["opinions"]
    assert isinstance(opinions, list)
    assert [o["expert"] for o in opinions] == ["together", "expert 1", "expert 2"]
    assert [len(o["documents"]) for o in opinions] == [3, 3, 3]
    whole = models["panel"].predict(TEXT)
    assert [e["label"] for e in opinions[0]["documents"][2]["entities"]] == [e.label for e in whole]
    for opinion, alone in zip(opinions[1:], models["panel"].alone, strict=True):
        said = opinion["documents"][2]["entities"]
        assert [(e["start"], e["end"], e["label"]) for e in said] == [
            (e.start, e.end, e.label) for e in alone.predict(TEXT)
        ]
        scores = [e.score for e in alone.predict(TEXT)]
        assert [e["score"] for e in said] == pytest.approx(scores, abs=1e-3)
    (single,) = post(client, "experts", texts=[TEXT], model="reader")["opinions"]  # type: ignore[misc]
    assert single["expert"] == "together"


def test_a_reader_is_asked(client: TestClient) -> None:
    questions = {"TOWN": "In ?", "nice place": None}
    body = {"texts": ["She lives in Oslo today ."], "model": "reader", "questions": questions}
    answer = post(client, "ask", **body)
    assert answer["questions"] == {"TOWN": "In ?", "nice place": "Which words name a nice place?"}
    found = answer["documents"][0]["entities"]  # type: ignore[index]
    assert ("TOWN", "Oslo") in {(e["label"], e["text"]) for e in found}


@pytest.mark.parametrize(
    ("verb", "body", "code", "reason"),
    [
        ("predict", {"texts": ["a"]}, 422, "this server has panel, reader"),
        ("predict", {"texts": ["a"], "model": "no"}, 404, "no model of that name"),
        ("predict", {"texts": []}, 422, "texts: List should have at least 1 item"),
        ("predict", {"texts": "a"}, 422, "texts: expected a valid list, got 'a'"),
        ("predict", {"texts": [1]}, 422, "texts.0: expected a valid string, got 1"),
        ("predict", {"texts": ["a"], "treshold": 1}, 422, "treshold: nothing of this name"),
        ("predict", {"texts": ["a"], "threshold": 2}, 422, "threshold: expected less"),
        ("predict", {"texts": ["a"], "threshold": "1"}, 422, "threshold: expected a valid"),
        ("predict", {"texts": ["a"], "flat": 0}, 422, "flat: expected a valid boolean"),
        ("predict", {"texts": ["a"] * 9, "model": "panel"}, 413, "at most 8 texts, got 9"),
        ("predict", {"texts": ["b", "a" * 1001], "model": "panel"}, 413, "got 1,001 in texts.1"),
        ("ask", {"texts": ["a"], "model": "panel", "questions": {"A": "b"}}, 422, "of taggers"),
        ("ask", {"texts": ["a"], "model": "reader", "questions": {}}, 422, "questions: "),
        ("ask", {"texts": ["a"], "model": "reader", "questions": {"A": ""}}, 422, "got an empty"),
        ("ask", {"texts": ["a"], "model": "reader", "questions": {"": "b"}}, 422, "questions."),
        (
            "ask",
            {"texts": ["a"], "model": "reader", "questions": {"A": "word " * 99}},
            422,
            "shorten it",
        ),
        (
            "ask",
            {"texts": ["a"], "model": "reader", "questions": {str(n): None for n in range(33)}},
            413,
            "at most 32 questions",
        ),
    ],
)
def test_what_is_refused_by_name(
    client: TestClient, verb: str, body: dict[str, object], code: int, reason: str
) -> None:
    assert reason in str(post(client, verb, code, **body)["error"])


@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [
        (b'{"texts": ["\xff"]}', 400, "expected JSON in UTF-8"),
        (b'{"texts": ["a"', 422, "expected JSON, got something else"),
        (b"", 422, "expected a body in JSON"),
        (b"[" * 10_000, 400, "nested too deeply"),
        (b'{"texts": ["\\ud83d"], "model": "panel"}', 422, "texts.0: expected whole characters"),
        (b'{"texts": ["a"], "threshold": NaN}', 422, "finite number"),
        (b'{"texts": ["a"], "threshold": 1e999}', 422, "threshold"),
        (b'{"texts": [' + b"9" * 5_000 + b"]}", 400, "expected JSON"),
    ],
)
def test_bodies_that_are_no_requests(
    client: TestClient, content: bytes, code: int, reason: str
) -> None:
    headers = {"Content-Type": "application/json"}
    response = client.post("/v1/predict", content=content, headers=headers)
    assert response.status_code == code
    assert reason in response.json()["error"]


def test_other_refusals(client: TestClient) -> None:
    assert client.get("/nothing/here").status_code == 404
    assert client.get("/v1/predict").json()["error"] == "'/v1/predict' does not take GET"
    plain = client.post("/v1/predict", content=b'{"texts": ["a"]}')
    assert (plain.status_code, "application/json" in plain.json()["error"]) == (422, True)
    announced = client.post("/v1/predict", content=b" " * 20_001)
    chunked = client.post("/v1/predict", content=iter([b" " * 5_000] * 5))
    for response in (announced, chunked):
        assert response.status_code == 413
        assert response.json()["error"].startswith("expected a body of at most 20,000 bytes")
    evil = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    response = client.options("/v1/predict", headers=evil)
    assert response.status_code == 405
    assert not any(name.startswith("access-control") for name in response.headers)


def test_a_token_is_asked_for(models: dict[str, Recogniser]) -> None:
    client = TestClient(create_app(models, SMALL, token="geheim"))
    for path in ("/", "/health", "/ready"):
        assert client.get(path).status_code in (200, 503)
    for path in ("/v1/models", "/metrics", "/openapi.json", "/nothing"):
        for header in ({}, {"Authorization": "Bearer other"}, {"Authorization": "geheim"}):
            response = client.get(path, headers=header)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
        right = client.get(path, headers={"Authorization": "Bearer geheim"})
        assert right.status_code == (404 if path == "/nothing" else 200)


def test_metrics_and_log_hold_no_text(
    client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("convener.serving"), "propagate", True)
    with caplog.at_level(logging.INFO, "convener.serving"):
        post(client, "predict", texts=["Zanzibar"], model="panel")
        post(client, "predict", 404, texts=["Zanzibar"], model="Zanzibar")
        client.get("/Zanzibar?Zanzibar")
    facts = [record.__dict__["facts"] for record in caplog.records]
    assert [(f["path"], f["status"]) for f in facts] == [
        ("/v1/predict", 200),
        ("/v1/predict", 404),
        ("other", 404),
    ]
    assert (facts[0]["texts"], facts[0]["characters"]) == (1, 8)
    figures = client.get("/metrics").text
    assert 'convener_requests_total{path="/v1/predict",status="404"}' in figures
    assert "convener_waiting_texts 0.0" in figures
    assert "Zanzibar" not in figures + json.dumps(facts)


def test_an_error_nobody_expected(
    models: dict[str, Recogniser], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = Recogniser.read

    def fails(self: Recogniser, documents: list[Document]) -> object:
        if any("bomb" in document.text for document in documents):
            raise RuntimeError(f"cannot read {documents[0].text}")
        return real(self, documents)

    monkeypatch.setattr(Recogniser, "read", fails)
    monkeypatch.setattr(logging.getLogger("convener.serving"), "propagate", True)
    slow = Limits(wait=0.2)
    with TestClient(create_app(models, slow)) as client:
        answers: dict[str, int] = {}

        def ask(text: str) -> None:
            response = client.post("/v1/predict", json={"texts": [text], "model": "panel"})
            answers[text] = response.status_code
            if "bomb" in text:
                assert "bomb" not in response.text

        texts = (TEXT, "a bomb", "Oslo")
        threads = [threading.Thread(target=ask, args=[text]) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {TEXT: 200, "a bomb": 500, "Oslo": 200}
        assert client.get("/ready").status_code == 200
    (error,) = [r.__dict__["facts"] for r in caplog.records if r.levelname == "ERROR"]
    assert error["type"] == "RuntimeError"
    assert "bomb" not in json.dumps(error)


class Model:
    """Work that takes a while and notes what it was given together."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[list[str]] = []

    def work(self, documents: list[Document]) -> list[str]:
        self.batches.append([document.text for document in documents])
        time.sleep(self.seconds)
        return [document.text.upper() for document in documents]


def documents(*texts: str) -> list[Document]:
    return [Document(text) for text in texts]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.text("ab", max_size=3), max_size=5), max_size=8),
    st.integers(1, 7),
    st.integers(1, 10),
)
def test_every_text_gets_its_own_answer(calls: list[list[str]], most: int, characters: int) -> None:
    model = Model()

    async def run() -> None:
        limits = Limits(batch_texts=most, batch_characters=characters, wait=0)
        async with Batcher(limits) as batcher:
            waiting = [batcher.call(model.work, documents(*texts)) for texts in calls if texts]
            answers = await asyncio.wait_for(asyncio.gather(*waiting), 10)
            assert answers == [[t.upper() for t in texts] for texts in calls if texts]
            assert batcher.waiting == 0

    asyncio.run(run())
    assert sorted(t for batch in model.batches for t in batch) == sorted(
        text for texts in calls for text in texts
    )
    for batch in model.batches:
        assert len(batch) <= most
        assert len(batch) == 1 or sum(map(len, batch)) <= characters


def test_a_long_request_does_not_hold_up_a_short_one() -> None:
    model = Model()

    async def run() -> None:
        async with Batcher(Limits(batch_texts=4)) as batcher:
            long = batcher.call(model.work, documents(*"abcdefghijkl"))
            short = batcher.call(model.work, documents("z"))
            await asyncio.wait_for(asyncio.gather(long, short), 10)

    asyncio.run(run())
    assert "z" in model.batches[0]


def test_what_is_given_up_is_not_done_and_the_queue_is_bounded() -> None:
    model = Model(0.1)

    async def run() -> None:
        async with Batcher(Limits(texts=2, queue=4, batch_texts=1)) as batcher:
            first = batcher.call(model.work, documents("a"))
            await asyncio.sleep(0.05)
            given_up = batcher.call(model.work, documents("b", "c"))
            third = batcher.call(model.work, documents("d", "e"))
            with pytest.raises(Refusal) as refused:
                batcher.call(model.work, documents("f"))
            assert refused.value.status_code == 429
            assert refused.value.headers == {"Retry-After": "1"}
            given_up.cancel()
            await asyncio.sleep(0)
            assert batcher.waiting == 2
            assert await asyncio.wait_for(asyncio.gather(first, third), 10) == [["A"], ["D", "E"]]

    asyncio.run(run())
    assert model.batches == [["a"], ["d"], ["e"]]


def test_no_answer_in_time_and_a_full_queue(
    models: dict[str, Recogniser], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def stuck(self: Recogniser, documents: list[Document]) -> object:
        go_on.wait(10)
        return documents

    monkeypatch.setattr(Recogniser, "read", stuck)
    limits = Limits(texts=2, queue=2, seconds=0.3)
    with TestClient(create_app(models, limits)) as client:
        responses = []
        body = {"texts": ["a", "b"], "model": "panel"}

        def ask() -> None:
            responses.append(client.post("/v1/predict", json=body))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        go_on.set()
    assert {r.status_code for r in responses} == {429}
    assert {r.headers["retry-after"] for r in responses} == {"1"}
    reasons = {r.json()["error"] for r in responses}
    assert any("no answer within 0.3 seconds" in reason for reason in reasons)
    assert any("the queue holds 2" in reason for reason in reasons)


def test_models_of_the_same_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'a' twice"):
        load([tmp_path / "x" / "a", tmp_path / "y" / "a"])


def test_limits_that_contradict_one_another() -> None:
    with pytest.raises(ValueError, match="a queue that holds a request of 8 texts, got 4"):
        Limits(texts=8, queue=4)


def test_the_page_allows_its_own_script_alone(client: TestClient) -> None:
    response = client.get("/")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http://" not in response.text
    assert "https://" not in response.text
    assert "innerHTML" not in response.text


def test_the_server_is_as_it_describes_itself(models: dict[str, Recogniser]) -> None:
    limits = SMALL.model_copy(update={"texts": 4, "characters": 50})
    with in_a_thread(create_app({"reader": models["reader"]}, limits)) as address:
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        operations = [operation.ok() for operation in schema.get_all_operations()]
        assert {operation.path for operation in operations} >= {"/v1/ask", "/v1/experts", "/ready"}
        for operation in operations:
            asked_rightly(operation)
            if operation.method == "post":
                asked_wrongly(operation)


def asked_rightly(operation: schemathesis.APIOperation) -> None:
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    ask()


def asked_wrongly(operation: schemathesis.APIOperation) -> None:
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(GenerationMode.NEGATIVE))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate()

    ask()

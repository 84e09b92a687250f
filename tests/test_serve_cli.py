"""The real server in a process of its own: many clients, slow ones, rude ones, and its end."""

import http.client
import json
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from convener import Document
from convener.recipes.run_config import RunConfig
from tests import serving_models
from tests.program import refusal
from tests.serving_models import serving
from tests.test_architecture import PROJECT

PAGE = (PROJECT / "docs" / "serving.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", "".join(re.findall(r"```console\n(.*?)```", PAGE, re.S)), re.M)
TEXTS = ("aspirin in Oslo", "Lima is closed", "Doctors like codeine , not tea .")


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory,
    labelled: list[Document],
    run_config: Callable[..., RunConfig],
) -> Path:
    folder = tmp_path_factory.mktemp("served") / "drug-ner"
    serving_models.panel(labelled, run_config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "log.jsonl"


@pytest.fixture(scope="module")
def url(model: Path, log: Path) -> Iterator[str]:
    """The server that the documentation starts, with a smaller body and less patience."""
    shown = shlex.split(COMMANDS[0])[2:]
    with (
        chdir(model.parent),
        serving(*shown, "--body", "100000", "--seconds", "4", log=log) as (url, _),
    ):
        yield url


def predict(url: str, text: str, token: str = "none") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{url}/v1/predict", json={"texts": [text]}, headers=headers, timeout=60)


def figure(url: str, name: str, token: str = "none") -> float:
    """A figure of the server's metrics."""
    figures = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"}).text
    return float(figures.split(f"\n{name} ")[1].split("\n")[0])


def connection(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=30)


def post_head(length: int) -> bytes:
    return (
        f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def test_two_hundred_clients_at_once(url: str) -> None:
    alone = {text: predict(url, text).json() for text in TEXTS}
    with (
        ThreadPoolExecutor(200) as pool,
        httpx.Client(timeout=60, limits=httpx.Limits(max_connections=200)) as client,
    ):

        def ask(number: int) -> tuple[str, httpx.Response]:
            text = TEXTS[number % len(TEXTS)]
            return text, client.post(f"{url}/v1/predict", json={"texts": [text]})

        answers = list(pool.map(ask, range(400)))
    assert {response.status_code for _, response in answers} == {200}
    assert all(response.json() == alone[text] for text, response in answers)
    assert figure(url, "convener_batch_texts_count") < 200


def test_slow_clients_are_told_so_and_hold_nobody_up(url: str) -> None:
    slow = [connection(url) for _ in range(20)]
    for client in slow:
        client.sendall(post_head(1_000) + b'{"texts": ["')
    trickle = threading.Event()

    def drip() -> None:
        while not trickle.wait(0.2):
            for client in slow:
                try:
                    client.sendall(b"a")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    assert predict(url, "aspirin").status_code == 200
    assert time.monotonic() - began < 3.5
    for client in slow:
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == 408
        assert b"within 4 seconds" in response.read()
    assert time.monotonic() - began < 20
    trickle.set()
    thread.join()
    for client in slow:
        client.close()


def _sent(client: socket.socket, content: bytes, most: int) -> int:
    """How many bytes the server takes before it closes the connection."""
    sent = 0
    try:
        while sent < most:
            sent += client.send(content)
    except OSError:
        pass
    return sent


def test_bodies_too_large(url: str) -> None:
    body = b'{"texts": ["' + b"a" * 1_000_000 + b'"]}'
    for content in (body, iter([body])):
        response = httpx.post(
            f"{url}/v1/predict", content=content, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 413
        assert "at most 100,000 bytes" in response.json()["error"]
    endless = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connection(url) as client:
        client.sendall(endless)
        assert _sent(client, b"2710\r\n" + b"a" * 10_000 + b"\r\n", 50_000_000) < 50_000_000
    assert predict(url, "aspirin").status_code == 200


def test_clients_that_go_away(url: str, log: Path) -> None:
    for _ in range(30):
        with connection(url) as client:
            body = json.dumps({"texts": ["aspirin in Oslo " * 300] * 10}).encode()
            client.sendall(post_head(len(body)) + body)
    half = connection(url)
    half.sendall(post_head(100) + b"{")
    half.close()
    assert predict(url, "aspirin").status_code == 200
    deadline = time.monotonic() + 10
    while figure(url, "convener_waiting_texts") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert figure(url, "convener_waiting_texts") == 0
    statuses = [json.loads(line).get("status") for line in log.read_text().splitlines()]
    assert 499 in statuses
    assert not [status for status in statuses if status is not None and status >= 500]


def test_headers_that_never_end_and_answers_nobody_reads(url: str) -> None:
    with connection(url) as silent, connection(url) as half, connection(url) as deaf:
        half.sendall(b"POST /v1/predict HTTP/1.1\r\nHost:")
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        began = time.monotonic()
        for client in (silent, half):
            assert client.recv(100).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 20
        time.sleep(4.5)
        assert _sent(deaf, b"G", 1_000) < 1_000
    assert predict(url, "aspirin").status_code == 200


def test_what_is_no_http(url: str) -> None:
    with connection(url) as client:
        client.sendall(b"\x16\x03\x01\x02\x00\xff\xfe\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_it_answers_what_it_took_before_it_ends(model: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    environment = {"CONVENER_TOKEN": "geheim"}
    with serving(model, "--batch", "1", environment=environment, log=log) as (url, process):
        text = "aspirin in Oslo " * 600
        assert predict(url, text).status_code == 401
        with ThreadPoolExecutor(24) as pool:
            answers = [pool.submit(predict, url, text, "geheim") for _ in range(24)]
            while figure(url, "convener_taken_texts_total", "geheim") < 24:
                time.sleep(0.01)
            assert figure(url, "convener_waiting_texts", "geheim") > 1
            process.send_signal(signal.SIGTERM)
            assert {answer.result().status_code for answer in answers} == {200}
        assert process.wait(30) == 0
        with pytest.raises(httpx.ConnectError):
            predict(url, "aspirin")
    for line in log.read_text().splitlines():
        assert "aspirin" not in line
        assert json.loads(line)["level"] == "info"


def test_it_ends_however_soon_it_is_told_to(model: Path) -> None:
    with serving(model) as (_, process):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_killed_server_leaves_nobody_waiting(model: Path) -> None:
    with serving(model, "--batch", "1") as (url, process), ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(predict, url, "aspirin in Oslo " * 3_000) for _ in range(8)]
        while figure(url, "convener_taken_texts_total") < 8:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        errors = [error for answer in answers if (error := answer.exception()) is not None]
        assert time.monotonic() - began < 5
    assert errors
    assert all(isinstance(error, httpx.HTTPError) for error in errors)


def test_what_cannot_be_served(model: Path, tmp_path: Path, url: str) -> None:
    port = str(urlsplit(url).port)
    line = refusal("serve", model, "--port", port)
    assert f"expected to listen at 127.0.0.1 port {port}, got: Address already in use" in line
    for token, reason in {
        b"two words": "blanks",
        b"two\nlines": "blanks",
        b"\xff": "UTF-8",
    }.items():
        (tmp_path / "token").write_bytes(token)
        assert reason in refusal("serve", model, "--token-file", tmp_path / "token")
    assert "finite" in refusal("serve", model, "--seconds", "inf")
    assert refusal("serve", model, "--texts", "4000").endswith("of 4000 texts, got 2048")


def test_listed_names_are_found_too(model: Path, tmp_path: Path) -> None:
    names = tmp_path / "drugs.csv"
    names.write_text("name\ntea bag\n")
    assert "add --dictionary" in refusal("serve", model, "--plurals")
    with serving(model, "--dictionary", names, "--label=DRUG", "--plurals") as (url, _):
        (found,) = predict(url, "He likes tea bags .").json()["documents"]
        assert {"start": 9, "end": 17, "label": "DRUG", "score": None, "text": "tea bags"} in (
            found["entities"]
        )


def test_the_commands_on_the_page_work(url: str) -> None:
    assert COMMANDS[0].startswith("convener serve ")
    for command in COMMANDS[1:]:
        assert command.startswith("curl -s http://127.0.0.1:8000/")
        asked = shlex.split(command.replace("http://127.0.0.1:8000", url))
        done = subprocess.run(asked, capture_output=True, check=True)
        assert "error" not in json.loads(done.stdout)

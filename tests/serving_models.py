"""Tiny models for the server's tests: a panel of two taggers, and a reader of nested entities."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from convener import Document, Entity, Recogniser, train
from convener.recipes.run_config import SUPERVISED, RunConfig, override
from tests.program import ENVIRONMENT, PROGRAM

CLINICS = ("The clinic of {} is closed .", "She lives in {} today .", "In {} nobody works .")
TOWNS = ("Rome", "Oslo", "Lima", "Cairo")


def panel(labelled: Sequence[Document], run_config: Callable[..., RunConfig]) -> Recogniser:
    """Two taggers that know DRUG and LOC."""
    return train(labelled, config=run_config(experts=2, self_rounds=1))


def reader(encoder: Path) -> Recogniser:
    """A reader with shared heads that finds towns in clinics."""
    documents = [nested(pattern.format(town), town) for town in TOWNS for pattern in CLINICS] * 2
    settings = {
        "model": "reader",
        "reader.encoder": str(encoder),
        "reader.questions": {"LOC": "In ?", "FAC": "The clinic ?"},
        "reader.heads": "shared",
        "reader.train_embeddings": True,
        "reader.dropout": 0,
        "optimiser.learning_rate": 3e-3,
        "optimiser.head_learning_rate": 1e-2,
        "bond.round_steps": 15,
    }
    return train(documents, dev=documents, config=override(SUPERVISED, settings))


def nested(text: str, town: str) -> Document:
    """A text in which a town is a LOC, and the clinic of it a FAC."""
    at = text.index(town)
    entities = [Entity(at, at + len(town), "LOC")]
    if "clinic" in text:
        entities.append(Entity(text.index("clinic"), at + len(town), "FAC"))
    return Document(text, tuple(entities))


@contextmanager
def in_a_thread(app: FastAPI) -> Iterator[str]:
    """The address of an application that is served by a thread of this process."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    (listener,) = server.servers[0].sockets
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serving(
    *arguments: str | Path,
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The real server, on a free port unless one is given: its address and its process."""
    command = [PROGRAM, "serve", *map(str, arguments), "--port", str(port)]
    with (
        (log or Path(os.devnull)).open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=ENVIRONMENT | dict(environment or {}),
        ) as process,
    ):
        assert process.stdout is not None
        try:
            found = re.search(r"at (http://\S+)/ until", process.stdout.readline())
            assert found is not None
            yield found[1], process
        finally:
            process.terminate()
            process.wait(30)

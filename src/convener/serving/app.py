"""The application: what can be asked of a server, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from convener.errors import ConvenerError
from convener.inference.recogniser import Recogniser
from convener.serving import page, refusals
from convener.serving.batching import Batcher, Work
from convener.serving.catalogue import Catalogue, written
from convener.serving.intake import Intake, Token
from convener.serving.limits import Limits
from convener.serving.refusals import GONE, Refusal, busy
from convener.serving.schemas import (
    Answers,
    Ask,
    Asked,
    Model,
    Models,
    Opinion,
    Opinions,
    Predict,
    Read,
    Refused,
    Status,
    Texts,
)
from convener.serving.watch import Metrics, Watch
from convener.text.documents import Document

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refused, "description": description}
    for status, description in {
        400: "Not JSON in UTF-8",
        401: "No token, or another",
        404: "No such model",
        408: "The request did not arrive in time",
        413: "Too much in one request",
        422: "A request of the wrong shape",
        429: "Too busy; come back after Retry-After seconds",
    }.items()
}


def create_app(
    models: Mapping[str, Recogniser], limits: Limits | None = None, token: str | None = None
) -> FastAPI:
    """The application that serves models by name."""
    limits = limits or Limits()
    metrics = Metrics()
    batcher = Batcher(limits, metrics.batch.observe)
    metrics.waiting.set_function(lambda: batcher.waiting)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with batcher:
            yield

    app = FastAPI(
        title="convener",
        version=version("convener"),
        description="Named-entity recognition. Offsets count Unicode code points.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            HTTPException: refusals.on_http,
            RequestValidationError: refusals.on_invalid,
            ConvenerError: refusals.on_convener,
        },
    )
    app.include_router(_about(batcher, metrics))
    app.include_router(_questions(Desk(Catalogue(models), batcher, limits, metrics)), prefix="/v1")
    app.add_middleware(Intake, limits=limits)
    if token is not None:
        app.add_middleware(Token, token=token)
    app.add_middleware(Watch, metrics=metrics, paths=[*app.openapi()["paths"], "/openapi.json"])
    return app


def _about(batcher: Batcher, metrics: Metrics) -> APIRouter:
    """The page, and how the server is."""
    router = APIRouter()

    @router.get("/", response_class=HTMLResponse)
    async def people() -> HTMLResponse:
        """The page for people."""
        return HTMLResponse(page.HTML, headers=page.HEADERS)

    @router.get("/health")
    async def health() -> Status:
        """Whether the server lives."""
        return Status(status="ok")

    @router.get("/ready", responses={503: {"model": Status, "description": "Not ready"}})
    async def ready(response: Response) -> Status:
        """Whether the server answers requests."""
        if not batcher.alive:
            response.status_code = 503
            return Status(status="the model's worker has stopped: restart the server")
        return Status(status="ok")

    @router.get("/metrics", responses={200: {"content": {"text/plain": {}}}, 401: _REFUSALS[401]})
    async def figures() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


class Desk:
    """Takes questions to the models, within the limits."""

    def __init__(
        self, catalogue: Catalogue, batcher: Batcher, limits: Limits, metrics: Metrics
    ) -> None:
        self._metrics = metrics
        self.catalogue = catalogue
        self.limits = limits
        self._batcher = batcher

    async def answers(self, request: Request, work: Work, asked: Texts) -> Sequence[Any]:
        """What work answers to the texts.

        Raises:
            Refusal: too many or too long texts, a full queue, no answer in time.
        """
        for index, text in enumerate(asked.texts):
            if len(text) > self.limits.characters:
                raise Refusal(
                    413,
                    f"expected texts of at most {self.limits.characters:,} characters, "
                    f"got {len(text):,} in texts.{index}: send it in parts",
                )
        if len(asked.texts) > self.limits.texts:
            raise Refusal(
                413,
                f"expected at most {self.limits.texts:,} texts, got {len(asked.texts):,}: "
                "send them in parts",
            )
        request.scope["facts"] |= {
            "texts": len(asked.texts),
            "characters": sum(map(len, asked.texts)),
        }
        call = self._batcher.call(work, [Document(text) for text in asked.texts])
        self._metrics.texts.inc(len(asked.texts))
        gone = asyncio.ensure_future(request.receive())
        try:
            either: set[asyncio.Future[Any]] = {call, gone}
            await asyncio.wait(
                either, timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if call.done():
                return call.result()
        finally:
            call.cancel()
            gone.cancel()
        if gone.done() and not gone.cancelled():
            raise Refusal(GONE, "the client has gone")
        raise busy(f"no answer within {self.limits.seconds:g} seconds, send less at a time")


def _questions(desk: Desk) -> APIRouter:
    """What is asked of models."""
    router = APIRouter(responses=_REFUSALS)

    @router.get("/models")
    async def models() -> Models:
        """The models, their types, and what a request may hold."""
        known = [
            Model(
                name=name,
                kind=model.kind,
                experts=model.experts,
                labels=list(model.recogniser.labels),
                questions=model.questions,
                asks=model.asks,
                nested=model.nested,
            )
            for name, model in desk.catalogue.models.items()
        ]
        limits = desk.limits
        return Models(models=known, texts=limits.texts, characters=limits.characters)

    @router.post("/predict")
    async def predict(request: Request, asked: Predict) -> Answers:
        """The entities of each text."""
        model = desk.catalogue[asked.model]
        found = await desk.answers(request, model.reading, asked)
        wanted = await asyncio.to_thread(model.chosen, found, asked.threshold, asked.flat)
        return Answers.of(model.name, wanted)

    @router.post("/experts")
    async def experts(request: Request, asked: Texts) -> Opinions:
        """The entities that a model finds, and those of each of its experts alone."""
        model = desk.catalogue[asked.model]
        found = await desk.answers(request, model.each, asked)
        opinions = [
            Opinion.model_construct(
                expert=f"expert {number}" if number else "together",
                documents=[Read.of(document) for document in documents],
            )
            for number, documents in enumerate(zip(*found, strict=True))
        ]
        return Opinions.model_construct(model=model.name, opinions=opinions)

    @router.post("/ask")
    async def ask(request: Request, asked: Ask) -> Asked:
        """The entities of each text by other questions than a reader's own."""
        model, most = desk.catalogue[asked.model], desk.limits.questions
        if len(asked.questions) > most:
            raise Refusal(413, f"expected at most {most} questions, got {len(asked.questions)}")
        questions = written(asked.questions)
        found = await desk.answers(request, model.asking(questions), asked)
        answers = Answers.of(model.name, found)
        return Asked.model_construct(**dict(answers), questions=questions)

    return router

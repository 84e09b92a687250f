"""What the server says of itself: metrics for Prometheus, and a line of JSON for each event.

Neither holds anything that a user wrote: of a request its path if that is one of the server's, of
an error its type and place.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Collection, MutableMapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convener.serving.refusals import GONE

log = logging.getLogger("convener.serving")

_QUICK = frozenset({"/health", "/ready", "/metrics"})


class Metrics:
    """Figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "convener_requests", "Requests answered.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "convener_request_seconds", "Time to answer.", ["path"], registry=self.registry
        )
        self.batch = Histogram(
            "convener_batch_texts",
            "Texts answered together.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self.registry,
        )
        self.texts = Counter(
            "convener_taken_texts", "Texts taken to be answered.", registry=self.registry
        )
        self.waiting = Gauge(
            "convener_waiting_texts", "Texts in the queue.", registry=self.registry
        )


class Watch:
    """Counts, times and logs requests; what nobody expected is a 500 without details."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Collection[str]) -> None:
        self.app = app
        self._metrics = metrics
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and look at what comes back."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        facts: MutableMapping[str, object] = {}
        scope["facts"] = facts
        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            log.error("error", extra={"facts": _place(error)})
            if not status:
                reason = "something went wrong inside the server: its log says where"
                await JSONResponse({"error": reason}, 500)(scope, receive, noted)
        path = scope["path"] if scope["path"] in self._paths else "other"
        seconds, status = time.perf_counter() - began, status or GONE
        self._metrics.requests.labels(path, status).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        level = logging.DEBUG if path in _QUICK else logging.INFO
        known = {"method": scope["method"], "path": path, "status": status}
        log.log(
            level,
            "request",
            extra={"facts": {**known, "ms": round(1000 * seconds, 1), **facts}},
        )
        return None


class JsonLines(logging.Formatter):
    """A log record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        facts: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
        }
        facts |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1] is not None:
            facts |= _place(record.exc_info[1])
        return json.dumps(facts)


def log_to_stderr() -> None:
    """Send the server's log, and that of what it runs in, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("convener.serving", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name.startswith("convener") else logging.WARNING)


def _place(error: BaseException) -> dict[str, object]:
    """Type and place of an error; its message may quote a text."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return {
        "type": type(error).__name__,
        "where": [f"{frame.filename}:{frame.lineno}" for frame in frames],
    }

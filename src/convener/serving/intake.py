"""What stands before the application: who may ask, and how much may arrive in how much time.

A body is read whole, within its limits, before the application sees the request. A body that is
too large is refused at once, and what still arrives of it is thrown away for a while, so that a
client that writes before it reads can read the refusal.
"""

import asyncio
import hmac
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convener.serving.limits import Limits

OPEN = frozenset({"/", "/health", "/ready"})
_DRAIN_SECONDS, _DRAIN_BODIES = 5.0, 16


class Token:
    """Lets in those who bring the token; the page and what probes ask are open to all."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            return await self.app(scope, receive, send)
        brought = dict(scope["headers"]).get(b"authorization", b"")
        if hmac.compare_digest(brought, self._expected):
            return await self.app(scope, receive, send)
        reason = "expected the server's token: send the header Authorization: Bearer TOKEN"
        response = JSONResponse({"error": reason}, 401, {"WWW-Authenticate": "Bearer"})
        return await response(scope, receive, send)


class Intake:
    """Reads bodies, as large and as slow as the limits allow."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body, or refuse it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        try:
            async with asyncio.timeout(self._limits.seconds):
                whole = [await self._body(Headers(scope=scope), receive)]
        except TimeoutError:
            seconds = f"{self._limits.seconds:g} seconds"
            return await _refuse(send, 408, f"expected the whole request within {seconds}")
        except _TooLargeError as error:
            return await self._too_large(receive, send, error.more)

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        return await self.app(scope, replay, send)

    async def _body(self, headers: Headers, receive: Receive) -> Message:
        """The whole body as one message, or that the client has gone."""
        limit, announced = self._limits.body_bytes, headers.get("content-length", "0")
        if len(announced) > len(str(limit)) or int(announced) > limit:
            raise _TooLargeError(more=True)
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                raise _TooLargeError(more)
        return {"type": "http.request", "body": bytes(body)}

    async def _too_large(self, receive: Receive, send: Send, more: bool) -> None:
        limit = self._limits.body_bytes
        reason = f"expected a body of at most {limit:,} bytes: send fewer texts at a time"
        await _refuse(send, 413, reason, more=True)
        left = _DRAIN_BODIES * limit
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while more and left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": b""})


class _TooLargeError(Exception):
    """A body beyond the limit, with or without more of it to come."""

    def __init__(self, more: bool) -> None:
        self.more = more


async def _refuse(send: Send, status: int, reason: str, more: bool = False) -> None:
    """Answer, with the end of the body still to come if there is more, and then close."""
    response = JSONResponse({"error": reason}, status, {"Connection": "close"})
    start = {"type": "http.response.start", "status": status, "headers": response.raw_headers}
    await send(start)
    await send({"type": "http.response.body", "body": response.body, "more_body": more})

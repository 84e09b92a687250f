"""Connections of slow clients end: headers that never arrive, answers that nobody reads.

Bodies are the matter of `convener.serving.intake`; what happens before and after the application
only the protocol sees.
"""

import asyncio
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """HTTP in which headers, and each pause in reading an answer, may take `seconds`."""

    seconds = 30.0
    _timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._wait(self._late)

    def on_message_begin(self) -> None:
        """Wait for its headers."""
        self._wait(self._late)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The headers are there."""
        self._wait(None)
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        self._wait(self._deaf)
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read."""
        self._wait(None)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing to wait for."""
        self._wait(None)
        super().connection_lost(exc)

    def _wait(self, then: Callable[[], Any] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if then is None else self.loop.call_later(self.seconds, then)

    def _late(self) -> None:
        self.transport.write(_LATE)
        self.transport.close()

    def _deaf(self) -> None:
        self.cycle.disconnected = True
        self.transport.abort()

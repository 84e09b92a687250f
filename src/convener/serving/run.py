"""Runs a server in this process until it is told to stop; what it took it answers first."""

import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from convener.errors import ConfigError
from convener.serving.limits import Limits
from convener.serving.patience import PatientProtocol
from convener.serving.watch import log_to_stderr

_IDLE_SECONDS = 60


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there, so that a port in use is known before models are loaded.

    Raises:
        ConfigError: the address is in use, or no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"expected to listen at {host} port {port}, got: {cause}: "
            "choose another --port or --host"
        ) from None


def url(listener: socket.socket) -> str:
    """Where a browser on this machine finds the server."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def run(app: FastAPI, listener: socket.socket, limits: Limits, tell: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, then answer what was taken and leave with code 0."""
    log_to_stderr()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http=type("Protocol", (PatientProtocol,), {"seconds": limits.seconds}),
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=round(2 * limits.seconds) + 1,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    tell()
    uvicorn.Server(config).run([listener])

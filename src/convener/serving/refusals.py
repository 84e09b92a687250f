"""Requests that are refused: a status and one line that says what was expected and the way out."""

import json
from collections.abc import Mapping, Sequence

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as PlainHTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from convener.errors import ConvenerError, misfit, short

GONE = 499


class Refusal(HTTPException):
    """A request that is not answered, with the reason."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, reason, dict(headers or {}))


def busy(reason: str) -> Refusal:
    """Too much to do: come back in a second."""
    return Refusal(429, f"{reason}: try again later", {"Retry-After": "1"})


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """A refusal, or what the framework itself refuses."""
    assert isinstance(error, PlainHTTPException)
    reason = str(error.detail)
    if isinstance(error.__cause__, UnicodeDecodeError | RecursionError | ValueError):
        reason = f"expected JSON in UTF-8, got something else ({_cause(error.__cause__)})"
    elif error.status_code == 404 and not isinstance(error, Refusal):
        reason = f"nothing at {short(request.url.path)}: /openapi.json lists what there is"
    elif error.status_code == 405:
        reason = f"{short(request.url.path)} does not take {request.method}"
    return JSONResponse({"error": reason}, error.status_code, dict(error.headers or {}))


async def on_invalid(request: Request, error: Exception) -> JSONResponse:
    """A body or parameter of the wrong shape."""
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"error": _first(error.errors())}, 422)


async def on_convener(request: Request, error: Exception) -> JSONResponse:
    """What the library refuses."""
    assert isinstance(error, ConvenerError)
    return JSONResponse({"error": " ".join(str(error).split())}, 422)


def _first(errors: Sequence[Mapping[str, object]]) -> str:
    first = errors[0]
    location, context = first["loc"], first.get("ctx")
    assert isinstance(location, tuple)
    if first["type"] == "json_invalid":
        reason = context.get("error") if isinstance(context, dict) else first["msg"]
        return f"expected JSON, got something else ({reason} at character {location[-1]})"
    place = location[1:]
    if not place and (first["type"] == "missing" or isinstance(first["input"], bytes)):
        return "expected a body in JSON: send it with the header Content-Type: application/json"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return misfit([{**first, "loc": place}], "the body") + more


def _cause(cause: BaseException) -> str:
    if isinstance(cause, RecursionError):
        return "nested too deeply"
    if isinstance(cause, json.JSONDecodeError | UnicodeDecodeError):
        return str(cause).replace("\n", " ")
    return short(str(cause))

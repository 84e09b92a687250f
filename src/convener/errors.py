"""The errors that convener raises on purpose.

Each message is one line that says what was expected, what came, and the way out. The command
line prints the message alone and leaves with code 2; library users catch `ConvenerError`.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def short(value: object) -> str:
    """A value as an error message shows it: on one line, and never long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def misfit(errors: Sequence[Mapping[str, Any]], whole: str = "") -> str:
    """The first thing that pydantic has against data: where, what it expected, and what came.

    `whole` names the data where all of it is meant. What a check of all of it says stands alone.
    """
    first = errors[0]
    place = [str(part) for part in first["loc"]]
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if first["type"] == "missing":
        message = f"expected {place.pop()!r}"
    if first["type"] == "extra_forbidden":
        message = "nothing of this name is known"
    if place or first["type"] not in ("json_invalid", "value_error"):
        message = f"{message}, got {short(first['input'])}"
    where = ".".join(place) or whole
    return f"{where}: {message}" if where else message


class ConvenerError(Exception):
    """Anything that the caller can mend: input, configuration, a damaged model."""


class DataError(ConvenerError):
    """A document, label or dictionary row that cannot be used as it stands."""


class ModelError(ConvenerError):
    """A model folder or an encoder that cannot be loaded."""


class ConfigError(ConvenerError):
    """Settings that contradict one another or the data."""

"""Plain data into typed settings, with one line for what does not fit, and back to paths."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from convener.errors import ConfigError, misfit

Settings = TypeVar("Settings", bound=BaseModel)


def parsed(kind: type[Settings], content: object) -> Settings:
    """Settings of a kind from plain data.

    Raises:
        ConfigError: a setting is unknown or its value does not fit.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError(misfit(error.errors(), "the configuration")) from None


def by_path(content: Mapping[str, object], parents: str = "") -> dict[str, object]:
    """The value of every setting by its path, such as `bond.tau`."""
    found: dict[str, object] = {}
    for name, value in content.items():
        inner = by_path(value, f"{parents}{name}.") if isinstance(value, dict) and value else None
        found |= {parents + name: value} if inner is None else inner
    return found

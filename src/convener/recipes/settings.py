"""Plain data into typed settings, with one line for what does not fit."""

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

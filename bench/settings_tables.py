"""Tables of the settings of `convener train`, from their definitions."""

import re
from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from markdown import table
from pydantic import BaseModel
from pydantic.fields import FieldInfo


def settings(part: str) -> str:
    """The settings of one part of a run's configuration, or those outside of all parts."""
    from convener.recipes.run_config import RunConfig

    kind = RunConfig if part == "run" else RunConfig.model_fields[part].annotation
    assert isinstance(kind, type)
    assert issubclass(kind, BaseModel)
    prefix = "" if part == "run" else f"{part}."
    return table(
        ["setting", "default", "or", ""],
        (
            [f"`{prefix}{name}`", _told(field.default), ", ".join(_others(field)), _meaning(field)]
            for name, field in kind.model_fields.items()
            if not isinstance(field.default, BaseModel)
        ),
    )


def _told(value: object) -> str:
    if value is None:
        return "open"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def _others(field: FieldInfo) -> Iterator[str]:
    """The other values, where there are few."""
    choices = (
        a for a in (field.annotation, *get_args(field.annotation)) if get_origin(a) is Literal
    )
    values = [value for choice in choices for value in get_args(choice)]
    if field.annotation is bool:
        values = [True, False]
    return (_told(value) for value in values if value != field.default)


def _meaning(field: FieldInfo) -> str:
    """What it is, without the names of modules."""
    return re.sub(r" \(`[\w.]+`\)", "", " ".join((field.description or "").split()))

"""The errors that convener raises on purpose.

Each message is one line that says what was expected, what came, and the way out. The command
line prints the message alone and leaves with code 2; library users catch `ConvenerError`.
"""


def short(value: object) -> str:
    """A value as an error message shows it: on one line, and never long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class ConvenerError(Exception):
    """Anything that the caller can mend: input, configuration, a damaged model."""


class DataError(ConvenerError):
    """A document, label or dictionary row that cannot be used as it stands."""


class ModelError(ConvenerError):
    """A model folder or an encoder that cannot be loaded."""


class ConfigError(ConvenerError):
    """Settings that contradict one another or the data."""

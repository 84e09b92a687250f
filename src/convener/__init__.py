"""Named-entity recognition from raw text and a dictionary: panels of experts, no hand labels.

    from convener import Gazetteer, label, train, load

    documents = label("notes.txt", Gazetteer.from_csv("drugs.csv"))
    train(documents).save_pretrained("drug-ner")
    load("drug-ner").predict("Aspirin relieved the headache.")

What needs torch is imported when it is first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from convener.dictionary import Entry, Gazetteer
from convener.errors import ConfigError, ConvenerError, DataError, ModelError
from convener.text import Document, Entity

if TYPE_CHECKING:
    from convener.api import distill, evaluate, export, label, load, train
    from convener.inference.recogniser import Recogniser
    from convener.recipes.run_config import RunConfig
    from convener.text.formats.conversion import convert

__version__ = version("convener")

_LAZY = {
    "Recogniser": "convener.inference.recogniser",
    "RunConfig": "convener.recipes.run_config",
    "convert": "convener.text.formats.conversion",
    "distill": "convener.api",
    "evaluate": "convener.api",
    "export": "convener.api",
    "label": "convener.api",
    "load": "convener.api",
    "train": "convener.api",
}

__all__ = [
    "ConfigError",
    "ConvenerError",
    "DataError",
    "Document",
    "Entity",
    "Entry",
    "Gazetteer",
    "ModelError",
    "Recogniser",
    "RunConfig",
    "convert",
    "distill",
    "evaluate",
    "export",
    "label",
    "load",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'convener' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})

"""The demonstration: a small corpus with a dictionary that knows about half of its names.

`data/train.txt` is raw text, a sentence a line. `data/dictionary.csv` lists names with their
types, and some honest traps: Jordan, Washington, May, Amazon, Apple and others mean several
things. `data/test.jsonl` is labelled by hand. All of it was written for this project.
"""

from dataclasses import dataclass
from importlib.resources import files

from convener.dictionary.gazetteer import Gazetteer
from convener.text.documents import Document
from convener.text.formats import read

_DATA = files(__name__) / "data"


@dataclass(frozen=True, slots=True)
class DemoData:
    """Raw training text, the dictionary, and the labelled test sentences."""

    texts: list[Document]
    gazetteer: Gazetteer
    test: list[Document]


def load_data() -> DemoData:
    """The bundled corpus."""
    return DemoData(
        texts=list(read(str(_DATA / "train.txt"))),
        gazetteer=Gazetteer.from_file(str(_DATA / "dictionary.csv")),
        test=list(read(str(_DATA / "test.jsonl"))),
    )

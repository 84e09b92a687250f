"""Options that several verbs share."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from convener.cli.console import Skipped, err
from convener.dictionary.gazetteer import Gazetteer
from convener.text.documents import Document
from convener.text.formats import read


class OnError(StrEnum):
    """What to do with a bad item: stop with one line, or leave it out and count it."""

    STOP = "stop"
    SKIP = "skip"


class CaseOption(StrEnum):
    """How names are matched; see `convener.dictionary.gazetteer`."""

    SMART = "smart"
    EXACT = "exact"
    IGNORE = "ignore"


class Kind(StrEnum):
    """What the experts are: see `convener.models.tagger` and `convener.models.reader`."""

    TAGGER = "tagger"
    READER = "reader"


OnErrorOption = Annotated[
    OnError, typer.Option("--on-error", help="Stop at a bad item, or leave it out and count it.")
]
DictionaryLabel = Annotated[
    str | None, typer.Option("--label", help="Type of names whose row gives none.")
]
DictionaryCase = Annotated[
    CaseOption, typer.Option("--case", help="How the case of names is read.")
]


Nested = Annotated[bool, typer.Option("--nested", help="Also label names inside names.")]


def documents(path: str, on_error: OnError) -> Iterator[Document]:
    """Documents of a file; bad ones are reported at the end if they are left out."""
    skipped = Skipped()
    yield from read(path, on_error=skipped if on_error is OnError.SKIP else None)
    skipped.report()


def gazetteer(path: str, label: str | None, case: CaseOption) -> Gazetteer:
    """A dictionary, with a line on what was wrong in it."""
    loaded = Gazetteer.from_file(path, label, case.value)
    if loaded.unusable:
        err.print(
            f"{len(loaded.unusable)} rows of {path} cannot be used: {loaded.unusable[0]}",
            markup=False,
        )
    if loaded.duplicates:
        err.print(f"{loaded.duplicates} rows of {path} repeat a name", markup=False)
    if loaded.ambiguous:
        name, labels = next(iter(loaded.ambiguous.items()))
        err.print(
            f"{len(loaded.ambiguous)} names of {path} have several types and stay ambiguous, "
            f"such as {name} ({', '.join(labels)})",
            markup=False,
        )
    return loaded

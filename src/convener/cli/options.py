"""Options that several verbs share."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from typing import Annotated, Any

import typer

from convener.cli.console import Skipped, err
from convener.dictionary.gazetteer import Gazetteer
from convener.dictionary.sources import unread_columns
from convener.errors import ConfigError, short
from convener.text.documents import Document, within_words
from convener.text.formats import Lost, read, told
from convener.text.formats.lines import numbered_lines


class OnError(StrEnum):
    """What to do with a bad item: stop with one line, or leave it out and count it."""

    STOP = "stop"
    SKIP = "skip"


class CaseOption(StrEnum):
    """How names are matched; see `convener.dictionary.gazetteer`."""

    SMART = "smart"
    EXACT = "exact"
    IGNORE = "ignore"


class Paper(StrEnum):
    """A published recipe: see `convener.recipes.run_config.PAPERS`."""

    BOND = "bond"
    BOND_MOE = "bond-moe"


class Kind(StrEnum):
    """What the experts are: see `convener.models`."""

    TAGGER = "tagger"
    READER = "reader"
    GENERATOR = "generator"


OnErrorOption = Annotated[
    OnError, typer.Option("--on-error", help="Stop at a bad item, or leave it out and count it.")
]
DictionaryBeside = Annotated[
    str | None,
    typer.Option("--dictionary", help="Also find its names, where the model overlooks them."),
]
DictionaryLabel = Annotated[
    str | None, typer.Option("--label", help="Type of names whose row gives none.")
]
DictionaryCase = Annotated[
    CaseOption, typer.Option("--case", help="How the case of names is read.")
]
Stop = Annotated[str | None, typer.Option(help="File of names never to match, one a line.")]
Possessives = Annotated[
    bool, typer.Option("--possessives", help="Names match with and without 's after their words.")
]
Plurals = Annotated[
    bool, typer.Option("--plurals", help="Names also match in the plural of English.")
]
Nested = Annotated[bool, typer.Option("--nested", help="Also label names inside names.")]


@dataclass(frozen=True, slots=True)
class Matching:
    """How the names of a dictionary are matched: the options above, and what they are if not given.

    `stop` is the path of a file.
    """

    label: str | None = None
    case: CaseOption = CaseOption.SMART
    stop: str | None = None
    possessives: bool = False
    plurals: bool = False

    def of_file(self) -> dict[str, Any]:
        """The same as `Gazetteer.from_file` takes it."""
        stop = [line.text for line in numbered_lines(self.stop)] if self.stop else []
        return asdict(self) | {"case": self.case.value, "stop": stop}

    def check(self, path: str | None) -> None:
        """Raise ConfigError if something is said of names, but no dictionary is given."""
        if path is None and self != Matching():
            raise ConfigError(
                "options such as --label and --plurals say how names are read: "
                "add --dictionary, or leave them out"
            )


def documents(path: str, on_error: OnError) -> Iterator[Document]:
    """Documents of a file or folder; what is left out of it is reported at the end."""
    skipped, lost = Skipped(), Lost()
    yield from read(path, on_error=skipped if on_error is OnError.SKIP else None, lost=lost)
    skipped.report()
    if +lost:
        err.print(f"not read: {told(lost)}", markup=False)


def gazetteer(path: str, matching: Matching, on_error: OnError) -> Gazetteer:
    """A dictionary, with a line on what was wrong in it."""
    skipped = Skipped()
    loaded = Gazetteer.from_file(
        path, on_error=skipped if on_error is OnError.SKIP else None, **matching.of_file()
    )
    skipped.report()
    lines = []
    if unread := unread_columns(path):
        lines.append(
            f"columns of {path} that are not read: {', '.join(unread)} "
            "(a synonym is a row of its own)"
        )
    if loaded.unusable:
        lines.append(
            f"{len(loaded.unusable)} rows of {path} cannot be used: {_some(loaded.unusable)}"
        )
    if loaded.left_out:
        lines.append(
            f"{len(loaded.left_out)} names of {path} are left out: {_some(loaded.left_out)} "
            "(case exact or ignore in its row keeps it)"
        )
    if loaded.duplicates:
        lines.append(f"{loaded.duplicates} rows of {path} repeat a name")
    if loaded.ambiguous:
        name, labels = next(iter(loaded.ambiguous.items()))
        lines.append(
            f"{len(loaded.ambiguous)} names of {path} have several types and stay ambiguous, "
            f"such as {name} ({', '.join(labels)})"
        )
    own = [label for label in loaded.labels if label != matching.label]
    if matching.label and own:
        lines.append(
            f"rows of {path} give types of their own, {len(own)} in all, such as {own[0]}: "
            "--label is for the others"
        )
    for _, alike in groupby(sorted(loaded.labels, key=str.casefold), str.casefold):
        if len(types := list(alike)) > 1:
            lines.append(f"{' and '.join(types)} are types that differ in their case only")
    for line in lines:
        err.print(line, markup=False)
    return loaded


def given_gazetteer(path: str | None, matching: Matching, on_error: OnError) -> Gazetteer | None:
    """The dictionary of a verb that can do without one.

    Raises:
        ConfigError: there is none, but something is said of how it is read.
    """
    matching.check(path)
    return None if path is None else gazetteer(path, matching, on_error)


def _some(reasons: list[str]) -> str:
    return "; ".join(reasons[:3]) + (" …" if len(reasons) > 3 else "")


def tell_unknown(place: str, types: Iterable[str], known: Iterable[str]) -> None:
    """Say which types of a dictionary or of gold labels the model does not have."""
    own = tuple(known)
    unknown = [label for label in types if label not in own]
    if unknown and own:
        has = f"the model does not: {', '.join(unknown)} (it has {', '.join(own)})"
        err.print(f"{place} has types that {has}", markup=False)


def tell_cut_words(labelled: Iterable[Document]) -> None:
    """Say how many labels begin or end inside a word, which is learnt whole."""
    cut = [(document, entity) for document in labelled for entity in within_words(document)]
    if cut:
        document, first = cut[0]
        err.print(
            f"labels that begin or end inside a word, which is learnt whole: {len(cut)}, such as "
            f"{short(document.surface(first))} in {short(document.text)}",
            markup=False,
        )


def tell_malformed(count: int) -> None:
    """Say how much of what a language model said was dropped."""
    if count:
        err.print(f"dropped {count} parts of answers that name no entity of their text")

"""What the experts of a library answered on samples, and the vectors of targets, in `.answers`.

They are kept for the next selection, which then asks only the experts that are new.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from safetensors.numpy import load_file, save_file

from convener.files import new_file
from convener.inference.card import installed_versions
from convener.inference.shelf import Library
from convener.panel.selection import Vector
from convener.text.documents import Document
from convener.text.formats import read, write

_FOLDER = ".answers"


class Memory:
    """What a library was asked before."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._version = installed_versions()["convener"]

    def answers(
        self,
        asked: str,
        names: Sequence[str],
        answer: Callable[[Sequence[str]], Iterable[tuple[str, list[Document]]]],
    ) -> dict[str, list[Document]]:
        """What experts answered to `asked`; `answer` asks those that were not asked it before.

        The base answers by an empty name.
        """
        paths = {name: self._answers(asked, name) for name in names}
        for name, answers in answer([name for name in names if not paths[name].is_file()]):
            write(paths[name], answers)
        return {name: list(read(path)) for name, path in paths.items()}

    def vector(self, asked: str, compute: Callable[[], Vector]) -> Vector:
        """The vector of a target, from the last time if it was computed before."""
        path = self._path(asked, "safetensors")
        if path.is_file():
            return load_file(path)["vector"]
        vector = compute()
        with new_file(path) as partial:
            save_file({"vector": vector}, partial)
        return vector

    def _answers(self, asked: str, name: str) -> Path:
        return self._path(f"{asked} {self._library.changed(name) if name else 'base'}", "jsonl")

    def _path(self, key: str, ending: str) -> Path:
        digest = hashlib.sha256(f"{self._version} {key}".encode()).hexdigest()
        return self._library.folder / _FOLDER / f"{digest}.{ending}"

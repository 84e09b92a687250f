"""Sub-words of words, whatever tokenizer cuts them.

Words are cut one by one, so that no sub-word spans two of them. What cuts may be a tokenizer of
transformers or one that stands alone; the rest of the house does not know which.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

_CACHE_LIMIT = 5_000_000
"""Letters and sub-words."""


class Frame(BaseModel):
    """Ids of the sub-words that begin and end a window, fill a batch, and stand for the unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: int
    last: int
    padding: int
    unknown: int


class WordPieces(ABC):
    """Cuts words into sub-words. Results are kept, up to a limit. Copies of an encoder share it."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._kept: dict[str, tuple[int, ...]] = {}
        self._held = 0

    def __deepcopy__(self, memo: object) -> "WordPieces":
        return self

    def __call__(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        """Sub-word ids of each word, never empty; a leading space marks a word after a space."""
        if self._held > _CACHE_LIMIT:
            self._kept.clear()
            self._held = 0
        missing = sorted({word for word in words if word not in self._kept})
        if missing:
            readable = [word.encode("utf-8", "replace").decode() for word in missing]
            for word, ids in zip(missing, self.cut(readable), strict=True):
                self._kept[word] = tuple(ids) or (self.frame.unknown,)
                self._held += len(word) + len(ids)
        return [self._kept[word] for word in words]

    def text(self, text: str) -> list[int]:
        """Sub-word ids of a whole text."""
        (ids,) = self.cut([text])
        return list(ids) or [self.frame.unknown]

    @abstractmethod
    def cut(self, texts: list[str]) -> list[list[int]]:
        """Sub-word ids of texts, without special ones."""

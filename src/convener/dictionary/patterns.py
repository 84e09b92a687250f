r"""Rules as data: a JSON file of regular expressions and of patterns of words.

    [
      {"label": "PER", "before": ["Dr", "Mr"], "shape": ["title"], "longest": 3},
      {"label": "DRUG", "suffix": ["mab", "nib"]},
      {"name": "doses", "label": "DOSE", "expression": "\\d+ ?mg"}
    ]

A pattern describes each word of an entity: by one of the shapes (`convener.text.tokens.SHAPES`),
a prefix, a suffix, or membership of `words`; what is not given is not asked. An entity is a run of
such words, as long as it goes, that stands right after one of the cues `before` and right before
one of the cues `after`, if they are given. Cues are no part of an entity. Runs of more than
`longest` words are left out. Case matters to shapes alone. A rule that `covers` its label finds all
of its entities, so that its silence is a vote against others (`convener.dictionary.votes`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from convener.dictionary.normal import fold
from convener.dictionary.rules import Source, expression
from convener.errors import DataError, misfit
from convener.text.documents import Document, Entity
from convener.text.tokens import SHAPES, shape, split, words


def _known_shape(name: str) -> str:
    if name not in SHAPES:
        raise ValueError(f"expected a shape ({', '.join(SHAPES)})")
    return name


Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Shape = Annotated[str, AfterValidator(_known_shape)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    label: Text
    name: Text | None = None
    covers: bool = False

    @property
    def covered(self) -> tuple[str, ...]:
        """The types that the rule finds wherever they occur."""
        return (self.label,) if self.covers else ()


class Expression(_Rule):
    """A regular expression and the label of what it matches."""

    expression: Text

    def source(self, name: str) -> Source:
        """The rule as a source of this name."""
        return expression(self.label, self.expression, name, self.covered)


class Pattern(_Rule):
    """What words an entity is made of, and what stands beside it; see the module."""

    shape: list[Shape] = []
    prefix: list[Text] = []
    suffix: list[Text] = []
    words: list[Text] = []
    before: list[Text] = []
    after: list[Text] = []
    longest: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _says_something(self) -> "Pattern":
        if not (self.shape or self.prefix or self.suffix or self.words):
            raise ValueError("expected an expression, or one of shape, prefix, suffix, words")
        if several := next((word for word in self.words if len(word.split()) > 1), None):
            raise ValueError(
                f"expected single words, got {several!r}: names of several are for a dictionary"
            )
        return self

    def source(self, name: str) -> Source:
        """The rule as a source of this name."""
        return Source(name, _Matcher(self), self.covered)


class _Matcher:
    """Finds the runs of a pattern, in time linear in the text."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._shapes = {SHAPES.index(name) for name in pattern.shape}
        self._prefixes = tuple(map(fold, pattern.prefix))
        self._suffixes = tuple(map(fold, pattern.suffix))
        self._words = set(map(fold, pattern.words))
        self._before = set(map(_joined, pattern.before))
        self._after = set(map(_joined, pattern.after))
        cues = [*pattern.before, *pattern.after]
        self._longest_cue = max((len(words(cue)) for cue in cues), default=0)

    def __call__(self, document: Document) -> Iterator[Entity]:
        offsets = document.words()
        surfaces = [document.text[start:end] for start, end in offsets]
        folded = list(map(fold, surfaces))
        fits = list(map(self._fits, surfaces, folded))
        cue_words, ends_cue, begins_cue = self._cues(folded)
        first: int | None = None
        for index in range(len(offsets) + 1):
            if index < len(offsets) and index not in cue_words and fits[index]:
                first = index if first is None else first
                continue
            if (
                first is not None
                and index - first <= (self._pattern.longest or index)
                and (not self._before or first in ends_cue)
                and (not self._after or index in begins_cue)
            ):
                yield Entity(offsets[first][0], offsets[index - 1][1], self._pattern.label)
            first = None

    def _fits(self, surface: str, folded: str) -> bool:
        return (
            (not self._shapes or shape(surface) in self._shapes)
            and (not self._prefixes or folded.startswith(self._prefixes))
            and (not self._suffixes or folded.endswith(self._suffixes))
            and (not self._words or folded in self._words)
        )

    def _cues(self, folded: list[str]) -> tuple[set[int], set[int], set[int]]:
        """Words of cues, words that follow a cue `before`, words that begin a cue `after`."""
        inside: set[int] = set()
        ends: set[int] = set()
        begins: set[int] = set()
        for start in range(len(folded)):
            cue = ""
            for stop in range(start + 1, min(start + self._longest_cue, len(folded)) + 1):
                cue += folded[stop - 1]
                if cue in self._before:
                    inside.update(range(start, stop))
                    ends.add(stop)
                if cue in self._after:
                    inside.update(range(start, stop))
                    begins.add(start)
        return inside, ends, begins


def _joined(cue: str) -> str:
    """A cue without spaces: "Dr." is then the same whether its source splits off the period."""
    return "".join(map(fold, split(cue)))


_ITEMS = TypeAdapter(list[dict[str, object]])


def read_rules(path: str | Path) -> list[Source]:
    """The sources of a JSON file of rules, one for each; without a name, "PER rule 1" and so on.

    Raises:
        DataError: the file can't be read, is no list of rules, or names two rules the same.
    """
    try:
        content = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: expected UTF-8 text: convert the file") from None
    try:
        items = _ITEMS.validate_json(content)
    except ValidationError as error:
        raise DataError(
            f'{path}: expected a JSON list of rules such as [{{"label": "DOSE", '
            f'"expression": "\\\\d+ ?mg"}}]: {misfit(error.errors())}'
        ) from None
    sources: dict[str, Source] = {}
    for number, item in enumerate(items, 1):
        try:
            source = _source(item, number)
        except ValidationError as error:
            raise DataError(f"{path}: rule {number}: {misfit(error.errors())}") from None
        except DataError as error:
            raise DataError(f"{path}: rule {number}: {error}") from None
        if source.name in sources:
            raise DataError(
                f"{path}: rule {number}: two rules are named {source.name!r}: rename one of them"
            )
        sources[source.name] = source
    return list(sources.values())


def _source(item: dict[str, object], number: int) -> Source:
    kind = Expression if "expression" in item else Pattern
    rule = kind.model_validate(item)
    return rule.source(rule.name or f"{rule.label} rule {number}")

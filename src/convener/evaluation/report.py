"""One HTML file that shows how a model did: to open in a browser, send to someone, or keep.

The file stands alone: it has no scripts and loads nothing, so it reads the same in ten years and
tells nobody that it was opened. Every number is written out; colour only repeats what words say.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from convener.errors import DataError
from convener.evaluation.scores import Scores, sought
from convener.text.documents import Document, Offsets, group_indices

CONTEXT = 80


@dataclass(frozen=True, slots=True)
class Matrix:
    """How much each label looks at each other: `values[row][column]`, each row summing to 1.

    `note` says in a sentence what is shown, such as the attention between the tasks of a reader.

    Raises:
        DataError: not one row and one column for each label, or a row that is no distribution.
    """

    title: str
    labels: tuple[str, ...]
    values: list[list[float]]
    note: str

    def __post_init__(self) -> None:
        size = len(self.labels)
        shape = [len(row) for row in self.values]
        if shape != [size] * size:
            raise DataError(f"expected {size} rows of {size} values, got rows of {shape}")
        for label, row in zip(self.labels, self.values, strict=True):
            # The tolerance lets half-precision attention through.
            if not (min(row) >= 0 and math.isclose(sum(row), 1, abs_tol=0.01)):
                raise DataError(
                    f"expected shares that sum to 1 in row {label!r}, got a sum of {sum(row):g}"
                )


@dataclass(frozen=True, slots=True)
class Mistake:
    """A span of a text that is an entity of type `gold` and was found as `found`.

    Without `gold` it is no entity at all, without `found` it was not found.
    """

    text: str
    start: int
    end: int
    gold: str | None
    found: str | None

    @property
    def kind(self) -> str:
        """The mistake in a word: "missed", "spurious" or "relabelled"."""
        if self.found is None:
            return "missed"
        return "spurious" if self.gold is None else "relabelled"


def mistakes(
    gold: Sequence[Document], predicted: Sequence[Document], limit: int = 50
) -> list[Mistake]:
    """Where predictions and gold differ, in reading order.

    A gold label and a found label of the same span make one mistake. Of more than `limit`, as
    many are taken from each real document as it has, up to a share that is the same for all.

    Raises:
        DataError: the two are not the same documents in the same order.
    """
    if [document.text for document in gold] != [document.text for document in predicted]:
        raise DataError("expected predictions on the documents of gold, in the same order")
    found: list[Mistake] = []
    ranges = []
    for truth, guess in zip(gold, predicted, strict=True):
        here = _differences(truth, guess)
        ranges.append(range(len(found), len(found) + len(here)))
        found += here
    groups = [[i for member in group for i in ranges[member]] for group in group_indices(gold)]
    return [found[index] for index in sorted(_spread(groups, limit))]


def _differences(gold: Document, predicted: Document) -> list[Mistake]:
    wanted = {(entity.span, entity.label) for entity in gold.entities}
    given = {(entity.span, entity.label) for entity in sought(gold, predicted)}
    spans: dict[Offsets, tuple[list[str], list[str]]] = {}
    for span, label in sorted(wanted ^ given):
        lost, added = spans.setdefault(span, ([], []))
        (lost if (span, label) in wanted else added).append(label)
    result = []
    for (start, end), (lost, added) in spans.items():
        for index in range(max(len(lost), len(added))):
            labels = [side[index] if index < len(side) else None for side in (lost, added)]
            result.append(Mistake(gold.text, start, end, *labels))
    return result


def _spread(groups: list[list[int]], limit: int) -> list[int]:
    """Up to `limit` of the items, dealt to the groups in turn, evenly spaced in each."""
    shares = [0] * len(groups)
    waiting = [index for index, group in enumerate(groups) if group]
    left = limit
    while left > 0 and waiting:
        served = waiting if len(waiting) <= left else _evenly(waiting, left)
        for index in served:
            shares[index] += 1
        left -= len(served)
        waiting = [index for index in waiting if shares[index] < len(groups[index])]
    return [item for group, n in zip(groups, shares, strict=True) for item in _evenly(group, n)]


def _evenly(items: list[int], count: int) -> list[int]:
    return [items[(2 * place + 1) * len(items) // (2 * count)] for place in range(count)]


def colours() -> str:
    """The colours of every page, light and dark, as a style sheet of variables."""
    return Path(__file__).with_name("colours.css").read_text(encoding="utf-8")


def render(
    title: str,
    scores: Scores,
    interval: tuple[float, float],
    mistakes: Sequence[Mistake] = (),
    matrix: Matrix | None = None,
) -> str:
    """The report as an HTML page; write it as UTF-8.

    `interval` holds the bounds of exact F1 at 95 %, each in [0, 1]. Whatever comes from the
    caller's data is escaped.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.2f}"
    environment.filters["excerpt"] = _excerpt
    template = Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        title=title,
        colours=colours(),
        scores=scores,
        interval=interval,
        rare=_rare(scores),
        known=[
            (name, recall)
            for name, recall in (("listed", scores.seen), ("not listed", scores.unseen))
            if recall is not None and recall.gold
        ],
        mistakes=mistakes,
        matrix=matrix,
        peak=max(map(max, matrix.values), default=1.0) if matrix is not None else 1.0,
    )


def _rare(scores: Scores) -> list[str]:
    """Types that occur in gold, but make up fewer than 1 % of it."""
    gold = scores.exact.gold
    return [label for label, score in scores.types.items() if 0 < 100 * score.gold < gold]


def _excerpt(mistake: Mistake) -> tuple[str, str, str]:
    """The span, and the text before and after it, cut with an ellipsis."""
    text, start, end = mistake.text, mistake.start, mistake.end
    before, after = text[max(0, start - CONTEXT) : start], text[end : end + CONTEXT]
    return (
        "…" + before if start > CONTEXT else before,
        text[start:end],
        after + "…" if end + CONTEXT < len(text) else after,
    )

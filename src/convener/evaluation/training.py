"""The page about a run of training: its rounds, its experts, and the labels that it overruled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from markupsafe import Markup

from convener.dictionary.abstention import Doubted
from convener.evaluation.chart import line_chart
from convener.evaluation.page import Cell, Example, Section, render
from convener.evaluation.scores import Score

_COLUMNS = {
    "stage": "stage",
    "round": "round",
    "loss": "loss",
    "dev_f1": "dev F1",
    "sizes": "groups of each expert",
    "moved": "groups moved",
    "agreement": "agreement",
    "kept": "words kept",
    "changed": "labels changed",
    "seconds": "seconds",
}
_DOUBTS = {
    "part": "part of a longer name",
    "edge": "cut in the wrong place",
    "common": "a common word",
}
_SHOWN = 100

_Name = TypeVar("_Name", bound=tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Doubts:
    """Labels that something speaks against, and how often each occurs.

    `left_out` says what a name of a type seems to be instead. `ambiguous` and `kept` say which
    other type it looks like: the first may be of either, the second are kept as they are, since
    contexts do not bear the other type out.
    """

    left_out: Mapping[Doubted, int] = field(default_factory=dict)
    ambiguous: Mapping[Doubted, int] = field(default_factory=dict)
    kept: Mapping[Doubted, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Portrait:
    """What one expert of a panel is for.

    `groups` went to it last; `types`, `names` and `words` are what they hold more of than the
    others, most telling first. `agreement` is the mean F1 of its answers against those of each
    other expert.
    """

    groups: int
    share: float
    types: Sequence[str]
    names: Sequence[str]
    words: Sequence[str]
    agreement: float


@dataclass(frozen=True, slots=True)
class Overruled:
    """A label against which the trained model holds another entity, and how sure it is of that."""

    label: str
    found: str
    score: float
    example: Example


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the trained model says to the labels of the training text.

    Of `labels` labels that were looked at it contradicts some by other entities, surest first, and
    finds nothing where others are: those by name and type, with how often.
    """

    labels: int = 0
    overruled: Sequence[Overruled] = ()
    dropped: Mapping[tuple[str, str], int] = field(default_factory=dict)


def training_page(
    history: Sequence[Mapping[str, object]],
    labels: Mapping[str, int],
    types: Mapping[str, Score],
    portraits: Sequence[Portrait],
    verdict: Verdict,
    doubts: Doubts,
) -> str:
    """One self-contained HTML file.

    `labels` counts those of each type in the training text, `types` are the scores on dev.
    """
    columns = [name for name in _COLUMNS if any(name in record for record in history)]
    return render(
        "A run of training",
        [_best(history), f"Labels left out by abstention: {sum(doubts.left_out.values())}."],
        [
            Section(
                "Rounds",
                "F1 is exact, in per cent, on the dev set. Groups are documents that belong "
                "together. Shares are between 0 and 1: of groups that moved to another expert; of "
                "words with an entity that all experts label alike; of words sure enough to be "
                "learnt from in self-training; of words that the teacher labels otherwise than "
                "the teacher before it. A reader says yes or no to each start, end and span, so of "
                "readers the last three are shares of such answers.",
                [_COLUMNS[name] for name in columns],
                [[_cell(record.get(name)) for name in columns] for record in history],
                _curves(history),
            ),
            _types(labels, types),
            Section(
                "What each expert is for",
                "The groups of documents that it was given last, and what they hold more of than "
                "those of others; agreement is the F1 of its answers against those of each other "
                "expert. Self-training, which comes after, teaches every expert all groups.",
                ("expert", "groups", "share", "types", "names", "words", "agreement"),
                [
                    [number, p.groups, round(p.share, 2), *_lists(p), round(p.agreement, 2)]
                    for number, p in enumerate(portraits, 1)
                ],
            ),
            Section(
                "Labels left out",
                "What the capitals of the text speak against, most frequent first.",
                ("name", "type", "seems to be", "times"),
                [
                    [name, label, _DOUBTS[doubt], times]
                    for (name, label, doubt), times in _most(doubts.left_out)
                ],
            ),
            Section(
                "Types in doubt",
                "Names that look like those of another type, and what training makes of them.",
                ("name", "type", "looks like", "taken as", "times"),
                [
                    [*doubt, taken, times]
                    for taken, labels in (
                        ("either", doubts.ambiguous),
                        ("what it is labelled", doubts.kept),
                    )
                    for doubt, times in _most(labels)
                ],
            ),
            Section(
                "Labels overruled",
                f"Of {verdict.labels} labels of the training text that were looked at, the model "
                f"answers {len(verdict.overruled)} otherwise; the surest come first.",
                ("label", "the model says", "score", "where"),
                [
                    [o.label, o.found, round(o.score, 2), [o.example]]
                    for o in verdict.overruled[:_SHOWN]
                ],
            ),
            Section(
                "Labels dropped",
                f"Of the same labels, {sum(verdict.dropped.values())} are no entity by the model; "
                "the most frequent names come first.",
                ("name", "type", "times"),
                [[*name, times] for name, times in _most(verdict.dropped)],
            ),
        ],
    )


def _curves(history: Sequence[Mapping[str, object]]) -> list[Markup]:
    """The loss, and where they are known dev F1 and the groups of each expert, over all rounds."""
    before = [None, *(record["stage"] for record in history)]
    begins = [
        str(record["stage"]) if record["stage"] != last else ""
        for record, last in zip(history, before, strict=False)
    ]

    def values(name: str) -> list[float | None]:
        found = (record.get(name) for record in history)
        return [value if isinstance(value, int | float) else None for value in found]

    titles = {"dev_f1": "F1 on dev, %", "loss": "Loss"}
    charts = [
        line_chart(title, begins, {"": values(name)})
        for name, title in titles.items()
        if any(value is not None for value in values(name))
    ]
    sizes = [s if isinstance(s := record.get("sizes"), list) else None for record in history]
    if experts := max((len(each) for each in sizes if each), default=0):
        lines = {
            f"expert {k + 1}": [each[k] if each else None for each in sizes] for k in range(experts)
        }
        most = max(max(each) for each in sizes if each)
        charts.append(line_chart("Groups of each expert", begins, lines, (0, most)))
    return charts


def _types(labels: Mapping[str, int], scores: Mapping[str, Score]) -> Section:
    """How frequent each type is in the training text, and how well it is found on dev."""
    total = max(1, sum(labels.values()))
    rows: list[list[Cell]] = [
        [label, labels.get(label, 0), _percent(labels.get(label, 0) / total)]
        for label in sorted({*labels, *scores})
    ]
    columns = ["type", "labels", "share, %"]
    if not scores:
        return Section("Types", "Labels of the training text.", columns, rows)
    columns += ["precision", "recall", "F1", "entities of dev"]
    for row in rows:
        s = scores.get(str(row[0]), Score())
        row += [*(_percent(v) for v in (s.precision, s.recall, s.f1)), s.gold]
    note = "Labels of the training text, and exact scores on dev, in per cent."
    return Section("Types", note, columns, rows)


def _most(labels: Mapping[_Name, int]) -> list[tuple[_Name, int]]:
    return sorted(labels.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]


def _best(history: Sequence[Mapping[str, object]]) -> str:
    """Which state was kept: the first of the best, or the last one if all found nothing."""
    scored = [(f1, r) for r in history if isinstance(f1 := r.get("dev_f1"), float)]
    if not scored:
        return f"{len(history)} rounds by a fixed schedule, without a dev set."
    found_any = any(f1 for f1, _ in scored)
    f1, record = max(scored, key=lambda pair: pair[0]) if found_any else scored[-1]
    return f"Best of {len(history)} rounds: {record['stage']} {record['round']}, dev F1 {f1:.2f}."


def _lists(portrait: Portrait) -> list[str]:
    return [", ".join(each) for each in (portrait.types, portrait.names, portrait.words)]


def _cell(value: object) -> Cell:
    if isinstance(value, list | tuple):
        return " / ".join(map(str, value))
    return value if isinstance(value, str | int | float) else ""


def _percent(share: float) -> float:
    return round(100 * share, 1)

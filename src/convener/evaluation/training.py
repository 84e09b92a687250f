"""The page about a run of training: its rounds, its experts, and the labels that it overruled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from convener.dictionary.abstention import Doubted
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


def training_page(
    history: Sequence[Mapping[str, object]],
    types: Mapping[str, Score],
    portraits: Sequence[Portrait],
    overruled: Sequence[Overruled],
    doubts: Doubts,
) -> str:
    """One self-contained HTML file; `types` are the scores on dev of each type."""
    columns = [name for name in _COLUMNS if any(name in record for record in history)]
    return render(
        "A run of training",
        [_best(history), f"Labels left out by abstention: {sum(doubts.left_out.values())}."],
        [
            Section(
                "Rounds",
                "Shares are between 0 and 1. F1 is exact, in per cent, on the dev set.",
                [_COLUMNS[name] for name in columns],
                [[_cell(record.get(name)) for name in columns] for record in history],
            ),
            Section(
                "Types on dev",
                "Exact precision, recall and F1 in per cent.",
                ("type", "precision", "recall", "F1", "entities"),
                [
                    [label, *(_percent(v) for v in (s.precision, s.recall, s.f1)), s.gold]
                    for label, s in types.items()
                ],
            ),
            Section(
                "What each expert is for",
                "Of the groups of documents that it learnt from last: what they hold more of.",
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
                "Labels of the training text that the model answers otherwise, surest first.",
                ("label", "the model says", "score", "where"),
                [[o.label, o.found, round(o.score, 2), [o.example]] for o in overruled],
            ),
        ],
    )


def _most(labels: Mapping[Doubted, int]) -> list[tuple[Doubted, int]]:
    return sorted(labels.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]


def _best(history: Sequence[Mapping[str, object]]) -> str:
    scored = [(f1, r) for r in history if isinstance(f1 := r.get("dev_f1"), float)]
    if not scored:
        return f"{len(history)} rounds by a fixed schedule, without a dev set."
    f1, record = max(scored, key=lambda pair: pair[0])
    return f"Best of {len(history)} rounds: {record['stage']} {record['round']}, dev F1 {f1:.2f}."


def _lists(portrait: Portrait) -> list[str]:
    return [", ".join(each) for each in (portrait.types, portrait.names, portrait.words)]


def _cell(value: object) -> Cell:
    if isinstance(value, list | tuple):
        return " / ".join(map(str, value))
    return value if isinstance(value, str | int | float) else ""


def _percent(share: float) -> float:
    return round(100 * share, 1)

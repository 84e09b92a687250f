"""Precision, recall and F1 of entities, counted on sets.

- *exact*: the same boundaries and the same type (what the field calls entity F1);
- *type-blind*: the same boundaries, whatever the type;
- *overlap*: some shared text and the same type. A prediction is right if it overlaps a gold
  entity, a gold entity is found if a prediction overlaps it, so the two counts may differ.

Recall is also counted apart on names that a dictionary knows and on those that it does not.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from convener.errors import DataError
from convener.text.documents import Document, Entity, Offsets, group_indices


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of predicted and gold entities and of those that are right and found."""

    predicted: int = 0
    right: int = 0
    gold: int = 0
    found: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.predicted + other.predicted,
            self.right + other.right,
            self.gold + other.gold,
            self.found + other.found,
        )

    @property
    def precision(self) -> float:
        """Share of predictions that are right, in [0, 1]; 0 without predictions."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of gold entities that are found, in [0, 1]; 0 without gold."""
        return self.found / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def as_dict(self) -> dict[str, float | int]:
        """Percentages with two decimals, and the counts."""
        return {
            "precision": round(100 * self.precision, 2),
            "recall": round(100 * self.recall, 2),
            "f1": round(100 * self.f1, 2),
            "predicted": self.predicted,
            "right": self.right,
            "gold": self.gold,
            "found": self.found,
        }


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one set of predictions; `seen` and `unseen` count recall only."""

    exact: Score
    type_blind: Score
    overlap: Score
    types: dict[str, Score]
    seen: Score | None = None
    unseen: Score | None = None
    documents: tuple[Score, ...] = field(default=(), repr=False)

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the types that occur in gold."""
        occurring = [score.f1 for score in self.types.values() if score.gold]
        return sum(occurring) / len(occurring) if occurring else 0.0

    def as_dict(self) -> dict[str, object]:
        """Everything but the counts by document, in percentages."""
        return {
            "exact": self.exact.as_dict(),
            "type_blind": self.type_blind.as_dict(),
            "overlap": self.overlap.as_dict(),
            "macro_f1": round(100 * self.macro_f1, 2),
            "types": {label: score.as_dict() for label, score in self.types.items()},
            "seen_recall": _recall(self.seen),
            "unseen_recall": _recall(self.unseen),
        }


def _recall(score: Score | None) -> float | None:
    return round(100 * score.recall, 2) if score is not None and score.gold else None


def normal(surface: str) -> str:
    """A name as it is compared with the names of a dictionary: case and spacing folded."""
    return " ".join(surface.casefold().split())


def score(
    gold: Sequence[Document], predicted: Sequence[Document], known: Container[str] | None = None
) -> Scores:
    """Score predictions on the same documents as gold, in the same order.

    `known` are the names of the dictionary, made `normal`; with it recall is also counted apart
    on seen and unseen names. Predictions of types that were not looked for in a gold document are
    left out, as nobody knows whether they are right.

    Raises:
        DataError: the two differ in number or in text.
    """
    if len(gold) != len(predicted):
        raise DataError(f"expected {len(gold)} predicted documents, got {len(predicted)}")
    types: dict[str, Score] = defaultdict(Score)
    type_blind = overlap = seen = unseen = Score()
    documents = []
    for truth, guess in zip(gold, predicted, strict=True):
        if truth.text != guess.text:
            raise DataError(
                f"gold and prediction differ in text: {truth.text[:40]!r}, {guess.text[:40]!r}"
            )
        exact = Score()
        answers = sought(truth, guess)
        for label in sorted({e.label for e in (*truth.entities, *answers)}):
            wanted, given = _spans(truth.entities, label), _spans(answers, label)
            of_type = _matched(wanted, given)
            types[label] += of_type
            exact += of_type
            overlap += _overlapping(wanted, given)
        documents.append(exact)
        type_blind += _matched(_spans(truth.entities), _spans(answers))
        if known is not None:
            found = {(e.span, e.label) for e in answers}
            for (start, end), label in {(e.span, e.label) for e in truth.entities}:
                hit = Score(gold=1, found=int(((start, end), label) in found))
                if normal(truth.text[start:end]) in known:
                    seen += hit
                else:
                    unseen += hit
    return Scores(
        exact=sum(documents, Score()),
        type_blind=type_blind,
        overlap=overlap,
        types=dict(sorted(types.items())),
        seen=seen if known is not None else None,
        unseen=unseen if known is not None else None,
        documents=tuple(documents),
    )


def by_group(documents: Sequence[Score], gold: Sequence[Document]) -> list[Score]:
    """The counts of each real document, from those of its parts."""
    return [
        sum((documents[index] for index in members), Score()) for members in group_indices(gold)
    ]


def sought(gold: Document, predicted: Document) -> Sequence[Entity]:
    """What is predicted of the types that gold was searched for, all of it where it says none."""
    if gold.types is None:
        return predicted.entities
    return [entity for entity in predicted.entities if entity.label in gold.types]


def _spans(entities: Iterable[Entity], label: str | None = None) -> set[Offsets]:
    return {e.span for e in entities if label is None or e.label == label}


def _matched(gold: set[Offsets], predicted: set[Offsets]) -> Score:
    both = len(gold & predicted)
    return Score(predicted=len(predicted), right=both, gold=len(gold), found=both)


def _overlapping(gold: set[Offsets], predicted: set[Offsets]) -> Score:
    return Score(
        predicted=len(predicted),
        right=_touching(predicted, gold),
        gold=len(gold),
        found=_touching(gold, predicted),
    )


def _touching(spans: set[Offsets], others: set[Offsets]) -> int:
    starts, ends = sorted(start for start, _ in others), sorted(end for _, end in others)
    return sum(bisect_left(starts, end) > bisect_right(ends, start) for start, end in spans)

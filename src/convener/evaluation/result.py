"""All that is told of answers beside gold labels, in one value."""

from collections.abc import Sequence
from dataclasses import dataclass

from convener.dictionary import Gazetteer
from convener.errors import DataError
from convener.evaluation.bootstrap import f1_interval
from convener.evaluation.calibration import calibration_error, outcomes
from convener.evaluation.scores import Score, Scores, by_group, score
from convener.text.documents import Document


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores, the 95 % interval of exact F1, and gold types that the model can't find.

    `calibration_error`, from 0 to 1, is that of `convener.evaluation.calibration`; `malformed`
    counts what a language model said and is no entity of the text. Of a dictionary, if one was
    given, `listed` is the exact score by itself, `beside` that of the model with it at its side.
    """

    scores: Scores
    interval: tuple[float, float]
    unknown_labels: tuple[str, ...]
    calibration_error: float | None = None
    malformed: int = 0
    listed: Score | None = None
    beside: Score | None = None

    def as_dict(self) -> dict[str, object]:
        """Everything in percentages."""
        return {
            **self.scores.as_dict(),
            "f1_interval": [round(100 * bound, 2) for bound in self.interval],
            "unknown_labels": list(self.unknown_labels),
            "calibration_error": self.calibration_error,
            "malformed": self.malformed,
            "dictionary": None if self.listed is None else self.listed.as_dict(),
            "beside_dictionary": None if self.beside is None else self.beside.as_dict(),
        }


def evaluation(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    labels: Sequence[str],
    dictionary: Gazetteer | None = None,
) -> Evaluation:
    """Scores of predictions by anything that knows the types `labels`."""
    found = {entity.label for document in gold for entity in document.entities}
    if not found:
        raise DataError(f"expected gold labels, got {len(gold)} documents without an entity")
    scores = score(gold, predicted, dictionary)
    error = calibration_error(*outcomes(gold, predicted))
    return Evaluation(
        scores,
        f1_interval(by_group(scores.documents, gold)),
        tuple(sorted(found - set(labels))),
        None if error is None else round(error, 4),
    )

"""How far an entity's score can be taken for the probability that the entity is right.

A score s is tempered to σ(logit(s) / T). One temperature T is fitted for a model on documents whose
entities are known, by the likelihood of which of its entities are right; above 1 it makes a model
less sure of itself. The order of scores never changes, and the choice of entities is made before,
so a temperature changes no entity.

The expected calibration error compares, in ten bins of equal width, the mean score with the share
that is right, weighted by the number of entities in the bin (Guo et al., 2017, for entities).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convener.evaluation.scores import sought
from convener.text.documents import Document

BINS = 10
LOWEST, HIGHEST = 0.1, 10.0

_SURE = 5e-5  # half of the last decimal that scores have
_GOLDEN = (5**0.5 - 1) / 2

Numbers = NDArray[np.float64]


def outcomes(gold: Sequence[Document], found: Sequence[Document]) -> tuple[Numbers, Numbers]:
    """Scores of the entities that were found, and whether each is right (1.0) or not (0.0).

    Entities of types that were not looked for in a gold document are left out.
    """
    scores, right = [], []
    for truth, guess in zip(gold, found, strict=True):
        known = {(entity.span, entity.label) for entity in truth.entities}
        for entity in sought(truth, guess):
            if entity.score is not None:
                scores.append(entity.score)
                right.append(float((entity.span, entity.label) in known))
    return np.array(scores), np.array(right)


def calibration_error(scores: Numbers, right: Numbers) -> float | None:
    """The expected calibration error, from 0 to 1; None without an entity."""
    if not len(scores):
        return None
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=scores - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(scores))


def fitted_temperature(scores: Numbers, right: Numbers) -> float:
    """The temperature under which what is right is most likely, from 0.1 to 10; 1 without a choice.

    The likelihood has one peak in 1 / T, which golden-section search finds.
    """
    if not len(scores) or right.all() or not right.any():
        return 1.0
    logits = _logits(scores)

    def loss(sharpness: float) -> float:
        signed = np.where(right > 0, logits, -logits) * sharpness
        return float(np.logaddexp(0.0, -signed).mean())

    low, high = 1 / HIGHEST, 1 / LOWEST
    while high - low > 1e-4:
        left, above = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(left) <= loss(above):
            high = above
        else:
            low = left
    return round(2 / (low + high), 4)


def tempered(document: Document, temperature: float) -> Document:
    """The document with the scores of its entities tempered; what has none is left so."""
    if temperature == 1 or not document.entities:
        return document
    scores = np.array([entity.score or 0.0 for entity in document.entities])
    new = 1 / (1 + np.exp(-_logits(scores) / temperature))
    entities = tuple(
        entity if entity.score is None else replace(entity, score=round(score, 4))
        for entity, score in zip(document.entities, new.tolist(), strict=True)
    )
    return replace(document, entities=entities)


def _logits(scores: Numbers) -> Numbers:
    sure = np.clip(scores, _SURE, 1 - _SURE)
    logits: Numbers = np.log(sure) - np.log1p(-sure)
    return logits

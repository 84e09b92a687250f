"""Choosing experts for a new domain without labels (SaM, arXiv 2506.22813).

Two rankings, each best first, ties by name:

- *by similarity*: cosine of the mean sentence embeddings of an expert's training text and of the
  target's text;
- *by performance*: every expert labels some target sentences. What the majority of the experts
  that know a type says is taken for gold, and each expert is scored by its F1 against the vote of
  the others. Where fewer than two others know a type, all others vote. A labelled sample replaces
  the vote where there is one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convener.errors import ConfigError
from convener.evaluation.scores import Score, score
from convener.text.documents import Document, Entity

Vector = NDArray[np.float32]
Answers = Mapping[str, Sequence[Document]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """An expert with its score, and the standard deviation of the score over resamples."""

    name: str
    score: float
    spread: float = 0.0


def by_similarity(target: Vector, experts: Mapping[str, Vector]) -> list[Ranked]:
    """Experts by the cosine of their vectors with the target's."""
    return _ordered(Ranked(name, _cosine(target, vector)) for name, vector in experts.items())


def by_performance(
    answers: Answers,
    knows: Mapping[str, frozenset[str]],
    gold: Sequence[Document] | None = None,
    resamples: int = 20,
    seed: int = 0,
) -> list[Ranked]:
    """Experts by F1 of their answers against the vote of the others, or against `gold`.

    `answers` are those of each expert on the same sentences, `knows` the types that it knows.
    The spread is over bootstrap resamples of the sentences.
    """
    ranked = []
    for name, mine in answers.items():
        truth = vote(answers, knows, without=name) if gold is None else gold
        counts = score(truth, mine).documents
        f1s = [
            sum((counts[index] for index in drawn), Score()).f1
            for drawn in np.random.default_rng(seed).integers(
                len(counts), size=(resamples, len(counts))
            )
        ]
        ranked.append(Ranked(name, sum(counts, Score()).f1, float(np.std(f1s))))
    return _ordered(ranked)


def vote(
    answers: Answers, knows: Mapping[str, frozenset[str]], without: str | None = None
) -> list[Document]:
    """The sentences with every entity that more than half of its voters propose.

    Its voters are the experts, but for `without`, that know its type; all, where fewer than two do.
    """
    names = [name for name in answers if name != without]
    if not names:
        raise ConfigError(
            "expected at least two experts to vote, got one: give a labelled sample instead"
        )
    voted = []
    for sentence in zip(*(answers[name] for name in names), strict=True):
        proposed = dict(zip(names, sentence, strict=True))
        support = Counter(
            (*entity.span, entity.label)
            for name, document in proposed.items()
            for entity in {(e.span, e.label): e for e in document.entities}.values()
            if name in _voters(names, knows, entity.label)
        )
        kept = [
            Entity(start, end, label)
            for (start, end, label), count in sorted(support.items())
            if 2 * count > len(_voters(names, knows, label))
        ]
        voted.append(replace(sentence[0], entities=tuple(kept)))
    return voted


def sampled(count: int, wanted: int, seed: int) -> list[int]:
    """Indices of `wanted` of `count` sentences, in order; all if there are fewer."""
    drawn = np.random.default_rng(seed).permutation(count)[:wanted]
    return sorted(drawn.tolist())


def integrate(answers: Sequence[Sequence[Entity]], flat: bool) -> tuple[Entity, ...]:
    """The union of several answers to one text, in reading order.

    What several say counts once, with the best score. Of flat entities that overlap, the one that
    more say stays, then the more probable, then the earlier.
    """
    support: Counter[tuple[int, int, str]] = Counter()
    best: dict[tuple[int, int, str], Entity] = {}
    for answer in answers:
        for key, entity in {(*e.span, e.label): e for e in answer}.items():
            support[key] += 1
            if key not in best or (entity.score or 0) > (best[key].score or 0):
                best[key] = entity
    ordered = sorted(best, key=lambda key: (-support[key], -(best[key].score or 0), key))
    kept: list[Entity] = []
    for key in ordered:
        if not flat or all(key[1] <= e.start or e.end <= key[0] for e in kept):
            kept.append(best[key])
    return tuple(sorted(kept, key=lambda e: (e.start, -e.end, e.label)))


def _voters(names: Sequence[str], knows: Mapping[str, frozenset[str]], label: str) -> Sequence[str]:
    voters = [name for name in names if label in knows[name]]
    return voters if len(voters) > 1 else names


def _cosine(left: Vector, right: Vector) -> float:
    norms = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / norms if norms else 0.0


def _ordered(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda r: (-r.score, r.name))

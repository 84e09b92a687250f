"""Choosing experts for a new domain without labels (SaM, arXiv 2506.22813).

Two rankings, each best first, ties by name:

- *by similarity*: cosine of the mean sentence embeddings of an expert's training text and of the
  target's text;
- *by performance*: every expert labels some target sentences. What the majority of the experts
  that know a type says is taken for gold, and each expert is scored by its F1 against the vote of
  the others. Where fewer than two others know a type, all others vote. A labelled sample replaces
  the vote where there is one.

Experts of one base agree most where they have learnt least, so the paper's vote prefers those that
are nearest to the base. What the base says by itself is therefore left out where it is given, and
whatever any other expert proposes beyond it counts as gold (`docs/experts.md` has the figures).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convener.errors import ConfigError
from convener.evaluation.scores import Score, score
from convener.text.documents import Document, Entity, apart

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
    said: Sequence[Document] | None = None,
) -> list[Ranked]:
    """Experts by F1 of their answers against the vote of the others, or against `gold`.

    `answers` are those of each expert on the same sentences, `knows` the types that it knows;
    `said` is what the base says of them. The spread is over bootstrap resamples of the sentences.
    """
    if said is not None:
        answers = {name: beyond(said, mine) for name, mine in answers.items()}

    def truth_for(name: str) -> Sequence[Document]:
        if gold is not None:
            return gold
        return vote(answers, knows, name) if said is None else proposed(answers, name)

    ranked = []
    for name, mine in answers.items():
        truth = truth_for(name)
        counts = score(truth, mine).documents
        f1s = [
            sum((counts[index] for index in drawn), Score()).f1
            for drawn in np.random.default_rng(seed).integers(
                len(counts), size=(resamples, len(counts))
            )
        ]
        ranked.append(Ranked(name, sum(counts, Score()).f1, float(np.std(f1s))))
    return _ordered(ranked)


def beyond(said: Sequence[Document], answers: Sequence[Document]) -> list[Document]:
    """The answers without the entities that were said already."""
    found = []
    for before, after in zip(said, answers, strict=True):
        known = {(e.span, e.label) for e in before.entities}
        fresh = tuple(e for e in after.entities if (e.span, e.label) not in known)
        found.append(replace(after, entities=fresh))
    return found


def proposed(answers: Answers, without: str) -> list[Document]:
    """The sentences with every entity that any expert but `without` proposes."""
    others = _others(answers, without)
    found = []
    for sentence in zip(*(answers[name] for name in others), strict=True):
        keys = {(*e.span, e.label) for document in sentence for e in document.entities}
        found.append(replace(sentence[0], entities=tuple(Entity(*key) for key in sorted(keys))))
    return found


def vote(
    answers: Answers, knows: Mapping[str, frozenset[str]], without: str | None = None
) -> list[Document]:
    """The sentences with every entity that more than half of its voters propose.

    Its voters are the experts, but for `without`, that know its type; all, where fewer than two do.
    """
    names = _others(answers, without)
    types = {e.label for name in names for document in answers[name] for e in document.entities}
    voters = {label: _voters(names, knows, label) for label in types}
    voted = []
    for sentence in zip(*(answers[name] for name in names), strict=True):
        support = Counter(
            (*entity.span, entity.label)
            for name, document in zip(names, sentence, strict=True)
            for entity in {(e.span, e.label): e for e in document.entities}.values()
            if name in voters[entity.label]
        )
        kept = [
            Entity(start, end, label)
            for (start, end, label), count in sorted(support.items())
            if 2 * count > len(voters[label])
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
    chosen = [best[key] for key in ordered]
    kept = apart(chosen) if flat else chosen
    return tuple(sorted(kept, key=lambda e: (e.start, -e.end, e.label)))


def _others(answers: Answers, without: str | None) -> list[str]:
    names = [name for name in answers if name != without]
    if not names:
        raise ConfigError(
            "expected at least two experts to vote, got one: give a labelled sample instead"
        )
    return names


def _voters(
    names: Iterable[str], knows: Mapping[str, frozenset[str]], label: str
) -> frozenset[str]:
    voters = frozenset(name for name in names if label in knows[name])
    return voters if len(voters) > 1 else frozenset(names)


def _cosine(left: Vector, right: Vector) -> float:
    norms = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / norms if norms else 0.0


def _ordered(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda r: (-r.score, r.name))

"""Several sources label one document: what becomes of their agreements and quarrels.

Votes are taken on stretches of text. For each stretch that some source proposes, every source has
an *opinion*: the types it gives (several are an ambiguous answer), *no entity* (it has an entity
with other boundaries there, or it covers one of the types that others propose and is silent), or
none at all. Then, by choice,

- `priority`: the first source with an opinion decides;
- `majority`: if at least as many see an entity as see none, the type with most votes;
- `accuracy`: the same, with each source trusted as far as it was found to be right
  (`convener.dictionary.accuracy`); needs all documents at once.

Types that come out equal, or by `accuracy` within a factor of two, stay as an ambiguous label.
Boundaries that still overlap are settled by weight, then by length: the result is flat.
"""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

from convener.dictionary.accuracy import dawid_skene
from convener.dictionary.opinions import NO_ENTITY, Answers, Opinions, opinions, silence, untouched
from convener.dictionary.rules import Source
from convener.errors import ConfigError
from convener.text.documents import Document, Entity, Offsets

By = Literal["priority", "majority", "accuracy"]
_Ballot = tuple[Document, Answers, dict[Offsets, Opinions]]

_CLEAR = 2.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the vote makes of a stretch: its types with their scores, and how much that weighs."""

    labels: Mapping[str, float | None]
    weight: float
    belief: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a source did in a vote.

    `proposed` counts stretches it proposed and `coverage` is their share of all that were
    proposed; of its own, `overlap` is the share that others had an opinion on, and `conflicts` the
    share that others contradicted. `accuracy` is the expected share of right ones, where it was
    learned. `failures` counts documents on which the source broke.
    """

    name: str
    proposed: int
    coverage: float
    overlap: float
    conflicts: float
    accuracy: float | None
    failures: int
    first_failure: str | None


class Vote:
    """Labels documents by the votes of sources; the order of sources matters to `priority` alone.

    Raises:
        ConfigError: no source, two of one name, or no such way to vote.
    """

    def __init__(self, sources: Sequence[Source], by: By = "majority") -> None:
        if by not in get_args(By):
            raise ConfigError(f"expected a vote by {', '.join(get_args(By))}, got {by!r}")
        if not sources:
            raise ConfigError("expected at least one source to vote")
        names = Counter(source.name for source in sources)
        name, times = names.most_common(1)[0]
        if times > 1:
            raise ConfigError(f"{times} sources are named {name!r}: rename all but one")
        self.sources = tuple(sources)
        self.by = by
        self._cases: Counter[Opinions] = Counter()
        self._silent: Counter[Opinions] = Counter()
        self._verdicts: dict[Opinions, Verdict] = {}

    def label(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents with the outcome of the vote in place of any labels they had.

        One at a time, but for `accuracy`, which first reads them all.
        """
        self._cases.clear()
        self._silent.clear()
        self._verdicts.clear()
        ballots: Iterable[_Ballot] = map(self._ballot, documents)
        if self.by == "accuracy":
            ballots = list(ballots)
            self._verdicts.update(_learned(self._cases, self._silent))
        for document, answers, cases in ballots:
            yield self._outcome(document, answers, cases)

    def report(self) -> list[SourceReport]:
        """What each source did in the documents labelled last."""
        return [self._report(place, source) for place, source in enumerate(self.sources)]

    def _ballot(self, document: Document) -> _Ballot:
        answers = tuple(source(document) for source in self.sources)
        covers = [frozenset(source.covers) for source in self.sources]
        cases = opinions(answers, covers)
        self._cases.update(cases.values())
        if self.by == "accuracy" and any(covers):
            self._silent[silence(answers, covers)] += untouched(document, cases)
        return document, answers, cases

    def _outcome(
        self, document: Document, answers: Answers, cases: Mapping[Offsets, Opinions]
    ) -> Document:
        verdicts = {span: self._verdict(case) for span, case in cases.items()}
        support: dict[tuple[Offsets, str], list[Entity]] = {}
        for entity in sorted((e for given in answers for e in given or ()), key=_by_source):
            support.setdefault((entity.span, entity.label), []).append(entity)
        entities = tuple(
            _elected(support[span, label], score)
            for span in settled(verdicts)
            for label, score in sorted(verdicts[span].labels.items())
        )
        return document.relabelled(entities)

    def _verdict(self, case: Opinions) -> Verdict:
        if case not in self._verdicts:
            self._verdicts[case] = (_first if self.by == "priority" else _majority)(case)
        return self._verdicts[case]

    def _report(self, place: int, source: Source) -> SourceReport:
        proposed = overlap = conflicts = 0
        right = 0.0
        for case, count in self._cases.items():
            own = case[place]
            if not own:
                continue
            others = [o for i, o in enumerate(case) if i != place and o is not None]
            proposed += count
            overlap += count * bool(others)
            conflicts += count * any(other != own for other in others)
            if self.by == "accuracy":
                right += count * sum(self._verdicts[case].belief[label] for label in own)
        return SourceReport(
            source.name,
            proposed,
            _share(proposed, self._cases.total()),
            _share(overlap, proposed),
            _share(conflicts, proposed),
            right / proposed if self.by == "accuracy" and proposed else None,
            source.failures,
            source.first_failure,
        )


def settled(verdicts: Mapping[Offsets, Verdict]) -> list[Offsets]:
    """Stretches with a type of which no two overlap: by weight, then length, then place."""
    taken: list[Offsets] = []
    named = [span for span, verdict in verdicts.items() if verdict.labels]
    for span in sorted(named, key=lambda s: (-verdicts[s].weight, s[0] - s[1], s)):
        place = bisect_left(taken, span)
        clear_left = place == 0 or taken[place - 1][1] <= span[0]
        if clear_left and (place == len(taken) or taken[place][0] >= span[1]):
            insort(taken, span)
    return taken


def _first(case: Opinions) -> Verdict:
    place, labels = next((p, o) for p, o in enumerate(case) if o is not None)
    return Verdict(dict.fromkeys(labels), -place, {})


def _majority(case: Opinions) -> Verdict:
    votes: defaultdict[str, float] = defaultdict(float)
    for opinion in filter(None, case):
        for label in opinion:
            votes[label] += 1 / len(opinion)
    entity = sum(bool(opinion) for opinion in case)
    against = sum(opinion == NO_ENTITY for opinion in case)
    labels = _best(case, votes, 1 + 1e-9) if entity >= against else []
    return Verdict(dict.fromkeys(labels), entity - against, {})


def _learned(cases: Counter[Opinions], silent: Counter[Opinions]) -> dict[Opinions, Verdict]:
    """The verdict on every case by what EM learns from all of them.

    Words where nobody sees anything teach how often sources that cover their types are rightly
    silent: without them, every stretch would be one that somebody proposed. A source that others
    comment on less than half of the time has one coin, as one of a single type has: what nobody
    comments on says nothing of how it confuses types, and would be taken for no entity.
    """
    seen = cases + Counter({case: n for case, n in silent.items() if NO_ENTITY in case})
    patterns = sorted(seen, key=lambda case: [[""] if o is None else sorted(o) for o in case])
    labels = sorted({label for case in cases for opinion in case for label in opinion or ()})
    if not labels:
        return {}
    number = {label: place for place, label in enumerate(labels, 1)}
    answers = np.zeros((len(patterns), len(patterns[0]), len(labels) + 1))
    for row, case in enumerate(patterns):
        for place, opinion in enumerate(case):
            if opinion is not None:
                given = [number[label] for label in opinion] or [0]
                answers[row, place, given] = 1 / len(given)
    said = answers.any(axis=2) * np.array([[cases[case]] for case in patterns])
    commented = said[(said > 0).sum(axis=1) > 1].sum(axis=0)
    types = (answers[:, :, 1:] > 0).any(axis=0).sum(axis=1)
    coins = (types < 2) | (2 * commented < said.sum(axis=0))
    fit = dawid_skene(answers, coins, np.array([float(seen[case]) for case in patterns]))
    verdicts = {}
    for case, posterior in zip(patterns, fit.posterior.tolist(), strict=True):
        belief = dict(zip(labels, posterior[1:], strict=True))
        chosen = _best(case, belief, _CLEAR) if posterior[0] <= 0.5 else []
        scores = {label: round(belief[label], 4) for label in chosen}
        verdicts[case] = Verdict(scores, round(1 - posterior[0], 9), belief)
    return verdicts


def _best(case: Opinions, scores: Mapping[str, float], slack: float) -> list[str]:
    """The types that win: what all say if they agree, else those within `slack` of the best."""
    said = {opinion for opinion in case if opinion}
    if len(said) < 2:
        return sorted(frozenset[str]().union(*said))
    proposed = sorted(frozenset[str]().union(*said))
    best = max(scores[label] for label in proposed)
    return [label for label in proposed if scores[label] * slack >= best]


def _elected(supporters: Sequence[Entity], score: float | None) -> Entity:
    names = "+".join(dict.fromkeys(cast(str, entity.source) for entity in supporters))
    known = next((entity.id for entity in supporters if entity.id is not None), None)
    first = supporters[0]
    return Entity(first.start, first.end, first.label, score, known, names)


def _by_source(entity: Entity) -> tuple[str, str]:
    return entity.source or "", entity.id or ""


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0

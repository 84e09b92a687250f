"""Labels whose type their name belies: "Lisbon" a person, since a dictionary lists one so called.

The embedded encoder was made for meaning, so it can tell what a name looks like. How far it looks
like one of each type is the product of two beliefs: that of a linear classifier of embeddings,
which learns from the labels of other names, and the nearness of the name to the question that asks
for the type. A type that is `LIKELIER` times as likely as that of the label is a *rival*, and the
label becomes ambiguous between the two: a tagger takes the one that the text bears out, and is
still taught that a name is there; a reader, whose types are asked for one by one, learns nothing of
it. No gold label is read, and no name is judged by its own labels.

Where a dictionary is right, doubts are mostly wrong ("Chicago" is a place by its looks, but a team
in a table of results). So a classifier of what is written around labels is asked how many rivals
are right. Unless that is at least half of them all labels stay as they are, and if it is, those of
each pair of types, such as persons that look like places, of which it is less than half.
"""

import random
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from convener.dictionary.abstention import Doubted
from convener.models.questions import known_or_written
from convener.models.sentences import embedded
from convener.text.documents import Document, Entity, by_span

FOLDS = 5
SHARPNESS = 10.0
LIKELIER = 4.0
REACH = 40
CONTEXTS = 2000
NAMES = 20_000
SURE = 3.0
HALF = 0.5

Mention = tuple[str, str]
"""A name, folded, and the type that it is labelled with."""

_Floats = NDArray[np.float64]
_Kind = TypeVar("_Kind", bound=Hashable)


def with_rivals(
    documents: Sequence[Document], questions: Mapping[str, str] | None = None
) -> tuple[list[Document], Counter[Doubted], Counter[Doubted]]:
    """The documents, labels with a rival ambiguous where most rivals seem to be right.

    Beside them which names of which types became ambiguous with which rival, how often, and which
    have a rival and are kept as they are. `questions` ask for types, in place of those that are
    known or made from their labels. Labels that are ambiguous already stay so.
    """
    rivals = rivals_of(mentions(documents), questions)
    if not rivals:
        return list(documents), Counter(), Counter()
    right = believable(documents, rivals)
    wrong = {key: rival for key, rival in rivals.items() if key not in right}
    marked = [replace(document, entities=_joined(document, right)) for document in documents]
    return marked, _counted(documents, right), _counted(documents, wrong)


def believable(documents: Sequence[Document], rivals: Mapping[Mention, str]) -> dict[Mention, str]:
    """The rivals of each pair of types of which at least half are right, if half of all are."""
    shares = borne_out(documents, rivals)
    if shares.of_all < HALF:
        return {}
    return {m: rival for m, rival in rivals.items() if shares.of_pair[m[1], rival] >= HALF}


def mentions(documents: Iterable[Document]) -> Counter[Mention]:
    """How often each name is labelled with each type, where that is not ambiguous."""
    return Counter(mention(d, entity) for d in documents for entity in _plain(d))


def mention(document: Document, entity: Entity) -> Mention:
    """The name and the type of a label."""
    return document.surface(entity).casefold(), entity.label


def _plain(document: Document) -> list[Entity]:
    """An entity of each label that is not ambiguous."""
    labelled = by_span(document.entities)
    return [entities[0] for _, entities in labelled if len({e.label for e in entities}) == 1]


def _doubted(document: Document, rivals: Mapping[Mention, str]) -> list[tuple[Entity, str]]:
    """Labels with the rival that each has, where the document was searched for that type."""
    return [
        (entity, rival)
        for entity in _plain(document)
        if (rival := rivals.get(mention(document, entity)))
        and (document.types is None or rival in document.types)
    ]


def _joined(document: Document, rivals: Mapping[Mention, str]) -> tuple[Entity, ...]:
    others = [
        replace(entity, label=rival, score=None, id=None, source="rival")
        for entity, rival in _doubted(document, rivals)
    ]
    return (*document.entities, *others)


def _counted(documents: Iterable[Document], rivals: Mapping[Mention, str]) -> Counter[Doubted]:
    return Counter(
        (document.surface(entity), entity.label, rival)
        for document in documents
        for entity, rival in _doubted(document, rivals)
    )


def rivals_of(
    counts: Mapping[Mention, int], questions: Mapping[str, str] | None = None
) -> dict[Mention, str]:
    """The rival of each mention that has one, from how often each occurs.

    A name that is labelled with several types has none, since whoever labelled it knew more than
    its name. A type of which every name would have one keeps them all, since nothing would be left
    to teach it. Names beyond the `NAMES` most frequent are not judged, since they would take long.
    """
    judged = _most_frequent(counts)
    labels, own = np.unique([label for _, label in judged], return_inverse=True)
    if len(labels) < 2:
        return {}
    names = {name: place for place, name in enumerate(sorted({name for name, _ in judged}))}
    places = np.array([names[name] for name, _ in judged])
    number = np.array([counts[key] for key in judged], dtype=np.float64)
    vectors = embedded(list(names))[places]
    asked = {**known_or_written(labels.tolist()), **(questions or {})}
    near = np.exp(SHARPNESS * vectors @ embedded([asked[label] for label in labels.tolist()]).T)
    beliefs = near * _like_others(vectors, places, own, number)
    held = beliefs[np.arange(len(own)), own]
    doubted = (held > 0) & (beliefs.max(axis=1) > LIKELIER * held)
    doubted &= (np.bincount(places) == 1)[places]
    doubted &= (np.bincount(own, ~doubted) > 0)[own]
    rival = beliefs.argmax(axis=1)
    return {judged[i]: str(labels[rival[i]]) for i in np.flatnonzero(doubted)}


def _most_frequent(counts: Mapping[Mention, int]) -> list[Mention]:
    """The mentions of the most frequent names, sorted."""
    often = Counter[str]()
    for (name, _), times in counts.items():
        often[name] += times
    kept = {name for name, _ in often.most_common(NAMES)}
    return sorted(key for key in counts if key[0] in kept)


def _like_others(
    vectors: NDArray[np.float32],
    places: NDArray[np.int64],
    own: NDArray[np.int64],
    number: _Floats,
) -> _Floats:
    """How far each mention looks like the names of other folds of each type, [mentions, types].

    `places` are the names of the mentions. A name counts by the square root of its `number` of
    mentions.
    """
    from sklearn.linear_model import LogisticRegression

    weights = number / np.sqrt(np.bincount(places, number))[places]
    weights /= weights.mean()
    beliefs = np.zeros((len(own), int(own.max()) + 1))
    for fold in range(FOLDS):
        mine = places % FOLDS == fold
        if mine.any() and len(np.unique(own[~mine])) > 1:
            model = LogisticRegression(max_iter=1000)
            model.fit(vectors[~mine], own[~mine], sample_weight=weights[~mine])
            beliefs[np.ix_(mine, model.classes_)] = model.predict_proba(vectors[mine])
    return beliefs


@dataclass(frozen=True, slots=True)
class Shares:
    """Which share of the rivals is right: of all, and of those of a pair of type and rival."""

    of_all: float
    of_pair: Mapping[tuple[str, str], float]


def borne_out(documents: Sequence[Document], rivals: Mapping[Mention, str]) -> Shares:
    """Which share of the rivals is right, by what is written around labels; 0 if that tells none.

    Classifiers of contexts learn from either half of the labels without a rival, all types counting
    alike. Contexts tell little of one label, so how far they speak for the rivals is held against
    how far they speak for the same types where the others are the labels (0) and where they are
    the labels themselves (1). Those two must be `SURE` standard errors apart.
    """
    told, doubted = _contexts(documents, rivals)
    times = Counter(pair for pair, _ in doubted)
    odds = _odds(_sample(told), _sample(doubted))
    of_pair = dict.fromkeys(((label, rival) for (_, label), rival in rivals.items()), 0.0)
    speaks, variance = np.zeros(3), 0.0
    for pair, (found, ours, theirs) in odds.items():
        means = np.array([found.mean(), ours.mean(), theirs.mean()])
        doubt = ours.var() / len(ours) + theirs.var() / len(theirs)
        of_pair[pair] = _between(means, doubt)
        speaks += times[pair] * means
        variance += times[pair] ** 2 * doubt
    return Shares(_between(speaks, variance), of_pair)


def _between(speaks: _Floats, variance: float) -> float:
    found, low, high = speaks
    sure = high - low > SURE * variance**0.5
    return float((found - low) / (high - low)) if sure else 0.0


def _odds(
    told: Sequence[tuple[str, str]], doubted: Sequence[tuple[tuple[str, str], str]]
) -> dict[tuple[str, str], tuple[_Floats, _Floats, _Floats]]:
    """By type and rival, log odds of the rival around doubted labels, labels of the type, and its.

    A pair is missing if either type has fewer than two or so labels without a rival.
    """
    from sklearn.linear_model import LogisticRegression

    labels, half = np.array([label for label, _ in told]), np.arange(len(told)) % 2
    types = np.intersect1d(labels[half == 0], labels[half == 1])
    shared = set(types.tolist())
    doubted = [(pair, around) for pair, around in doubted if shared.issuperset(pair)]
    if len(types) < 2 or not doubted:
        return {}
    known = np.isin(labels, types)
    own, half = np.searchsorted(types, labels[known]), half[known]
    vectors = embedded([around for label, around in told if label in shared])
    asked = embedded([around for _, around in doubted])
    beliefs, of_doubted = np.zeros((len(own), len(types))), np.zeros((len(asked), len(types)))
    for side in (0, 1):
        model = LogisticRegression(max_iter=1000, class_weight="balanced")
        model.fit(vectors[half == side], own[half == side])
        beliefs[half != side] = model.predict_log_proba(vectors[half != side])
        of_doubted += model.predict_log_proba(asked) / 2
    pairs, of_pair = np.unique([pair for pair, _ in doubted], axis=0, return_inverse=True)
    found = {}
    for index, (label, rival) in enumerate(np.searchsorted(types, pairs)):
        among = of_doubted[of_pair == index], beliefs[own == label], beliefs[own == rival]
        mine, ours, theirs = (of[:, rival] - of[:, label] for of in among)
        found[str(types[label]), str(types[rival])] = mine, ours, theirs
    return found


def _contexts(
    documents: Sequence[Document], rivals: Mapping[Mention, str]
) -> tuple[list[tuple[str, str]], list[tuple[tuple[str, str], str]]]:
    """What is around labels without a rival, with their type, and with one, with both types."""
    told, doubted = list[tuple[str, str]](), list[tuple[tuple[str, str], str]]()
    for document in documents:
        for entity in _plain(document):
            before = document.text[max(0, entity.start - REACH) : entity.start]
            around = f"{before}[MASK]{document.text[entity.end : entity.end + REACH]}"
            if rival := rivals.get(mention(document, entity)):
                doubted.append(((entity.label, rival), around))
            else:
                told.append((entity.label, around))
    return told, doubted


def _sample(contexts: Sequence[tuple[_Kind, str]]) -> list[tuple[_Kind, str]]:
    """At most `CONTEXTS` of them, the kinds that have fewest whole, in random order."""
    mixed = random.Random(0).sample(contexts, len(contexts))
    met = Counter[_Kind]()
    turns = list[int]()
    for kind, _ in mixed:
        met[kind] += 1
        turns.append(met[kind])
    kept = sorted(range(len(mixed)), key=turns.__getitem__)[:CONTEXTS]
    return [mixed[place] for place in sorted(kept)]

"""Labels whose type their name belies: "Lisbon" a person, since a dictionary lists one so called.

The embedded encoder was made for meaning, so it can tell what a name looks like. How far it looks
like one of each type is the product of two beliefs: that of a linear classifier of embeddings,
which learns from the labels of other names, and the nearness of the name to the question that asks
for the type. A type that is `LIKELIER` times as likely as that of the label is a *rival*, and the
label becomes ambiguous between the two: training takes the one that the text bears out, and is
still taught that a name is there. No gold label is read, and no name is judged by its own labels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convener.models.questions import known_or_written
from convener.models.sentences import embedded
from convener.text.documents import Document, Entity, by_span

FOLDS = 5
SHARPNESS = 10.0
LIKELIER = 4.0

Mention = tuple[str, str]
"""A name, folded, and the type that it is labelled with."""


def with_rivals(documents: Sequence[Document]) -> list[Document]:
    """The documents, labels with a rival ambiguous; those that are so already stay as they are."""
    counts = Counter(
        _mention(document, entities[0])
        for document in documents
        for _, entities in by_span(document.entities)
        if len(entities) == 1
    )
    rivals = rivals_of(counts)
    return [replace(document, entities=_joined(document, rivals)) for document in documents]


def added(
    documents: Sequence[Document], marked: Sequence[Document]
) -> Counter[tuple[str, str, str]]:
    """How often each name of a type has a rival in `marked` that it had not, and which."""
    return Counter(
        (before.surface(entity), entity.label, rival.label)
        for before, after in zip(documents, marked, strict=True)
        for rival in set(after.entities) - set(before.entities)
        for entity in before.entities
        if entity.span == rival.span
    )


def _mention(document: Document, entity: Entity) -> Mention:
    return document.surface(entity).casefold(), entity.label


def _joined(document: Document, rivals: dict[Mention, str]) -> tuple[Entity, ...]:
    joined = list[Entity]()
    for _, entities in by_span(document.entities):
        joined.extend(entities)
        rival = rivals.get(_mention(document, entities[0])) if len(entities) == 1 else None
        if rival is not None and (document.types is None or rival in document.types):
            joined.append(replace(entities[0], label=rival))
    return tuple(joined)


def rivals_of(counts: Counter[Mention]) -> dict[Mention, str]:
    """The rival of each mention that has one, from how often each occurs.

    A type of which every name would have one keeps them all, since nothing would be left to teach
    it.
    """
    mentions = sorted(counts)
    labels, own = np.unique([label for _, label in mentions], return_inverse=True)
    if len(labels) < 2:
        return {}
    number = np.array([counts[mention] for mention in mentions], dtype=np.float64)
    beliefs = _beliefs([name for name, _ in mentions], labels.tolist(), own, number)
    held = beliefs[np.arange(len(own)), own]
    doubted = (held > 0) & (beliefs.max(axis=1) > LIKELIER * held)
    doubted &= (np.bincount(own, ~doubted) > 0)[own]
    rival = beliefs.argmax(axis=1)
    return {mentions[i]: str(labels[rival[i]]) for i in np.flatnonzero(doubted)}


def _beliefs(
    mentioned: Sequence[str],
    labels: Sequence[str],
    own: NDArray[np.int64],
    number: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How far each mention's name looks like one of each type, [mentions, types].

    A name counts by the square root of its mentions. A type that no name of other folds has is
    not believed in.
    """
    from sklearn.linear_model import LogisticRegression

    names, places = np.unique(mentioned, return_inverse=True)
    vectors = embedded(names.tolist())[places]
    weights = number / np.sqrt(np.bincount(places, number))[places]
    like_others = np.zeros((len(own), len(labels)))
    for fold in range(FOLDS):
        mine = places % FOLDS == fold
        if mine.any() and len(np.unique(own[~mine])) > 1:
            model = LogisticRegression(max_iter=1000)
            model.fit(vectors[~mine], own[~mine], sample_weight=weights[~mine])
            like_others[np.ix_(mine, model.classes_)] = model.predict_proba(vectors[mine])
    questions = embedded(list(known_or_written(labels).values()))
    near_question: NDArray[np.float64] = np.exp(SHARPNESS * vectors @ questions.T)
    return like_others * near_question

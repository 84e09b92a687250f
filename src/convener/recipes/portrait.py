"""What experts of a trained panel are for, and which labels the panel overrules.

The paper claims that its experts can be interpreted. So for each expert: the groups that the last
E-step gave it, the types, names and words that are more frequent in them than in the rest (by the
ratio of smoothed shares), and how far its answers agree with those of the others.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from convener.evaluation.scores import score
from convener.evaluation.training import Overruled, Portrait, Verdict, training_page
from convener.panel.joint import answered
from convener.panel.panel import log_beliefs
from convener.recipes.run import Trained
from convener.text.documents import Document, Entity, group_indices

SHOWN = 8
LONGEST = 60
SAMPLE = 2000


def page(
    trained: Trained,
    documents: Sequence[Document],
    dev: Sequence[Document],
    found: Sequence[Document],
) -> str:
    """The page about a run on documents, with the scores of what it `found` on dev documents.

    The experts answer a sample of the documents, every n-th, of at most `SAMPLE`.
    """
    panel = trained.panel
    sample = documents[:: math.ceil(len(documents) / SAMPLE)]
    examples = panel.experts[0].examples(sample)
    beliefs = [log_beliefs(expert, examples, len(sample)) for expert in panel.experts]
    joint = answered(panel.layout, sample, beliefs, panel.rule)
    experts = []
    if len(beliefs) > 1:
        alone = [answered(panel.layout, sample, [rows], panel.rule) for rows in beliefs]
        experts = portraits(documents, trained.assigned, alone)
    return training_page(
        trained.history,
        Counter(_types(documents)),
        score(dev, found).types,
        experts,
        verdict(sample, joint),
        trained.doubts,
    )


def portraits(
    documents: Sequence[Document],
    assigned: Sequence[int],
    answers: Sequence[Sequence[Document]],
) -> list[Portrait]:
    """A portrait of each expert from its own `answers` to the same documents, some of these.

    `assigned` is the expert of each group of the documents, −1 if it went to none.
    """
    groups, experts = group_indices(documents), range(len(answers))
    sizes = Counter(expert for expert in assigned if expert >= 0)
    mine = [
        [documents[i] for group, z in zip(groups, assigned, strict=True) if z == k for i in group]
        for k in experts
    ]
    types, names, words = (
        [Counter(told(part)) for part in mine] for told in (_types, _names, _words)
    )
    return [
        Portrait(
            groups=sizes[k],
            share=sizes[k] / max(1, sizes.total()),
            types=_telling(types, k),
            names=_telling(names, k),
            words=_telling(words, k),
            agreement=_agreement(answers, k),
        )
        for k in experts
    ]


def verdict(documents: Sequence[Document], answers: Sequence[Document]) -> Verdict:
    """Which labels the answers contradict by another entity, and which they pass over."""
    overruled, dropped = list[Overruled](), Counter[tuple[str, str]]()
    for document, answer in zip(documents, answers, strict=True):
        given = {(e.span, e.label) for e in document.entities}
        found = sorted(answer.entities, key=lambda e: e.start)
        widest = max((e.end - e.start for e in found), default=0)
        for label in document.entities:
            first = bisect_left(found, label.start - widest, key=lambda e: e.start)
            after = bisect_left(found, label.end, key=lambda e: e.start)
            rivals = [e for e in found[first:after] if label.start < e.end]
            if not rivals:
                dropped[document.surface(label), label.label] += 1
            elif not any((e.span, e.label) in given for e in rivals):
                rival = max(rivals, key=lambda e: e.score or 0.0)
                overruled.append(_overruled(document, label, rival))
    overruled.sort(key=lambda o: -o.score)
    return Verdict(sum(len(document.entities) for document in documents), overruled, dropped)


def _overruled(document: Document, label: Entity, rival: Entity) -> Overruled:
    text, (start, end) = document.text, label.span
    return Overruled(
        f"{document.surface(label)} ({label.label})",
        f"{document.surface(rival)} ({rival.label})",
        rival.score or 0.0,
        (text[max(0, start - LONGEST) : start], text[start:end], text[end : end + LONGEST]),
    )


def _types(documents: Sequence[Document]) -> list[str]:
    return [e.label for d in documents for e in d.entities]


def _names(documents: Sequence[Document]) -> list[str]:
    return [d.surface(e) for d in documents for e in d.entities]


def _words(documents: Sequence[Document]) -> list[str]:
    words = (d.text[start:end].lower() for d in documents for start, end in d.words())
    return [word for word in words if len(word) > 2 and word.isalpha()]


def _telling(counts: Sequence[Counter[str]], expert: int) -> list[str]:
    """What an expert has at least twice and relatively most of, against all experts together."""
    everywhere = sum(counts, Counter[str]())
    mine = counts[expert]
    own, total = mine.total() + len(everywhere), everywhere.total() + len(everywhere)

    def weight(item: str) -> float:
        ratio = (mine[item] + 1) / own * total / (everywhere[item] + 1)
        return mine[item] * math.log(ratio)

    ranked = sorted((item for item in mine if mine[item] > 1), key=weight, reverse=True)
    return [item for item in ranked[:SHOWN] if weight(item) > 0]


def _agreement(answers: Sequence[Sequence[Document]], expert: int) -> float:
    others = [score(a, answers[expert]).exact.f1 for k, a in enumerate(answers) if k != expert]
    return sum(others) / len(others) if others else 1.0

"""Labels and the answers that contradict them, made a patch that a person can review.

The most reliable changes come first: labels with a rival (other boundaries or another type) by the
belief in the rival, then missing entities by the belief in them, then labels where nothing at all
was seen. Names of the dictionary with a bad record over all their matches are to be dropped, or
kept to their exact case if only their lower-case matches are bad; these changes lead the patch.

A change begins accepted if it may be made unseen: a rival, a missing entity or a name's record that
is believed by `SURE` at least. Labels where nothing was seen are for a person to judge: most names
that an expert overlooks are right.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from convener.dictionary.audit import in_context
from convener.dictionary.normal import key
from convener.dictionary.patch import Change, Place, fingerprint
from convener.text.documents import Document, Entity
from convener.text.overlaps import Overlaps

SURE = 0.8

_MATCHES, _SHARE = 3, 0.8

Answered = tuple[Document, Sequence[Entity], Sequence[float]]
"""A labelled document, what was answered, and for each label the belief that nothing is there."""


@dataclass(slots=True)
class _Name:
    """Matches of a name, and how many of them were doubted, by whether they are in lower case."""

    written: Counter[str] = field(default_factory=Counter)
    matches: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    doubted: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})

    def add(self, surface: str, doubted: bool) -> None:
        lower = surface == surface.lower()
        self.written[surface] += 1
        self.matches[lower] += 1
        self.doubted[lower] += doubted

    @property
    def surface(self) -> str:
        """How it is written most often, with a capital if it ever is."""
        capitals = Counter({name: n for name, n in self.written.items() if name != name.lower()})
        ((surface, _),) = (capitals or self.written).most_common(1)
        return surface

    def bad(self, *cases: bool) -> bool:
        """Whether enough matches in these cases are mostly doubted."""
        matches, doubted = (sum(c[case] for case in cases) for c in (self.matches, self.doubted))
        return matches >= _MATCHES and doubted >= _SHARE * matches


def suggested(answered: Iterable[Answered]) -> list[Change]:
    """The changes that answers suggest, in the order described above."""
    rivals: list[Change] = []
    missing: list[Change] = []
    unseen: list[Change] = []
    names: dict[tuple[str, str], _Name] = defaultdict(_Name)
    for document, answers, outside in answered:
        text = fingerprint(document.text)
        change = partial(_change, document, text)
        labelled, said = (Overlaps(e.span for e in es) for es in (document.entities, answers))
        for entity, nothing in zip(document.entities, outside, strict=True):
            near = [answers[place] for place in said.of(entity.span)]
            seen = any((a.span, a.label) == (entity.span, entity.label) for a in near)
            surface = document.surface(entity)
            names[key(surface), entity.label].add(surface, not seen)
            if seen:
                continue
            if near:
                rival = max(near, key=lambda answer: answer.score or 0)
                rivals.append(change(entity, "replace", rival.score, rival))
            else:
                unseen.append(change(entity, "remove", nothing))
        missing += [
            change(answer, "add", answer.score)
            for answer in answers
            if not labelled.touches(answer.span)
        ]
    ordered = [_by_confidence(changes) for changes in (_of_names(names), rivals, missing, unseen)]
    return [change for changes in ordered for change in changes]


def _of_names(names: dict[tuple[str, str], _Name]) -> list[Change]:
    changes = []
    for (_, label), name in names.items():
        if name.bad(True) and name.matches[False] > name.doubted[False]:
            changes.append(_name_change(name, label, "exact", (True,)))
        elif name.bad(True, False):
            changes.append(_name_change(name, label, "drop", (True, False)))
    return changes


def _name_change(name: _Name, label: str, kind: str, cases: tuple[bool, ...]) -> Change:
    matches, doubted = (sum(c[case] for case in cases) for c in (name.matches, name.doubted))
    content = {"change": kind, "surface": name.surface, "label": label, "matches": matches}
    return Change.model_validate(content | {"confidence": doubted / matches})


def _change(
    document: Document,
    text: str,
    entity: Entity,
    kind: str,
    belief: float | None,
    to: Entity | None = None,
) -> Change:
    place = None if to is None else Place(start=to.start, end=to.end, label=to.label)
    content = {
        "change": kind,
        "surface": document.surface(entity),
        "label": entity.label,
        "text": text,
        "start": entity.start,
        "end": entity.end,
        "to": place,
        "confidence": None if belief is None else round(min(max(belief, 0.0), 1.0), 4),
        "context": "".join(in_context(document, entity.start, entity.end)),
        "accept": kind != "remove" and (belief or 0.0) >= SURE,
    }
    return Change.model_validate(content)


def _by_confidence(changes: Iterable[Change]) -> list[Change]:
    return sorted(
        changes,
        key=lambda c: (-(c.confidence or 0), -(c.matches or 0), c.surface, c.text or "", c.start),
    )

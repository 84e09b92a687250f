"""What several sources think of the same stretches of text, before anybody counts votes.

A source that says nothing has no opinion, with two exceptions that make its silence a *no*: it has
an entity with other boundaries there, or it covers a type that others propose.
"""

from collections.abc import Iterable, Sequence

from convener.text.documents import Document, Entity, Offsets
from convener.text.overlaps import Overlaps

Answers = tuple[tuple[Entity, ...] | None, ...]
"""Each source's entities in a document, None where it has no opinion at all."""

Opinions = tuple[frozenset[str] | None, ...]
"""For each source the types it gives a stretch, the empty set for no entity, None for neither."""

NO_ENTITY: frozenset[str] = frozenset()


def opinions(answers: Answers, covers: Sequence[frozenset[str]]) -> dict[Offsets, Opinions]:
    """Every source's opinion on every stretch that one of them proposes.

    `answers` are each source's entities in a document, None where it has no opinion at all.
    """
    given: list[dict[Offsets, frozenset[str]]] = []
    for entities in answers:
        own: dict[Offsets, frozenset[str]] = {}
        for entity in entities or ():
            own[entity.span] = own.get(entity.span, NO_ENTITY) | {entity.label}
        given.append(own)
    occupied = [Overlaps(own) for own in given]
    columns: dict[Offsets, Opinions] = {}
    for span in sorted({span for own in given for span in own}):
        proposed = frozenset[str]().union(*(own.get(span, NO_ENTITY) for own in given))
        columns[span] = tuple(
            None
            if entities is None
            else own.get(span) or (NO_ENTITY if covered & proposed or taken.touches(span) else None)
            for entities, own, covered, taken in zip(answers, given, covers, occupied, strict=True)
        )
    return columns


def silence(answers: Answers, covers: Sequence[frozenset[str]]) -> Opinions:
    """Every source's opinion where nobody proposes anything."""
    return tuple(
        None if entities is None or not covered else NO_ENTITY
        for entities, covered in zip(answers, covers, strict=True)
    )


def untouched(document: Document, proposed: Iterable[Offsets]) -> int:
    """The number of words that no stretch touches."""
    occupied = Overlaps(proposed)
    return sum(not occupied.touches(word) for word in document.words())

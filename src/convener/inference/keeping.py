"""Which of a model's entities a caller wants: the sure ones, or those that do not overlap."""

from collections.abc import Sequence
from dataclasses import replace

from convener.errors import ConfigError
from convener.models.spans import Span, best_apart
from convener.text.documents import Document, Entity


def kept(document: Document, threshold: float, flat: bool) -> Document:
    """The document with entities that score at least `threshold`.

    With `flat`, of entities that overlap the set with the largest sum of scores stays. Entities
    without a score, such as those of language models, are taken for sure.
    """
    sure = [entity for entity in document.entities if _score(entity) >= threshold]
    return replace(document, entities=tuple(_apart(sure) if flat else sure))


def checked(threshold: float) -> float:
    """The threshold.

    Raises:
        ConfigError: it is no probability.
    """
    if not 0 <= threshold <= 1:
        raise ConfigError(f"expected a threshold from 0 to 1, got {threshold:g}")
    return threshold


def _apart(entities: Sequence[Entity]) -> list[Entity]:
    spans = [Span(e.start, e.end, n, _score(e)) for n, e in enumerate(entities)]
    return [entities[span.type] for span in best_apart(spans)]


def _score(entity: Entity) -> float:
    return 1.0 if entity.score is None else entity.score

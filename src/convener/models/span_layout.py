"""How a reader reads and writes: rows are those of a grid of spans, each of two classes: no, yes.

The grid is that of `convener.models.spans`. A span belongs to the window that owns its first word.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from convener.models.featurise import cuts, entity_of_words, label_number, refuse_overlaps
from convener.models.layout import Allowed, Example, Frequency, Layout, Rows
from convener.models.pieces import WordPieces
from convener.models.reader_config import ReaderConfig
from convener.models.spans import NEVER, SPANS, allowed_grid, best_apart, cells, positive
from convener.text.documents import Document, Entity


class SpanLayout(Layout):
    """Spans of each type, read in windows of `window` sub-words after a question of `longest`."""

    def __init__(
        self,
        words: WordPieces,
        labels: Sequence[str],
        config: ReaderConfig,
        window: int,
        longest: int,
    ) -> None:
        super().__init__(words, labels)
        self.config = config
        self.width = config.width or 1
        self.window = window
        self.longest = longest

    @property
    def flat(self) -> bool:
        """Whether it answers with spans that do not overlap."""
        return not self.config.nested

    @property
    def _rows(self) -> int:
        return (SPANS + self.width) * len(self.labels)

    def examples(self, documents: Sequence[Document]) -> list[Example]:
        """Windows of the documents; a span belongs to the window that owns its first word."""
        return [e for index, d in enumerate(documents) for e in self._examples(index, d)]

    def _examples(self, index: int, document: Document) -> Iterator[Example]:
        asked = len(self.labels)
        if self.config.negatives is not None:
            asked = min(asked, self.config.negatives + 1)
        for cut in cuts(self.words, document, self.window, self.config.overlap):
            window = cut.window
            yield Example(
                document=index,
                start=window.own_start * self._rows,
                stop=window.own_stop * self._rows,
                ids=np.array(cut.ids, dtype=np.int32),
                shapes=np.array(cut.shapes, dtype=np.int8),
                positions=cut.places[window.own_start - window.start :],
                cost=(len(cut.ids) + self.longest + 1) * asked,
            )

    def owned(self, example: Example) -> int:
        """How many words of an example, its first ones, give rows."""
        return (example.stop - example.start) // self._rows

    def allowed(self, document: Document) -> Allowed:
        """The cells of the grid that the labels allow, laid out as rows."""
        if not self.config.nested:
            refuse_overlaps(
                document,
                "a flat reader learns flat entities only, "
                "keep one of the two or set reader.nested=true",
            )
        return allowed_grid(document, self.labels, self.width, not self.flat).reshape(-1, 2)

    def said_by(self, first: int, stop: int, label: str) -> list[int]:
        """The rows of its start, its end and its span."""
        kind, kinds, values = label_number(self.labels, label), len(self.labels), SPANS + self.width
        said = cells(first, stop, self.width)
        return [(word * values + value) * kinds + kind for word, value in said]

    def frequency(self, rows: Rows) -> Frequency:
        """By type; of spans over the candidates, whatever their width."""
        grid = self._grid(rows)
        edges = grid[:, :SPANS].sum(axis=0, dtype=np.float64)
        spans = grid[:, SPANS:]
        candidates = spans[..., 1:] > 2 * math.exp(NEVER)
        asked = spans.sum(axis=(0, 1), where=candidates, dtype=np.float64)
        return np.concatenate([edges, np.stack([asked] * self.width)]).reshape(-1, 2)

    def _grid(self, rows: Rows) -> Rows:
        return rows.reshape(-1, SPANS + self.width, len(self.labels), 2)

    def decode(self, document: Document, probabilities: Rows) -> tuple[Entity, ...]:
        """All spans that are believed, or of a flat reader the best that do not overlap."""
        spans = positive(self._grid(probabilities)[..., 1])
        if not self.config.nested:
            spans = best_apart(spans)
        offsets = document.words()
        return tuple(
            entity_of_words(offsets, s.first, s.stop, self.labels[s.type], s.score) for s in spans
        )

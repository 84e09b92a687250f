"""Stretches of a text that share some of it with another, found without looking at all of them."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from convener.text.documents import Offsets


class Overlaps:
    """Stretches, asked which of them share text with another one."""

    def __init__(self, spans: Iterable[Offsets]) -> None:
        self._ordered = sorted((span, place) for place, span in enumerate(spans))
        self._starts = [start for (start, _), _ in self._ordered]
        self._reach = list(accumulate((end for (_, end), _ in self._ordered), max))

    def touches(self, span: Offsets) -> bool:
        """Whether one of them does."""
        before = bisect_left(self._starts, span[1])
        return before > 0 and self._reach[before - 1] > span[0]

    def of(self, span: Offsets) -> list[int]:
        """The places, among those given, of all that do."""
        found = []
        at = bisect_left(self._starts, span[1])
        while at > 0 and self._reach[at - 1] > span[0]:
            at -= 1
            (_, end), place = self._ordered[at]
            if end > span[0]:
                found.append(place)
        return sorted(found)

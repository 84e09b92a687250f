"""Overlaps tell what looking at every stretch would tell."""

from hypothesis import given
from hypothesis import strategies as st

from convener.text.overlaps import Overlaps

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda s: (s[0], sum(s))))


@given(SPANS, SPANS)
def test_what_shares_text_is_found(
    spans: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    overlaps = Overlaps(spans)
    for first, last in others:
        found = [n for n, (start, end) in enumerate(spans) if start < last and first < end]
        assert overlaps.of((first, last)) == found
        assert overlaps.touches((first, last)) == bool(found)

"""Windows: whole cover, one owner for each word."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.text.windows import Window, windows

FAST = settings(deadline=None, max_examples=200)


@st.composite
def covers(draw: st.DrawFn) -> tuple[list[int], int, int, list[Window]]:
    limit = draw(st.integers(1, 12))
    overlap = draw(st.integers(0, limit - 1))
    lengths = draw(st.lists(st.integers(1, limit), min_size=1, max_size=40))
    return lengths, limit, overlap, windows(lengths, limit, overlap)


Cover = tuple[list[int], int, int, list[Window]]


@FAST
@given(covers())
def test_every_word_is_owned_exactly_once_and_in_order(cover: Cover) -> None:
    lengths, _, _, found = cover
    owned = [word for window in found for word in range(window.own_start, window.own_stop)]
    assert owned == list(range(len(lengths)))


@FAST
@given(covers())
def test_a_window_reads_what_it_owns_and_fits_the_encoder(cover: Cover) -> None:
    lengths, limit, _, found = cover
    for window in found:
        assert window.start <= window.own_start <= window.own_stop <= window.stop
        assert sum(lengths[window.start : window.stop]) <= limit


@FAST
@given(covers())
def test_the_owner_has_the_most_context(cover: Cover) -> None:
    lengths, _, _, found = cover

    def context(window: Window, word: int) -> float:
        left = word - window.start if window.start > 0 else float("inf")
        right = window.stop - 1 - word if window.stop < len(lengths) else float("inf")
        return min(left, right)

    for owner in found:
        for word in range(owner.own_start, owner.own_stop):
            readers = [window for window in found if window.start <= word < window.stop]
            assert context(owner, word) == max(context(reader, word) for reader in readers)


@FAST
@given(covers())
def test_neighbours_share_no_more_than_the_overlap(cover: Cover) -> None:
    lengths, _, overlap, found = cover
    for left, right in pairwise(found):
        assert sum(lengths[right.start : left.stop]) <= overlap


@FAST
@given(covers())
def test_no_window_is_read_for_nothing(cover: Cover) -> None:
    found = cover[-1]
    assert all(left.stop < right.stop for left, right in pairwise(found))
    assert all(window.own_start < window.own_stop for window in found)


@FAST
@given(st.integers(1, 60), st.integers(1, 12), st.data())
def test_words_of_one_piece_are_shared_to_the_full(
    count: int, limit: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, limit - 1))
    found = windows([1] * count, limit, overlap)
    assert all(left.stop - right.start == overlap for left, right in pairwise(found))


def test_a_text_that_fits_is_one_window() -> None:
    assert windows([2, 3, 1], 6, 2) == [Window(0, 3, 0, 3)]
    assert windows([], 6, 2) == []


@pytest.mark.parametrize(("limit", "overlap"), [(4, 4), (4, 5), (4, -1), (0, 0)])
def test_an_overlap_must_leave_room_to_move(limit: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= overlap < limit"):
        windows([1, 1], limit, overlap)


def test_a_word_wider_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="a word of 5 sub-words does not fit a window of 4"):
        windows([1, 5, 1], 4, 1)

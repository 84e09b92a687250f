"""Tags: three schemes, one meaning."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.errors import DataError
from convener.text.tags import Scheme, WordSpan, spans_from_tags, split_tag, tags_from_spans

FAST = settings(deadline=None, max_examples=120)
SCHEMES: tuple[Scheme, ...] = ("IOB1", "BIO", "BIOES")


@st.composite
def flat_spans(draw: st.DrawFn) -> tuple[int, list[WordSpan]]:
    position, spans = 0, []
    for gap, size, label in draw(
        st.lists(
            st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(["PER", "X-Y"])),
            max_size=6,
        )
    ):
        spans.append((position + gap, position + gap + size, label))
        position += gap + size
    return position + draw(st.integers(0, 2)), spans


tag_lists = st.lists(
    st.just("O") | st.builds("{}-{}".format, st.sampled_from("BIESLUM"), st.sampled_from("AB")),
    max_size=10,
)


@pytest.mark.parametrize("scheme", SCHEMES)
@FAST
@given(flat_spans())
def test_spans_survive_every_scheme(scheme: Scheme, case: tuple[int, list[WordSpan]]) -> None:
    length, spans = case
    tags = tags_from_spans(length, reversed(spans), scheme)
    assert len(tags) == length
    assert spans_from_tags(tags) == spans


@FAST
@given(tag_lists)
def test_no_tagged_word_is_lost_and_none_is_told_twice(tags: list[str]) -> None:
    labels = ["O"] * len(tags)
    for start, end, label in spans_from_tags(tags):
        assert labels[start:end] == ["O"] * (end - start)
        labels[start:end] = [label] * (end - start)
    assert labels == [split_tag(tag)[1] or "O" for tag in tags]


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("IOB1", "I-A I-A B-A I-B O I-A"),
        ("BIO", "B-A I-A B-A B-B O B-A"),
        ("BIOES", "B-A E-A S-A S-B O S-A"),
    ],
)
def test_each_scheme_has_its_own_way_to_begin(scheme: Scheme, expected: str) -> None:
    spans = [(0, 2, "A"), (2, 3, "A"), (3, 4, "B"), (5, 6, "A")]
    assert " ".join(tags_from_spans(6, spans, scheme)) == expected


@pytest.mark.parametrize("letters", ["BILOU", "BMEOS"])
@FAST
@given(flat_spans())
def test_other_letters_mean_the_same(letters: str, case: tuple[int, list[WordSpan]]) -> None:
    length, spans = case
    other = dict(zip("BIEOS", letters, strict=True))
    tags = [other[tag[0]] + tag[1:] for tag in tags_from_spans(length, spans, "BIOES")]
    assert spans_from_tags(tags) == spans


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-A", [(0, 1, "A")]),
        ("B-A I-B", [(0, 1, "A"), (1, 2, "B")]),
        ("B-A O I-A", [(0, 1, "A"), (2, 3, "A")]),
        ("E-A E-A", [(0, 1, "A"), (1, 2, "A")]),
        ("S-A I-A", [(0, 1, "A"), (1, 2, "A")]),
        ("B-A S-A", [(0, 1, "A"), (1, 2, "A")]),
    ],
)
def test_a_tag_that_continues_nothing_opens_a_span(tags: str, expected: list[WordSpan]) -> None:
    assert spans_from_tags(tags.split()) == expected


@pytest.mark.parametrize("tag", ["", "B", "B-", "-A", "A", "o", "b-A", "X-A", "B_A", "BI-A"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(DataError, match="expected a tag such as O, B-PER") as caught:
        spans_from_tags(["O", tag])
    assert repr(tag) in str(caught.value)


@pytest.mark.parametrize("span", [(-1, 1, "A"), (0, 4, "A"), (2, 2, "A"), (2, 1, "A")])
def test_spans_outside_the_words_are_refused(span: WordSpan) -> None:
    with pytest.raises(DataError, match="outside its 3 words"):
        tags_from_spans(3, [span])


@pytest.mark.parametrize("other", [(0, 3, "A"), (1, 2, "A"), (1, 3, "B"), (0, 2, "B")])
def test_tags_cannot_say_overlapping_spans(other: WordSpan) -> None:
    with pytest.raises(DataError, match="overlap"):
        tags_from_spans(3, [(0, 2, "A"), other])

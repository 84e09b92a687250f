"""Documents with words of their own teach a model to read raw text too."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from convener import Recogniser, train
from convener.recipes.run import mixed
from convener.recipes.run_config import SUPERVISED, RunConfig, override
from convener.text.documents import Document, Entity, Offsets

corpora = st.lists(
    st.sampled_from(
        [
            Document("in Rome.", (Entity(3, 7, "LOC"),), tokens=((0, 2), (3, 8)), group="a"),
            Document("in Oslo", (Entity(3, 7, "LOC"),), unknown=((0, 2),)),
            Document("tea", tokens=()),
        ]
    ),
    max_size=9,
)


@given(corpora)
def test_every_second_one_that_brings_words_loses_them_and_nothing_else(
    corpus: list[Document],
) -> None:
    after = mixed(corpus)
    assert [replace(d, tokens=None) for d in after] == [replace(d, tokens=None) for d in corpus]
    own = [d.tokens is not None for d in corpus]
    kept = [d.tokens is not None for d, before in zip(after, own, strict=True) if before]
    assert kept == [index % 2 == 0 for index in range(sum(own))]


def test_plain_training_mixes_and_the_papers_do_not(
    labelled: list[Document], run_config: Callable[..., RunConfig]
) -> None:
    assert (SUPERVISED.words, RunConfig().words) == ("mixed", "given")
    cut = [replace(d, tokens=blanks(d.text)) for d in labelled]
    quick = override(run_config(experts=1, self_training=False), {"bond.round_steps": 6})
    by_setting = train(cut, config=override(quick, {"words": "mixed"}))
    by_hand = train(mixed(cut), config=quick)
    as_given = train(cut, config=quick)
    texts = [Document(document.text) for document in labelled]

    def beliefs(model: Recogniser) -> list[list[list[float]]]:
        return [rows.tolist() for rows in model.panel.probabilities(texts)]

    assert beliefs(by_setting) == beliefs(by_hand) != beliefs(as_given)


def blanks(text: str) -> tuple[Offsets, ...]:
    """The stretches between blanks, two of them as one word at the end."""
    found, start = list[Offsets](), 0
    for word in text.split():
        begin = text.index(word, start)
        found.append((begin, begin + len(word)))
        start = begin + len(word)
    return (*found[:-2], (found[-2][0], found[-1][1]))

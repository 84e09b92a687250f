"""What the tagger promises: rows for words, states of labels, valid tags, long texts read whole."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convener.errors import ConfigError, DataError
from convener.models.tag_layout import TaggerConfig, best_path
from convener.models.tagger import Tagger
from convener.panel.panel import log_beliefs
from convener.text.documents import Document, Entity, WordIndex

MakeTagger = Callable[[int], Tagger]

TEXTS = ("Rome .", "We gave aspirin in New York today .", "Tea , then codeine")


def test_examples_cover_every_word_once(tagger: MakeTagger) -> None:
    expert = tagger(0)
    long = Document("aspirin in Rome today . " * 60)
    examples = expert.examples([Document("Rome ."), long])
    for number, document in enumerate([Document("Rome ."), long]):
        rows = [row for e in examples if e.document == number for row in range(e.start, e.stop)]
        assert rows == list(range(len(document.words())))
    assert max(map(len, examples)) <= expert.encoder.max_pieces + 2


def test_rows_do_not_depend_on_neighbours(tagger: MakeTagger) -> None:
    expert = tagger(0)
    documents = [Document(text) for text in TEXTS]
    together = log_beliefs(expert, expert.examples(documents), len(documents))
    for document, rows in zip(documents, together, strict=True):
        alone = log_beliefs(expert, expert.examples([document]), 1)[0]
        np.testing.assert_allclose(alone, rows, atol=1e-5)


def test_beliefs_are_log_probabilities(tagger: MakeTagger) -> None:
    expert = tagger(0)
    rows = log_beliefs(expert, expert.examples([Document("Rome and Oslo .")]), 1)[0]
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, rtol=1e-5)


def test_an_untrained_shape_embedding_changes_nothing(tagger: MakeTagger) -> None:
    expert = tagger(0)
    lower, upper = Document("rome in oslo"), Document("Rome IN Oslo")
    rows = [log_beliefs(expert, expert.examples([d]), 1)[0] for d in (lower, upper)]
    np.testing.assert_array_equal(rows[0], rows[1])
    with torch.no_grad():
        expert.encoder.shapes.weight.normal_()  # type: ignore[union-attr]
    rows = [log_beliefs(expert, expert.examples([d]), 1)[0] for d in (lower, upper)]
    assert np.abs(rows[0] - rows[1]).max() > 1e-3


def test_the_four_states_of_a_label(tagger: MakeTagger) -> None:
    document = Document(
        "Lima New York tea codeine",
        entities=(Entity(0, 4, "DRUG"), Entity(0, 4, "LOC"), Entity(5, 13, "LOC")),
        unknown=((14, 17),),
    )
    o, b_drug, b_loc, i_loc = 0, 1, 3, 4
    allowed = tagger(0).allowed(document)
    assert [set(np.flatnonzero(row)) for row in allowed] == [
        {b_drug, b_loc},
        {b_loc},
        {i_loc},
        {0, 1, 2, 3, 4},
        {o},
    ]


def test_a_label_inside_a_word_takes_the_word(tagger: MakeTagger) -> None:
    allowed = tagger(0).allowed(Document("aspirins help", (Entity(0, 7, "DRUG"),)))
    assert [row.argmax() for row in allowed] == [1, 0]


def test_a_label_is_said_by_the_rows_that_it_changes(tagger: MakeTagger) -> None:
    expert, document = tagger(0), Document("to New York now", (Entity(4, 9, "LOC"),))
    changed = np.flatnonzero(~expert.allowed(document)[:, 0]).tolist()
    words = WordIndex(document).words(document.entities[0].span)
    assert expert.layout.said_by(*words, "LOC") == changed == [1, 2]


def test_an_unknown_label_is_refused(tagger: MakeTagger) -> None:
    with pytest.raises(DataError, match=r"unknown label 'PER'.*DRUG, LOC"):
        tagger(0).allowed(Document("Ada", (Entity(0, 3, "PER"),)))


def test_overlapping_entities_are_refused(tagger: MakeTagger) -> None:
    nested = (Entity(0, 8, "LOC"), Entity(4, 8, "LOC"))
    with pytest.raises(DataError, match="flat entities only"):
        tagger(0).allowed(Document("New York", nested))


def test_no_labels_is_refused(tagger: MakeTagger) -> None:
    encoder = tagger(0).encoder
    with pytest.raises(ConfigError, match="at least one entity type"):
        Tagger(encoder, (), TaggerConfig())


def valid(path: tuple[int, ...]) -> bool:
    """Whether each I- (even, above 0) follows its own B- or I-."""
    before = (0, *path[:-1])
    return all(t == 0 or t % 2 or b in (t, t - 1) for b, t in zip(before, path, strict=True))


@given(st.integers(1, 4), st.randoms(use_true_random=False))
def test_best_path_is_the_best_valid_one(words: int, random: object) -> None:
    draw = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    rows = draw.dirichlet(np.full(5, 0.5), size=words).astype(np.float32)
    scores = np.log(np.maximum(rows, 1e-12))
    paths = [path for path in itertools.product(range(5), repeat=words) if valid(path)]
    best = max(sum(scores[w, t] for w, t in enumerate(path)) for path in paths)
    found = tuple(best_path(rows).tolist())
    assert valid(found)
    assert sum(scores[w, t] for w, t in enumerate(found)) == pytest.approx(best)


def test_decoded_entities_keep_the_offset_law(tagger: MakeTagger) -> None:
    document = Document("é́ New 🙂 York.")
    expert = tagger(0)
    rows = np.full((len(document.words()), 5), 0.05, dtype=np.float32)
    rows[[1, 2, 3], [3, 4, 4]] = 0.8
    (entity,) = expert.decode(document, rows)
    assert document.surface(entity) == "New 🙂 York"
    assert entity.label == "LOC"
    assert entity.score == pytest.approx(0.8)


def test_clones_share_what_does_not_learn(tagger: MakeTagger) -> None:
    expert = tagger(0)
    expert.encoder.model.get_input_embeddings().requires_grad_(False)
    clone = expert.clone()
    embeddings = [e.encoder.model.get_input_embeddings().weight for e in (expert, clone)]
    assert embeddings[0] is embeddings[1]
    with torch.no_grad():
        clone.head.weight.add_(1)
    assert not torch.equal(expert.head.weight, clone.head.weight)

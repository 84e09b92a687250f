"""Domains and questions compared by what they mean."""

import numpy as np
import pytest

from convener.errors import DataError
from convener.models.questions import questions_for
from convener.models.sentences import LIMIT, domain, embedded, kindred

WANTED = questions_for(["politician", "country", "protein", "song", "election"])


def test_types_are_known_by_other_names() -> None:
    known = {
        "news": questions_for(["PER", "LOC", "ORG", "MISC"]),
        "clinic": questions_for(["Disease"]),
        "genes": questions_for(["GENE"]),
        "films": questions_for(["song", "title"]),
    }
    found = kindred(WANTED, known)
    assert {"politician", "country"} <= found["news"]
    assert "protein" not in found["news"]
    assert found["clinic"] == frozenset()
    assert found["genes"] == {"protein"}
    assert "song" in found["films"]


def test_a_type_is_known_by_its_name_whatever_is_asked() -> None:
    assert kindred({"X": "Which words name a river?"}, {"one": {"X": "Wer?"}}) == {
        "one": frozenset({"X"})
    }
    assert kindred({"X": "a"}, {}) == {}
    assert kindred({}, {"one": {}}) == {"one": frozenset()}


def test_a_domain_is_the_mean_of_its_sentences() -> None:
    texts = ["The river is wide.", "", "Rome lies on a river."]
    mean, spread, count = domain(texts)
    vectors = embedded([texts[0], texts[2]])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(mean, vectors.mean(axis=0), atol=1e-6)
    assert 0 < spread < 1
    assert count == 2
    with pytest.raises(DataError, match="expected sentences"):
        domain(["", "  "])


def test_a_long_text_is_read_whole() -> None:
    river, money = "The river is wide. " * 30, "Banks raise their interest rates. " * 50
    both, one = domain([river + money]), domain([river])
    assert (one[2], both[2]) == (1, 3)
    assert both[0] @ embedded([money])[0] > one[0] @ embedded([money])[0] + 0.1


def test_large_domains_are_sampled_alike_for_a_seed() -> None:
    texts = [f"Sentence number {index}." for index in range(LIMIT + 40)]
    first, second = domain(texts, 3), domain(texts, 3)
    assert first[2] == LIMIT
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.array_equal(first[0], domain(texts, 4)[0])

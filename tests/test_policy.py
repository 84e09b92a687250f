"""What the entries of a dictionary match by default, and how to ask for more."""

import re

import pytest

from convener.dictionary import Entry, Gazetteer
from convener.dictionary.entries import Case
from convener.dictionary.normal import SEPARATOR
from convener.dictionary.variants import variants


def found(gazetteer: Gazetteer, text: str) -> list[str]:
    return [text[match.start : match.end] for match in gazetteer.matches(text)]


@pytest.mark.parametrize(
    ("name", "case", "text", "expected"),
    [
        ("US", "smart", "US | us | Us", "US"),
        ("IT", "smart", "IT | it | It", "IT"),
        ("May", "smart", "May | may | MAY", "May"),
        ("Will", "smart", "Will | will | WILL", "Will"),
        ("Apple", "smart", "Apple | apple | APPLE", "Apple | APPLE"),
        ("NASA", "smart", "NASA | Nasa | nasa", "NASA"),
        ("apple", "smart", "Apple | apple | APPLE", "Apple | apple | APPLE"),
        ("The Who", "smart", "The Who | the who", "The Who"),
        ("New York", "smart", "New York | new york | NEW YORK", "New York | new york | NEW YORK"),
        ("can", "smart", "can | Can | CAN", ""),
        ("can", "exact", "can | Can | CAN", "can"),
        ("can", "ignore", "can | Can | CAN", "can | Can | CAN"),
        ("it is", "smart", "it is | It is", ""),
        ("A", "smart", "A | a", ""),
        ("A", "exact", "A | a", "A"),
        ("京", "smart", "京", ""),
        ("1984", "smart", "1984", ""),
        ("1984", "ignore", "1984", "1984"),
        ("24/7", "smart", "24/7", ""),
        ("+++", "smart", "+++", ""),
        ("C++", "smart", "C++", "C++"),
        ("A4", "smart", "A4 | a4", "A4"),
        ("👩\u200d💻", "smart", "👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_case_and_doubt(name: str, case: Case, text: str, expected: str) -> None:
    gazetteer = Gazetteer([Entry(name, "X", case=case)])
    assert found(gazetteer, text) == re.split(" \\| ", expected) * bool(expected)
    assert len(gazetteer.left_out) == (not expected)


def test_names_left_out_are_listed_with_the_reason() -> None:
    gazetteer = Gazetteer([Entry("can", "X"), Entry("?", "X"), Entry("12", "X"), Entry("ox", "X")])
    assert gazetteer.left_out == [
        "'can' is a common word in lower case",
        "'?' is a name of one character",
        "'12' is a name of digits or punctuation alone",
    ]
    assert [entry.surface for entry in gazetteer] == ["ox"]


def test_the_higher_priority_wins_and_equals_stay_ambiguous() -> None:
    listed = [
        Entry("Jordan", "PER"),
        Entry("Jordan", "LOC", priority=2),
        Entry("Jordan", "ORG", priority=2),
        Entry("Petra", "LOC"),
        Entry("Petra", "PER", priority=1),
    ]
    for entries in (listed, listed[::-1]):
        gazetteer = Gazetteer(entries)
        labels = [match.labels for match in gazetteer.matches("Jordan Petra")]
        assert labels == [("LOC", "ORG"), ("PER",)]
        assert gazetteer.ambiguous == {"Jordan": ("LOC", "ORG")}


def test_only_entries_of_the_right_case_have_a_say() -> None:
    listed = [Entry("IT", "ORG", case="exact", priority=5), Entry("it", "X", case="ignore")]
    assert [m.labels for m in Gazetteer(listed).matches("IT it")] == [("ORG",), ("X",)]


def test_stopped_names_never_match() -> None:
    listed = [Entry("New York", "LOC"), Entry("york", "LOC"), Entry("Lima", "LOC")]
    gazetteer = Gazetteer(listed, stop=["new  york", "LIMA", "unlisted"])
    assert found(gazetteer, "New York or Lima") == ["York"]
    assert ("Lima" in gazetteer, len(gazetteer), list(gazetteer)) == (False, 1, [listed[1]])


@pytest.mark.parametrize(
    ("name", "text", "plain", "possessive", "plural"),
    [
        ("aspirin", "aspirin's", "aspirin", "aspirin", "aspirin"),
        ("aspirin", "aspirins", "", "", "aspirins"),
        ("Alzheimer disease", "Alzheimer's disease", "", "Alzheimer's disease", ""),
        ("Alzheimer disease", "Alzheimer’s disease", "", "Alzheimer’s disease", ""),
        ("Alzheimer's disease", "Alzheimer disease", "", "Alzheimer disease", ""),
        ("McDonald's", "McDonald", "", "McDonald", ""),
        ("McDonald's", "McDonald's", "McDonald's", "McDonald's", "McDonald's"),
        ("beta blocker", "Beta blockers", "", "", "Beta blockers"),
        ("allergy", "allergies", "", "", "allergies"),
        ("toy", "toys", "", "", "toys"),
        ("virus", "viruses", "", "", "viruses"),
        ("MRI", "MRIs", "", "", "MRIs"),
        ("Apple", "apples", "", "", ""),
        ("C++", "C++s", "C++", "C++", "C++"),
    ],
)
def test_possessives_and_plurals_are_for_the_asking(
    name: str, text: str, plain: str, possessive: str, plural: str
) -> None:
    entries = [Entry(name, "X")]
    assert "".join(found(Gazetteer(entries), text)) == plain
    assert "".join(found(Gazetteer(entries, possessives=True), text)) == possessive
    assert "".join(found(Gazetteer(entries, plurals=True), text)) == plural
    (entry,) = Gazetteer(entries, possessives=True, plurals=True)
    assert entry == entries[0]


def test_both_variants_go_together() -> None:
    gazetteer = Gazetteer([Entry("Crohn disease", "ILL")], possessives=True, plurals=True)
    assert found(gazetteer, "Crohn's diseases") == ["Crohn's diseases"]


def test_a_listed_plural_keeps_its_own_entry() -> None:
    listed = [Entry("apple", "X", "1"), Entry("apples", "X", "2")]
    for entries in (listed, listed[::-1]):
        gazetteer = Gazetteer(entries, plurals=True)
        (match,) = gazetteer.matches("apples")
        assert match.entries[0].id == "2"
        assert (len(gazetteer), gazetteer.duplicates) == (2, 0)


def test_variants_never_repeat_the_name() -> None:
    for name in ("a", "12", "x+", "s", f"a{SEPARATOR}'{SEPARATOR}s", "Alzheimer"):
        assert name not in variants(name, True, True)

"""Vocabularies as they are published: names out, reasons for what is left out."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from convener.dictionary.gazetteer import Entry, Gazetteer
from convener.dictionary.thesauri import owl, skos
from convener.dictionary.vocabularies import obo, umls, wikidata
from convener.errors import ConfigError, ConvenerError, DataError

Reader = Callable[[Path, list[DataError]], Iterable[Entry]]


def triples(entries: Iterable[Entry]) -> list[tuple[str, str, str | None]]:
    return [(entry.surface, entry.label, entry.id) for entry in entries]


def put(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


# Wikidata

WIKIDATA = "http://www.wikidata.org/entity/"
CSV = f"""item,itemLabel,altLabel
{WIKIDATA}Q1,Ada King,Ada Lovelace
{WIKIDATA}Q1,Ada King,"King, Ada"
{WIKIDATA}Q2,Q2,
{WIKIDATA}Q3,Q3,Third
nowhere,Nobody,
"""
NAMES = [("Ada King", "PER", "Q1"), ("Ada Lovelace", "PER", "Q1"), ("King, Ada", "PER", "Q1")]


def test_a_table_of_wikidata(tmp_path: Path) -> None:
    refused: list[DataError] = []
    path = put(tmp_path / "query.csv", CSV)
    assert triples(wikidata(path, "PER", refused.append)) == [*NAMES, ("Third", "PER", "Q3")]
    assert list(map(str, refused)) == [
        f"{path}:4: Q2 has no label in the language of the query",
        f"{path}:6: expected an item, got 'nowhere'",
    ]


def test_a_table_with_tabs_and_question_marks(tmp_path: Path) -> None:
    path = put(tmp_path / "query.tsv", "?item\t?itemLabel\nwd:Q9\tx\nQ9\tNine\n")
    refused: list[DataError] = []
    assert triples(wikidata(path, "X", refused.append)) == [("Nine", "X", "Q9")]
    assert len(refused) == 1


def test_a_quote_that_is_never_closed_costs_its_row_alone(tmp_path: Path) -> None:
    path = put(tmp_path / "query.csv", 'item,itemLabel\nQ1,"Heroes\nQ2,Paris\n\nQ3,Rome\n')
    refused: list[DataError] = []
    assert [name for name, _, _ in triples(wikidata(path, "X", refused.append))] == [
        "Paris",
        "Rome",
    ]
    assert "query.csv:2: the table cannot be read" in str(refused[0])


def test_all_forms_of_json_say_the_same(tmp_path: Path) -> None:
    rows = [
        {"item": f"{WIKIDATA}Q1", "itemLabel": "Ada King", "altLabel": "Ada Lovelace"},
        {"item": f"{WIKIDATA}Q2", "itemLabel": "Q2"},
        {"item": f"{WIKIDATA}Q3", "itemLabel": "Bo", "itemAltLabel": "Bobo, B"},
        7,
    ]
    verbose = [
        {name: {"type": "literal", "value": value} for name, value in row.items()}
        if isinstance(row, dict)
        else row
        for row in rows
    ]
    for content in (rows, verbose, {"head": {}, "results": {"bindings": verbose}}):
        path = put(tmp_path / "query.json", json.dumps(content))
        refused: list[DataError] = []
        assert triples(wikidata(path, "PER", refused.append)) == [
            *NAMES[:2],
            ("Bo", "PER", "Q3"),
            ("Bobo", "PER", "Q3"),
            ("B", "PER", "Q3"),
        ]
        assert [str(error).split(": ", 1)[1] for error in refused] == [
            "result 2: Q2 has no label in the language of the query",
            "result 4: expected an item, got ''",
        ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.csv",
            "surface,label\n",
            "expected the columns item, itemLabel and maybe altLabel, got",
        ),
        ("a.csv", "", "got none: name the variables"),
        ("a.json", "{", "expected JSON, got broken JSON"),
        ("a.json", "{}", "expected the result of a query in JSON"),
        ("a.json", "[]", "expected the columns item"),
    ],
)
def test_what_is_no_result_of_a_query(
    tmp_path: Path, name: str, content: str, expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        list(wikidata(put(tmp_path / name, content), "X", [].append))


# OBO

OBO = r"""format-version: 1.2

[Term]
id: X:1
name: heart attack ! comment
synonym: "myocardial \"infarct\"" EXACT [] {note="x"}
synonym: "cardiac event" BROAD []
synonym: broken
xref: Y:1

[Term]
id: X:2
name: old
is_obsolete: true

[Term]
name: nameless

[Typedef]
id: part_of
name: part of

[Term]
id: X:3
name: curly \{brace\} \! yes
synonym: "stop ! now {1}" EXACT [] ! said
"""


def test_terms_of_an_ontology(tmp_path: Path) -> None:
    path, refused = put(tmp_path / "x.obo", OBO), list[DataError]()
    assert triples(obo(path, "DIS", refused.append)) == [
        ("heart attack", "DIS", "X:1"),
        ('myocardial "infarct"', "DIS", "X:1"),
        ("curly {brace} ! yes", "DIS", "X:3"),
        ("stop ! now {1}", "DIS", "X:3"),
    ]
    assert [str(error) for error in refused] == [
        f'{path}:8: expected a synonym such as "text" EXACT [], got broken',
        f"{path}:16: expected a term with an id and a name",
    ]


def test_scopes_are_chosen(tmp_path: Path) -> None:
    path = put(tmp_path / "x.obo", OBO)
    found = triples(obo(path, "DIS", [].append, scopes=("BROAD",)))
    assert [name for name, _, id_ in found if id_ == "X:1"] == ["heart attack", "cardiac event"]


def test_a_file_without_terms(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found no \[Term\]"):
        list(obo(put(tmp_path / "x.obo", "hello\n"), "DIS", [].append))


# UMLS


def concept(id_: str, name: str, language: str = "ENG", suppressed: str = "N") -> str:
    cells = [""] * 18
    cells[0], cells[1], cells[14], cells[16] = id_, language, name, suppressed
    return "|".join(cells) + "|\n"


@pytest.fixture
def metathesaurus(tmp_path: Path) -> Path:
    rows = [
        concept("C1", "Angina"),
        concept("C1", "Angina"),
        concept("C1", "Angine", "FRE"),
        concept("C1", "Old angina", suppressed="O"),
        concept("C2", "Aspirin"),
        concept("C3", "Untyped"),
        concept("C2", " "),
        "C4|ENG\n",
    ]
    put(tmp_path / "MRCONSO.RRF", "".join(rows))
    types = ["C1|T047|B|Disease or Syndrome|A||", "C2|T121|A|Pharmacologic Substance|A||"]
    types.append("C2|T109|A|Organic Chemical|A||")
    put(tmp_path / "MRSTY.RRF", "\n".join(types) + "\n")
    return tmp_path


def test_concepts_of_all_types(metathesaurus: Path) -> None:
    refused: list[DataError] = []
    assert triples(umls(metathesaurus, refused.append)) == [
        ("Angina", "Disease or Syndrome", "C1"),
        ("Aspirin", "Pharmacologic Substance", "C2"),
        ("Aspirin", "Organic Chemical", "C2"),
    ]
    assert [str(error).split("CONSO.RRF:")[1] for error in refused] == [
        "6: concept 'C3' has no semantic type in MRSTY.RRF",
        "7: concept 'C2' has an empty name",
        "8: expected 18 columns, got 2",
    ]


def test_concepts_of_some_types_and_another_language(metathesaurus: Path) -> None:
    labels = {"T121": "DRUG", "Organic Chemical": "DRUG"}
    assert triples(umls(metathesaurus, [].append, labels)) == [("Aspirin", "DRUG", "C2")]
    labels = {"T047": "DIS"}
    assert triples(umls(metathesaurus, [].append, labels, "FRE")) == [("Angine", "DIS", "C1")]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"MRSTY.RRF: no such file"):
        list(umls(tmp_path, [].append))


# RDF

SKOS = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
<http://x/2> a skos:Concept ; skos:prefLabel "Chat"@fr .
<http://x/1> a skos:Concept ; skos:prefLabel "cat"@en, "Katze"@de ;
    skos:altLabel "house  cat"@en-GB, "Felis catus" ; skos:hiddenLabel "kat"@en, "cat"@en .
<http://x/3> a skos:ConceptScheme ; skos:prefLabel "Thesaurus of animals"@en .
<http://x/4> a skos:Collection ; skos:prefLabel "by habitat"@en .
<http://x/5> a skos:Concept ; skos:prefLabel "old dog"@en ;
    <http://www.w3.org/2002/07/owl#deprecated> true .
"""
OWL = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:owl="http://www.w3.org/2002/07/owl#"
  xmlns:o="http://www.geneontology.org/formats/oboInOwl#">
<owl:Class rdf:about="http://purl/X_1"><rdfs:label>heart attack</rdfs:label>
  <o:hasExactSynonym>infarct</o:hasExactSynonym><o:hasBroadSynonym>event</o:hasBroadSynonym>
</owl:Class>
<owl:Class rdf:about="http://purl/X_2"><rdfs:label>old</rdfs:label>
  <owl:deprecated rdf:datatype="http://www.w3.org/2001/XMLSchema#boolean">true</owl:deprecated>
</owl:Class>
<owl:Class rdf:about="http://purl/X_3"/>
</rdf:RDF>
"""


@pytest.fixture
def rdf() -> None:
    pytest.importorskip("rdflib", reason="the extra vocabularies is not installed")


@pytest.mark.usefixtures("rdf")
def test_concepts_of_a_thesaurus(tmp_path: Path) -> None:
    path, refused = put(tmp_path / "x.ttl", SKOS), list[DataError]()
    assert triples(skos(path, "ANIMAL", refused.append)) == [
        ("cat", "ANIMAL", "http://x/1"),
        ("Felis catus", "ANIMAL", "http://x/1"),
        ("house cat", "ANIMAL", "http://x/1"),
        ("kat", "ANIMAL", "http://x/1"),
    ]
    assert list(map(str, refused)) == [f"{path}: http://x/2 has no label in language 'en'"]
    assert [n for n, _, _ in triples(skos(path, "A", [].append, "fr"))] == ["Felis catus", "Chat"]
    assert len(triples(skos(path, "A", [].append, None))) == 6


@pytest.mark.usefixtures("rdf")
def test_classes_of_an_ontology(tmp_path: Path) -> None:
    path, refused = put(tmp_path / "x.owl", OWL), list[DataError]()
    assert triples(owl(path, "DIS", refused.append)) == [
        ("heart attack", "DIS", "X:1"),
        ("infarct", "DIS", "X:1"),
    ]
    assert list(map(str, refused)) == [f"{path}: http://purl/X_3 has no label in language 'en'"]
    wide = triples(owl(path, "DIS", [].append, ("EXACT", "BROAD")))
    assert [name for name, _, _ in wide] == ["heart attack", "infarct", "event"]


@pytest.mark.usefixtures("rdf")
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.ttl", "<a", "x.ttl: expected RDF as turtle"),
        ("x.ttl", "", "found no concept with a label"),
        ("x.jsonld", "{}", "expected an RDF file"),
        ("x.owl", "<a/>", "expected"),
    ],
)
def test_what_is_no_thesaurus(tmp_path: Path, name: str, content: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected) as caught:
        list((owl if name == "x.owl" else skos)(put(tmp_path / name, content), "X", [].append))
    assert "\n" not in str(caught.value)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdflib", None)
    with pytest.raises(ConfigError, match=r"pip install 'convener\[vocabularies\]'"):
        list(skos(tmp_path / "x.ttl", "X", [].append))


# all of them


def all_readers(folder: Path) -> Iterator[Iterable[Entry]]:
    yield wikidata(put(folder / "q.csv", CSV), "X", [].append)
    yield obo(put(folder / "x.obo", OBO), "X", [].append)
    yield umls(folder, [].append)


def test_entries_make_a_gazetteer(metathesaurus: Path) -> None:
    for entries in all_readers(metathesaurus):
        assert len(Gazetteer(entries)) > 0


def test_streams_begin_before_the_file_is_read(tmp_path: Path) -> None:
    good = "\n".join(f"[Term]\nid: X:{n}\nname: n{n}\n" for n in range(3))
    path = tmp_path / "x.obo"
    path.write_bytes(good.encode() + b"\n[Term]\nname: \xff\n")
    entries = iter(obo(path, "X", [].append))
    assert next(entries).surface == "n0"
    with pytest.raises(ConvenerError, match="expected UTF-8 text"):
        list(entries)

"""The gazetteer: longest names on word boundaries, case as each entry reads it."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.dictionary.gazetteer import Case, Entry, Gazetteer
from convener.dictionary.sources import unread_columns
from convener.errors import ConfigError, DataError
from convener.text.tokens import words

FAST = settings(deadline=None, max_examples=150)
VOCABULARY = ("nile", "Nile", "NILE", "us", "US")
Found = list[tuple[int, int, tuple[str, ...]]]

entries = st.builds(
    Entry,
    st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=3).map(" ".join),
    st.sampled_from(["A", "B"]),
    case=st.sampled_from(["smart", "exact", "ignore"]),
)
texts = st.lists(
    st.tuples(st.sampled_from(VOCABULARY), st.sampled_from([" ", " ", "  ", "\n", "-"])),
    min_size=3,
    max_size=12,
).map(lambda pairs: "".join(word + gap for word, gap in pairs))


def reads(entry: Entry, surface: str) -> bool:
    name, seen = entry.surface.split(), surface.split()
    if [w.casefold() for w in name] != [w.casefold() for w in seen]:
        return False
    if entry.case == "smart" and set(name) == {"us"}:
        return False
    if entry.case == "ignore" or name == seen:
        return True
    if entry.case == "exact" or {word.lower() for word in name} == {"us"}:
        return False
    return len(name) > 1 or name[0].islower() or (seen[0].isupper() and len(seen[0]) > 3)


def brute_force(listed: list[Entry], text: str) -> Found:
    found: Found = []
    offsets = words(text)
    position = 0
    while position < len(offsets):
        for stop in range(len(offsets), position, -1):
            start, end = offsets[position][0], offsets[stop - 1][1]
            labels = {entry.label for entry in listed if reads(entry, text[start:end])}
            if labels:
                found.append((start, end, tuple(sorted(labels))))
                position = stop
                break
        else:
            position += 1
    return found


def names(listed: list[Entry], text: str) -> list[str]:
    return [text[m.start : m.end] for m in Gazetteer(listed).matches(text)]


@FAST
@given(st.lists(entries, min_size=3, max_size=8), texts)
def test_matches_are_the_longest_names_from_left_to_right(listed: list[Entry], text: str) -> None:
    matches = Gazetteer(listed).matches(text)
    assert [(m.start, m.end, m.labels) for m in matches] == brute_force(listed, text)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("art", "party art, start", ["art"]),
        ("aspirin", "aspirin's (Aspirin)", ["aspirin", "Aspirin"]),
        ("cafe", "cafe\u0301 cafe", ["cafe"]),
        ("folic acid", "folic\u00a0 acid; folic\nacid", ["folic\u00a0 acid", "folic\nacid"]),
        ("A&B", "A&B or a & b", ["A&B", "a & b"]),
        ("Straße", "STRASSE", ["STRASSE"]),
        ("東京", "在東京都", ["東京"]),
        ("👩\u200d💻", "a 👩\u200d💻!", ["👩\u200d💻"]),
    ],
)
def test_names_stand_on_word_boundaries(name: str, text: str, found: list[str]) -> None:
    assert names([Entry(name, "X")], text) == found


@pytest.mark.parametrize(
    ("name", "case", "found"),
    [
        ("nile", "smart", "nile Nile NILE"),
        ("Nile", "smart", "Nile NILE"),
        ("NILE", "smart", "NILE"),
        ("Ray", "smart", "Ray"),
        ("Nile", "exact", "Nile"),
        ("nile", "exact", "nile"),
        ("NILE", "ignore", "nile Nile NILE"),
    ],
)
def test_case_is_read_as_the_entry_says(name: str, case: Case, found: str) -> None:
    text = "nile Nile NILE ray Ray RAY"
    assert names([Entry(name, "X", case=case)], text) == found.split()


def test_names_of_several_types_are_ambiguous() -> None:
    listed = [Entry("Jordan", "PER", "p1"), Entry("jordan", "LOC"), Entry("Petra", "LOC")]
    gazetteer = Gazetteer(listed)
    assert [m.labels for m in gazetteer.matches("Jordan, jordan, Petra")] == [
        ("LOC", "PER"),
        ("LOC",),
        ("LOC",),
    ]
    assert gazetteer.ambiguous == {"Jordan": ("LOC", "PER")}
    assert gazetteer.labels == ("LOC", "PER")


def test_repeated_names_are_counted_not_kept() -> None:
    gazetteer = Gazetteer([Entry("Rome", "LOC", "q1"), Entry("Rome", "LOC"), Entry("Rome", "ORG")])
    assert (gazetteer.duplicates, len(gazetteer)) == (1, 2)
    assert next(gazetteer.matches("Rome")).entries[0].id == "q1"


@pytest.mark.parametrize("case", ["smart", "exact"])
def test_names_that_differ_in_case_are_no_duplicates(case: Case) -> None:
    listed = [Entry("Aspirin", "DRUG", case=case), Entry("aspirin", "DRUG", case=case)]
    assert names(listed, "aspirin Aspirin") == ["aspirin", "Aspirin"]
    assert names(listed[::-1], "aspirin Aspirin") == ["aspirin", "Aspirin"]


def test_a_name_is_listed_whatever_its_case_and_spacing() -> None:
    gazetteer = Gazetteer([Entry("Folic Acid", "DRUG")])
    assert "folic  ACID" in gazetteer
    assert "folic" not in gazetteer
    assert 5 not in gazetteer


@pytest.mark.parametrize("entry", [Entry("", "X"), Entry(" \t", "X"), Entry("a", "")])
def test_an_entry_needs_a_name_and_a_label(entry: Entry) -> None:
    with pytest.raises(DataError, match=r"expected a name|has no label"):
        Gazetteer([entry])


def load(folder: Path, name: str, content: str, label: str | None = None) -> Gazetteer:
    (folder / name).write_bytes(content.encode())
    return Gazetteer.from_file(folder / name, label)


SOURCES = {
    "plain.csv": 'aspirin,DRUG,d1,ignore\n"Smith, ""Jo""",PER\n',
    "header.csv": "\ufeffLabel, Surface ,case,id\r\nDRUG,aspirin,ignore,d1\r\n"
    'PER,"Smith, ""Jo""",,\r\n',
    "others.csv": 'id,Name,Type,case\nd1,aspirin,DRUG,ignore\n,"Smith, ""Jo""",PER,\n',
    "terms.tsv": 'class\tterm\tcase\tid\nDRUG\taspirin\tignore\td1\nPER\t"Smith, ""Jo"""\n',
    "blank.csv": '\n\nsurface,label,id,case\n\naspirin,DRUG,d1,ignore\n"Smith, ""Jo""",PER\n',
    "plain.tsv": 'aspirin\tDRUG\td1\tignore\n"Smith, ""Jo"""\tPER\n',
    "lines.jsonl": '{"surface": "aspirin", "label": "DRUG", "id": "d1", "case": "ignore"}\n\n'
    '{"surface": "Smith, \\"Jo\\"", "label": "PER", "id": null, "note": 1}\n',
}


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_says_the_same(tmp_path: Path, name: str) -> None:
    gazetteer = load(tmp_path, name, SOURCES[name])
    assert list(gazetteer) == [
        Entry("aspirin", "DRUG", "d1", "ignore"),
        Entry('Smith, "Jo"', "PER"),
    ]
    assert gazetteer.unusable == []


def test_a_list_of_names_takes_its_label_from_the_caller(tmp_path: Path) -> None:
    gazetteer = load(tmp_path, "names.txt", "Oslo\n\n Lima, Peru \n", "LOC")
    assert names(list(gazetteer), "Oslo - Lima, Peru") == [
        "Oslo",
        "Lima, Peru",
    ]
    assert gazetteer.labels == ("LOC",)


def test_label_and_case_of_the_caller_serve_rows_that_give_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Oslo,, ,\nLima, , , \nZed,PER,,smart\n")
    gazetteer = Gazetteer.from_csv(path, label="LOC", case="ignore")
    assert gazetteer.unusable == []
    assert {e.surface: (e.label, e.case) for e in gazetteer} == {
        "Oslo": ("LOC", "ignore"),
        "Lima": ("LOC", "ignore"),
        "Zed": ("PER", "smart"),
    }


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("name,id", "aspirin,1191\ncodeine,2670\n"),
        ("Term,RxCUI", "aspirin,1191\ncodeine,2670\n"),
        ("name", "aspirin,\ncodeine\n"),
    ],
)
def test_a_column_of_names_makes_a_header(tmp_path: Path, header: str, rows: str) -> None:
    gazetteer = load(tmp_path, "a.csv", f"{header}\n{rows}", "DRUG")
    assert {(e.surface, e.label) for e in gazetteer} == {("aspirin", "DRUG"), ("codeine", "DRUG")}


def test_a_name_with_a_comma_and_no_quotes_is_refused(tmp_path: Path) -> None:
    text = "surface,label\nOslo,LOC,\nWashington, D.C.,LOC\n"
    with pytest.raises(DataError, match=r"a\.csv:3: expected 2 columns, got 3: put quotes around"):
        load(tmp_path, "a.csv", text)
    quoted = load(tmp_path, "a.csv", text.replace("Washington, D.C.", '"Washington, D.C."'))
    assert {(e.surface, e.label) for e in quoted} == {("Oslo", "LOC"), ("Washington, D.C.", "LOC")}


@pytest.mark.parametrize("order", [1, -1])
def test_of_repeated_rows_the_highest_priority_counts(order: int) -> None:
    entries = [Entry("Jordans", label, priority=n) for label, n in (("P", 0), ("L", 1), ("P", 5))]
    gazetteer = Gazetteer(entries[::order], possessives=True)
    found = list(gazetteer.matches("Jordans and Jordans's"))
    assert [match.labels for match in found] == [("P",), ("P",)]
    assert (len(gazetteer), gazetteer.duplicates) == (2, 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CO2", "CO₂"),
        ("aspirin", "as\u00adpi\u00adrin"),
        ("as\u00adpirin", "aspirin"),
        ("aspirin", "aspirin\ufe0f"),
        ("ガス", "ｶﾞｽ"),
        ("café", "cafe\u0301"),
        ("fin", "ﬁn"),
        ("\u00ad", "\u00ad"),
    ],
)
def test_names_are_the_same_however_they_are_encoded(name: str, text: str) -> None:
    gazetteer = Gazetteer([Entry(name, "X", case="ignore")])
    (found,) = gazetteer.matches(f"a {text} b")
    assert (found.start, found.end) == (2, 2 + len(text))


def test_a_footnote_is_no_part_of_a_name() -> None:
    (found,) = Gazetteer([Entry("Smith", "PER")]).matches("Smith² and others")
    assert (found.start, found.end) == (0, 5)


def test_what_follows_a_first_word_without_spaces_is_read_in_time() -> None:
    gazetteer = Gazetteer([Entry("new york", "LOC"), Entry("new , a", "X")])
    start = time.process_time()
    found = list(gazetteer.matches("new ,a," + "a," * 80_000))
    assert [(match.end, match.labels) for match in found] == [(6, ("X",))]
    assert time.process_time() - start < 5


def test_ids_are_not_taken_for_types(tmp_path: Path) -> None:
    rows = "".join(f"drug{i},{1000 + i}\n" for i in range(30))
    with pytest.raises(DataError, match="got 31 different ones in 31 rows, such as '1000': name"):
        load(tmp_path, "ids.csv", f"drug,RxCUI\n{rows}", "DRUG")
    assert load(tmp_path, "named.csv", f"surface,RxCUI\n{rows}", "DRUG").labels == ("DRUG",)
    few = "".join(f"drug{i},B{i:02}AA\n" for i in range(8))
    with pytest.raises(DataError, match="got 9 different ones in 9 rows"):
        load(tmp_path, "few.csv", f"Medication,ATC\n{few}", "DRUG")
    types = "".join(f"name{i},TYPE{i % 30}\n" for i in range(60))
    assert len(load(tmp_path, "types.csv", types).labels) == 30


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("Drug,Class,Code\naspirin,ANALGESIC,B01\n", "no column 'surface'"),
        (
            "name;type\naspirin;DRUG\n",
            "expected columns apart by ',', got ';' in 'name;type'",
        ),
        ("aspirin\tDRUG\n", r"got '\\t' in"),
    ],
)
def test_a_table_of_other_columns_is_refused(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        load(tmp_path, "a.csv", content)


def test_columns_that_are_not_read_are_known(tmp_path: Path) -> None:
    def unread(name: str, content: str) -> list[str]:
        (tmp_path / name).write_text(content)
        return unread_columns(tmp_path / name)

    assert unread("a.csv", "Name,Type,Code,Synonyms,\naspirin,DRUG,B01,ASA\n") == [
        "Code",
        "Synonyms",
    ]
    assert unread("a.tsv", "term\tclass\tid\ncodeine\tDRUG\t7\n") == []
    assert unread("b.csv", "aspirin,DRUG,B01\n") == unread("c.csv", "") == []
    assert unread("d.txt", "name,note\n") == []
    assert unread("e.csv", ",,\nname,type,code\naspirin,DRUG,B01\n") == ["code"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "name,label\nOslo,LOC\n"),
        ("a.csv", "id,Term,class\n7,Oslo,LOC\n"),
        ("a.csv", "term,label,id\nOslo,LOC,7\n"),
        ("a.csv", "name,surface,label\nOlso,Oslo,LOC\n"),
        ("a.csv", "surface,type\nOslo,LOC\n"),
        ("a.csv", "name,term,label\nOslo,Olso,LOC\n"),
        ("a.jsonl", '{"name": "Oslo", "type": "LOC"}\n'),
        ("a.jsonl", '{"name": "Olso", "surface": "Oslo", "label": "LOC"}\n'),
    ],
)
def test_columns_are_known_by_several_names(tmp_path: Path, name: str, content: str) -> None:
    (entry,) = load(tmp_path, name, content)
    assert (entry.surface, entry.label) == ("Oslo", "LOC")


def test_unusable_rows_are_listed_with_their_place(tmp_path: Path) -> None:
    gazetteer = load(tmp_path, "a.csv", "Oslo,LOC\n,LOC\nLima\n\nZed,PER,,loud\n")
    assert len(gazetteer) == 1
    places = [row.removeprefix(f"{tmp_path}/a.csv").split(": ")[0] for row in gazetteer.unusable]
    assert places == [":2", ":3", ":5"]
    assert "expected case smart, exact, ignore, got 'loud'" in gazetteer.unusable[2]


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.csv", "", ": expected names with labels"),
        ("a.csv", "surface,label\n", "found none in 0 rows"),
        ("a.csv", "Oslo\nLima\n", "found none in 2 rows; the first row: "),
        ("a.txt", "Oslo\n", "'Oslo' has no label"),
        ("a.csv", 'Oslo,LOC\n"Li"ma,LOC\n', "a.csv:2: the table cannot be read"),
        ("a.csv", 'Oslo,LOC\n"Lima,LOC\n', "a.csv:2: the table cannot be read"),
        ("a.jsonl", '{"surface": "a", "label": "X"}\n{"surface"\n', "a.jsonl:2: expected a JSON"),
        ("a.jsonl", '["a", "X"]\n', "a.jsonl:1: expected a JSON object"),
        ("a.csv", "Oslo,LOC\n\x00,LOC\n", "a.csv:2: expected text, got a NUL"),
        ("a.jsonl", '{"drug": "a"}\n', "a.jsonl:1: expected a name under 'surface', got ['drug']"),
        ("a.xlsx", "PK", "expected names in a text file, got .xlsx: save it as .csv"),
    ],
)
def test_a_source_that_cannot_serve_is_refused_in_one_line(
    tmp_path: Path, name: str, content: str, cause: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, name, content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/{name}")
    assert cause in message
    assert "\n" not in message


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        Gazetteer.from_csv(tmp_path / "none.csv")


BROKEN = (
    b'\xef\xbb\xbfsurface,label,priority\nOslo,LOC,\n"Li"ma,LOC\n"Rome,LOC\n'
    b"\xe9t\xe9,LOC\nZed\x00,LOC\nNo,LOC,high\n" + b"x" * 5000 + b",LOC\n"
)


def test_broken_rows_are_listed_and_the_rest_is_used(tmp_path: Path) -> None:
    good = [f"name {number},LOC,{number % 2}\n".encode() for number in range(20_000)]
    (tmp_path / "a.csv").write_bytes(BROKEN + b"".join(good) + b'"Bonn,LOC\n"New\nYork",LOC\n"Ulm')
    errors: list[DataError] = []
    gazetteer = Gazetteer.from_file(tmp_path / "a.csv", on_error=errors.append)
    assert len(gazetteer) == 20_002
    assert "new york" in gazetteer
    told = [line.removeprefix(f"{tmp_path}/") for line in [*map(str, errors), *gazetteer.unusable]]
    lines = sorted(int(line.split(":")[1]) for line in told)
    assert lines == [3, 4, 5, 6, 7, 8, 20_009, 20_012]
    causes = "\n".join(told)
    assert "a.csv:5: expected UTF-8 text, got byte 0xe9" in causes
    assert "a.csv:6: expected text, got a NUL" in causes
    assert "a.csv:7: expected a whole number as priority, got 'high'" in causes
    assert "a.csv:8: expected a name of at most 1,000 characters, got 5,000: 'xxx" in causes
    assert "a.csv:4: the table cannot be read" in causes


def test_broken_json_costs_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"surface": "Oslo", "label": "X"}\n{\n[]\n{"surface": 5}\n')
    errors: list[DataError] = []
    gazetteer = Gazetteer.from_file(tmp_path / "a.jsonl", on_error=errors.append)
    assert (len(gazetteer), len(errors), len(gazetteer.unusable)) == (1, 2, 1)


@FAST
@given(st.lists(entries, min_size=3, max_size=8), texts, st.randoms())
def test_the_order_of_entries_means_nothing(
    listed: list[Entry], text: str, rng: random.Random
) -> None:
    shuffled = rng.sample(listed, len(listed))
    one, other = (list(Gazetteer(names).matches(text)) for names in (listed, shuffled))
    assert [(m.start, m.end, m.labels) for m in one] == [(m.start, m.end, m.labels) for m in other]


@pytest.mark.parametrize("names", [["aspirin"], {"aspirin": "DRUG"}])
def test_names_that_are_no_entries_are_refused(names: Any) -> None:
    with pytest.raises(ConfigError, match="expected entries, got 'aspirin': write one as Entry"):
        Gazetteer(names)

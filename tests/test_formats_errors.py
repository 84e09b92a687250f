"""Bad files: one line that names file, line and cause; nothing lost in silence."""

from pathlib import Path

import pytest

from convener.errors import DataError
from convener.text.documents import Document, Entity
from convener.text.formats import Format, format_of, read, write

BAD_ITEMS: dict[str, tuple[str, str, int, str]] = {
    "broken JSON": ("a.jsonl", '{"text": "a"}\n{"text": "b"\n', 2, "Invalid JSON"),
    "not an object": ("a.jsonl", '{"text": "a"}\n["b"]\n', 2, "expected an object"),
    "no text": ("a.jsonl", '{"text": "a"}\n\n{"words": "b"}\n', 3, "expected 'text', got"),
    "text that is no string": ("a.jsonl", '{"text": 5}\n', 1, "valid string, got 5"),
    "an offset outside": (
        "a.jsonl",
        '{"text": "a\u2028\u2028"}\n{"text": "b", "entities": [{"start":0,"end":2,"label":"X"}]}\n',
        2,
        "entity 'X' at 0-2 is outside its text",
    ),
    "an offset that is no number": (
        "a.jsonl",
        '{"text": "b", "entities": [{"start": "0", "end": 1, "label": "X"}]}\n',
        1,
        "entities.0.start: expected a valid integer, got '0'",
    ),
    "an empty label": (
        "a.jsonl",
        '{"text": "b", "entities": [{"start": 0, "end": 1, "label": ""}]}\n',
        1,
        "empty label",
    ),
    "an inclusive end": (
        "a.jsonl",
        '{"text": "tea", "entities": [{"start": 0, "end": 2, "label": "X", "text": "tea"}]}\n',
        1,
        "expected 'tea' at 0 to 2, got 'te': offsets count characters from 0",
    ),
    "a span outside": (
        "a.jsonl",
        '{"tokens": ["a"]}\n{"tokens": ["b"], "spans": [[0, 2, "X"]]}\n',
        2,
        "span 'X' [0, 2] is outside its 1 tokens",
    ),
    "an empty token": ("a.jsonl", '{"tokens": ["a", ""]}\n', 1, "expected non-empty tokens"),
    "one column": ("a.conll", "a O\n\nb\n", 3, "expected 2 to 4 columns"),
    "five columns": ("a.conll", "a O\nb c d e O\n", 2, "word first and tag last, got 5"),
    "a bad tag": ("a.conll", "a B-X\nb\tQ-X\n", 2, "expected a tag such as O, B-PER or I-PER"),
}
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", ": the file is empty, expected at least one document"),
    "NUL": (b"a\nb\x00\n", ":2: expected text, got a NUL character"),
    "image": (b"\x89PNG\r\n\x1a\n\x00\x00", ":1: expected UTF-8 text, got byte 0x89"),
    "latin-1": ("a\nZoë\n".encode("latin-1"), ":2: expected UTF-8 text, got byte 0xeb"),
    "utf-16": ("a\n".encode("utf-16"), ":1: expected UTF-8 text, got byte 0xff"),
}


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path, format: Format | None = None) -> str:
    with pytest.raises(DataError) as caught:
        list(read(path, format))
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


@pytest.mark.parametrize("case", BAD_ITEMS)
def test_a_bad_item_is_named_by_file_line_and_cause(tmp_path: Path, case: str) -> None:
    name, content, line, cause = BAD_ITEMS[case]
    path = put(tmp_path, name, content.encode())
    message = refusal(path)
    assert message.startswith(f"{path}:{line}: ")
    assert cause in message


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.conll", "a"])
@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_no_text_is_refused_with_its_place(tmp_path: Path, case: str, name: str) -> None:
    content, cause = BAD_FILES[case]
    if name == "a.jsonl":
        content = content.replace(b"a\n", b'{"text": "a"}\n')
    if name == "a.conll":
        content = content.replace(b"a\n", b"a O\n")
    path = put(tmp_path, name, content)
    assert refusal(path).startswith(f"{path}{cause}")


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.jsonl") == f"{tmp_path}/none.jsonl: no such file"
    assert refusal(tmp_path).startswith(f"{tmp_path}: expected a folder of .txt files")


def test_a_long_value_is_shortened_in_the_message(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jsonl", b'{"text": [' + b'"word", ' * 10_000 + b'""]}\n')
    assert len(refusal(path)) < 200 + len(str(path))


GOOD_AND_BAD: dict[str, tuple[str, list[str], list[int]]] = {
    "last.jsonl": ('{"text": "a"}\n{"text": "b"}\n{"text": 0}\n', ["a", "b"], [3]),
    "first.jsonl": ('{"text": "a"\n{"text": "b"}\n', ["b"], [1]),
    "words.jsonl": (
        '{"tokens": ["a"]}\n{"tokens": [""]}\n5\n{"tokens": ["d"]}\n',
        ["a", "d"],
        [2, 3],
    ),
    "row.conll": ("a O\nb\n\nc O\nd O\n\ne X\n", ["c d"], [2, 7]),
    "rows.conll": ("a\nb\nc X\n\nd O\n", ["d"], [1]),
}


@pytest.mark.parametrize("name", GOOD_AND_BAD)
def test_on_error_takes_each_bad_item_once_and_leaves_it_out(tmp_path: Path, name: str) -> None:
    content, good, lines = GOOD_AND_BAD[name]
    path = put(tmp_path, name, content.encode())
    errors: list[DataError] = []
    assert [d.text for d in read(path, on_error=errors.append)] == good
    assert [str(e).split(": ")[0] for e in errors] == [f"{path}:{line}" for line in lines]


def test_blank_lines_are_no_items(tmp_path: Path) -> None:
    for name, row in (("a.txt", b"a\n"), ("a.jsonl", b'{"text": "a"}\n'), ("a.conll", b"a O\n")):
        path = put(tmp_path, name, b"\n \n" + row + b"\n\n" + row + b"\n")
        assert [d.text for d in read(path)] == ["a", "a"]


UNSAYABLE: dict[str, tuple[Format, Document]] = {
    "nested": ("conll", Document("a b", (Entity(0, 3, "X"), Entity(0, 1, "Y")))),
    "ambiguous": ("conll", Document("a b", (Entity(0, 1, "X"), Entity(0, 1, "Y")))),
    "inside a word": ("conll", Document("abc", (Entity(0, 2, "X"),))),
    "inside a token": ("tokens", Document("abc", (Entity(1, 3, "X"),))),
    "unknown inside a token": ("tokens", Document("abc", unknown=((0, 1),))),
    "a word with a space": ("conll", Document("a b", tokens=((0, 3),))),
    "a word with a line feed": ("conll", Document("a\nb", tokens=((0, 3),))),
    "a label with a space": ("conll", Document("ab", (Entity(0, 2, "X Y"),))),
}


@pytest.mark.parametrize("case", UNSAYABLE)
def test_what_a_format_cannot_say_is_refused_not_garbled(tmp_path: Path, case: str) -> None:
    kind, document = UNSAYABLE[case]
    with pytest.raises(DataError):
        write(tmp_path / "out", [Document("fine"), document], kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["a\nb\xe9\nc\n", "\xe9\na\nc\n"])
def test_lines_that_are_no_text_are_left_out_too(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content.encode("latin-1"))
    left_out: list[DataError] = []
    assert [d.text for d in read(path, on_error=left_out.append)] == ["a", "c"]
    assert len(left_out) == 1
    assert format_of(path) == "text"


def test_labels_are_not_written_under_the_name_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write \.csv"):
        write(tmp_path / "found.csv", [Document("Rome")])
    assert list(tmp_path.iterdir()) == []

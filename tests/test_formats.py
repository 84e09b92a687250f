"""Formats: nothing is lost on the way through a file, and what is bad is named."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from convener.errors import DataError
from convener.text.documents import Document, Entity
from convener.text.formats import Format, read, write
from convener.text.tags import Scheme, tags_from_spans
from convener.text.tokens import words

FAST = settings(deadline=None, max_examples=60)
AWKWARD = "aZ9 .,-\"'\\{}\t\r\n\x85\u00a0\u0301\u200d\u2028\u2029\ufe0f\ufeff👩💻東ß"
LABELS = st.sampled_from(["DRUG", "X-Y", "légume", "薬"])

texts = st.text(
    st.sampled_from(AWKWARD) | st.characters(exclude_categories=["Cs", "Cc"]), max_size=30
)
names = st.none() | st.text(st.sampled_from(AWKWARD), max_size=5)


@st.composite
def spans_in(draw: st.DrawFn, length: int) -> tuple[tuple[int, int], ...]:
    ends = st.tuples(st.integers(0, length), st.integers(0, length)).filter(lambda s: s[0] < s[1])
    return tuple(draw(st.lists(ends, max_size=3))) if length else ()


@st.composite
def free_documents(draw: st.DrawFn) -> Document:
    text = draw(texts)
    entities = tuple(
        Entity(start, end, draw(LABELS), draw(st.none() | st.floats(0, 1)), draw(names))
        for start, end in draw(spans_in(len(text)))
    )
    tokens = draw(st.sampled_from([None, words(text)]))
    return Document(text, entities, draw(names), draw(names), tokens, draw(spans_in(len(text))))


@st.composite
def flat_documents(draw: st.DrawFn) -> Document:
    text = draw(texts.filter(lambda t: bool(t.strip()) and not t.startswith("\ufeff")))
    offsets, entities, position = words(text), [], 0
    while position < len(offsets):
        size = draw(st.integers(0, min(3, len(offsets) - position)))
        if size:
            start, end = offsets[position][0], offsets[position + size - 1][1]
            entities.append(Entity(start, end, draw(LABELS)))
        position += size + 1
    return Document(text, tuple(entities))


def by_words(document: Document) -> tuple[list[str], list[tuple[list[int], str]]]:
    inside = [
        ([i for i, (a, b) in enumerate(document.words()) if e.start <= a and b <= e.end], e.label)
        for e in document.entities
    ]
    return [document.text[a:b] for a, b in document.words()], inside


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@FAST
@given(documents=st.lists(free_documents(), min_size=1, max_size=4))
def test_characters_are_read_back_as_they_were(folder: Path, documents: list[Document]) -> None:
    path = folder / "all.jsonl"
    assert write(path, documents) == len(documents)
    assert list(read(path)) == documents


@pytest.mark.parametrize("format", ["conll", "tokens"])
@FAST
@given(documents=st.lists(flat_documents(), min_size=1, max_size=4))
def test_words_and_their_labels_survive(
    folder: Path, format: Format, documents: list[Document]
) -> None:
    path = folder / f"words.{format}"
    write(path, documents, format)
    back = list(read(path, format))
    assert [by_words(d) for d in back] == [by_words(d) for d in documents]
    for before, after in zip(documents, back, strict=True):
        for old, new in zip(before.entities, after.entities, strict=True):
            assert "".join(before.surface(old).split()) == "".join(after.surface(new).split())


@FAST
@given(documents=st.lists(texts.map(Document), min_size=1, max_size=4))
@example(documents=[Document("a\nb\r\n\u2028c"), Document("\r d\t")])
def test_plain_text_keeps_every_offset(folder: Path, documents: list[Document]) -> None:
    assume(all(d.text.strip() for d in documents) and not documents[0].text.startswith("\ufeff"))
    path = folder / "plain.txt"
    write(path, documents)
    for before, after in zip(documents, read(path), strict=True):
        pairs = zip(before.text, after.text, strict=True)
        assert all(old == new or (old in "\r\n" and new == " ") for old, new in pairs)


@pytest.mark.parametrize("format", ["jsonl", "tokens"])
def test_a_document_without_words_is_still_a_document(folder: Path, format: Format) -> None:
    write(folder / "hollow.jsonl", [Document(""), Document("a")], format)
    assert [d.text for d in read(folder / "hollow.jsonl")] == ["", "a"]


@pytest.mark.parametrize("format", ["jsonl", "tokens"])
def test_ambiguous_and_unknown_survive(folder: Path, format: Format) -> None:
    both = (Entity(0, 3, "LOC"), Entity(0, 3, "PER"))
    document = Document("May met Zed", both, "7", "g", ((0, 3), (4, 7), (8, 11)), ((8, 11),))
    write(folder / "states.jsonl", [document], format)
    assert list(read(folder / "states.jsonl")) == [document]


SAMPLES: dict[str, str] = {
    "s.txt": "Zoe\u0308 took aspirin\nnext\u2028line\n",
    "s.jsonl": '{"text": "Zoe\u0308 \u2028", "entities": [{"start": 0, "end": 4, "label": "P"}]}\n'
    * 2,
    "s.ndjson": '{"tokens": ["Zoe\u0308", "b"], "spans": [[0, 1, "P"]]}\n{"tokens": ["c"]}\n',
    "s.conll": "Zoe\u0308\tB-P\nruns\tO\n\n👩\u200d💻\tO\n",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_line_ends_and_byte_order_mark_change_nothing(folder: Path, name: str) -> None:
    path, plain = folder / name, SAMPLES[name].encode()
    path.write_bytes(plain)
    expected = list(read(path))
    assert len(expected) == 2
    crlf = plain.replace(b"\n", b"\r\n")
    for variant in (b"\xef\xbb\xbf" + plain, crlf, b"\xef\xbb\xbf" + crlf, plain.rstrip(b"\n")):
        path.write_bytes(variant)
        assert list(read(path)) == expected


@FAST
@given(
    sentences=st.lists(
        st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["P", "Q"])), min_size=1, max_size=5),
        min_size=1,
        max_size=3,
    )
)
def test_schemes_of_tags_read_alike(folder: Path, sentences: list[list[tuple[int, str]]]) -> None:
    def documents(scheme: Scheme) -> list[Document]:
        rows = []
        for pieces in sentences:
            spans, position = [], 0
            for gap, label in pieces:
                spans.append((position + gap, position + gap + 2, label))
                position += gap + 2
            rows += [
                f"w{i} {tag}" for i, tag in enumerate(tags_from_spans(position, spans, scheme))
            ]
            rows.append("")
        (folder / "scheme.conll").write_text("\n".join(rows))
        return list(read(folder / "scheme.conll"))

    assert documents("IOB1") == documents("BIO") == documents("BIOES")
    assert [len(d.entities) for d in documents("BIO")] == [len(pieces) for pieces in sentences]


@pytest.mark.parametrize("row", ["{} {}", "{}\t{}", "{} NN {}", "{}\tNN  I-NP \t{}"])
def test_two_to_four_columns_read_alike(folder: Path, row: str) -> None:
    path = folder / "columns.conll"
    path.write_text("\n".join([row.format("Zed", "B-P"), row.format("ran", "O")]))
    offsets = ((0, 3), (4, 7))
    assert list(read(path)) == [Document("Zed ran", (Entity(0, 3, "P"),), tokens=offsets)]


def test_docstart_opens_a_group(folder: Path) -> None:
    path = folder / "groups.conll"
    path.write_text("a O\n\n-DOCSTART- -X- O O\n\nb O\n\nc O\n\n-DOCSTART- O\nd O\n")
    first, *rest = read(path)
    assert (first.text, first.group) == ("a", None)
    assert [d.text for d in rest] == ["b", "c", "d"]
    assert rest[0].group == rest[1].group != rest[2].group
    assert None not in {d.group for d in rest}


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("d.txt", "w O", "w O"),
        ("d.dat", "w O", "w O"),
        ("d", '{"text": "w"}', "w"),
        ("d.JSON", '{"tokens": ["w", "x"]}', "w x"),
        ("d.ndjson", '{"tokens": [[0, 1]], "text": "w x"}', "w x"),
        ("d.tsv", "w\tO", "w"),
        ("d.bio", "w O", "w"),
        ("d.iob", "w O", "w"),
    ],
)
def test_the_format_is_known_by_ending_and_keys(
    folder: Path, name: str, content: str, text: str
) -> None:
    (folder / name).write_text(content)
    assert [d.text for d in read(folder / name)] == [text]


def test_a_long_line_is_read_whole(folder: Path) -> None:
    text = "ab😀 " * 500_000
    document = Document(text, (Entity(len(text) - 4, len(text) - 1, "END"),))
    assert len(text) == 2_000_000
    write(folder / "long.jsonl", [document])
    assert list(read(folder / "long.jsonl")) == [document]
    write(folder / "long.txt", [Document(text)])
    assert [d.text for d in read(folder / "long.txt")] == [text]


def test_plain_text_refuses_labels_it_would_lose(folder: Path) -> None:
    with pytest.raises(DataError, match="plain text cannot hold labels"):
        write(folder / "lost.txt", [Document("Rome", (Entity(0, 4, "LOC"),))])
    assert not (folder / "lost.txt").exists()


def test_columns_keep_groups(folder: Path) -> None:
    documents = [Document("a b", group=group) for group in ("x", "x", "y", "z", "z")]
    write(folder / "groups.conll", documents)
    groups = [document.group for document in read(folder / "groups.conll")]
    assert [groups.index(group) for group in groups] == [0, 0, 2, 3, 3]


def test_reading_is_streaming(folder: Path) -> None:
    path = folder / "stream.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\nbroken\n')
    assert [d.text for d in islice(read(path), 2)] == ["a", "b"]


def test_standard_streams(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO('{"text": "Zoe\u0308"}\n'.encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert write("-", read("-")) == 1
    assert json.loads(capsys.readouterr().out) == {"text": "Zoe\u0308", "entities": []}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('{"text": "Rome", "spans": [{"start": 0, "end": 4, "label": "LOC"}]}', "spans"),
        ('{"text": "Rome", "entites": [[0, 4, "LOC"]]}', "entites"),
        ('{"tokens": ["Rome"], "ner_tags": ["B-LOC"]}', "ner_tags"),
        ('{"text": "Rome", "topics": ["travel"], "label": 3, "entities": []}', None),
        ('{"tokens": ["Rome"], "pos_tags": ["NNP"], "spans": []}', None),
        ('{"text": "Rome", "entities": [{"start": 0, "end": 4, "label": "LOC"}], "x": [[]]}', None),
    ],
)
def test_labels_that_another_tool_wrote_are_told(
    tmp_path: Path, line: str, key: str | None
) -> None:
    (tmp_path / "a.jsonl").write_text(line)
    lost = Counter[str]()
    (document,) = read(tmp_path / "a.jsonl", lost=lost)
    assert document.text == "Rome"
    assert lost == ({} if key is None else {f"items that may have labels under the key {key}": 1})


@pytest.mark.parametrize("name", ["a.conll", "a.txt"])
def test_a_document_without_a_word_is_not_dropped_in_silence(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"cannot hold a document without a word: write \.jsonl"):
        write(tmp_path / name, [Document("a"), Document(" "), Document("b")])
    assert not (tmp_path / name).exists()


def test_a_file_appears_only_when_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write(path, [Document("old")])

    def failing() -> Iterator[Document]:
        yield Document("new")
        raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        write(path, failing())
    assert [d.text for d in read(path)] == ["old"]
    assert list(tmp_path.iterdir()) == [path]

"""Between formats: what the target can hold arrives, and what it cannot is counted by name."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from convener.errors import DataError
from convener.text.documents import Document, Entity, group_indices
from convener.text.formats import Format, Lost, read, write
from convener.text.formats.capacity import fitted
from convener.text.formats.conversion import convert
from tests.program import convener, refusal
from tests.test_formats import FAST, free_documents

EXACT: tuple[Format, ...] = ("jsonl", "tokens", "doccano", "labelstudio", "spacy")
FORMATS: tuple[Format, ...] = (*EXACT, "text", "conll", "brat", "datasets")
NESTED = Document(
    "The Oslo  fjord",
    (
        Entity(4, 15, "LOC", 0.5, "Q1", "model"),
        Entity(4, 8, "LOC", 0.75),
        Entity(4, 8, "NAME OF", 0.25),
        Entity(1, 3, "X"),
    ),
    id="n 1",
    group="g",
    tokens=((0, 3), (4, 8), (10, 15)),
    unknown=((0, 3),),
    types=("LOC", "NAME OF", "X"),
)


def labels(document: Document) -> set[tuple[int, int, str]]:
    return {(*entity.span, entity.label) for entity in document.entities}


def through(folder: Path, documents: list[Document], format: Format) -> list[Document]:
    """The documents after a way through a file, losses allowed."""
    path = folder / f"{format}-{len(list(folder.iterdir()))}"
    write(path, documents, format, Counter())
    return list(read(path, format, lost=Counter()))


@pytest.mark.parametrize("format", EXACT)
@FAST
@given(documents=st.lists(free_documents(), min_size=1, max_size=3))
def test_what_a_format_holds_is_read_back_to_the_character(
    tmp_path_factory: pytest.TempPathFactory, format: Format, documents: list[Document]
) -> None:
    expected = list(fitted(documents, format, Counter()))
    assert through(tmp_path_factory.mktemp("exact"), documents, format) == expected


@pytest.mark.parametrize("format", ["text", "conll", "brat"])
@FAST
@given(documents=st.lists(free_documents(), min_size=1, max_size=3))
@example(documents=[Document("It rains."), Document("\ufeffIt rains.")])
def test_texts_and_labels_are_read_back_to_the_character(
    tmp_path_factory: pytest.TempPathFactory, format: Format, documents: list[Document]
) -> None:
    expected = list(fitted(documents, format, Counter()))
    assume(expected and (format == "brat" or not expected[0].text.startswith("\ufeff")))
    back = through(
        tmp_path_factory.mktemp("close"), [replace(d, id=None) for d in documents], format
    )
    assert [(d.text, labels(d)) for d in back] == [(d.text, labels(d)) for d in expected]


@pytest.mark.parametrize("format", FORMATS)
@FAST
@given(document=free_documents())
def test_a_document_that_fits_is_unchanged_and_a_fitted_one_fits(
    format: Format, document: Document
) -> None:
    lost: Lost = Counter()
    first = list(fitted([document], format, lost))
    if not +lost:
        assert [replace(d, tokens=None) for d in first] == [replace(document, tokens=None)]
    again: Lost = Counter()
    assert list(fitted(first, format, again)) == first
    assert (+again).keys() <= {"names of groups"}


COUNTS: dict[Format, dict[str, int]] = {
    "jsonl": {},
    "spacy": {},
    "tokens": {"scores": 3, "entity ids": 1, "sources": 1, "spacing": 1, "words cut": 1},
    "text": {"entities": 4},
    "doccano": {"scores": 3, "entity ids": 1, "sources": 1},
    "labelstudio": {"entity ids": 1, "sources": 1},
    "brat": {"scores": 3, "entity ids": 1, "sources": 1, "white space in labels": 1},
    "conll": {
        "scores": 1,
        "entity ids": 1,
        "sources": 1,
        "spacing": 1,
        "words cut": 1,
        "nested or overlapping entities": 2,
        "white space in labels": 1,
        "names of groups": 1,
    },
    "datasets": {
        "scores": 1,
        "entity ids": 1,
        "sources": 1,
        "spacing": 1,
        "words cut": 1,
        "nested or overlapping entities": 2,
    },
}
PARTS: dict[Format, set[str]] = {
    "jsonl": set(),
    "spacy": set(),
    "tokens": set(),
    "text": {"document ids", "groups", "given words", "unknown stretches", "types looked for"},
    "doccano": {"given words", "unknown stretches", "types looked for"},
    "labelstudio": {"given words", "unknown stretches", "types looked for"},
    "brat": {"document ids", "groups", "given words", "unknown stretches", "types looked for"},
    "conll": {"document ids", "unknown stretches", "types looked for"},
    "datasets": {"unknown stretches", "types looked for"},
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_loss_is_counted_by_name(tmp_path: Path, kind: Format) -> None:
    write(tmp_path / "source.jsonl", [NESTED])
    done = convert(tmp_path / "source.jsonl", tmp_path / "target", target_format=kind)
    assert (done.documents, done.unread) == (1, {})
    assert done.lost == COUNTS[kind] | dict.fromkeys(PARTS[kind], 1)
    (back,) = read(tmp_path / "target", lost=Counter())
    if kind in {"jsonl", "spacy"}:
        assert back == NESTED
    if kind == "text":
        return
    kept = {back.surface(entity) for entity in back.entities}
    assert {" ".join(surface.split()) for surface in kept} >= {"Oslo fjord", "he"}
    assert ("Oslo" in kept) == (kind not in {"conll", "datasets"})


def test_labels_are_refused_where_nobody_counts(tmp_path: Path) -> None:
    for kind in ("doccano", "labelstudio", "brat", "datasets"):
        with pytest.raises(DataError, match=f"{kind} cannot hold .*convener convert"):
            write(tmp_path / "out", [NESTED], kind)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("groups", [("a", "a", None, None, "b", "b", "a"), (None, "a", None)])
def test_columns_never_join_groups(tmp_path: Path, groups: tuple[str | None, ...]) -> None:
    documents = [Document(f"w{i}", group=group) for i, group in enumerate(groups)]
    runs = group_indices(through(tmp_path, documents, "conll"))
    assert all(len({groups[i] for i in run}) == 1 for run in runs)
    assert all(groups[run[0]] is not None for run in runs if len(run) > 1)


@FAST
@given(documents=st.lists(free_documents(), min_size=1, max_size=3))
def test_datasets_hold_what_they_can(documents: list[Document]) -> None:
    pytest.importorskip("datasets", reason="the extra datasets is not installed")
    from convener.text.formats.dataset import from_dataset, to_dataset

    expected = list(fitted(documents, "datasets", Counter()))
    back = list(from_dataset(to_dataset(expected)))
    assert [(d.text, d.tokens, labels(d), d.id, d.group) for d in back] == [
        (d.text, d.tokens, labels(d), d.id, d.group) for d in expected
    ]


REAL = ("distant/conll03/dev.jsonl", "distant/twitter/dev.jsonl", "nested/genia/dev.jsonl")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", REAL)
def test_real_sets_come_through(data_folder: Path, tmp_path: Path, name: str, kind: Format) -> None:
    documents = list(islice(read(data_folder / name), 300))
    lost: Lost = Counter()
    write(tmp_path / "copy", [replace(d, id=None) for d in documents], kind, lost)
    back = list(read(tmp_path / "copy", lost=Counter()))
    assert [d.text for d in back] == [d.text for d in documents]
    if kind == "text":
        assert lost["entities"] == sum(len(d.entities) for d in documents)
        return
    missing = [labels(d) - labels(b) for d, b in zip(documents, back, strict=True)]
    assert all(labels(b) <= labels(d) for d, b in zip(documents, back, strict=True))
    nested = lost["nested or overlapping entities"] + lost["further types of one place"]
    assert sum(map(len, missing)) == nested
    assert bool(nested) == (kind in {"conll", "datasets"} and "genia" in name)
    assert (+lost).keys() <= {
        *("nested or overlapping entities", "further types of one place", "given words"),
        *("groups", "names of groups"),
    }


def test_convert_on_the_command_line(tmp_path: Path) -> None:
    source, target = tmp_path / "source.jsonl", tmp_path / "target.conll"
    write(source, [replace(NESTED, types=None, unknown=()), Document("Rome")])
    source.write_text(source.read_text() + "broken\n")
    done = convener("convert", source, target, "--on-error", "skip")
    assert "source.jsonl:3: Invalid JSON" in done.stderr
    assert "1 bad items were left out" in done.stderr
    assert "documents: 2" in done.stderr
    assert "not carried over: 2 nested or overlapping entities, " in done.stderr
    assert target.read_text().startswith("-DOCSTART-\tO\n\nT\tO\nhe\tB-X\nOslo\tB-LOC\nfjord\tI-")
    folder = tmp_path / "brat"
    folder.mkdir()
    (folder / "a.txt").write_text("Rome and Oslo")
    (folder / "a.ann").write_text("T1\tLOC 0 4\tRome\nT2\tX 0 4;9 13\tRome Oslo\n*\tAlias T1 T2\n")
    done = convener("convert", folder, "-", "--to", "doccano")
    assert done.stdout == '{"id": "a", "text": "Rome and Oslo", "label": [[0, 4, "LOC"]]}\n'
    assert "not read: 1 relations, 1 discontinuous entities" in done.stderr
    (tmp_path / "names.csv").write_text("Oslo,LOC\n")
    done = convener("label", folder, tmp_path / "names.csv", "-o", "-")
    assert '"surface"' not in done.stdout
    assert '"start": 9' in done.stdout
    assert "not read: 1 relations, 1 discontinuous entities" in done.stderr


def test_what_convert_refuses(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [Document("a")])
    line = refusal("convert", tmp_path / "a.jsonl", tmp_path / "b.json")
    assert "for .json: labelstudio or jsonl" in line
    assert "to a folder" in refusal("convert", tmp_path / "a.jsonl", "-", "--to", "brat")
    assert "expected a folder of .txt files alone" in refusal("convert", tmp_path, "-")

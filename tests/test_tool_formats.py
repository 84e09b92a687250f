"""Files as annotation tools write them, with their odd cases: read exactly, or refused by name."""

import io
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from convener.errors import ConfigError, DataError
from convener.text.documents import Document, Entity
from convener.text.formats import Format, Lost, format_of, read, write


def taken(path: Path, **options: Any) -> tuple[list[Document], dict[str, int]]:
    """The documents of a place, and by name what it held beside them."""
    lost: Lost = Counter()
    documents = list(read(path, lost=lost, **options))
    return documents, dict(+lost)


def found(document: Document) -> list[tuple[str, str]]:
    return [(document.surface(entity), entity.label) for entity in document.entities]


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(read(path, lost=Counter()))
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


# brat


def pair(folder: Path, text: bytes, notes: str, name: str = "doc-1") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_bytes(text)
    (folder / f"{name}.ann").write_bytes(notes.encode())
    return folder


def test_brat_is_read_with_its_ids_and_the_rest_is_counted(tmp_path: Path) -> None:
    notes = (
        "T1\tPER 3 6\tIda\n"
        "T2\tTrigger 7 12\tmoved\n"
        "T3\tLOC 16 20\tOslo\n"
        "N1\tReference T3 Wikidata:Q585\tOslo\n"
        "N2\tReference T3 Geo:3143244\tOslo\n"
        "E1\tTrigger:T2 Who:T1 Where:T3\n"
        "R1\tLivesIn Arg1:T1 Arg2:T3\t\n"
        "*\tAlias T1 T3\n"
        "A1\tNegation E1\n"
        "M1\tSure T1\n"
        "#1\tAnnotatorNotes T1\twho is she?\n"
    )
    folder = pair(tmp_path / "set", "👩 Ida moved to Oslo.\n".encode(), notes.replace("3 6", "2 5"))
    message = refusal(folder)
    assert message.startswith(f"{folder}/doc-1.ann:2: expected the offsets of 'moved', got 7-12")
    moved = notes.replace("3 6", "2 5").replace("7 12", "6 11").replace("16 20", "15 19")
    pair(folder, "👩 Ida moved to Oslo.\n".encode(), moved)
    (document,), lost = taken(folder)
    assert found(document) == [("Ida", "PER"), ("moved", "Trigger"), ("Oslo", "LOC")]
    assert [e.id for e in document.entities] == [None, None, "Wikidata:Q585"]
    assert document.id == "doc-1"
    assert lost == {
        "relations": 2,
        "events": 1,
        "attributes": 2,
        "notes": 1,
        "further references": 1,
    }


def test_brat_joins_lines_and_counts_entities_in_pieces(tmp_path: Path) -> None:
    text = "North\n  Sea and South or East Anglia"
    notes = (
        "T1\tLOC 0 5;8 11\tNorth Sea\n"
        "T2\tLOC 16 21;30 36\tSouth Anglia\n"
        "T3\tLOC 25 36\tEast Anglia\n"
    )
    (document,), lost = taken(pair(tmp_path / "set", text.encode(), notes))
    assert found(document) == [("North\n  Sea", "LOC"), ("East Anglia", "LOC")]
    assert lost == {"discontinuous entities": 1}
    assert format_of(tmp_path / "set") == "brat"


def test_an_id_that_is_no_file_name_is_counted(tmp_path: Path) -> None:
    lost: Lost = Counter()
    ids = ["漢" * 90, f"{'a' * 150}/{'b' * 150}", "c" * 300, "\ud83d"]
    write(tmp_path / "set", [Document("a", id=name) for name in ids], "brat", lost)
    names = {document.id for document in taken(tmp_path / "set")[0]}
    assert names == {"000001", ids[1], "000003", "000004"}
    assert +lost == {"document ids": 3}


def test_brat_writes_what_brat_reads(tmp_path: Path) -> None:
    text = "North\n  Sea\tand  Ytre Oslofjord"
    entities = (
        Entity(0, 11, "LOC", id="Wikidata:Q1693"),
        Entity(17, 31, "LOC"),
        Entity(8, 15, "X"),
    )
    documents = [
        Document(text, entities, id="sub/sea.v2"),
        Document("b", id="../../escape"),
        Document("c"),
        Document("d", id="sub/SEA.v2"),
    ]
    lost: Lost = Counter()
    assert write(tmp_path / "set", documents, "brat", lost) == 4
    assert lost["document ids"] == 2
    notes = (tmp_path / "set" / "sub" / "sea.v2.ann").read_text(encoding="utf-8")
    assert notes == (
        "T1\tLOC 0 5;8 11\tNorth Sea\n"
        "N1\tReference T1 Wikidata:Q1693\tNorth Sea\n"
        "T2\tLOC 17 31\tYtre Oslofjord\n"
        "T3\tX 8 15\tSea and\n"
    )
    back, _ = taken(tmp_path / "set")
    assert [d.text for d in back] == ["b", "c", "d", text]
    assert back[3] == documents[0]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("counted", [1, 2])
def test_brat_with_line_ends_of_two_characters(tmp_path: Path, start: str, counted: int) -> None:
    text = f"{start}One\r\ntwo\r\nRome\r\n"
    place = 6 + 2 * counted
    folder = pair(tmp_path / "set", text.encode(), f"T1\tLOC {place} {place + 4}\tRome\r\n")
    (document,), lost = taken(folder)
    assert found(document) == [("Rome", "LOC")]
    assert ("\r" in document.text) == (counted == 2)
    assert not lost


@pytest.mark.parametrize(
    ("notes", "cause"),
    [
        ("T1\tLOC 0 4\tOslo\n", ":1: expected the offsets of 'Oslo', got 0-4, where"),
        ("T1\tLOC 0 40\tRome is old\n", ":1: expected the offsets of 'Rome is old', got 0-40"),
        ("T1\tLOC 4 4\t\n", ":1: expected ID, LABEL START END and text by tabs"),
        ("T1 LOC 0 4 Rome\n", ":1: expected ID, LABEL START END and text by tabs"),
        ("T1\tLOC 0-4\tRome\n", ":1: expected ID, LABEL START END and text by tabs"),
        ("Q1\tx\n", ":1: expected an annotation of brat's"),
        ("T1\tLOC 0 4\tRome\nT1\tX 5 7\tis\n", ":2: expected ids that differ, got T1 twice"),
    ],
)
def test_bad_notes_of_brat_are_named(tmp_path: Path, notes: str, cause: str) -> None:
    folder = pair(tmp_path / "set", b"Rome is old", notes)
    assert refusal(folder).startswith(f"{folder}/doc-1.ann{cause}")
    errors: list[DataError] = []
    pair(folder, b"Oslo", "T1\tLOC 0 4\tOslo\n", "doc-2")
    documents, _ = taken(folder, on_error=errors.append)
    assert [found(d) for d in documents] == [[("Oslo", "LOC")]]
    assert len(errors) == 1


def test_a_brat_folder_with_halves_of_pairs(tmp_path: Path) -> None:
    folder = pair(tmp_path / "set", b"Rome", "")
    (folder / "alone.txt").write_text("no notes")
    assert [d.text for d in taken(folder)[0]] == ["no notes", "Rome"]
    (folder / "lost.ann").write_text("")
    assert refusal(folder).startswith(f"{folder}/lost.txt: no such file, but lost.ann is there")
    assert [d.text for d in taken(folder / "doc-1.ann")[0]] == ["Rome"]
    (folder / "lost.ann").rename(folder / "alone.b.ann")
    assert "alone.b.txt: no such file, but alone.b.ann is there" in refusal(folder)


def test_a_folder_of_texts_has_a_document_each(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "b.txt").write_text("Aspirin\nat night.\n")
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "c.TXT").write_text("\ufeffRome")
    for hidden in (".DS_Store", "._a.txt", ".checkpoints/a.txt", "ward/._b.ann"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_bytes(b"\0\xff")
    texts = [("a", ""), ("c", "Rome"), ("ward/b", "Aspirin\nat night.\n")]
    assert [(d.id, d.text) for d in taken(tmp_path)[0]] == texts
    (tmp_path / "ward" / "b.ann").write_text("")
    assert [(d.id, d.text) for d in taken(tmp_path)[0]] == texts
    (tmp_path / "ward" / "b.ann").unlink()
    (tmp_path / "d.txt").write_bytes(b"a\0b")
    assert refusal(tmp_path).startswith(f"{tmp_path}/d.txt: expected text, got a NUL character")
    (tmp_path / "set.jsonl").write_text('{"text": "Rome"}')
    assert "got one with set.jsonl" in refusal(tmp_path)


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.doc").write_text("precious")
    for kind in ("brat", "datasets"):
        with pytest.raises(DataError, match="expected a new or an empty folder"):
            write(tmp_path, [Document("a")], kind)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.doc"]


# Label Studio


def region(start: int, end: int, text: str, *labels: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": list(labels)}
    return {
        "id": "tPz5_zyLGK",
        "from_name": "ner",
        "to_name": "text",
        "type": "labels",
        "origin": "manual",
        "value": value,
    }


def annotation(*result: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 11,
        "completed_by": 1,
        "result": list(result),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2024-03-09T22:16:08.728353Z",
        "lead_time": 4.3,
        **more,
    }


def tasks(path: Path, *annotations: dict[str, Any], text: str = "Ida saw 👩‍🚒 in Oslo") -> Path:
    task = {
        "id": 7,
        "annotations": list(annotations),
        "file_upload": "a.txt",
        "drafts": [],
        "predictions": [],
        "data": {"text": text},
        "meta": {},
        "project": 3,
    }
    path.write_text(json.dumps([task], ensure_ascii=False, indent=2), encoding="utf-8")
    return path


IDA, OSLO = region(0, 3, "Ida", "PER"), region(15, 19, "Oslo", "LOC", "NAME")


def test_label_studio_is_read_and_the_rest_is_counted(tmp_path: Path) -> None:
    extra = [
        {"from_id": "a", "to_id": "b", "type": "relation", "direction": "right"},
        {"id": "c", "type": "choices", "value": {"choices": ["News"]}, "from_name": "kind"},
        region(4, 7, "saw"),
    ]
    path = tasks(tmp_path / "export.json", annotation(IDA, OSLO, *extra))
    (document,), lost = taken(path)
    assert format_of(path) == "labelstudio"
    assert found(document) == [("Ida", "PER"), ("Oslo", "LOC"), ("Oslo", "NAME")]
    assert document.id == "7"
    assert lost == {"relations": 1, "results of type choices": 1, "regions without a label": 1}


@pytest.mark.parametrize("shift", [0, 2])
def test_label_studio_counts_code_points_and_once_counted_units(tmp_path: Path, shift: int) -> None:
    oslo = region(15 + shift, 19 + shift, "Oslo", "LOC")
    (document,), _ = taken(tasks(tmp_path / "a.json", annotation(IDA, oslo)))
    assert found(document) == [("Ida", "PER"), ("Oslo", "LOC")]


def test_offsets_of_label_studio_that_fit_nothing_are_refused(tmp_path: Path) -> None:
    path = tasks(tmp_path / "a.json", annotation(IDA, region(14, 18, "Oslo", "LOC")))
    assert refusal(path).startswith(f"{path}: task 7: expected 'Oslo' at 14-18, got ' Osl'")


def test_several_annotators_of_label_studio(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    ours, theirs = annotation(IDA, OSLO), annotation(IDA)
    message = refusal(tasks(path, ours, theirs))
    assert message.startswith(f"{path}: task 7: 2 annotations say different things")
    (document,), _ = taken(tasks(path, ours, ours))
    assert len(document.entities) == 3
    (document,), _ = taken(tasks(path, ours, theirs | {"ground_truth": True}))
    assert found(document) == [("Ida", "PER")]
    (document,), lost = taken(tasks(path, ours | {"was_cancelled": True}, theirs))
    assert found(document) == [("Ida", "PER")]
    assert lost == {"cancelled annotations": 1}
    (document,), lost = taken(tasks(path))
    assert not document.entities
    assert lost == {"tasks without an annotation": 1}


def test_the_short_form_of_label_studio(tmp_path: Path) -> None:
    def item(id: int, ner: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        about = {"annotator": 1, "annotation_id": 9, "created_at": "2024", "lead_time": 1.5}
        return {"text": "Ida in Rome", "id": id, "ner": ner, **more, **about}

    rome = {"start": 7, "end": 11, "text": "Rome", "labels": ["LOC"]}
    ida = {"start": 0, "end": 3, "text": "Ida", "labels": ["PER"]}
    path = tmp_path / "min.json"
    path.write_text(json.dumps([item(1, [rome], kind="News"), item(2, [ida]), item(2, [ida])]))
    documents, _ = taken(path)
    assert [(d.id, found(d)) for d in documents] == [
        ("1", [("Rome", "LOC")]),
        ("2", [("Ida", "PER")]),
    ]
    path.write_text(json.dumps([item(1, [rome]), item(2, [ida]), item(2, [rome])]))
    assert refusal(path).startswith(f"{path}: task 2: 2 annotations say different things")
    errors: list[DataError] = []
    assert len(taken(path, on_error=errors.append)[0]) == len(errors) == 1


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ('[{"data": {"text": "a"}\n', ":1: Invalid JSON"),
        ('[{"data": {"a": "x", "b": "y"}}]', "expected the text under 'text' or as the only str"),
        ('[{"id": 4, "data": {"text": "a"}, "annotations": 5}]', "task 4: annotations: expected"),
        ('[{"data": {"text": "a"}}, "a"]', "expected a list of tasks"),
        ('[{"text": "a b", "entities": [{"start": 0, "end": 1, "label": "X"}]}]', "a line of its"),
        ('[{"text": "a b", "label": [[0, 1, "X"]]}]', "a line of its own"),
    ],
)
def test_bad_tasks_are_named(tmp_path: Path, content: str, cause: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    assert cause in refusal(path)


def test_half_a_character_is_a_bad_task(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(r'[{"data": {"text": "good"}}, {"data": {"text": "bad \ud83d"}}]')
    assert "expected text, got half of a character in 'bad " in refusal(path)
    errors: list[DataError] = []
    assert [d.text for d in taken(path, on_error=errors.append)[0]] == ["good"]
    assert len(errors) == 1


# doccano


def test_doccano_with_spans_only(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(
        '{"id":1,"text":"👩 Ida in Oslo","label":[[2,5,"PER"],[9,13,"LOC"],[2,13,"SCENE"]],'
        '"Comments":["sure?"]}\r\n{"id":2,"text":"none","label":[],"Comments":[]}\r\n',
        encoding="utf-8",
    )
    (first, second), lost = taken(path)
    assert found(first) == [("Ida", "PER"), ("Oslo", "LOC"), ("Ida in Oslo", "SCENE")]
    assert (first.id, second.entities) == ("1", ())
    assert lost == {"comments": 1}
    assert format_of(path) == "doccano"


@pytest.mark.parametrize("key", ["label", "labels", "entities"])
def test_doccano_by_any_name(tmp_path: Path, key: str) -> None:
    spans: dict[str, object] = {"label": [], "labels": [], "entities": []}
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps({"text": "Ida"} | spans | {key: [[0, 3, "PER"]]}))
    ((document,), _) = taken(path)
    assert found(document) == [("Ida", "PER")]


def test_doccano_with_relations(tmp_path: Path) -> None:
    path = tmp_path / "admin.jsonl"
    span = {"id": 5, "label": "PER", "start_offset": 0, "end_offset": 3}
    relation = {"id": 1, "from_id": 5, "to_id": 5, "type": "knows"}
    items = [
        {"id": 1, "text": "none", "relations": [], "entities": [], "Comments": []},
        {"id": 2, "text": "Ida", "relations": [relation], "entities": [span], "cats": ["x"]},
        {"id": 3, "data": "Ida", "labels": [[0, 3, "PER"]]},
    ]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    documents, lost = taken(path)
    assert [found(d) for d in documents] == [[], [("Ida", "PER")], [("Ida", "PER")]]
    assert lost == {"relations": 1, "classes of texts": 1}


def test_classes_of_whole_texts_are_no_entities(tmp_path: Path) -> None:
    path = tmp_path / "classes.jsonl"
    path.write_text('{"id": 1, "text": "a", "label": ["sport"]}\n')
    assert refusal(path).startswith(f"{path}:1: label.0")


# spaCy and datasets


def test_a_docbin_that_spacy_made(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy", reason="the extra spacy is not installed")
    pipeline = spacy.blank("en")
    doc = pipeline("Ida's  sister, in New York.")
    doc.set_ents([doc.char_span(0, 3, "PER", kb_id="Q1")], missing=[doc[7:8]], default="outside")
    doc.spans["sc"] = [doc.char_span(18, 26, "LOC"), doc.char_span(0, 3, "PER")]
    doc.spans["guesses"] = [doc[0:1]]
    raw = pipeline("Nothing was set here.")
    path = tmp_path / "train.bin"
    spacy.tokens.DocBin(docs=[doc, raw]).to_disk(path)
    (first, second), lost = taken(path)
    assert format_of(path) == "spacy"
    assert first.text == doc.text
    assert sorted(found(first)) == [("Ida", "PER"), ("New York", "LOC")]
    assert [first.text[a:b] for a, b in first.words()][:5] == ["Ida", "'s", "sister", ",", "in"]
    assert [first.text[a:b] for a, b in first.unknown] == [doc[7].text]
    assert (second.entities, second.unknown) == ((), ())
    assert lost == {"spans of the group guesses": 1}


def test_spacy_reads_what_is_written_for_it(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy", reason="the extra spacy is not installed")
    document = Document("NewYork  (city)", (Entity(0, 3, "X", 0.5), Entity(0, 15, "LOC", id="Q60")))
    write(tmp_path / "a.spacy", [document])
    docbin = spacy.tokens.DocBin().from_disk(tmp_path / "a.spacy")
    (doc,) = docbin.get_docs(spacy.blank("en").vocab)
    assert doc.text == document.text
    assert [(e.text, e.label_, e.kb_id_) for e in doc.ents] == [("NewYork  (city)", "LOC", "Q60")]
    assert [(s.text, s.label_) for s in doc.spans["sc"]] == [("New", "X"), (doc.text, "LOC")]


@pytest.mark.parametrize("places", [("sc",), ("ents",), ("sc", "ents")])
def test_what_was_corrected_in_spacy_stays_corrected(
    tmp_path: Path, places: tuple[str, ...]
) -> None:
    spacy = pytest.importorskip("spacy", reason="the extra spacy is not installed")
    ada = [Entity(0, 3, "PER", 0.9), Entity(0, 3, "ORG", 0.1)]
    write(tmp_path / "a.spacy", [Document("Ada saw Rome", (*ada, Entity(8, 12, "PER", 0.5)))])
    docbin = spacy.tokens.DocBin(store_user_data=True).from_disk(tmp_path / "a.spacy")
    (doc,) = docbin.get_docs(spacy.blank("en").vocab)
    rome = spacy.tokens.Span(doc, 2, 3, label="LOC")
    if "sc" in places:
        doc.spans["sc"][2] = rome
    if "ents" in places:
        doc.ents = [doc.ents[0], rome]
    spacy.tokens.DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "b.spacy")
    (document,) = taken(tmp_path / "b.spacy")[0]
    assert {(e.start, e.label, e.score) for e in document.entities} >= {
        (0, "PER", 0.9),
        (0, "ORG", 0.1),
        (8, "LOC", None),
    }
    if "ents" in places:
        assert len(document.entities) == 3


def test_a_docbin_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.spacy").write_bytes(b"\x78\x9cbroken")
    assert "expected a DocBin of spaCy's" in refusal(tmp_path / "a.spacy")


def test_a_saved_dataset(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")
    from convener.text.formats.dataset import from_dataset, to_dataset

    tags = datasets.List(datasets.ClassLabel(names=["O", "B-PER", "I-PER"]))
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "tokens": datasets.List(datasets.Value("string")),
            "pos_tags": datasets.List(datasets.Value("int64")),
            "ner_tags": tags,
        }
    )
    rows = [
        {"id": "0", "tokens": ["Ida", "King", "ran"], "pos_tags": [1, 1, 2], "ner_tags": [1, 2, 0]},
        {"id": "1", "tokens": [], "pos_tags": [], "ner_tags": []},
    ]
    dataset = datasets.Dataset.from_list(rows, features=features)
    expected = list(from_dataset(dataset))
    assert [(d.id, found(d)) for d in expected] == [("0", [("Ida King", "PER")]), ("1", [])]
    for tag, got in ((-1, "-1"), (None, "None")):
        row = {"id": "2", "tokens": ["Rome"], "pos_tags": [1], "ner_tags": [tag]}
        hidden = datasets.Dataset.from_list([row], features=features)
        with pytest.raises(DataError, match=f"row 0: expected a tag for each .* got {got}, which"):
            list(from_dataset(hidden))
    row = {"id": "2", "tokens": ["Rome"], "pos_tags": [1], "ner_tags": None}
    with pytest.raises(DataError, match="row 0: expected a tag for each of 1 tokens, got none"):
        list(from_dataset(datasets.Dataset.from_list([row], features=features)))
    both = datasets.DatasetDict({"train": dataset, "test": dataset})
    both.save_to_disk(tmp_path / "both")
    assert f"give one of {tmp_path}/both/test, {tmp_path}/both/train" in refusal(tmp_path / "both")
    documents, lost = taken(tmp_path / "both" / "train")
    assert documents == expected
    assert lost == {"values of the column pos_tags": 2}
    assert list(from_dataset(to_dataset(expected))) == expected
    write(tmp_path / "copy", expected, "datasets")
    assert taken(tmp_path / "copy") == (expected, {})
    assert datasets.load_from_disk(tmp_path / "copy").features["ner_tags"] == tags
    bare = dataset.remove_columns("ner_tags").rename_column("pos_tags", "tags")
    with pytest.raises(DataError, match=r"row 0: expected tags such as B-PER, got .*ClassLabel"):
        list(from_dataset(bare))
    with pytest.raises(DataError, match="expected columns tokens and ner_tags, got id"):
        list(from_dataset(dataset.select_columns("id")))
    with pytest.raises(DataError, match="overlap"):
        to_dataset([Document("a b", (Entity(0, 3, "X"), Entity(0, 1, "Y")))])


# all of them

ENTITY = '{"start": 0, "end": 1, "label": "X"}'
TASK = '{"id": 1, "data": {"text": "a"}, "annotations": []}'


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "-DOCSTART- -X- O O\n\nIda B-PER\n", "conll"),
        ("a.dat", "\nIda NNP B-PER\nran VBD O\n", "conll"),
        ("a.txt", "Ida B-PER\nIda went to see the sea\n", "text"),
        ("a.txt", "vitamin B-12\nhepatitis B-virus\n", "text"),
        ("a.txt", "the O\nsea O\n" * 3, "conll"),
        ("a.txt", "vitamin B-12\nhepatitis B-virus\n" * 3, "text"),
        ("a.txt", "blood group O\n" * 3, "text"),
        ("a.txt", '{"text": "a", "entities": []}\n', "jsonl"),
        ("a.txt", '{"text": "a", "label": []}\n', "doccano"),
        ("a.txt", "{not JSON}\n", "text"),
        ("a.txt", "[1] a note\n", "text"),
        ("a", "[1] a note\n", "text"),
        ("a", f"[\n{TASK}]", "labelstudio"),
        ("a.txt", f"[{TASK}]", "labelstudio"),
        ("a.json", f"[ {TASK}]", "labelstudio"),
        ("a.json", '{"tokens": ["a"]}', "tokens"),
        ("a.jsonl", '{"text": "a", "entities": [{"start": 0, "end": 1, "label": "X"}]}', "jsonl"),
        ("a.jsonl", f'{{"text": "a", "labels": [], "entities": [{ENTITY}]}}', "jsonl"),
        ("a.conll", "[{ O\n", "conll"),
    ],
)
def test_content_tells_the_format(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / name).write_text(content)
    assert format_of(tmp_path / name) == expected
    assert taken(tmp_path / name)[0]


def test_what_is_no_stream_is_not_read_from_standard_input() -> None:
    with pytest.raises(DataError, match="spacy is read from its place, got standard input"):
        taken(Path("-"), format="spacy")


def test_tools_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (f"[{TASK}]", '{"text": "a", "label": []}'):
        stream = io.TextIOWrapper(io.BytesIO(content.encode()))
        monkeypatch.setattr("sys.stdin", stream)
        assert [document.text for document in taken(Path("-"))[0]] == ["a"]


def test_what_is_skipped_without_a_count_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "relations": [1, 2]}\n')
    with pytest.warns(UserWarning, match=r"a\.jsonl: not read: 2 relations"):
        assert len(list(read(path))) == 1


@pytest.mark.parametrize(("kind", "package"), [("spacy", "spacy.tokens"), ("datasets", "datasets")])
def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Format, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"not installed: pip install 'convener\[{kind}\]'"):
        write(tmp_path / "out", [Document("a")], kind)
    assert not list(tmp_path.iterdir())

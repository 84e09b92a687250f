"""brat: a folder of pairs, `NAME.txt` with a text and `NAME.ann` with what is said about it.

A text without notes is a document without labels, so a folder of plain texts is read too.

An entity is a line `T1<tab>LABEL START END<tab>its text`, offsets in code points of the text file
as it stands. brat breaks an entity at line ends into fragments, `0 3;4 9`; fragments with only
white space and a line end between them are one entity here. A line `N1<tab>Reference T1 BASE:ENTRY`
gives an entity its id. Entities in pieces, relations, events, attributes, notes and further
references are skipped and counted.

Each entity's own text is checked. Where it fits only without a byte-order mark, or with line ends
of one character, the file was annotated by a tool that counted so, and is read so.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from convener.errors import DataError, short
from convener.files import new_folder
from convener.text.documents import Document, Entity, Offsets
from convener.text.formats.lines import Line, OnError, numbered_lines

ENTRY = re.compile(r"[^\s:]+:\S+")
"""How an id must look to be written: a knowledge base, a colon, an entry."""

_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_BREAK = re.compile(rf"\s*[{_BREAKS}]\s*")
_NAME = re.compile(r"([\w-]+/)*[\w-][\w.-]*")
_NAME_BYTES = 200
_ENTITY = re.compile(r"(\S+) (\d+ \d+(?:;\d+ \d+)*)")
_SKIPPED = {
    "R": "relations",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "*": "relations",
    "#": "notes",
}


def read(path: Path, on_error: OnError, lost: Counter[str]) -> Iterator[Document]:
    """A document for each text of a folder and those below it, in order of their names."""
    if path.is_file():
        folder, texts = path.parent, [path.with_suffix(".txt")]
    else:
        folder = path
        files = list(visible(path))
        texts = [file for file in files if file.suffix.lower() == ".txt"]
        paired = {text.with_suffix("") for text in texts}
        notes = [file.with_suffix("") for file in files if file.suffix == ".ann"]
        texts = sorted([*texts, *(n.with_name(f"{n.name}.txt") for n in notes if n not in paired)])
    for text in texts:
        try:
            yield _document(text, text.relative_to(folder).with_suffix("").as_posix(), lost)
        except DataError as error:
            on_error(error)


def visible(folder: Path) -> Iterator[Path]:
    """The files of a folder and those below it, without hidden files and folders."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


def _document(path: Path, name: str, lost: Counter[str]) -> Document:
    notes = path.with_suffix(".ann")
    if not path.is_file():
        raise DataError(
            f"{path}: no such file, but {notes.name} is there: brat keeps them in pairs"
        )
    try:
        content = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{path}: expected UTF-8 text: convert the file, before it is annotated"
        ) from None
    if "\x00" in content:
        raise DataError(f"{path}: expected text, got a NUL character: this looks like binary data")
    spans: dict[str, tuple[Line, str, list[Offsets], str]] = {}
    references: dict[str, str] = {}
    for line in numbered_lines(notes) if notes.is_file() else ():
        kind, columns = line.text[:1], line.text.split("\t", 2)
        if kind == "T":
            if columns[0] in spans:
                raise line.error(f"expected ids that differ, got {columns[0]} twice")
            spans[columns[0]] = _spans(line, columns)
        elif kind == "N" and len(columns) > 1 and len(parts := columns[1].split(" ")) == 3:
            lost["further references"] += parts[1] in references
            references.setdefault(parts[1], parts[2])
        elif kind in _SKIPPED:
            lost[_SKIPPED[kind]] += 1
        elif line.text.strip():
            raise line.error(f"expected an annotation of brat's, got {short(line.text)}")
    text = _as_counted(content, list(spans.values()))
    entities = []
    for key, (_, label, pieces, _) in spans.items():
        if _whole(text, pieces):
            entities.append(Entity(pieces[0][0], pieces[-1][1], label, id=references.get(key)))
        else:
            lost["discontinuous entities"] += 1
    return Document(text, tuple(entities), id=name)


def _spans(line: Line, columns: list[str]) -> tuple[Line, str, list[Offsets], str]:
    found = _ENTITY.fullmatch(columns[1]) if len(columns) == 3 else None
    places = [tuple(map(int, p.split(" "))) for p in found[2].split(";")] if found else []
    if found is None or not all(start < end for start, end in places):
        raise line.error(f"expected ID, LABEL START END and text by tabs, got {short(line.text)}")
    return line, found[1], [(start, end) for start, end in places], columns[2]


def _as_counted(content: str, spans: list[tuple[Line, str, list[Offsets], str]]) -> str:
    """The text as the tool that set the offsets counted it."""
    plain = content.removeprefix("\ufeff")
    if not spans:
        return plain
    for text in dict.fromkeys((content, plain, plain.replace("\r\n", "\n"))):
        if all(_fits(text, pieces, shown) for _, _, pieces, shown in spans):
            return text
    line, _, pieces, shown = next(s for s in spans if not _fits(content, s[2], s[3]))
    raise line.error(
        f"expected the offsets of {short(shown)}, got {pieces[0][0]}-{pieces[-1][1]}, where the "
        f"text, of {len(content)} characters, has {short(_shown(content, pieces))}: "
        "annotate it again"
    )


def _fits(text: str, pieces: list[Offsets], shown: str) -> bool:
    return pieces[-1][1] <= len(text) and _shown(text, pieces) == _spaced(shown)


def _shown(text: str, pieces: list[Offsets]) -> str:
    return _spaced(" ".join(text[start:end] for start, end in pieces))


def _spaced(text: str) -> str:
    return re.sub(rf"[\t\x00{_BREAKS}]", " ", text)


def _whole(text: str, pieces: list[Offsets]) -> bool:
    return all(_BREAK.fullmatch(text[left[1] : right[0]]) for left, right in pairwise(pieces))


def fragments(text: str, entity: Entity) -> list[Offsets]:
    """The stretches of an entity between line breaks, without the white space around these."""
    pieces, start = [], entity.start
    for gap in _BREAK.finditer(text, entity.start, entity.end):
        pieces.append((start, gap.start()))
        start = gap.end()
    pieces.append((start, entity.end))
    return [(start, end) for start, end in pieces if start < end]


def write(path: Path, documents: Iterable[Document], lost: Counter[str]) -> None:
    """A pair of files for each document, named by its id or, where it is no file's name, numbered.

    Raises:
        DataError: there is something in the folder already.
    """
    if path.is_dir() and any(path.iterdir()):
        raise DataError(f"expected a new or an empty folder for brat, got {path}: choose another")
    used: set[str] = set()
    with new_folder(path) as folder:
        for number, document in enumerate(documents, 1):
            name = document.id
            if name is None or not _fits_a_file(name) or name.casefold() in used:
                lost["document ids"] += name is not None
                name = f"{number:06d}"
                while name in used:
                    name += "-"
            used.add(name.casefold())
            text, notes = folder / f"{name}.txt", folder / f"{name}.ann"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_bytes(document.text.encode())
            notes.write_bytes("".join(_annotations(document)).encode())


def _fits_a_file(name: str) -> bool:
    if not _NAME.fullmatch(name):
        return False
    return all(len(part.encode()) <= _NAME_BYTES for part in name.split("/"))


def _annotations(document: Document) -> Iterator[str]:
    references = 0
    for number, entity in enumerate(document.entities, 1):
        pieces = fragments(document.text, entity)
        places = ";".join(f"{start} {end}" for start, end in pieces)
        shown = _shown(document.text, pieces)
        yield f"T{number}\t{entity.label} {places}\t{shown}\n"
        if entity.id is not None:
            references += 1
            yield f"N{references}\tReference T{number} {entity.id}\t{shown}\n"

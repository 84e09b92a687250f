r"""Names from published vocabularies, read as they are downloaded: Wikidata, OBO, UMLS.

Each reader yields entries one by one. What cannot be used (a row without a name, an item without a
label in the language asked for) is handed to `on_error` with its place and left out; what was not
asked for (another language, a suppressed name, another scope) is left out without a word.

    refused: list[DataError] = []
    Gazetteer(wikidata("painters.csv", "PER", refused.append))

RDF vocabularies, which need an extra, are in `convener.dictionary.thesauri`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import regex

from convener.dictionary.gazetteer import Entry
from convener.dictionary.sources import Row, cells_of
from convener.errors import DataError, short
from convener.text.formats.lines import Line, OnError, numbered_lines

_ITEM = regex.compile(r"(?:.*/)?([QPL][0-9]+)")
_TAG = regex.compile(r"([\w-]+):\s*(.*)")
_SYNONYM = regex.compile(r'"((?:[^"\\]|\\.)*)"\s+(EXACT|BROAD|NARROW|RELATED)\b.*')
_MODIFIERS = regex.compile(r"(?<!\\)\s(?:\{[^}]*\}|!\s.*)\s*$")
_CONCEPT_COLUMNS, _TYPE_COLUMNS = 18, 6


def wikidata(path: str | Path, label: str, on_error: OnError) -> Iterator[Entry]:
    """Names of a Wikidata query's result, saved as CSV, TSV or JSON.

    The query selects `?item`, `?itemLabel` and, for other names, `?altLabel` (one a row) or
    `?itemAltLabel` (comma-separated, as the label service gives them).

    Raises:
        DataError: the file can't be read, or is no such result.
    """
    ending = Path(path).suffix.lower()
    delimiter = "\t" if ending == ".tsv" else ","
    rows = _bindings(path) if ending == ".json" else _table(path, delimiter, on_error)
    seen: set[tuple[str, str]] = set()
    for place, row in rows:
        item = _ITEM.fullmatch(row.get("item", ""))
        if item is None:
            on_error(DataError(f"{place}: expected an item, got {short(row.get('item', ''))}"))
            continue
        key = item[1]
        cells = (row.get("itemLabel", ""), row.get("altLabel", ""))
        names = [name.strip() for name in (*cells, *row.get("itemAltLabel", "").split(","))]
        names = [name for name in names if name and name != key]
        if not names:
            on_error(DataError(f"{place}: {key} has no label in the language of the query"))
        for name in names:
            if (key, name) not in seen:
                seen.add((key, name))
                yield Entry(name, label, key)


def _table(path: str | Path, delimiter: str, on_error: OnError) -> Iterator[Row]:
    lines = (line for line in numbered_lines(path) if line.text.strip())
    rows = cells_of(lines, delimiter, on_error)
    _, header = next(rows, (None, []))
    names = [name.lstrip("?") for name in header]
    _check_columns(path, names)
    for line, cells in rows:
        yield f"{path}:{line.number}", dict(zip(names, cells, strict=False))


def _bindings(path: str | Path) -> Iterator[Row]:
    text = "\n".join(line.text for line in numbered_lines(path))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, got broken JSON ({error})") from None
    if isinstance(content, dict):
        results = content.get("results")
        content = results.get("bindings") if isinstance(results, dict) else None
    if not isinstance(content, list):
        raise DataError(f"{path}: expected the result of a query in JSON: download it again")
    _check_columns(path, {name for row in content[:100] if isinstance(row, dict) for name in row})
    for number, row in enumerate(content, 1):
        cells = row.items() if isinstance(row, dict) else ()
        yield f"{path}: result {number}", {name: _value(cell) for name, cell in cells}


def _value(cell: object) -> str:
    value = cell.get("value") if isinstance(cell, dict) else cell
    return value if isinstance(value, str) else ""


def _check_columns(path: str | Path, names: Iterable[str]) -> None:
    found = sorted(name.lstrip("?") for name in names)
    if "item" not in found or not {"itemLabel", "altLabel", "itemAltLabel"} & set(found):
        raise DataError(
            f"{path}: expected the columns item, itemLabel and maybe altLabel, "
            f"got {', '.join(found) or 'none'}: name the variables of the query so"
        )


def obo(
    path: str | Path, label: str, on_error: OnError, scopes: Iterable[str] = ("EXACT",)
) -> Iterator[Entry]:
    """Names of an ontology's terms, and their synonyms of some scopes, from an OBO file.

    Obsolete terms are left out. Scopes are EXACT, BROAD, NARROW and RELATED.

    Raises:
        DataError: the file can't be read, or has no term.
    """
    wanted = frozenset(scopes)
    terms = 0
    for stanza in _stanzas(path):
        terms += 1
        id_, names, obsolete = None, [], False
        for line in stanza:
            tag, value = _tag_and_value(line)
            if tag == "id":
                id_ = _unescaped(value)
            elif tag == "name":
                names.append(_unescaped(value))
            elif tag == "is_obsolete":
                obsolete = value == "true"
            elif tag == "synonym":
                match = _SYNONYM.fullmatch(value)
                if match is None:
                    on_error(line.error(f'expected a synonym such as "text" EXACT [], got {value}'))
                elif match[2] in wanted:
                    names.append(_unescaped(match[1]))
        if obsolete:
            continue
        if id_ is None or not any(name.strip() for name in names):
            on_error(stanza[0].error("expected a term with an id and a name"))
            continue
        yield from (Entry(name, label, id_) for name in dict.fromkeys(names) if name.strip())
    if not terms:
        raise DataError(f"{path}: expected an ontology in OBO, found no [Term] in it")


def _stanzas(path: str | Path) -> Iterator[list[Line]]:
    """The lines of each term, its header first."""
    stanza: list[Line] = []
    for line in numbered_lines(path):
        if line.text.startswith("["):
            if stanza:
                yield stanza
            stanza = [line] if line.text.strip() == "[Term]" else []
        elif stanza:
            stanza.append(line)
    if stanza:
        yield stanza


def _tag_and_value(line: Line) -> tuple[str, str]:
    match = _TAG.fullmatch(line.text)
    if match is None:
        return "", ""
    quoted = match[2].startswith('"')
    return match[1], (match[2] if quoted else _MODIFIERS.sub("", match[2])).strip()


def _unescaped(text: str) -> str:
    spaces = {"n": " ", "t": " ", "W": " "}
    return regex.sub(r"\\(.)", lambda match: spaces.get(match[1], match[1]), text)


def umls(
    folder: str | Path,
    on_error: OnError,
    labels: Mapping[str, str] | None = None,
    language: str = "ENG",
) -> Iterator[Entry]:
    """Names of the UMLS, from `MRCONSO.RRF` and `MRSTY.RRF` in a folder.

    `labels` gives the label of each semantic type wanted, by identifier ("T047") or name
    ("Disease or Syndrome"); without it all are wanted and their names are the labels. A concept of
    several wanted types gives an entry for each label. Suppressed names are left out.

    Raises:
        DataError: a file can't be read.
    """
    types = _semantic_types(Path(folder) / "MRSTY.RRF", labels, on_error)
    seen: tuple[str, set[str]] = ("", set())
    for line, cells in _columns(Path(folder) / "MRCONSO.RRF", _CONCEPT_COLUMNS, on_error):
        concept, name = cells[0], cells[14].strip()
        if cells[1] != language or cells[16] != "N":
            continue
        if not name or concept not in types:
            reason = "has no semantic type in MRSTY.RRF" if name else "has an empty name"
            on_error(line.error(f"concept {short(concept)} {reason}"))
            continue
        if concept != seen[0]:
            seen = concept, set()
        if name not in seen[1]:
            seen[1].add(name)
            yield from (Entry(name, label, concept) for label in types[concept])


def _semantic_types(
    path: Path, labels: Mapping[str, str] | None, on_error: OnError
) -> dict[str, tuple[str, ...]]:
    """The labels of each concept, none if its types are not wanted."""
    types: dict[str, tuple[str, ...]] = {}
    for _, cells in _columns(path, _TYPE_COLUMNS, on_error):
        concept, identifier, name = cells[0], cells[1], cells[3]
        label = name if labels is None else labels.get(identifier) or labels.get(name)
        known = types.setdefault(concept, ())
        if label and label not in known:
            types[concept] = (*known, label)
    return types


def _columns(path: Path, count: int, on_error: OnError) -> Iterator[tuple[Line, list[str]]]:
    for line in numbered_lines(path):
        cells = line.text.removesuffix("|").split("|")
        if len(cells) == count:
            yield line, cells
        else:
            on_error(line.error(f"expected {count} columns, got {len(cells)}"))

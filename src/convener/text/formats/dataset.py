"""Sets of Hugging Face `datasets`: columns `tokens` and `ner_tags` (or `tags`), in memory or saved
to a folder by `save_to_disk` (the extra `datasets`).

Tags are class labels or strings of any scheme (`convener.text.tags`), and written as BIO labels.
Columns `id` and `doc_id` are the document's id and group; other columns are counted by name.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convener.errors import ConfigError, DataError, short
from convener.files import new_folder
from convener.text.documents import Document
from convener.text.formats.conll import document_of_words
from convener.text.formats.jsonl import word_indices
from convener.text.formats.lines import OnError
from convener.text.tags import tags_from_spans

if TYPE_CHECKING:
    from datasets import Dataset

_TAGS = ("ner_tags", "tags")
_HELD = {"id", "doc_id", "tokens", *_TAGS}


def read(path: Path, on_error: OnError, lost: Counter[str]) -> Iterator[Document]:
    """A document for each row of a folder that `Dataset.save_to_disk` wrote.

    Raises:
        DataError: the folder holds several sets, or columns of another kind.
        ConfigError: the package `datasets` is not installed.
    """
    if (path / "dataset_dict.json").is_file():
        splits = sorted(f"{path}/{folder.parent.name}" for folder in path.glob("*/state.json"))
        raise DataError(f"{path} holds several sets: give one of {', '.join(splits)}")
    load = _tools().Dataset.load_from_disk
    try:
        loaded = load(path)
    except Exception as error:
        raise DataError(f"{path}: expected a saved set of rows, got {error}") from None
    yield from _documents(loaded, str(path), on_error, lost)


def from_dataset(dataset: "Dataset") -> Iterator[Document]:
    """Documents of a `datasets.Dataset` with columns `tokens` and `ner_tags`.

    Raises:
        DataError: the columns are others, or a row is bad.
    """

    def refuse(error: DataError) -> None:
        raise error

    return _documents(dataset, "the dataset", refuse, Counter())


def _documents(
    dataset: "Dataset", name: str, on_error: OnError, lost: Counter[str]
) -> Iterator[Document]:
    tags = next((column for column in _TAGS if column in dataset.column_names), None)
    if tags is None or "tokens" not in dataset.column_names:
        raise DataError(
            f"{name}: expected columns tokens and ner_tags, got {', '.join(dataset.column_names)}"
        )
    names = getattr(getattr(dataset.features[tags], "feature", None), "names", None)
    for column in sorted(set(dataset.column_names) - _HELD):
        lost[f"values of the column {column}"] += len(dataset)
    for number, row in enumerate(dataset):
        try:
            yield _document(row, row[tags], names)
        except DataError as error:
            on_error(DataError(f"{name}: row {number}: {error}"))


def _document(row: dict[str, Any], tags: list[Any] | None, names: list[str] | None) -> Document:
    words = row["tokens"] or []
    if not all(words):
        raise DataError("expected non-empty tokens, got an empty string")
    if tags is None or len(words) != len(tags):
        got = "none" if tags is None else len(tags)
        raise DataError(f"expected a tag for each of {len(words)} tokens, got {got}")
    if names is not None:
        missing = [tag for tag in tags if tag is None or tag < 0]
        if missing:
            raise DataError(
                f"expected a tag for each of {len(words)} tokens, got {missing[0]}, which stands "
                "for none: leave out rows without labels"
            )
        tags = [names[tag] for tag in tags]
    elif not all(isinstance(tag, str) for tag in tags):
        raise DataError(
            f"expected tags such as B-PER, got {short(tags)}: cast the column to ClassLabel"
        )
    name, group = (None if row.get(k) is None else str(row[k]) for k in ("id", "doc_id"))
    return document_of_words(words, tags, id=name, group=group)


def to_dataset(documents: Iterable[Document]) -> "Dataset":
    """Documents as a `datasets.Dataset` with columns id, doc_id, tokens and ner_tags (BIO).

    Raises:
        DataError: entities overlap, or begin or end inside a word.
        ConfigError: the package `datasets` is not installed.
    """
    library = _tools()
    columns: dict[str, list[Any]] = {"id": [], "doc_id": [], "tokens": [], "ner_tags": []}
    for document in documents:
        indices = word_indices(document)
        words = [document.text[start:end] for start, end in document.words()]
        spans = [(*indices(entity.span), entity.label) for entity in document.entities]
        columns["id"].append(document.id)
        columns["doc_id"].append(document.group)
        columns["tokens"].append(words)
        columns["ner_tags"].append(tags_from_spans(len(words), spans))
    labels = sorted({tag[2:] for tags in columns["ner_tags"] for tag in tags if tag != "O"})
    names = ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]
    string = library.Value("string")
    features = library.Features(
        {
            "id": string,
            "doc_id": string,
            "tokens": library.List(string),
            "ner_tags": library.List(library.ClassLabel(names=names)),
        }
    )
    return library.Dataset.from_dict(columns, features=features)


def write(path: Path, documents: Iterable[Document]) -> None:
    """The documents as a folder that `datasets.load_from_disk` loads.

    Raises:
        DataError: there is something in the folder already.
    """
    if path.is_dir() and any(path.iterdir()):
        raise DataError(f"expected a new or an empty folder for the set, got {path}")
    dataset = to_dataset(documents)
    with new_folder(path) as folder, _quiet():
        dataset.save_to_disk(folder)


@contextmanager
def _quiet() -> Iterator[None]:
    library = _tools()
    shown = not library.are_progress_bars_disabled()
    library.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            library.enable_progress_bars()


def _tools() -> Any:
    try:
        import datasets
    except ImportError:
        raise ConfigError(
            "sets of Hugging Face are read by the package datasets, which is not installed: "
            "pip install 'convener[datasets]'"
        ) from None
    return datasets

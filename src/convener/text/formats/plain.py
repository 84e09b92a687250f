"""Plain text: one document a line, blank lines skipped."""

from collections.abc import Iterable, Iterator

from convener.errors import DataError
from convener.text.documents import Document
from convener.text.formats.lines import Line, OnError


def read(source: Iterable[Line], on_error: OnError) -> Iterator[Document]:
    """A document for each line that is not blank; nothing in plain text can be in error."""
    del on_error
    for line in source:
        if line.text.strip():
            yield Document(line.text)


def lines(documents: Iterable[Document]) -> Iterator[str]:
    """The text of each document as one line; line breaks inside it become spaces.

    Raises:
        DataError: a document has labels, or no word, which plain text would lose.
    """
    for document in documents:
        if document.entities or document.unknown:
            raise DataError("plain text cannot hold labels: write a .jsonl or .conll file")
        if not document.text.strip():
            raise DataError("plain text cannot hold a document without a word: write .jsonl")
        yield document.text.translate({10: " ", 13: " "}) + "\n"

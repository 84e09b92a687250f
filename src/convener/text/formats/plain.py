"""Plain text: one document a line, blank lines skipped."""

from collections.abc import Iterable, Iterator

from convener.text.documents import Document
from convener.text.formats.lines import Line, OnError


def read(lines: Iterable[Line], on_error: OnError) -> Iterator[Document]:
    """A document for each line that is not blank; nothing in plain text can be in error."""
    del on_error
    for line in lines:
        if line.text.strip():
            yield Document(line.text)


def line(document: Document) -> str:
    """The text of a document as one line; line breaks inside it become spaces, offsets stay."""
    return document.text.translate({10: " ", 13: " "}) + "\n"

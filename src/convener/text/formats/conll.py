"""CoNLL columns: a word and its tag a line, a blank line after each sentence.

Two to four columns parted by blanks or tabs: the word comes first, its tag last, what stands
between is ignored. A `-DOCSTART-` line opens a new group. Tags are of any scheme of
`convener.text.tags`.
"""

from collections.abc import Iterable, Iterator, Sequence

from convener.errors import DataError
from convener.text.documents import Document, Entity
from convener.text.formats.jsonl import word_indices
from convener.text.formats.lines import Line, OnError
from convener.text.tags import spans_from_tags, split_tag, tags_from_spans


def read(lines: Iterable[Line], on_error: OnError) -> Iterator[Document]:
    """A document for each sentence; a sentence with a bad line is left out whole."""
    sentence: list[tuple[str, str]] = []
    group, groups, bad = None, 0, False
    for line in lines:
        columns = line.text.replace("\t", " ").split(" ")
        columns = [column for column in columns if column]
        if columns and columns[0] != "-DOCSTART-":
            try:
                sentence.append(_row(line, columns))
            except DataError as error:
                if not bad:
                    on_error(error)
                bad = True
            continue
        if sentence and not bad:
            yield _sentence(sentence, group)
        sentence, bad = [], False
        if columns:
            groups += 1
            group = f"d{groups:06d}"
    if sentence and not bad:
        yield _sentence(sentence, group)


def _row(line: Line, columns: list[str]) -> tuple[str, str]:
    if not 2 <= len(columns) <= 4:
        raise line.error(f"expected 2 to 4 columns, word first and tag last, got {len(columns)}")
    try:
        split_tag(columns[-1])
    except DataError as error:
        raise line.error(str(error)) from None
    return columns[0], columns[-1]


def _sentence(sentence: list[tuple[str, str]], group: str | None) -> Document:
    words, tags = zip(*sentence, strict=True)
    return document_of_words(words, tags, group=group)


def document_of_words(
    words: Sequence[str], tags: Sequence[str], id: str | None = None, group: str | None = None
) -> Document:
    """The document of words with a tag each, one space between them."""
    offsets, position = [], 0
    for word in words:
        offsets.append((position, position + len(word)))
        position += len(word) + 1
    return Document(
        text=" ".join(words),
        entities=tuple(
            Entity(offsets[start][0], offsets[end - 1][1], label)
            for start, end, label in spans_from_tags(tags)
        ),
        id=id,
        group=group,
        tokens=tuple(offsets),
    )


def blocks(documents: Iterable[Document]) -> Iterator[str]:
    """Each document as lines of word and BIO tag, a `-DOCSTART-` line where a new group begins.

    After the first such line a document without a group has one before it too.

    Raises:
        DataError: something that columns cannot say: overlapping entities, a boundary inside a
            word, white space in a word or a label, an unknown stretch, types that were looked for,
            no word at all.
    """
    group: str | None = None
    grouped = False
    for document in documents:
        grouped = grouped or document.group is not None
        if grouped and (document.group is None or document.group != group):
            yield "-DOCSTART-\tO\n\n"
        group = document.group
        yield _block(document)


def _block(document: Document) -> str:
    if document.unknown:
        raise DataError("columns cannot hold unknown stretches: write .jsonl")
    if document.types is not None:
        raise DataError("columns cannot hold which types were looked for: write .jsonl")
    words = [document.text[start:end] for start, end in document.words()]
    if not words:
        raise DataError("columns cannot hold a document without a word: write .jsonl")
    indices = word_indices(document)
    spans = [(*indices(e.span), e.label) for e in document.entities]
    for value in (*words, *(label for _, _, label in spans)):
        if value == "-DOCSTART-":
            raise DataError("a word -DOCSTART- would begin a new document: write .jsonl")
        if len(value.split()) != 1 or value != value.strip():
            raise DataError(f"{value!r} holds white space, which columns cannot say: write .jsonl")
    tags = tags_from_spans(len(words), spans)
    return "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True)) + "\n"

"""A component of spaCy's: `nlp.add_pipe("convener", config={"model": "drug-ner"})`.

The model reads the text as it does anywhere else, so its entities are those of `predict`, whatever
spaCy's words are. An entity that begins or ends inside a word is widened to the words that hold its
first and its last character. All entities stand in `doc.spans["convener"]`, nested ones too, with
their scores among the group's attributes; those that do not overlap, the longest first, stand in
`doc.ents`, beside what an earlier component has set there. `doc._.convener` has them exact to the
character, `span._.convener_score` the score of a span.

The model is loaded when it is first needed, and saved with the pipeline. With
`"dictionary": "drugs.csv"` (and `"label"`, the type of names whose row gives none) listed names are
found beside the model's (`convener.inference.beside`). The dictionary is not saved: a pipeline
reads it from its path.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch

from convener.api import load
from convener.dictionary import Gazetteer
from convener.inference.recogniser import Recogniser
from convener.text.documents import Document, Entity
from convener.text.formats.docbin import exact_entities, span_group, stands_for, widened

KEY = "convener"


class Recognition:
    """Finds entities in Docs by a model, a folder or a name on the hub, and a dictionary's file."""

    def __init__(self, model: str, dictionary: str | None = None, label: str | None = None) -> None:
        self._model = model
        self._dictionary = dictionary
        self._label = label
        self._recogniser: Recogniser | None = None

    @property
    def recogniser(self) -> Recogniser:
        """The model, with the dictionary at its side.

        Raises:
            DataError: the dictionary cannot be read.
            ModelError: there is no such model, or it is damaged.
        """
        if self._recogniser is None:
            self._recogniser = self._loaded(self._model)
        return self._recogniser

    def _loaded(self, model: str | Path) -> Recogniser:
        recogniser = load(model)
        if self._dictionary is None:
            return recogniser
        return recogniser.beside(Gazetteer.from_file(self._dictionary, self._label))

    def __call__(self, doc: Doc) -> Doc:
        """The same Doc, with entities."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """The same Docs, with entities, `batch_size` of them read together."""
        for docs in minibatch(stream, size=batch_size):
            answers = self.recogniser.annotate([Document(doc.text) for doc in docs])
            for doc, answer in zip(docs, answers, strict=True):
                annotate(doc, answer.entities)
                yield doc

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model to a folder."""
        self.recogniser.save_pretrained(path)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "Recognition":
        """Take the model of a folder."""
        self._recogniser = self._loaded(Path(path))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The model's folder as a zip file."""
        content = io.BytesIO()
        with TemporaryDirectory() as folder, ZipFile(content, "w") as archive:
            self.recogniser.save_pretrained(folder)
            for path in sorted(Path(folder).rglob("*")):
                archive.write(path, path.relative_to(folder))
        return content.getvalue()

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "Recognition":
        """Take the model from its zipped folder."""
        with TemporaryDirectory() as folder, ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(folder)
            return self.from_disk(folder)


def annotate(doc: Doc, entities: Sequence[Entity]) -> None:
    """Set entities on a Doc of the same text."""
    spans = [widened(doc, entity) for entity in entities]
    doc.spans[KEY] = span_group(doc, KEY, spans, entities)
    taken = {token.i for span in doc.ents for token in span}
    free = [span for span in spans if not taken.intersection(range(span.start, span.end))]
    doc.set_ents([*doc.ents, *filter_spans(free)], default="outside")


def _exact(doc: Doc) -> tuple[Entity, ...]:
    group = doc.spans.get(KEY)
    return () if group is None else exact_entities(group)


def _score(span: Span) -> float | None:
    """That of the entity which stands there now, though words were merged or split since."""
    exact = _exact(span.doc)
    return next((entity.score for entity in exact if stands_for(span, entity)), None)


Doc.set_extension("convener", getter=_exact, force=True)
Span.set_extension("convener_score", getter=_score, force=True)


@Language.factory("convener", assigns=["doc.ents", "doc.spans", "doc._.convener"])
def recognition(
    nlp: Language, name: str, model: str, dictionary: str | None = None, label: str | None = None
) -> Recognition:
    """The component, as `nlp.add_pipe` makes it."""
    return Recognition(model, dictionary, label)

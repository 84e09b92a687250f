"""Names from RDF: SKOS thesauri and OWL ontologies, read by rdflib (the extra `vocabularies`).

A graph is held in memory whole. Only files are read, and never the network: JSON-LD, whose contexts
may live elsewhere, is not taken.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from convener.dictionary.gazetteer import Entry
from convener.errors import ConfigError, DataError
from convener.text.formats.lines import OnError

if TYPE_CHECKING:
    from rdflib import Graph

_FORMATS = {
    ".ttl": "turtle",
    ".rdf": "xml",
    ".xml": "xml",
    ".owl": "xml",
    ".skos": "xml",
    ".nt": "nt",
    ".n3": "n3",
}
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_OBO = "http://www.geneontology.org/formats/oboInOwl#"
_LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
_OWL = "http://www.w3.org/2002/07/owl#"
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_NO_CONCEPTS = ("ConceptScheme", "Collection", "OrderedCollection")


def skos(
    path: str | Path, label: str, on_error: OnError, language: str | None = "en"
) -> Iterator[Entry]:
    """Preferred, alternative and hidden labels of a SKOS thesaurus, sorted by concept.

    Labels of another language are left out, those of none kept; None takes all. Concepts that have
    no label then are handed to `on_error`.

    Raises:
        ConfigError: the extra is missing.
        DataError: the file can't be read, or has no concept with a label.
    """
    graph = _graph(path)
    kinds = [_SKOS + kind for kind in ("prefLabel", "altLabel", "hiddenLabel")]
    others = (_instances(graph, _SKOS + kind) for kind in _NO_CONCEPTS)
    named = _subjects(graph, kinds) | _instances(graph, _SKOS + "Concept")
    named = named.difference(*others)
    if not named:
        raise DataError(f"{path}: expected a SKOS thesaurus, found no concept with a label")
    for concept in sorted(named):
        if _deprecated(graph, concept):
            continue
        names = _names(graph, concept, kinds, language)
        if not names:
            on_error(DataError(f"{path}: {concept} has no label in language {language!r}"))
        yield from (Entry(name, label, concept) for name in names)


def owl(
    path: str | Path,
    label: str,
    on_error: OnError,
    scopes: Iterable[str] = ("EXACT",),
    language: str | None = "en",
) -> Iterator[Entry]:
    """Labels of an OWL ontology's classes, and synonyms of some scopes, sorted by class.

    Synonyms are those of oboInOwl, of scope EXACT, BROAD, NARROW or RELATED. Deprecated classes and
    labels of another language are left out; classes without a label are handed to `on_error`.

    Raises:
        ConfigError: the extra is missing.
        DataError: the file can't be read, or has no class.
    """
    graph = _graph(path)
    kinds = [_LABEL, *(f"{_OBO}has{scope.capitalize()}Synonym" for scope in scopes)]
    classes = _instances(graph, _OWL + "Class")
    if not classes:
        raise DataError(f"{path}: expected an OWL ontology, found no class in it")
    for name in sorted(classes):
        if _deprecated(graph, name):
            continue
        surfaces = _names(graph, name, kinds, language)
        if not surfaces:
            on_error(DataError(f"{path}: {name} has no label in language {language!r}"))
        id_ = name.rsplit("/", 1)[-1].rsplit("#", 1)[-1].replace("_", ":", 1)
        yield from (Entry(surface, label, id_) for surface in surfaces)


def _graph(path: str | Path) -> "Graph":
    try:
        from rdflib import Graph
    except ImportError:
        raise ConfigError(
            f"{path}: RDF is read by rdflib, which is not installed: "
            "pip install 'convener[vocabularies]'"
        ) from None
    ending = Path(path).suffix.lower()
    if ending not in _FORMATS:
        raise DataError(f"{path}: expected an RDF file ({', '.join(_FORMATS)}), got {ending!r}")
    try:
        with Path(path).open("rb") as stream:
            return Graph().parse(stream, format=_FORMATS[ending])
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:
        cause = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: expected RDF as {_FORMATS[ending]}: {cause}") from None


def _deprecated(graph: "Graph", name: str) -> bool:
    return any(value.lower() in {"true", "1"} for value in _values(graph, name, "deprecated"))


def _subjects(graph: "Graph", predicates: Iterable[str]) -> set[str]:
    from rdflib import URIRef

    return {
        str(subject)
        for predicate in predicates
        for subject in graph.subjects(URIRef(predicate))
        if isinstance(subject, URIRef)
    }


def _instances(graph: "Graph", kind: str) -> set[str]:
    from rdflib import URIRef

    subjects = graph.subjects(URIRef(_TYPE), URIRef(kind))
    return {str(subject) for subject in subjects if isinstance(subject, URIRef)}


def _names(
    graph: "Graph", subject: str, predicates: Iterable[str], language: str | None
) -> list[str]:
    """The literals of a subject in a language, predicate by predicate, each once."""
    from rdflib import Literal, URIRef

    names: dict[str, None] = {}
    for predicate in predicates:
        found = graph.objects(URIRef(subject), URIRef(predicate))
        texts = {
            " ".join(str(value).split())
            for value in found
            if isinstance(value, Literal) and _speaks(value.language, language)
        }
        names.update(dict.fromkeys(sorted(texts - {""})))
    return list(names)


def _speaks(tag: str | None, language: str | None) -> bool:
    """Whether a language tag ("en-GB") is of a language ("en"), or either is not given."""
    if tag is None or language is None:
        return True
    return f"{tag.lower()}-".startswith(f"{language.lower()}-")


def _values(graph: "Graph", subject: str, name: str) -> list[str]:
    from rdflib import URIRef

    return [str(value) for value in graph.objects(URIRef(subject), URIRef(_OWL + name))]

"""What a dictionary does to a corpus, before anything is trained on it.

Every name has a *record*: how often it was labelled, how often it stood inside a longer match and
so was not, how often it occurs as an ordinary lower-case word, and by gold labels, where there are
some, how often it was right. Names that cause trouble are then listed under the kind of trouble.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from convener.dictionary.entries import Form
from convener.dictionary.gazetteer import Entry, Gazetteer, Match
from convener.dictionary.labeller import Labeller, Summary
from convener.errors import DataError
from convener.text.documents import Document, Entity
from convener.text.overlaps import Overlaps

_EXAMPLES = 3
_CONTEXT = 40
_BELIEF = 2.0

Example = tuple[str, str, str]
"""Text before, the match, text after."""


@dataclass(slots=True)
class Record:
    """What became of one name and type: of `judged` matches, `right` are right by gold.

    `plain` counts occurrences in lower case of a name that is a single word, `hidden` those inside
    longer matches.
    """

    surface: str
    label: str
    matches: int = 0
    hidden: int = 0
    plain: int = 0
    in_lower_case: int = 0
    judged: int = 0
    right: int = 0
    examples: list[Example] = field(default_factory=list)

    @property
    def capitalised(self) -> bool:
        """Whether the dictionary writes the name with a capital."""
        return self.surface != self.surface.lower()

    def precision(self, overall: float) -> float:
        """The expected precision: its own, drawn to that of the whole dictionary if seldom judged.

        The mean of a beta distribution whose prior counts as two matches.
        """
        return (self.right + _BELIEF * overall) / (self.judged + _BELIEF)


@dataclass(slots=True)
class Audit:
    """Records of all names that occur, by name and type, and what is known of the rest.

    `passed_over` are names with a capital that occur as lower-case words and are no common ones,
    which only the case `ignore` would match.
    """

    summary: Summary
    records: dict[tuple[str, str], Record]
    absent: list[Entry]
    passed_over: Counter[Entry]
    conflicts: Counter[tuple[str, str]]
    gold_entities: int = 0
    found: int = 0

    @property
    def precision(self) -> float:
        """Share of judged matches that are right by gold; 0 without gold."""
        judged = sum(record.judged for record in self.records.values())
        return sum(record.right for record in self.records.values()) / judged if judged else 0.0

    @property
    def recall(self) -> float:
        """Share of gold entities that the dictionary labels."""
        return self.found / self.gold_entities if self.gold_entities else 0.0

    def most_frequent(self) -> list[Record]:
        """Names by their number of matches."""
        return _ranked(self.records.values(), lambda record: record.matches)

    def ambiguous(self) -> list[list[Record]]:
        """Records of names that match under several types, by their number of matches."""
        by_name: dict[str, list[Record]] = {}
        for record in self.records.values():
            if record.matches:
                by_name.setdefault(record.surface, []).append(record)
        several = [records for records in by_name.values() if len(records) > 1]
        return sorted(several, key=lambda records: (-records[0].matches, records[0].surface))

    def ordinary_words(self) -> list[Record]:
        """Names with capitals that occur more often as a lower-case word than as a match."""
        passed_over = {(entry.surface, entry.label) for entry in self.passed_over}
        named = (record for name, record in self.records.items() if name not in passed_over)
        return _ranked(
            (r for r in named if r.capitalised and r.plain > r.matches),
            lambda record: record.plain,
        )

    def in_lower_case(self) -> list[Record]:
        """Names with capitals most of whose matches are in lower case."""
        return _ranked(
            (r for r in self.records.values() if r.capitalised and 2 * r.in_lower_case > r.matches),
            lambda record: record.in_lower_case,
        )

    def always_hidden(self) -> list[Record]:
        """Names that occur only inside longer ones."""
        return _ranked(
            (r for r in self.records.values() if r.hidden and not r.matches),
            lambda record: record.hidden,
        )

    def least_precise(self) -> list[Record]:
        """Names by the number of wrong matches expected of them, where gold judged any."""
        overall = self.precision
        return _ranked(
            (r for r in self.records.values() if r.judged > r.right),
            lambda record: (1 - record.precision(overall)) * record.matches,
        )


def audit(
    documents: Iterable[Document], gazetteer: Gazetteer, gold: Sequence[Document] | None = None
) -> Audit:
    """Label a corpus by a dictionary and say what each name does.

    `gold` are the same documents in the same order with labels that a person made. Entities that
    the documents have from other sources are compared with those of the dictionary.

    Raises:
        DataError: gold documents that are not those of the corpus.
    """
    labeller = Labeller(gazetteer)
    summary = Summary()
    records: dict[tuple[str, str], Record] = {}
    conflicts: Counter[tuple[str, str]] = Counter()
    truths = iter(gold) if gold is not None else None
    wanted = found = 0
    plain: Counter[str] = Counter()
    for document in documents:
        labelled = labeller(document)
        summary.add(labelled)
        conflicts.update(_conflicts(document.entities, labelled.entities))
        chosen = set(labelled.entities)
        spans = sorted({entity.span for entity in chosen})
        overlaps = Overlaps(spans)
        true: set[tuple[int, int, str]] | None = None
        if truths is not None:
            true = _truth(document, next(truths, None))
            given = {(*entity.span, entity.label) for entity in chosen}
            wanted, found = wanted + len(true), found + len(true & given)
        for match in gazetteer.matches(document.text, nested=True):
            for entry in match.entries:
                key = entry.surface, entry.label
                record = records.setdefault(key, Record(*key))
                around = [spans[place] for place in overlaps.of((match.start, match.end))]
                if (match.start, match.end) in around:
                    _add(record, document, match, true)
                elif any(start <= match.start and match.end <= end for start, end in around):
                    record.hidden += 1
        plain.update(_lower_case_words(document))
    if truths is not None and next(truths, None) is not None:
        raise DataError("expected gold for the documents of the corpus, got more of it")
    for record in records.values():
        record.plain = plain[record.surface.lower()]
    absent, passed_over = list[Entry](), Counter[Entry]()
    for entry in gazetteer:
        if (entry.surface, entry.label) not in records:
            absent.append(entry)
        times = plain[entry.surface.lower()]
        if times and Form.of(entry).rule == "capitals":
            passed_over[entry] = times
    return Audit(summary, records, absent, passed_over, conflicts, wanted, found)


def _add(
    record: Record, document: Document, match: Match, truth: set[tuple[int, int, str]] | None
) -> None:
    surface = document.text[match.start : match.end]
    record.matches += 1
    record.in_lower_case += surface == surface.lower()
    if truth is not None:
        record.judged += 1
        record.right += (match.start, match.end, record.label) in truth
    if len(record.examples) < _EXAMPLES:
        record.examples.append(in_context(document, match.start, match.end))


def in_context(document: Document, start: int, end: int) -> Example:
    """A stretch of a text with some of what stands before and after it, on one line."""
    places = ((max(0, start - _CONTEXT), start), (start, end), (end, end + _CONTEXT))
    parts = (document.text[a:b].replace("\n", " ").replace("\r", " ") for a, b in places)
    before, within, after = parts
    return before, within, after


def _truth(document: Document, gold: Document | None) -> set[tuple[int, int, str]]:
    if gold is None or gold.text != document.text:
        text = "nothing" if gold is None else repr(gold.text[:40])
        raise DataError(
            f"expected gold for {document.text[:40]!r}, got {text}: "
            "give the same documents in the same order"
        )
    return {(*entity.span, entity.label) for entity in gold.entities}


def _conflicts(others: Iterable[Entity], chosen: Sequence[Entity]) -> Iterable[tuple[str, str]]:
    """Which source says something else about a stretch that the dictionary labels."""
    overlaps = Overlaps(entity.span for entity in chosen)
    for other in others:
        for entity in map(chosen.__getitem__, overlaps.of(other.span)):
            if (other.span, other.label) != (entity.span, entity.label):
                yield f"{other.source or 'corpus'}: {other.label}", entity.label


def _lower_case_words(document: Document) -> Iterable[str]:
    cut = (document.text[start:end] for start, end in document.words())
    return (word for word in cut if word.islower())


def _ranked(records: Iterable[Record], key: Callable[[Record], float]) -> list[Record]:
    return sorted(records, key=lambda record: (-key(record), record.surface, record.label))

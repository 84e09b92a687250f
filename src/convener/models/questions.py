"""A question for each entity type, which a reader answers with spans (BERT-MRC, Multi-NER).

A question says in words what its label only abbreviates, so that the encoder can use what it
knows. `questions.json` asks for the types of well-known annotation schemes; any other type is
asked for by the words of its label. All questions of one scheme are about as long, because a
reader pads them to the longest.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import regex

from convener.errors import ConfigError, short

_SEAM = regex.compile(
    r"[_\-]+"
    r"|(?<=\p{Ll}{2})(?=\p{Lu})"
    r"|(?<=[\p{Lu}\p{Nd}])(?=\p{Lu}\p{Ll}{2})"
)
_ACRONYM = 3


@cache
def schemes() -> Mapping[str, Mapping[str, str]]:
    """Questions of the known annotation schemes: scheme -> label -> question."""
    content = (files("convener.models") / "questions.json").read_text(encoding="utf-8")
    known: dict[str, dict[str, str]] = json.loads(content)
    return known


def questions_for(labels: Sequence[str], own: Mapping[str, str] | None = None) -> dict[str, str]:
    """A question for each label, in order.

    They come from `own`; without it from the scheme that knows most of the labels, if it knows at
    least half of them (`cell-line`, `CellLine` and `cell_line` are the same label here), and from
    the label's own words where the scheme doesn't know it. Questions in `own` about other labels
    are left alone, so that one file can serve several models.

    Raises:
        ConfigError: no label or one given twice, a label without a question, or two labels with
            the same question up to case and blanks.
    """
    if not labels or len(set(labels)) < len(labels):
        raise ConfigError(
            f"expected different entity types to ask for, got {short(list(labels))}: "
            "name one or more, each once"
        )
    if own is None:
        questions = known_or_written(labels)
    else:
        missing = [label for label in labels if label not in own]
        if missing:
            raise ConfigError(
                "expected a question for each entity type, got none for "
                f"{', '.join(map(short, missing))}: add them to the questions"
            )
        questions = {label: own[label] for label in labels}
    _check(questions)
    return questions


def read_questions(path: Path) -> dict[str, str]:
    """Label -> question from a JSON file.

    Raises:
        ConfigError: the file can't be read, isn't a JSON object of strings, or repeats a label.
    """

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in pairs:
            if name in found:
                raise ConfigError(
                    f"{path}: expected each label once, got {short(name)} twice: keep one of them"
                )
            found[name] = value
        return found

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=once)
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: expected a file of questions in JSON, got no such file: check the path"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path}: expected a file of questions in JSON, got {error.strerror}: check what it is"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path}: expected questions in JSON, got something else ({error}): "
            "check quotes and commas, and that it is UTF-8"
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: expected a JSON object of label and question, got {short(content)}: "
            'write it as {"DRUG": "Which words name a drug?"}'
        )
    questions: dict[str, str] = {}
    for label, question in content.items():
        if not isinstance(question, str):
            raise ConfigError(
                f"{path}: expected a question as text for {short(label)}, "
                f"got {short(question)}: put it in quotes"
            )
        questions[label] = question
    return questions


def known_or_written(labels: Sequence[str]) -> dict[str, str]:
    """A question for each label, of a known scheme or of the label's words, maybe none or alike."""
    keys = {label: _folded(" ".join(_words(label))) for label in labels}
    known = [
        {_folded(" ".join(_words(label))): question for label, question in scheme.items()}
        for scheme in schemes().values()
    ]
    counts = [sum(key in scheme for key in keys.values()) for scheme in known]
    best = known[counts.index(max(counts))] if 2 * max(counts) >= len(labels) else {}
    return {label: best.get(key) or _written(label) for label, key in keys.items()}


def _written(label: str) -> str:
    phrase = " ".join(_words(label))
    if not phrase:
        return ""
    article = "an" if phrase[0].lower() in "aeiou" else "a"
    return f"Which words name {article} {phrase}?"


def _words(label: str) -> list[str]:
    """The words of a label, in lower case but for acronyms such as GPE or the DNA in DNASite."""
    words = _SEAM.sub(" ", label).split()
    capitals_only = label.isupper() and len(label) > _ACRONYM
    return [word if word.isupper() and not capitals_only else word.lower() for word in words]


def _check(questions: Mapping[str, str]) -> None:
    asked: dict[str, str] = {}
    for label, question in questions.items():
        folded = _folded(question)
        if not folded:
            raise ConfigError(
                f"expected a question for {short(label)}, got an empty one: write it in words"
            )
        if folded in asked:
            raise ConfigError(
                f"expected a different question for each entity type, got {short(question)} for "
                f"{short(asked[folded])} and {short(label)}: write another for one of them"
            )
        asked[folded] = label


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())

"""Instructions: texts as prompts of tokens for a language model, and its tokens as entities.

A text too long for the model is asked about in overlapping windows of whole words. Of the windows
that hold a stretch of text the one with most context around it decides whether it is an entity.
So an entity is found whole wherever it fits the overlap, and one that a window's edge cuts in two
is not found in halves.

The text is cut into tokens apart from the words around it, and special tokens that it spells are
read as plain characters, so no text can end its own turn.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import regex
from transformers import PreTrainedTokenizerBase

from convener.errors import ConfigError, ModelError, short
from convener.models.answers import Parsed, answer, longest_apart, parse, prompt
from convener.models.generator_config import LEAST_WINDOW
from convener.text.documents import Document, Entity, Offsets
from convener.text.windows import windows

_SLOT = "@@the text@@"
_BLANKS = regex.compile(r"(\s{8})\s+")
_TEMPLATE: dict[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}


@dataclass(frozen=True, slots=True)
class Window:
    """Some words of a text, as offsets into all of it, and the prompt that asks about them."""

    words: Sequence[Offsets]
    prompt: list[int]

    @property
    def start(self) -> int:
        """Offset of the first character."""
        return self.words[0][0]

    @property
    def end(self) -> int:
        """Offset after the last character."""
        return self.words[-1][1]

    def cut(self, text: str) -> Document:
        """The window as a document of its own."""
        shifted = tuple((start - self.start, end - self.start) for start, end in self.words)
        return Document(text[self.start : self.end], tokens=shifted)


class Instructions:
    """How a tokenizer frames texts and answers for some labels.

    Args:
        tokenizer: of a causal language model; its chat template is used if it has one.
        labels: the types to ask for.
        window: most tokens of text in a prompt.
        overlap: tokens that neighbouring windows share, as far as whole words allow.
        positions: tokens that the model can read, answer included; None for no limit.
        answer: most tokens of an answer.

    Raises:
        ConfigError: no labels, labels given twice, or no room for a text.
        ModelError: a tokenizer without an end, or a chat template without a place for the text.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        labels: Sequence[str],
        *,
        window: int,
        overlap: int,
        positions: int | None,
        answer: int,
    ) -> None:
        if not labels or len(set(labels)) < len(labels):
            raise ConfigError(
                f"expected different entity types to ask for, got {short(list(labels))}: "
                "name one or more, each once"
            )
        if tokenizer.eos_token_id is None:
            raise ModelError("expected a tokenizer with an end-of-text token, got none: set one")
        self.tokenizer = tokenizer
        self.labels = tuple(labels)
        self.end: int = tokenizer.eos_token_id
        self.pad: int = self.end if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self.answer = answer
        self._head, self._tail, self._lead = self._frame()
        frame = len(self._head) + len(self._tail) + answer
        self._most = (positions or 1 << 30) - frame
        if self._most < LEAST_WINDOW:
            raise ConfigError(
                f"the model reads {positions} tokens, of which instruction and answer take "
                f"{frame}: lower max_new_tokens, or ask for fewer types"
            )
        self.window = min(window, self._most)
        self.overlap = min(overlap, self.window // 2)

    def windows(self, document: Document) -> list[Window]:
        """The windows that together hold every word of a document, in order."""
        text, words = document.text, document.words()
        if not words:
            return []
        cuts: list[Sequence[Offsets]] = [words]
        (ids,) = self._tokens([text[words[0][0] : words[-1][1]]])
        texts = [ids]
        if len(ids) > self.window:
            units, lengths = self._units(text, words)
            runs = windows(lengths, self.window, self.overlap)
            cuts = [units[run.start : run.stop] for run in runs]
            texts = self._tokens([text[cut[0][0] : cut[-1][1]] for cut in cuts])
        return [
            Window(cut, [*self._head, *ids[: self._most], *self._tail])
            for cut, ids in zip(cuts, texts, strict=True)
        ]

    def lesson(self, document: Document, window: Window) -> list[int]:
        """Tokens of the right answer about a window, with an end if it is not too long."""
        inside = [e for e in document.entities if window.start <= e.start and e.end <= window.end]
        (ids,) = self._tokens([self._lead + answer(inside, document.text)])
        return [*ids, self.end][: self.answer]

    def understood(
        self,
        document: Document,
        asked: Sequence[Window],
        answers: Sequence[tuple[list[int], bool]],
        nested: bool,
    ) -> Parsed:
        """What answers about all windows of a document say of it.

        Args:
            document: the document.
            asked: its windows.
            answers: tokens of the answer about each window, and whether it came to its end.
            nested: whether entities may share text.
        """
        starts, ends = [w.start for w in asked], [w.end for w in asked]

        def owner(entity: Entity) -> int:
            holding = range(bisect_left(ends, entity.end), bisect_right(starts, entity.start))
            return max(holding, key=lambda i: _context(entity, asked, i))

        entities: list[Entity] = []
        malformed: list[str] = []
        for index, (window, (ids, complete)) in enumerate(zip(asked, answers, strict=True)):
            said = self.tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            cut = window.cut(document.text)
            parsed = parse(str(said), cut, self.labels, nested=nested, complete=complete)
            malformed += parsed.malformed
            moved = (
                replace(e, start=e.start + window.start, end=e.end + window.start)
                for e in parsed.entities
            )
            entities += (entity for entity in moved if owner(entity) == index)
        kept = entities if nested else longest_apart(entities)
        ordered = sorted(kept, key=lambda e: (e.start, e.end, e.label))
        return Parsed(tuple(ordered), tuple(malformed))

    def _frame(self) -> tuple[list[int], list[int], str]:
        content, start, lead = prompt(self.labels, _SLOT), [], ""
        if self.tokenizer.chat_template:
            framed = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": content}],
                tokenize=False,
                add_generation_prompt=True,
                **_TEMPLATE,
            )
        else:
            framed, lead = f"{content}\nAnswer:", " "
            first = self.tokenizer("")["input_ids"][:1]
            start = [token for token in first if token == self.tokenizer.bos_token_id]
        before, *after = str(framed).split(_SLOT)
        if len(after) != 1:
            raise ModelError(
                f"expected a chat template that shows a text once, got one that shows it "
                f"{len(after)} times: mend the tokenizer's chat template"
            )
        head, tail = self.tokenizer([before, after[0]], add_special_tokens=False)["input_ids"]
        return [*start, *head], list(tail), lead

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        shown = [_BLANKS.sub(r"\1", text).encode("utf-8", "replace").decode() for text in texts]
        encoded = self.tokenizer(
            shown, add_special_tokens=False, split_special_tokens=True, verbose=False
        )
        return [list(ids) for ids in encoded["input_ids"]]

    def _units(self, text: str, words: Sequence[Offsets]) -> tuple[list[Offsets], list[int]]:
        """Words, too long ones in parts, and how many tokens each has with the gap before it."""
        units = list(words)
        while True:
            begins = [units[0][0], *(left[1] for left, _ in pairwise(units))]
            pieces = [text[begin:end] for begin, (_, end) in zip(begins, units, strict=True)]
            lengths = [len(ids) for ids in self._tokens(pieces)]
            if all(
                length <= self.window or end - start == 1
                for length, (start, end) in zip(lengths, units, strict=True)
            ):
                return units, [min(max(1, length), self.window) for length in lengths]
            units = [
                part
                for unit, length in zip(units, lengths, strict=True)
                for part in (_halves(unit) if length > self.window else [unit])
            ]


def _halves(span: Offsets) -> list[Offsets]:
    start, end = span
    middle = (start + end) // 2
    return [(start, middle), (middle, end)] if start < middle else [span]


def _context(entity: Entity, asked: Sequence[Window], index: int) -> float:
    """Characters around an entity on its poorer side; the ends of the text are no edges."""
    before = entity.start - asked[index].start if index else float("inf")
    after = asked[index].end - entity.end if index + 1 < len(asked) else float("inf")
    return min(before, after)

"""The generator: a causal language model that names the entities of a text (SaM's experts).

The model is asked for all types at once and answers in words (`convener.models.answers`). What a
domain teaches it is LoRA alone, on the tokens of right answers: the prompt is left out of the
loss. No weight belongs to a label, so experts on one base can be merged whatever their labels, and
asked for types that they were not taught.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from convener.errors import ConfigError, DataError, short
from convener.files import new_folder
from convener.models.adapter import Adapter, LowRank, apply, extract
from convener.models.encoders import quiet
from convener.models.generator_config import GeneratorConfig, Saved, check_target
from convener.models.instructions import Instructions
from convener.models.language_model import (
    Lesson,
    adapt,
    adapted,
    answer_loss,
    generate,
    load,
    plain,
    read_adapter,
    write_adapter,
)
from convener.models.schedule import schedule
from convener.models.seeding import seeded
from convener.text.documents import Document, crossing

OnStep = Callable[[], None]

_MERGED = "model"
_KEPT_REASONS = 10


class Generator:
    """A language model, with LoRA or merged, that is asked for entities.

    `malformed` counts what the last `annotate` refused of the answers, and `reasons` says why for
    the first of them.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        labels: Sequence[str],
        config: GeneratorConfig,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.labels = tuple(labels)
        self.config = config
        self.malformed = 0
        self.reasons: list[str] = []
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.instructions = Instructions(
            tokenizer,
            labels,
            window=config.window,
            overlap=config.overlap,
            positions=positions,
            answer=config.max_new_tokens,
        )

    @classmethod
    def from_pretrained(
        cls, name: str, labels: Sequence[str], config: GeneratorConfig | None = None
    ) -> Self:
        """A base model (hub id or folder) with LoRA that changes nothing yet.

        Raises:
            ModelError: the model can't be found, read, or asked.
            ConfigError: labels or settings do not fit the model.
        """
        config = (config or GeneratorConfig()).model_copy(update={"model": name})
        model, tokenizer = load(name, config.precision)
        with seeded(config.seed):
            adapt(model, config)
        return cls(model, tokenizer, labels, config)

    def to(self, device: str | torch.device) -> Self:
        """Move the model to a device."""
        self.model.to(device)
        return self

    def asked(self, labels: Sequence[str]) -> Self:
        """The same model, shared with this one, asked for other types."""
        return type(self)(self.model, self.tokenizer, labels, self.config)

    def fit(self, documents: Sequence[Document], on_step: OnStep | None = None) -> float:
        """Teach the answers about labelled documents and return the mean loss of their tokens.

        Stretches without evidence count as outside, and ambiguous labels are all answered.

        Raises:
            DataError: a label is not among `labels`, or no document has a word.
            ConfigError: there is no adapter to train, or the loss is no longer a finite number.
        """
        lessons = self._lessons(documents)
        if self.config.nested is None:
            nested = any(crossing(document.entities) for document in documents)
            self.config = self.config.model_copy(update={"nested": nested})
        config = self.config
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(parameters, weight_decay=config.weight_decay)
        batches = _endless(len(lessons), config.batch, config.seed)
        losses = []
        self.model.train()
        with seeded(config.seed):
            for step, indices in enumerate(islice(batches, config.steps)):
                for group in optimiser.param_groups:
                    group["lr"] = config.learning_rate * schedule(step, config.steps, config.warmup)
                batch = [lessons[index] for index in indices]
                loss = answer_loss(self.model, batch, self.instructions.pad)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(parameters, config.clip)
                optimiser.step()
                optimiser.zero_grad()
                losses.append(loss.detach())
                if on_step is not None:
                    on_step()
        self.model.eval()
        mean = float(torch.stack(losses).mean())
        if not np.isfinite(mean):
            raise ConfigError(
                f"the loss became {mean}: lower learning_rate (it is {config.learning_rate})"
            )
        return mean

    def annotate(self, documents: Iterable[Document]) -> list[Document]:
        """The documents with the entities that the model names, in place of their own.

        In float32 these depend on no batch and no order, but for ties between tokens.
        """
        read = list(documents)
        asked = [self.instructions.windows(document) for document in read]
        prompts = [window.prompt for own in asked for window in own]
        answers = iter(
            generate(
                self.model.eval(),
                prompts,
                self.instructions.end,
                self.instructions.pad,
                self.config.max_new_tokens,
                self.config.batch,
            )
        )
        nested = self.config.nested is not False
        self.malformed, self.reasons = 0, []
        annotated = []
        for document, own in zip(read, asked, strict=True):
            said = list(islice(answers, len(own)))
            parsed = self.instructions.understood(document, own, said, nested)
            self.malformed += len(parsed.malformed)
            self.reasons += parsed.malformed[: _KEPT_REASONS - len(self.reasons)]
            annotated.append(document.relabelled(parsed.entities))
        return annotated

    def changes(self) -> dict[str, LowRank]:
        """What training changed of the base, by module: an expert as merging wants it.

        Raises:
            ModelError: the model is merged, or its LoRA is of something else than linear layers.
        """
        return extract(self.model)

    def merged(self, adapter: Adapter) -> Self:
        """A copy of the base, without LoRA, with these changes made.

        Raises:
            ModelError: the changes are of another base.
        """
        model = plain(self.model)
        apply(model, adapter)
        return type(self)(model, self.tokenizer, self.labels, self.config)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the adapter, or the whole of a merged model, replacing an older one there.

        Raises:
            ModelError: something else is in the folder.
        """
        check_target(Path(folder))
        with new_folder(folder) as fresh:
            if adapted(self.model):
                write_adapter(self.model, fresh)
            else:
                with quiet():
                    self.model.save_pretrained(fresh / _MERGED)
                    self.tokenizer.save_pretrained(fresh / _MERGED)
            Saved(labels=self.labels, config=self.config).write(fresh)

    @classmethod
    def from_folder(cls, folder: str | Path, model: str | None = None) -> Self:
        """What `save_pretrained` wrote; `model` names the base if it has moved.

        Raises:
            ModelError: the folder or the base is missing or damaged, or they do not fit.
        """
        source = Path(folder)
        saved = Saved.read(source)
        if (source / _MERGED).is_dir():
            whole = load(str(source / _MERGED), saved.config.precision)
            return cls(*whole, saved.labels, saved.config)
        generator = cls.from_pretrained(model or saved.config.model, saved.labels, saved.config)
        read_adapter(generator.model, source)
        return generator

    def _lessons(self, documents: Sequence[Document]) -> list[Lesson]:
        if not adapted(self.model):
            raise ConfigError("expected a model with LoRA to train, got a merged one: train a base")
        strangers = {e.label for d in documents for e in d.entities} - set(self.labels)
        if strangers:
            raise DataError(
                f"expected entities of the types {short(self.labels)}, "
                f"got {short(sorted(strangers))}: give all types as labels"
            )
        lessons = [
            (window.prompt, self.instructions.lesson(document, window))
            for document in documents
            for window in self.instructions.windows(document)
        ]
        if not lessons:
            raise DataError("expected documents with words to learn from, got none: add some")
        return lessons


def _endless(count: int, batch: int, seed: int) -> Iterator[list[int]]:
    generator = np.random.default_rng(seed)
    while True:
        order = generator.permutation(count).tolist()
        yield from (order[begin : begin + batch] for begin in range(0, count, batch))

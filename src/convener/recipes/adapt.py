"""SaM: select experts for a new domain twice, merge each selection, integrate (arXiv 2506.22813).

Given a library of experts of one base and some unlabelled sentences of the target:

1. *By similarity.* Experts are ranked by the cosine of their mean sentence embedding with the
   target's.
2. *By performance.* Every expert labels n sampled sentences; each is ranked by its F1 against the
   vote of the others, or against labels where the user has some. The paper's vote is that of the
   majority; ours leaves out what the base says without any expert (`convener.panel.selection`).
3. *Merge.* The changes of the first m of each ranking become one (`convener.panel.merging`).
4. *Integrate.* The two merged models answer together: the union of their spans, what overlaps in
   flat text settled by vote, then by probability. If both selections agree, and with them the
   weights of their experts, one model answers.

Nothing is trained. Experts are readers or language models (`convener.recipes.families`). They
answer the questions of the target's types, whatever types they were trained on, so experts with
different types vote and merge.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from convener.errors import ConfigError
from convener.models.adapter import Adapter
from convener.models.sentences import kindred
from convener.panel.library import ExpertCard
from convener.panel.merging import MergeConfig, merge
from convener.panel.selection import Ranked, Vector, by_performance, by_similarity
from convener.panel.spoken import AnyPanel
from convener.recipes.families import Family
from convener.text.documents import Document
from convener.training.progress import Listener, Log

Answer = Callable[[Sequence[str]], Iterator[tuple[str, list[Document]]]]
Ask = Callable[[Sequence[str], Answer], dict[str, list[Document]]]

BASE = ""
"""What the base is asked for by, beside the names of experts."""

_TOGETHER = 8


class AdaptConfig(BaseModel):
    """`experts` is m, `sentences` n; `weights` of a merge are alike or the ranking's scores.

    `vote` is the paper's, of the majority, or counts what goes beyond the base.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0)
    select: Literal["both", "similarity", "performance"] = "both"
    vote: Literal["beyond-base", "majority"] = "beyond-base"
    experts: int = Field(default=3, ge=1)
    sentences: int = Field(default=50, ge=1)
    resamples: int = Field(default=20, ge=1)
    weights: Literal["uniform", "scores"] = "uniform"
    merge: MergeConfig = MergeConfig()


@dataclass(frozen=True, slots=True)
class Adapted:
    """A panel for the target, the rankings behind it, and the experts that each one chose."""

    panel: AnyPanel
    rankings: dict[str, list[Ranked]]
    chosen: dict[str, tuple[str, ...]]


def adapt(
    family: Family,
    questions: Mapping[str, str],
    cards: Mapping[str, ExpertCard],
    adapter: Callable[[str], Adapter],
    target: Vector,
    sample: Sequence[Document],
    config: AdaptConfig,
    gold: Sequence[Document] | None = None,
    ask: Ask = lambda names, answer: dict(answer(names)),
    listener: Listener | None = None,
) -> Adapted:
    """Steps 1 to 4.

    `family` is the kind of the experts, with the target's `questions` by type, `adapter` loads the
    changes of an expert, `target` is the target's mean embedding and `sample` its sampled
    sentences, `gold` the same with labels where there are some. `ask(names, answer)` may bring
    back what experts answered before, and ask by `answer` only the others. Of experts that perform
    alike the more similar comes first, where both are asked for.

    Raises:
        ConfigError: no expert, or only one and no labels to rank it by.
    """
    if not cards:
        raise ConfigError("expected experts to choose from, got an empty library: add one first")
    listener = listener or Log()
    rankings: dict[str, list[Ranked]] = {}
    if config.select != "performance":
        vectors = {name: card.vector for name, card in cards.items()}
        rankings["similarity"] = by_similarity(target, vectors)
    if config.select != "similarity" and (len(cards) > 1 or gold is not None):
        beyond = config.vote == "beyond-base" and gold is None
        asked = [*cards, BASE] if beyond else list(cards)
        answers = ask(asked, partial(answers_of, family, adapter, sample, listener))
        said = answers.pop(BASE, None)
        types = {name: card.types for name, card in cards.items()}
        knows = {} if beyond or gold is not None else kindred(questions, types)
        ranking = by_performance(answers, knows, gold, config.resamples, config.seed, said)
        near = [ranked.name for ranked in rankings.get("similarity", ranking)]
        rankings["performance"] = sorted(ranking, key=lambda r: (-r.score, near.index(r.name)))
    if not rankings:
        raise ConfigError(
            "expected at least two experts or a labelled sample to select by performance, "
            "got one expert: select by similarity"
        )
    weighed = {
        kind: weights_of(ranking[: config.experts], config) for kind, ranking in rankings.items()
    }
    distinct: dict[frozenset[tuple[str, float]], dict[str, float]] = {}
    for weights in weighed.values():
        distinct.setdefault(frozenset(weights.items()), weights)

    def changes() -> Iterator[Adapter]:
        for weights in distinct.values():
            yield merged(weights, adapter, config.merge)
            listener.step()

    listener.stage("merge experts", len(distinct))
    panel = family.panel(changes())
    listener.stage_done("merge experts", [])
    chosen = {kind: tuple(weights) for kind, weights in weighed.items()}
    return Adapted(panel, rankings, chosen)


def weights_of(selection: Sequence[Ranked], config: AdaptConfig) -> dict[str, float]:
    """How much each of the selected experts weighs in their merge, 1 on average."""
    scores = {ranked.name: max(ranked.score, 0.0) for ranked in selection}
    mean = sum(scores.values()) / len(scores)
    even = config.weights == "uniform" or not mean
    return {name: 1.0 if even else score / mean for name, score in scores.items()}


def merged(
    weights: Mapping[str, float], adapter: Callable[[str], Adapter], config: MergeConfig
) -> Adapter:
    """The changes of experts as one, by their weights; those of a single expert are taken whole."""
    changes = list(map(adapter, weights))
    return changes[0] if len(changes) == 1 else merge(changes, list(weights.values()), config)


def answers_of(
    family: Family,
    adapter: Callable[[str], Adapter],
    sample: Sequence[Document],
    listener: Listener,
    names: Sequence[str],
) -> Iterator[tuple[str, list[Document]]]:
    """What each of the experts, and `BASE`, answers on the sampled sentences.

    Eight are asked at a time, so that memory does not grow with the library.
    """
    listener.stage("ask experts", len(names))
    if BASE in names:
        yield BASE, family.panel([{}]).annotate(sample)
        listener.step()
        names = [name for name in names if name != BASE]
    for begin in range(0, len(names), _TOGETHER):
        some = names[begin : begin + _TOGETHER]
        answers = family.answers(map(adapter, some), sample)
        for name, answered in zip(some, answers, strict=True):
            listener.step()
            yield name, answered
    listener.stage_done("ask experts", [])

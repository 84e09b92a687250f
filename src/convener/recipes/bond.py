"""BOND-MoE: distantly supervised NER by a panel of experts (arXiv 2404.19192, on BOND, KDD 2020).

The distant labels ŷ of a dictionary are incomplete and noisy. The recipe has three stages:

1. *Warm-up.* One model learns from all groups, −log p(ŷ | x; θ) (eq 1), for a short time, so that
   it has not memorised the noise.
2. *Experts.* K copies of it part, each with a cluster of groups. In the rounds after the first,
   hard EM over groups (eqs 3-5): the E-step gives each group d to
   z_d = argmax_z of the mean of log p(ŷ_t | z, x; θ) over its words, dropout off; the M-step
   trains each expert on its groups. With fair assignment (eqs 6-8) the argmax is taken in the
   Sinkhorn plan of exp(score / τ), τ being in units of the scores' spread, so no expert starves.
3. *Self-training.* The ensemble of the experts re-labels every document, each expert is a student
   of these pseudo labels, and the students become the next teacher. Targets are *squared*,
   t = (q²/fᵇ) / Σ(q²/fᵇ) with f_c = Σ q_c over the first sub-words of the whole corpus (of readers,
   over its starts, its ends, and its candidate spans of a type); *soft*, t = q; or *hard*, the
   likeliest class of q. Only words with max t > `confidence` count. BOND has b = 1, which makes
   entities of words that the teacher is unsure of, since few words are entities: recall, at a
   price in precision. The default takes half of that, the root of f.

K = 1 is BOND; `fair=False`, `self_training=False` and K = 1 are the paper's three ablations.
Prediction averages the experts' probabilities.

With a dev set each stage starts from the best state of the one before and the best state of all is
kept; without one the schedule is fixed. No other gold label is read.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from convener.errors import ConfigError
from convener.models.expert import Expert
from convener.models.layout import Example, Frequency, Rows
from convener.panel import assignment
from convener.panel.joint import mean_probabilities
from convener.panel.panel import agreement, group_embeddings, log_beliefs
from convener.recipes.bond_config import MAX_PASS_STEPS, MIN_ROUND_STEPS, BondConfig
from convener.recipes.rounds import Recipe, Stage, State
from convener.text.documents import Document
from convener.training.apart import Lesson, Workers
from convener.training.corpus import Corpus, SoftObjective
from convener.training.loop import Learner, Objective, steps_of_a_pass
from convener.training.losses import kl_divergence
from convener.training.optimiser_config import OptimiserConfig
from convener.training.progress import Listener

Figures = dict[str, object]
Round = Callable[[int, int], Figures]

LONG_ROUND = 1 / 3


class Bond(Recipe):
    """The recipe on one corpus; `Runner` takes it through its stages.

    With `workers` experts learn side by side, otherwise one after another.
    """

    def __init__(
        self,
        documents: Sequence[Document],
        expert: Expert,
        config: BondConfig,
        optimiser: OptimiserConfig,
        seed: int,
        accelerator: Accelerator,
        listener: Listener,
    ) -> None:
        self.config = config
        self.optimiser = optimiser
        self.seed = seed
        self.accelerator = accelerator
        self.listener = listener
        self.corpus = Corpus(documents, expert)
        self.experts = [expert.to(accelerator.device)]
        self.learners = []
        self.assigned: Tensor | None = None
        self.pseudo: list[Rows] = []
        self.embeddings: Tensor | None = None
        self.targets: tuple[list[Rows], list[Rows]] | None = None
        self.workers: Workers | None = None
        if config.experts > max(1, len(self.corpus.telling)):
            raise ConfigError(
                "expected at least as many groups of documents to learn from as experts, "
                f"got {len(self.corpus.telling)} groups for {config.experts} experts"
            )

    def prepare(self) -> None:
        """Clusters of groups are those of the expert before it learns."""
        if self.config.experts > 1 and self.config.start == "clusters":
            self.embeddings = group_embeddings(
                self.experts[0], self.corpus.examples, self.corpus.group_of
            )

    def stages(self) -> list[Stage]:
        """Warm-up, experts apart, self-training; a single expert stays in the warm-up as long."""
        c = self.config
        apart = c.expert_rounds if c.experts > 1 else 0
        together = c.warmup_rounds + c.expert_rounds - apart
        steps = c.round_steps or self._round_steps()
        stages = [self._stage("warm-up", 1, together, steps, self.warm_up)]
        if apart:
            stages.append(self._stage("experts", c.experts, apart, steps, self.hard_em))
        if c.self_training:
            stages.append(self._stage("self-training", c.experts, c.self_rounds, steps, self.teach))
        return stages

    def _round_steps(self) -> int:
        a_pass = steps_of_a_pass(self.corpus.examples, self.optimiser)
        steps = min(max(round(a_pass), MIN_ROUND_STEPS), MAX_PASS_STEPS)
        return max(steps, min(round(LONG_ROUND * a_pass), self.config.longest_round))

    def _stage(self, name: str, experts: int, rounds: int, steps: int, round_: Round) -> Stage:
        def open_() -> list[Learner]:
            while len(self.experts) < experts:
                self.experts.append(self.experts[0].clone())
            ema = self.config.ema if name == "self-training" else 0.0
            return [
                Learner(expert, name, self.optimiser, rounds * steps, self.accelerator, ema)
                for expert in self.experts
            ]

        return Stage(name, rounds, rounds * steps * experts, open_, partial(round_, steps))

    def warm_up(self, steps: int, round_: int) -> Figures:
        """All groups train the one model (eq 1)."""
        del round_
        objective = self.corpus.distant_objective()
        return {"loss": self._train([self.corpus.examples], objective, steps)}

    def hard_em(self, steps: int, round_: int) -> Figures:
        """E-step: each group to its expert; M-step: each expert on its groups (eqs 3-8)."""
        figures = self.e_step() if round_ else self.part()
        assert self.assigned is not None
        assigned = self.assigned.tolist()
        mine = [
            self.corpus.examples_of([z_d == z for z_d in assigned])
            for z in range(len(self.experts))
        ]
        loss = self._train(mine, self.corpus.distant_objective(), steps)
        return {"loss": loss} | figures

    def part(self) -> Figures:
        """A balanced start, since copies of one model score every group alike."""
        groups, experts = len(self.corpus.telling), self.config.experts
        generator = torch.Generator().manual_seed(self.seed)
        if self.embeddings is None:
            return self._assign(assignment.random_start(groups, experts, generator))
        telling = self.embeddings[self.corpus.telling]
        return self._assign(assignment.clustered_start(telling, experts, generator))

    def e_step(self) -> Figures:
        """z_d, greedily (eq 5) or in the fair plan (eqs 6-8)."""
        beliefs = self._beliefs()
        everywhere = torch.stack([self.corpus.group_log_likelihood(b) for b in beliefs], dim=1)
        scores = everywhere[self.corpus.telling]
        fair = self.config.fair
        chosen = (
            assignment.fair_assignment(scores, self.config.tau)
            if fair
            else assignment.greedy_assignment(scores)
        )
        return self._assign(chosen) | _agreement(beliefs)

    def teach(self, steps: int, round_: int) -> Figures:
        """Every expert is a student of the ensemble's labels; now and then students take over."""
        figures = self.relabel() if round_ % self.config.refresh == 0 else {}
        if self.targets is None:
            frequency = self.experts[0].layout.frequency
            self.targets = pseudo_labels(self.pseudo, frequency, self.config)
        targets, weights = self.targets
        kept = sum(float(w.sum()) for w in weights) / max(1, sum(len(w) for w in weights))
        objective = SoftObjective(targets, weights, kl_divergence)
        everything = [self.corpus.examples] * len(self.experts)
        loss = self._train(everything, objective, steps)
        return {"loss": loss, "kept": round(kept, 4)} | figures

    def relabel(self) -> Figures:
        """The ensemble labels every document, as probabilities q."""
        beliefs = self._beliefs()
        before = self.pseudo
        self.pseudo = mean_probabilities(beliefs)
        self.targets = None
        figures = _agreement(beliefs)
        if before:
            pairs = zip(before, self.pseudo, strict=True)
            changed = sum(int((a.argmax(1) != b.argmax(1)).sum()) for a, b in pairs)
            figures |= {"changed": round(changed / max(1, sum(map(len, before))), 4)}
        return figures

    def _beliefs(self) -> list[list[Rows]]:
        documents = len(self.corpus.documents)
        return [log_beliefs(e, self.corpus.examples, documents) for e in self.answering()]

    def _assign(self, chosen: Tensor) -> Figures:
        """Groups that say something as chosen; the others, which teach nothing, by turns."""
        experts, telling = self.config.experts, self.corpus.telling
        before = None if self.assigned is None else self.assigned[telling]
        described = assignment.report(chosen, experts, before)
        self.assigned = torch.arange(len(self.corpus.groups)) % experts
        self.assigned[telling] = chosen
        return {
            "sizes": list(described.sizes),
            "entropy": round(described.entropy, 4),
            "moved": None if described.moved is None else round(described.moved, 4),
        }

    def told_apart(self) -> tuple[int, ...]:
        """The expert of each group, −1 of one that says nothing; nothing if they never parted."""
        if self.assigned is None:
            return ()
        apart = torch.full_like(self.assigned, -1)
        apart[self.corpus.telling] = self.assigned[self.corpus.telling]
        return tuple(apart.tolist())

    def _train(self, shares: Sequence[list[Example]], objective: Objective, steps: int) -> float:
        lessons = [
            Lesson(learner, examples, objective, steps, self._seed_of(learner, index))
            for index, (learner, examples) in enumerate(zip(self.learners, shares, strict=True))
            if examples
        ]
        step = self.listener.step
        if self.workers is not None and len(lessons) > 1:
            losses = self.workers.take(lessons, step)
        else:
            losses = [lesson.taken(step) for lesson in lessons]
        return round(float(np.mean(losses)), 5)

    def _seed_of(self, learner: Learner, index: int) -> int:
        return derived_seed(self.seed, *learner.name.encode(), learner.steps, index)

    def shared_state(self) -> State:
        """The assignment and the pseudo labels."""
        state: State = {}
        if self.assigned is not None:
            state["assigned"] = self.assigned
        if self.pseudo:
            state["pseudo"] = torch.from_numpy(np.concatenate(self.pseudo))
        return state

    def load_shared_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over assignment and pseudo labels."""
        self.assigned = state.get("assigned")
        if "pseudo" in state:
            ends = np.cumsum([len(rows) for rows in self.corpus.allowed])[:-1]
            self.pseudo = np.split(state["pseudo"].numpy(), ends)


def _agreement(beliefs: Sequence[Sequence[Rows]]) -> Figures:
    return {"agreement": round(agreement(beliefs), 4)} if len(beliefs) > 1 else {}


def pseudo_labels(
    probabilities: Sequence[Rows], frequency: Callable[[Rows], Frequency], config: BondConfig
) -> tuple[list[Rows], list[Rows]]:
    """Targets t [rows, classes] and weights [rows] of each document from the ensemble's q.

    `frequency`, that of the experts' layout, counts f in a document.
    """
    f = np.maximum(sum(map(frequency, probabilities)), 1e-12) ** config.reweight
    targets, weights = list[Rows](), list[Rows]()
    for q in probabilities:
        t = q
        if config.targets == "squared":
            t = (q.reshape(-1, *f.shape).astype(np.float64) ** 2 / f).reshape(q.shape)
            t /= t.sum(axis=1, keepdims=True)
        weights.append((t.max(axis=1) > config.confidence).astype(np.float32))
        if config.targets == "hard":
            t = np.eye(q.shape[1])[q.argmax(axis=1)]
        targets.append(t.astype(np.float32))
    return targets, weights


def derived_seed(*parts: int) -> int:
    """A seed that depends on all parts, none of them standing out."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])

"""Single models of later and earlier work on distant labels, written from their papers.

- `Published`: BOND as its code does it, with the faults that a tagger of first sub-words can have:
  class frequencies f of one batch, a "KL" that is linear in raw logits, the confidence of the
  re-weighted target. Its checkpoint was chosen on the test set, which is up to the caller.
- `Robust`: RoSTER (Meng et al., 2021): generalised cross entropy (1 − p^q) / q, half of the words
  outside dropped at each step, and from the third round on labels with p ≤ .7 left out. The first
  round is one of ordinary training: what this encoder believes of types after two rounds of the
  other loss is so little that all labels may be left out.
- `PositiveUnlabelled`: the non-negative PU risk of many classes (Peng et al., 2019).
  Words without a label are unlabelled, not outside. Class priors are what a first round of
  ordinary training believes, so that no gold label is read.

A moving average of one teacher and student (SCDL, Zhang et al., 2021, without its second pair) is
`bond.ema` of the recipe itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from convener.models.expert import Batch
from convener.models.layout import Allowed, Example, Rows
from convener.models.tagger import Tagger
from convener.panel.panel import log_beliefs
from convener.recipes.bond import Bond
from convener.training.corpus import gather
from convener.training.losses import allowed_log_likelihood

Q = 0.7
DROPPED = 0.5
TRUSTED = 0.7
PLAIN_ROUNDS = 2


class RawTagger(Tagger):
    """A tagger that can learn from raw logits instead of log-probabilities."""

    raw = False

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Logits where `raw` is set."""
        return (self.logits(batch), None) if self.raw else super().learn(batch)


@dataclass(frozen=True, slots=True)
class LinearObjective:
    """Σ t (log t − logit) with f of the batch, over words whose t has a class above .9."""

    beliefs: Sequence[Rows]

    def supervision(self, examples: Sequence[Example]) -> list[Tensor]:
        """What the teacher believes."""
        return [gather(self.beliefs, examples)]

    def loss(self, beliefs: Tensor, weights: Tensor | None, supervision: list[Tensor]) -> Tensor:
        """Mean over the words that are kept."""
        q = supervision[0]
        t = q**2 / q.sum(dim=0)
        t = t / t.sum(dim=1, keepdim=True)
        kept = t.max(dim=1).values > 0.9
        rows = (torch.special.xlogy(t, t) - t * beliefs).sum(dim=1)
        return (rows * kept).sum() / kept.sum().clamp(min=1)


class Published(Bond):
    """BOND with the faults of its code."""

    def teach(self, steps: int, round_: int) -> dict[str, object]:
        """Self-training on raw logits."""
        for learner in self.learners:
            assert isinstance(learner.expert, RawTagger)
            learner.expert.raw = True
        figures = self.relabel() if round_ % self.config.refresh == 0 else {}
        objective = LinearObjective(self.pseudo)
        everything = [self.corpus.examples] * len(self.experts)
        return {"loss": self._train(everything, objective, steps)} | figures


@dataclass(frozen=True, slots=True)
class RobustObjective:
    """Generalised cross entropy of the rows in `trusted`, half of those outside dropped."""

    allowed: Sequence[Allowed]
    trusted: Sequence[Rows]

    def supervision(self, examples: Sequence[Example]) -> list[Tensor]:
        """Allowed classes, and which rows count."""
        return [gather(self.allowed, examples), gather(self.trusted, examples)]

    def loss(self, beliefs: Tensor, weights: Tensor | None, supervision: list[Tensor]) -> Tensor:
        """Mean over the rows that count."""
        allowed, kept = supervision
        outside = allowed[:, 0] & (allowed.sum(dim=1) == 1)
        kept = kept * ~allowed.all(dim=1)
        kept = kept * ~(outside & (torch.rand_like(kept) < DROPPED))
        rows = (1 - (Q * allowed_log_likelihood(beliefs, allowed)).exp()) / Q
        return (rows * kept).sum() / kept.sum().clamp(min=1)


class Robust(Bond):
    """RoSTER's noise-robust learning in the place of stage I."""

    def warm_up(self, steps: int, round_: int) -> dict[str, object]:
        """Labels that the model does not believe are left out from the third round on."""
        if round_ == 0:
            return super().warm_up(steps, round_)
        everything = [np.ones(len(rows), np.float32) for rows in self.corpus.allowed]
        trusted = everything if round_ < PLAIN_ROUNDS else self.trusted()
        objective = RobustObjective(self.corpus.allowed, trusted)
        kept = sum(float(rows.sum()) for rows in trusted) / sum(map(len, trusted))
        return {
            "loss": self._train([self.corpus.examples], objective, steps),
            "kept": round(kept, 4),
        }

    def trusted(self) -> list[Rows]:
        """1 where p(label) is above the threshold, for each word."""
        beliefs = log_beliefs(self.experts[0], self.corpus.examples, len(self.corpus.documents))
        pairs = zip(beliefs, self.corpus.allowed, strict=True)
        return [
            (likelihoods(rows, allowed) > np.log(TRUSTED)).astype(np.float32)
            for rows, allowed in pairs
        ]


def likelihoods(beliefs: Rows, allowed: Allowed) -> Rows:
    """Log-probability of the allowed classes of each row."""
    rows = allowed_log_likelihood(torch.from_numpy(beliefs), torch.from_numpy(allowed))
    return rows.numpy()


@dataclass(frozen=True, slots=True)
class UnlabelledRisk:
    """Σ_c π_c E_c[l(c)] + max(0, E_u[l(0)] − Σ_c π_c E_c[l(0)]) with l(c) = 1 − p(c)."""

    allowed: Sequence[Allowed]
    priors: Tensor

    def supervision(self, examples: Sequence[Example]) -> list[Tensor]:
        """Allowed classes."""
        return [gather(self.allowed, examples)]

    def loss(self, beliefs: Tensor, weights: Tensor | None, supervision: list[Tensor]) -> Tensor:
        """The risk of a batch."""
        allowed = supervision[0].float()
        miss = 1 - beliefs.exp()
        unlabelled = supervision[0][:, 0].float()
        labelled = (allowed / allowed.sum(dim=1, keepdim=True)) * (1 - unlabelled)[:, None]
        counts = labelled.sum(dim=0).clamp(min=1e-6)
        seen = labelled.sum(dim=0) > 0
        priors = self.priors.to(beliefs.device) * seen
        positive = (priors * (labelled * miss).sum(dim=0) / counts).sum()
        outside = (priors * (labelled * miss[:, :1]).sum(dim=0) / counts).sum()
        free = (miss[:, 0] * unlabelled).sum() / unlabelled.sum().clamp(min=1)
        return positive + (free - outside).clamp(min=0)


class PositiveUnlabelled(Bond):
    """The PU risk in the place of stage I's loss, after one round of the usual one."""

    def warm_up(self, steps: int, round_: int) -> dict[str, object]:
        """Priors are the mean beliefs after the first round."""
        if round_ == 0:
            return super().warm_up(steps, round_)
        if round_ == 1:
            documents = len(self.corpus.documents)
            beliefs = log_beliefs(self.experts[0], self.corpus.examples, documents)
            self.priors = torch.from_numpy(np.exp(np.concatenate(beliefs)).mean(axis=0))
            self.priors[0] = 0
        objective = UnlabelledRisk(self.corpus.allowed, self.priors)
        return {"loss": self._train([self.corpus.examples], objective, steps)}

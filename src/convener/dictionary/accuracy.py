r"""How far each source can be trusted, learned from where sources agree and disagree.

The model is that of Dawid & Skene, "Maximum likelihood estimation of observer error-rates using
the EM algorithm" (Applied Statistics 28, 1979): item i has a hidden class y_i with
P(y_i = y) = π_y, and source s answers l with probability θ_s[y, l], independently of other sources
once y is known. As there, an observer may give no answer (an abstention, which adds no factor). One
may also give several: an ambiguous answer of m classes is one of them, each as probable. With
n_s[i, l] the answers, 1 or 1/m,

    E:  q_i(y) ∝ π_y ∏_s Σ_l n_s[i, l] θ_s[y, l],    r_s[i, y, l] ∝ n_s[i, l] θ_s[y, l]
    M:  π_y ∝ Σ_i q_i(y) + 1,    N_s[y, l] = Σ_i q_i(y) r_s[i, y, l] + B[y, l]
        θ_s[y, l] = N_s[y, l] / Σ_l' N_s[y, l']

Two things differ. B are ten imagined answers in each class, eight of them right: a Dirichlet prior
as in Kim & Ghahramani, "Bayesian classifier combination" (AISTATS 2012), which keeps rare cells
from zero and tells the true classes from a renaming of them. And a rule that only ever says PER
says it in every row, so that its matrix would tell nothing; nor does that of a source which others
hardly comment on. Such a source has one coin: it knows
the class or guesses (as in MACE: Hovy et al., NAACL 2013), and it guesses as classes are frequent,
so that an answer which nobody else comments on makes it neither better nor worse:

        θ_s[y, l] = a_s [y = l] + (1 - a_s) π_l

Whether it knew is a second hidden variable; guesses then count for π as items do.

EM begins from the share of votes, so that it is deterministic. Each step raises
Σ_i log P(answers of i) + log P(π, θ), or leaves it as it is. Sources that copy one another break
the assumption of independence, and are trusted too much.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_IMAGINED = 10.0
_RIGHT = 0.8
_STEPS = 500
_ENOUGH = 1e-9


@dataclass(frozen=True, slots=True)
class Fit:
    """What EM found of I items, S sources and C classes.

    `prior` is π (C), `confusion` is θ (S, C, C: source, class, answer), `posterior` is q (I, C),
    and `likelihoods` are the penalised log-likelihoods after each step.
    """

    prior: Floats
    confusion: Floats
    posterior: Floats
    likelihoods: tuple[float, ...]


def dawid_skene(
    answers: Floats, coins: NDArray[np.bool_] | None = None, weights: Floats | None = None
) -> Fit:
    """Fit the model of the module.

    `answers` are n (I, S, C): for each item and source shares that sum to 1, or zeros where it
    abstains. `coins` (S) says which sources have one coin, `weights` (I) how often each item
    occurs.

    >>> votes = np.eye(2)[[[0, 0, 1], [1, 1, 0]] * 50]  # two sources agree, the third never does
    >>> fit = dawid_skene(votes)
    >>> [round(float(theta[0, 0]), 1) for theta in fit.confusion]
    [1.0, 1.0, 0.1]
    """
    items, sources, classes = answers.shape
    counts = np.ones(items) if weights is None else weights
    guessing = np.zeros(sources, dtype=bool) if coins is None else coins
    imagined = np.full((classes, classes), _IMAGINED * (1 - _RIGHT) / max(classes - 1, 1))
    np.fill_diagonal(imagined, _IMAGINED * _RIGHT)
    votes = answers.sum(axis=1)
    votes[votes.sum(axis=1) == 0] = 1
    posterior = votes / votes.sum(axis=1, keepdims=True)
    prior, knows = counts @ posterior / counts.sum(), np.full(sources, _RIGHT)
    likelihoods: list[float] = []
    confusion, likely = np.ones((sources, classes, classes)), np.ones((items, sources, classes))
    for _ in range(_STEPS):
        expected = posterior * counts[:, None]
        share = expected[:, None] / likely
        seen = confusion * np.einsum("isy,isl->syl", share, answers)
        knew = np.einsum("sll->sl", seen) * _knew(knows, prior)
        guesses = (seen.sum(axis=1) - knew)[guessing]
        prior = expected.sum(axis=0) + guesses.sum(axis=0) + 1
        prior /= prior.sum()
        knows = (knew.sum(axis=1) + _IMAGINED * _RIGHT) / (seen.sum(axis=(1, 2)) + _IMAGINED)
        rows = seen + imagined
        rows /= rows.sum(axis=2, keepdims=True)
        tied = knows[:, None, None] * np.eye(classes) + (1 - knows[:, None, None]) * prior
        confusion = np.where(guessing[:, None, None], tied, rows)
        posterior, evidence, likely = _expect(answers, prior, confusion)
        penalty = np.log(prior).sum() + (imagined * np.log(rows[~guessing])).sum()
        right, wrong = np.log(knows[guessing]), np.log(1 - knows[guessing])
        penalty += _IMAGINED * (_RIGHT * right + (1 - _RIGHT) * wrong).sum()
        likelihoods.append(float(counts @ evidence + penalty))
        if len(likelihoods) > 1 and likelihoods[-1] - likelihoods[-2] < _ENOUGH * counts.sum():
            break
    return Fit(prior, confusion, posterior, tuple(likelihoods))


def _knew(knows: Floats, prior: Floats) -> Floats:
    """How probable it is that a right answer was known and not guessed (S, C)."""
    share: Floats = knows[:, None] / (knows[:, None] + (1 - knows[:, None]) * prior)
    return share


def _expect(answers: Floats, prior: Floats, confusion: Floats) -> tuple[Floats, Floats, Floats]:
    """Posteriors (I, C), the log-likelihood of each item (I), and P(answer | class) (I, S, C)."""
    likely = np.einsum("isl,syl->isy", answers, confusion)
    likely[~answers.any(axis=2)] = 1
    joint = np.log(prior) + np.log(likely).sum(axis=1)
    peak = joint.max(axis=1, keepdims=True)
    evidence = peak[:, 0] + np.log(np.exp(joint - peak).sum(axis=1))
    return np.exp(joint - evidence[:, None]), evidence, likely

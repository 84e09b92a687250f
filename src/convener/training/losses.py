"""Losses on beliefs, as pure functions of log-probabilities [rows, classes]."""

import torch
from torch import Tensor


def allowed_log_likelihood(log_probabilities: Tensor, allowed: Tensor) -> Tensor:
    """Log-probability that the class is one of the allowed ones, [rows].

    One allowed class gives the usual log-likelihood, several the marginal one, all of them 0:
    rows that say nothing pull at nothing.
    """
    masked = log_probabilities.masked_fill(~allowed, -torch.inf)
    return torch.logsumexp(masked, dim=-1).clamp(max=0.0)


def allowed_loss(
    log_probabilities: Tensor, allowed: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Weighted mean of −log p(allowed) over the rows that say something, a scalar."""
    informative = (~allowed.all(dim=-1)).float()
    if weights is not None:
        informative = informative * weights
    rows = allowed_log_likelihood(log_probabilities, allowed)
    return -(rows * informative).sum() / informative.sum().clamp(min=1e-6)


def kl_divergence(log_probabilities: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of KL(t ‖ p) = Σ_c t_c (log t_c − log p_c); zero exactly where p = t.

    `targets` are [rows, classes], `weights` [rows].
    """
    entropy: Tensor = -torch.special.xlogy(targets, targets).sum(dim=-1)
    losses = -(targets * log_probabilities).sum(dim=-1) - entropy
    return (losses * weights).sum() / weights.sum().clamp(min=1e-6)

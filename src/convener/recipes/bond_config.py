"""The settings of BOND-MoE: what its papers fix, and what they leave open."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MIN_ROUND_STEPS, MAX_PASS_STEPS = 50, 100
"""Between these a round whose length is left open is a pass over the corpus."""


class BondConfig(BaseModel):
    """The settings of `convener.recipes.bond`.

    A round is so many steps of optimisation of each expert, on all groups or on its own, so that
    none learns less than a single model would.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    experts: int = Field(default=1, ge=1)
    """How many experts; 1 is BOND, 3 convenes a panel."""
    fair: bool = True
    """Whether E-steps plan for equal shares; if not, each document goes to its best expert."""
    self_training: bool = True
    """Whether the ensemble teaches the experts; if not, training ends after stage I."""
    start: Literal["clusters", "random"] = "clusters"
    """The first groups of experts: by embeddings of documents, or at random."""
    tau: float = Field(default=0.1, gt=0)
    """τ of the fair plan, in units of the scores' spread."""
    round_steps: int | None = Field(default=None, ge=1)
    """Steps of each expert in a round; left open, a pass over the corpus, from 50 to 100, or a
    third of a pass where that is more, at most `longest_round`."""
    longest_round: int = Field(default=300, ge=MAX_PASS_STEPS)
    """The most steps of a round whose length is left open."""
    warmup_rounds: int = Field(default=3, ge=1)
    """Rounds in which one model learns from all groups."""
    expert_rounds: int = Field(default=2, ge=1)
    """Rounds of experts apart; a single expert stays in the warm-up for as long."""
    self_rounds: int = Field(default=4, ge=1)
    """Rounds of self-training."""
    refresh: int = Field(default=2, ge=1)
    """Rounds between two teachers."""
    targets: Literal["squared", "soft", "hard"] = "squared"
    """What the teacher tells: q²/fᵇ, its probabilities q, or the likeliest class of q."""
    reweight: float = Field(default=0.5, ge=0, le=1)
    """b of squared targets: 0 only sharpens, 1 divides by the frequency of a class as BOND does."""
    confidence: float = Field(default=0.9, ge=0, lt=1)
    """Words whose likeliest target is below it are left out of self-training."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Above 0 the teacher is a moving average of the student, at this rate."""
    patience: int = Field(default=4, ge=1)
    """Rounds without a better dev F1 that end a stage."""

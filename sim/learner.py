"""The learner: how a training batch becomes optimizer updates, all that matters explicit.

A training step splits its batch into mini-batches of rollouts and makes one optimizer update
for each. How many there are is the strongest knob of all: in a real network six updates
instead of one save 4-5 times the training steps whatever is selected, so comparisons match it
by default (`updates`); a release's own count can be set as such, or by the rollouts of a
mini-batch (`mini_batch`).

Advantages are computed on whole groups, whatever mini-batch a rollout falls into. Rollouts of
an older policy are weighted by the ratio of probabilities that PPO would use: against the
policy at the start of the training step (`recomputed`, what released trainers do, which leaves
staleness uncorrected) or against the policy that generated them (`behaviour`). Ratio and
clipping act on the event that a rollout passes or fails, as if one token decided that; where
many do, each token's ratio stays far closer to 1, so clipping is off by default. In a real
network with answers of four tokens clipping this way is what ageing groups cost SPEED at six
updates per training step (docs/prediction.md).

Axis legend: S segments, G groups, U updates.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from selection.checks import counts, positive
from theory.advantages import Closed

Optimizer = Literal["adam", "sgd"]
Weighting = Literal["rollout", "prompt"]
Ratio = Literal["recomputed", "behaviour"]
CHOICES = {"estimator": Closed, "optimizer": Optimizer, "weighting": Weighting, "ratio": Ratio}


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Estimator, optimizer and mini-batches of a training run.

    Attributes:
        estimator: Advantage estimator.
        optimizer: "adam" or "sgd".
        updates: Optimizer updates per training step.
        mini_batch: Rollouts per update instead; the number of updates then follows from the
            batch (verl's ppo_mini_batch_size times rollout.n).
        weighting: Whether the loss is a mean over rollouts (token-mean at equal lengths) or
            over prompts.
        ratio: Policy that importance ratios refer to.
        clip: Bounds (below, above) by which a ratio may leave 1 before its rollout stops
            counting; None does not clip.
        betas: Adam's decay rates.
        groups, rollouts: The nominal batch, groups and rollouts per group: the size at which
            the world's step is stated.
    """

    estimator: Closed = "rloo"
    optimizer: Optimizer = "adam"
    updates: int = 1
    mini_batch: int | None = None
    weighting: Weighting = "rollout"
    ratio: Ratio = "recomputed"
    clip: tuple[float, float] | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    groups: int = 64
    rollouts: int = 24

    def __post_init__(self) -> None:
        counts(updates=self.updates, groups=self.groups)
        counts(2, rollouts=self.rollouts)
        if self.mini_batch is not None:
            counts(mini_batch=self.mini_batch)
        if not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise ValueError(f"betas={self.betas} must lie in [0, 1)")
        if self.clip is not None:
            positive(clip_below=self.clip[0], clip_above=self.clip[1])
        for name, kind in CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {known}")

    def num_updates(self, rollouts: int) -> int:
        """Optimizer updates of a batch of so many rollouts, at most one per rollout."""
        parts = self.updates
        if self.mini_batch is not None:
            parts = -(-rollouts // self.mini_batch)
        return min(parts, rollouts)

    def keeps(
        self, ratio: Float[np.ndarray, "S"], advantage: Float[np.ndarray, "S"]
    ) -> Float[np.ndarray, "S"]:
        """1 where PPO's clipped objective has a gradient, 0 where the ratio ended it."""
        if self.clip is None:
            return np.ones(ratio.size)
        below, above = self.clip
        ended = np.where(advantage > 0.0, ratio > 1.0 + above, ratio < 1.0 - below)
        return np.where(ended, 0.0, 1.0)


def split(
    passes: Int[np.ndarray, "S"],
    failures: Int[np.ndarray, "S"],
    updates: int,
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, "U S"], Int[np.ndarray, "U S"]]:
    """Passing and failing rollouts of each segment in each of `updates` random mini-batches.

    The rollouts are shuffled and cut into parts whose sizes differ by at most one.
    """
    if updates == 1:
        return passes[None], failures[None]
    size = passes.size
    kinds = np.repeat(np.arange(2 * size), np.concatenate((passes, failures)))
    part = np.arange(kinds.size) * updates // kinds.size
    cells = part * (2 * size) + rng.permutation(kinds)
    table = np.bincount(cells, minlength=updates * 2 * size).reshape(updates, 2, size)
    return table[:, 0], table[:, 1]

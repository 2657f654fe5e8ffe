"""What a training step reports: its loss, how far the policy moved, how stale the batch was.

Means over tokens are over all tokens of the training step, each weighing the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """One training step.

    Attributes:
        updates: Optimizer updates made.
        tokens: Tokens of rollouts trained on.
        loss: Mean over updates, the divergence included where it is part of the loss.
        reward: Mean over rollouts, with the penalty for length.
        advantage: Mean absolute advantage of a token.
        entropy: Mean over tokens of the policy's entropy before its update, in nats.
        ratio: Mean importance ratio of a token to the policy that generated it.
        ratio_max: The largest of them.
        approx_kl: Mean over tokens of log old - log new.
        clip_share: Share of tokens whose clipped term exceeds the plain one.
        dual_clip_share: Share of tokens at which the dual clip acts.
        reference_kl: Mean over tokens of the estimated divergence from the reference, if any.
        gradient_norms: Of each update, before it is scaled down.
        learning_rate: Of the last update.
        ages: Rollouts by the training steps completed since their policy.
        several_versions: Share of groups whose rollouts are from more than one policy.
        micro_tokens: Tokens of a micro-batch, halved if memory was short.
    """

    updates: int
    tokens: int
    loss: float
    reward: float
    advantage: float
    entropy: float
    ratio: float
    ratio_max: float
    approx_kl: float
    clip_share: float
    dual_clip_share: float
    reference_kl: float | None
    gradient_norms: tuple[float, ...]
    learning_rate: float
    ages: Mapping[int, int]
    several_versions: float
    micro_tokens: int

    @property
    def gradient_norm(self) -> float:
        """Mean over updates."""
        return sum(self.gradient_norms) / len(self.gradient_norms)

    @property
    def mean_age(self) -> float:
        """Mean over rollouts, in training steps."""
        return sum(a * n for a, n in self.ages.items()) / sum(self.ages.values())

    def flat(self) -> dict[str, int | float | dict[str, int]]:
        """Plain values by name, as a line of JSON takes them."""
        values = {
            "train/updates": self.updates,
            "train/tokens": self.tokens,
            "train/loss": self.loss,
            "train/reward": self.reward,
            "train/advantage": self.advantage,
            "train/entropy": self.entropy,
            "train/ratio": self.ratio,
            "train/ratio_max": self.ratio_max,
            "train/approx_kl": self.approx_kl,
            "train/clip_share": self.clip_share,
            "train/dual_clip_share": self.dual_clip_share,
            "train/gradient_norm": self.gradient_norm,
            "train/learning_rate": self.learning_rate,
            "train/micro_tokens": self.micro_tokens,
            "staleness/mean_age": self.mean_age,
            "staleness/max_age": max(self.ages),
            "staleness/several_versions": self.several_versions,
            "staleness/rollouts": {str(age): n for age, n in self.ages.items()},
        }
        reference = (
            {} if self.reference_kl is None else {"train/reference_kl": self.reference_kl}
        )
        return values | reference


def staleness(
    groups: Int[np.ndarray, "R"], versions: Int[np.ndarray, "R"], step: int
) -> tuple[dict[int, int], float]:
    """Rollouts by age in training steps, and the share of groups with several versions."""
    ages, rollouts = np.unique(step - versions, return_counts=True)
    pairs = np.unique(np.stack([groups, versions]), axis=1)
    _, policies = np.unique(pairs[0], return_counts=True)
    return dict(zip(ages.tolist(), rollouts.tolist(), strict=True)), float(
        (policies > 1).mean()
    )


@dataclass(frozen=True)
class Sums:
    """Sums over tokens, kept on the device until a training step ends."""

    values: Float[torch.Tensor, "7"]  # in the order of `measure`
    ratio_max: Float[torch.Tensor, ""]

    @classmethod
    def none(cls, device: torch.device) -> "Sums":
        """The sums of no token."""
        zero = torch.zeros((), dtype=torch.float64, device=device)
        return cls(zero.new_zeros(7), zero)

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.values + other.values, self.ratio_max.maximum(other.ratio_max))

    @classmethod
    def measure(
        cls,
        mask: Bool[torch.Tensor, "R T"],
        *,
        loss: Float[torch.Tensor, ""],
        log_ratio: Float[torch.Tensor, "R T"],
        clipped: Bool[torch.Tensor, "R T"],
        dual_clipped: Bool[torch.Tensor, "R T"],
        entropy: Float[torch.Tensor, "R T"],
        divergence: Float[torch.Tensor, "R T"],
    ) -> "Sums":
        """The sums of a micro-batch; all but the mask are 0 on padding."""
        ratio = log_ratio.exp() * mask
        tokens = [ratio, -log_ratio, clipped, dual_clipped, entropy, divergence]
        sums = [loss.detach().double(), *(each.sum(dtype=torch.float64) for each in tokens)]
        return cls(torch.stack(sums), ratio.max().double())

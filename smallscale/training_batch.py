"""The rollouts of a training step, and the error that hands them back.

Axis legend: R rollouts, S some of them; prompts differ in length.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from smallscale.rollouts import Rollouts


@dataclass(frozen=True, eq=False)
class Batch:
    """R rollouts to train on, in any order.

    Attributes:
        prompts: Token ids of each rollout's prompt.
        rollouts: The rollouts, with the log-probabilities of the policies that made them.
        rewards: Of each rollout.
        groups: Label of each rollout's group.
        versions: Training steps completed when each rollout was generated.
    """

    prompts: tuple[Int[np.ndarray, "_"], ...]
    rollouts: Rollouts
    rewards: Float[np.ndarray, "R"]
    groups: Int[np.ndarray, "R"]
    versions: Int[np.ndarray, "R"]

    def __post_init__(self) -> None:
        columns = {
            "prompts": len(self.prompts),
            "rewards": self.rewards.size,
            "groups": self.groups.size,
            "versions": self.versions.size,
        }
        rollouts = self.rollouts.lengths.size
        for name, entries in columns.items():
            if entries != rollouts or not entries:
                raise ValueError(f"{name} has {entries} entries for {rollouts} rollouts")
        if not np.isfinite(self.rewards).all():
            raise ValueError(f"rewards must be finite: {self.rewards}")

    @property
    def tokens(self) -> Int[np.ndarray, "R"]:
        """Tokens of each rollout together with its prompt."""
        return np.array([prompt.size for prompt in self.prompts]) + self.rollouts.lengths

    def take(self, rows: Int[np.ndarray, "S"]) -> "Batch":
        """Some of the rollouts, no wider than they need to be."""
        return Batch(
            tuple(self.prompts[row] for row in rows),
            self.rollouts.take(rows),
            self.rewards[rows],
            self.groups[rows],
            self.versions[rows],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """The batch as plain arrays, prompts padded with -1, to be saved and looked into."""
        width = max(prompt.size for prompt in self.prompts)
        rows = [np.pad(p, (0, width - p.size), constant_values=-1) for p in self.prompts]
        return {
            "prompts": np.stack(rows),
            "tokens": self.rollouts.tokens,
            "logprobs": self.rollouts.logprobs,
            "lengths": self.rollouts.lengths,
            "finished": self.rollouts.finished,
            "rewards": self.rewards,
            "groups": self.groups,
            "versions": self.versions,
        }


class DivergedError(ValueError):
    """A loss or a gradient that is not finite, found before it could change a parameter.

    Attributes:
        update: Number of the update within the training step, counted from 1.
        batch: The rollouts of the whole training step.
    """

    def __init__(self, message: str, *, update: int = 0, batch: Batch | None = None) -> None:
        super().__init__(message)
        self.update, self.batch = update, batch

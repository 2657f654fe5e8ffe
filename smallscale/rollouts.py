"""Rollouts of a language model, and the engine that makes them.

Axis legend: R rollouts, T tokens of the longest of them, K prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Rollouts:
    """Sampled continuations of prompts, padded on the right to the longest.

    What lies beyond a rollout's length is 0 in both arrays. A rollout that ended by itself
    has the token that ended it as its last one.
    """

    tokens: Int[np.ndarray, "R T"]
    logprobs: Float[np.ndarray, "R T"]  # of each token under the policy that sampled it
    lengths: Int[np.ndarray, "R"]  # tokens of each rollout, at least 1
    finished: Bool[np.ndarray, "R"]  # ended by itself rather than at the token limit

    @classmethod
    def none(cls) -> "Rollouts":
        """No rollouts."""
        none = np.zeros((0, 0), int)
        return cls(none, np.zeros((0, 0)), np.zeros(0, int), np.zeros(0, bool))

    @property
    def mask(self) -> Bool[np.ndarray, "R T"]:
        """Whether a position holds a token of the rollout."""
        return np.arange(self.tokens.shape[1]) < self.lengths[:, None]

    def take(self, index: slice | Int[np.ndarray, "S"]) -> "Rollouts":
        """Some of the rollouts, no wider than they need to be."""
        lengths = self.lengths[index]
        width = int(lengths.max(initial=1))
        return Rollouts(
            self.tokens[index, :width],
            self.logprobs[index, :width],
            lengths,
            self.finished[index],
        )

    @staticmethod
    def join(parts: Sequence["Rollouts"]) -> "Rollouts":
        """All rollouts of several sets, one after another."""
        width = max(part.tokens.shape[1] for part in parts)

        def wide(array: np.ndarray) -> np.ndarray:
            return np.pad(array, ((0, 0), (0, width - array.shape[1])))

        return Rollouts(
            np.concatenate([wide(part.tokens) for part in parts]),
            np.concatenate([wide(part.logprobs) for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.finished for part in parts]),
        )


@runtime_checkable
class Engine(Protocol):
    """Samples rollouts from the current policy, at temperature 1 over the whole vocabulary."""

    def generate(
        self, prompts: Sequence[Int[np.ndarray, "_"]], rollouts: Int[np.ndarray, "K"], seed: int
    ) -> Rollouts:
        """`rollouts[i]` rollouts of prompt i, prompt after prompt; equal seeds, equal rollouts.

        The rollouts of a generation call that fails are lost as a whole.
        """
        ...

    def sync(self) -> None:
        """Take over the trainer's weights after an optimizer update."""
        ...

    def sleep(self) -> None:
        """Give memory of its own to the trainer, until the next sync or generation."""
        ...

    def close(self) -> None:
        """Release what the engine holds."""
        ...

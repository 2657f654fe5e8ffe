"""The contract between a selection strategy and whatever generates the rollouts.

A strategy is a frozen dataclass of hyperparameters with three pure methods. It generates
nothing, verifies nothing and never sees text: it says which prompts to roll out and how
often (`ask`), is told what came of it, and rules on every group (`tell`). The simulator and
the GPU run drive the same strategies through `selection.driver.collect`; they differ only in
the `roll` they pass.

Axis legend: M prompts in the data set, K prompts in an order, R rollouts in an order.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

State = TypeVar("State")


@dataclass(frozen=True)
class Order:
    """Rollouts to generate next: `rollouts[i]` of them for the prompt `prompts[i]`.

    Prompts are distinct within an order and counts are positive. An order of no prompts says
    that nothing more is wanted for this training batch: it is trained on as it stands.
    """

    prompts: Int[np.ndarray, "K"]
    rollouts: Int[np.ndarray, "K"]

    @classmethod
    def equal(cls, prompts: Int[np.ndarray, "K"], rollouts: int) -> "Order":
        """The same number of rollouts for every prompt."""
        return cls(prompts, np.full(prompts.size, rollouts))

    @classmethod
    def nothing(cls) -> "Order":
        """The order that closes the training batch."""
        return cls(np.zeros(0, int), np.zeros(0, int))


@dataclass(frozen=True, kw_only=True)
class Norms:
    r"""Score norms of each group, by class of rollout; a class without rollouts counts 0.

    The score $s$ of a rollout is $\nabla_\theta \log \pi_\theta(y \mid x)$; $D$ is the
    difference of its class means. Units: those of the parameters' inverse.
    """

    passing: Float[np.ndarray, "K"]  # mean of |s| over passing rollouts
    failing: Float[np.ndarray, "K"]
    passing_square: Float[np.ndarray, "K"]  # mean of |s|^2 over passing rollouts
    failing_square: Float[np.ndarray, "K"]
    contrast: Float[np.ndarray, "K"]  # |D|^2


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an order. Everything but `passes` is optional.

    Attributes:
        passes: Rollouts of each prompt that passed, 0 to `order.rollouts`.
        rewards: Reward of every rollout in [0, 1], group by group, where it is not simply 1
            for a pass and 0 for a failure. Selection sees correctness, whole or in part;
            penalties, for length say, are the trainer's.
        norms: Score norms, for strategies that allocate by them.
        version: Training steps completed by the policy that generated the rollouts.
        payload: One item per group that the driver carries to the trainer unread.
    """

    passes: Int[np.ndarray, "K"]
    rewards: Float[np.ndarray, "R"] | None = None
    norms: Norms | None = None
    version: int = 0
    payload: Shaped[np.ndarray, "K"] | None = None

    def check(self, order: Order) -> None:
        """Raise `ValueError` unless this may be what came of the order."""
        passes, rewards = self.passes, self.rewards
        if passes.shape != order.rollouts.shape:
            raise ValueError(
                f"passes of {passes.size} groups for {order.rollouts.size} prompts"
            )
        if passes.dtype.kind != "i":
            raise ValueError(f"passes={passes} must be whole numbers")
        if ((passes < 0) | (passes > order.rollouts)).any():
            raise ValueError(
                f"passes={passes} must lie between 0 and rollouts={order.rollouts}"
            )
        if rewards is None:
            return
        if rewards.size != order.rollouts.sum():
            raise ValueError(f"{rewards.size} rewards for {order.rollouts.sum()} rollouts")
        if not ((rewards >= 0.0) & (rewards <= 1.0)).all():
            raise ValueError(f"rewards={rewards} must lie in [0, 1]")

    def mean_rewards(self, order: Order) -> Float[np.ndarray, "K"]:
        """Mean reward of each group; the observed pass rate where rewards are 0 or 1."""
        if self.rewards is None:
            return self.passes / order.rollouts
        starts = np.cumsum(order.rollouts) - order.rollouts
        return np.add.reduceat(self.rewards, starts) / order.rollouts

    def mixed(self, order: Order) -> Bool[np.ndarray, "K"]:
        """Whether the rewards of each group differ, so that it has a gradient."""
        if self.rewards is None:
            return (self.passes > 0) & (self.passes < order.rollouts)
        starts = np.cumsum(order.rollouts) - order.rollouts
        lowest = np.minimum.reduceat(self.rewards, starts)
        return np.maximum.reduceat(self.rewards, starts) > lowest


class Verdict(IntEnum):
    """What becomes of a prompt's group once the ordered rollouts are in."""

    DROP = 0  # discard the group: no learning signal, or not meant for training
    HOLD = 1  # keep the group open: a later order continues it
    TRAIN = 2  # close the group and hand it to the optimizer


DROP, HOLD, TRAIN = map(int, Verdict)  # for array code: numpy takes its time over an enum


@runtime_checkable
class Selector(Protocol[State]):
    """A prompt-selection strategy. Every order is told before the next one is asked for."""

    def init(self, num_prompts: int) -> State:
        """State before any rollout of the prompts `0 .. num_prompts - 1`."""
        ...

    def ask(self, state: State, wanted: int, rng: np.random.Generator) -> tuple[State, Order]:
        """Next state and order, with `wanted` groups still missing from the training batch."""
        ...

    def tell(
        self, state: State, order: Order, outcome: Outcome
    ) -> tuple[State, Int[np.ndarray, "K"]]:
        """Next state and a `Verdict` per group, decided jointly over the whole order."""
        ...

"""The oracle: told the true pass rates, it takes the prompts with the largest p(1-p).

The yardstick of the comparison, not a strategy that anybody could run. It is myopic: best for
the next step where the signal of a rollout is p(1-p), as for an unbiased policy gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from selection.checks import counts
from selection.protocol import Order, Outcome, Verdict


@dataclass(frozen=True)
class Pool:
    """How many prompts there are; the oracle remembers nothing."""

    num_prompts: int


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """Always the prompts nearest a pass rate of 1/2.

    Attributes:
        pass_rates: Tells the true pass rate of each prompt now.
        rollouts: Rollouts per prompt, N.
    """

    pass_rates: Callable[[Int[np.ndarray, "M"]], Float[np.ndarray, "M"]] = field(repr=False)
    rollouts: int = 24

    def __post_init__(self) -> None:
        counts(rollouts=self.rollouts)

    def init(self, num_prompts: int) -> Pool:
        return Pool(num_prompts)

    def ask(self, state: Pool, wanted: int, rng: np.random.Generator) -> tuple[Pool, Order]:
        del rng
        distance = np.abs(self.pass_rates(np.arange(state.num_prompts)) - 0.5)
        wanted = min(wanted, state.num_prompts)
        nearest = np.argpartition(distance, wanted - 1)[:wanted]
        return state, Order.equal(nearest, self.rollouts)

    def tell(
        self, state: Pool, order: Order, outcome: Outcome
    ) -> tuple[Pool, Int[np.ndarray, "K"]]:
        del outcome
        return state, np.full(order.prompts.size, Verdict.TRAIN)

"""Uniform sampling: every prompt once a pass, every group trained on.

What plain GRPO and RLOO do, and the baseline of every comparison.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from selection.checks import counts
from selection.epochs import Epochs
from selection.protocol import Order, Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Shuffled passes over the data set.

    Attributes:
        rollouts: Rollouts per prompt, N.
    """

    rollouts: int = 24

    def __post_init__(self) -> None:
        counts(rollouts=self.rollouts)

    def init(self, num_prompts: int) -> Epochs:
        return Epochs.before(num_prompts)

    def ask(self, state: Epochs, wanted: int, rng: np.random.Generator) -> tuple[Epochs, Order]:
        state, prompts = state.draw(wanted, rng)
        return state, Order.equal(prompts, self.rollouts)

    def tell(
        self, state: Epochs, order: Order, outcome: Outcome
    ) -> tuple[Epochs, Int[np.ndarray, "K"]]:
        del outcome
        return state, np.full(order.prompts.size, Verdict.TRAIN)

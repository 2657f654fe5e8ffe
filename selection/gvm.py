r"""GVM-RAFT's allocation: prompts as they come, rollouts for the hard but not the hopeless.

Each iteration starts with a pilot (`Pilot`). Rollouts are then allocated over its subset by
Proposition 1, $n_i \propto G_i / \sqrt{p_i + \alpha p_i^{1-\beta}}$ with $p_i$ the pilot's pass
rate and $G_i$ the root mean square score norm of its passing rollouts; prompts that never
passed get none.

Reference: "Optimizing Chain-of-Thought Reasoners via Gradient Variance Minimization in
Rejection Sampling and RL", arXiv 2505.02391; RLHFlow/GVM @ d640a75. Departures: the budget
counts only prompts that get rollouts, so that a training batch keeps its size, and each of
those gets at least two.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from selection.allocation import allocate, gvm_useful, gvm_weight
from selection.checks import counts, positive, within
from selection.epochs import Epochs
from selection.pilot import Iteration, Pilot
from selection.protocol import Order, Outcome, Verdict


@dataclass(frozen=True)
class Allocated:
    """The current iteration, and the allocation its pilot led to."""

    iteration: Iteration
    rollouts: Int[np.ndarray, "K"]  # of each member
    epochs: Epochs  # passes over the members that have rollouts


@dataclass(frozen=True, kw_only=True)
class Gvm:
    """Uniform sampling of prompts, allocation for a log-likelihood gradient.

    Attributes:
        rollouts: Mean rollouts per prompt that gets any.
        alpha: Regularizer of Proposition 1.
        power: Its exponent, beta.
        pilot: Pilot rollouts per prompt, N'.
        subsets: Parts of a pass over the data set, one per iteration.
        steps: Training steps per iteration.
        at_least: Least rollouts of a prompt that gets any.
        easiest: Highest pilot pass rate of a prompt that gets any.
        least_passes: Fewest passes to be expected of the rollouts of a prompt that gets any.
    """

    rollouts: int = 24
    alpha: float = 1e-3
    power: float = 2.0
    pilot: int = 8
    subsets: int = 15
    steps: int = 10
    at_least: int = 2
    easiest: float = 1.0
    least_passes: float = 0.0

    def __post_init__(self) -> None:
        counts(at_least=self.at_least)
        counts(self.at_least, rollouts=self.rollouts)
        counts(pilot=self.pilot, subsets=self.subsets, steps=self.steps)
        positive(alpha=self.alpha)
        within(0.0, 1.0, easiest=self.easiest)
        within(0.0, math.inf, least_passes=self.least_passes)
        within(2.0, 100.0, power=self.power)  # Proposition 1 has it from 2 on

    @classmethod
    def paper(cls, *, rollouts: int = 24) -> "Gvm":
        """Proposition 1 with the published constants."""
        return cls(rollouts=rollouts)

    @property
    def pilots(self) -> Pilot:
        """When pilots are due."""
        return Pilot(rollouts=self.pilot, subsets=self.subsets, orders=self.steps)

    def init(self, num_prompts: int) -> Allocated:
        return Allocated(Iteration.before(num_prompts), np.zeros(0, int), Epochs.before(0))

    def ask(
        self, state: Allocated, wanted: int, rng: np.random.Generator
    ) -> tuple[Allocated, Order]:
        useful = np.flatnonzero(state.rollouts)
        if self.pilots.due(state.iteration) or not useful.size:
            iteration, order = self.pilots.begin(state.iteration, rng)
            return replace(state, iteration=iteration), order
        iteration = replace(state.iteration, orders=state.iteration.orders + 1)
        epochs, turn = state.epochs.draw(wanted, rng)
        drawn = useful[turn]
        state = replace(state, iteration=iteration, epochs=epochs)
        return state, Order(iteration.members[drawn], state.rollouts[drawn])

    def tell(
        self, state: Allocated, order: Order, outcome: Outcome
    ) -> tuple[Allocated, Int[np.ndarray, "K"]]:
        if not state.iteration.piloting:
            return state, np.full(order.prompts.size, Verdict.TRAIN)
        iteration = self.pilots.record(state.iteration, outcome)
        rollouts = self.share_out(iteration)
        epochs = Epochs.before(int((rollouts > 0).sum()))
        return Allocated(iteration, rollouts, epochs), np.full(order.prompts.size, Verdict.DROP)

    def share_out(self, iteration: Iteration) -> Int[np.ndarray, "K"]:
        """Rollouts of every member; none for those that never passed."""
        rates = self.pilots.rates(iteration)
        norms = iteration.told_norms(np.arange(rates.size))
        energy = np.ones(rates.size) if norms is None else np.sqrt(norms.passing_square)
        weights = gvm_weight(rates, energy, alpha=self.alpha, power=self.power)
        weights = gvm_useful(
            weights,
            rates,
            self.rollouts * int((weights > 0.0).sum()),
            easiest=self.easiest,
            least_passes=self.least_passes,
        )
        rollouts, some = np.zeros(rates.size, int), weights > 0.0
        budget = self.rollouts * int(some.sum())
        rollouts[some] = allocate(weights[some], budget, self.at_least)
        return rollouts

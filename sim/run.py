"""One simulated run: a strategy drives a policy through its training steps.

The two share one seed and nothing else: `nature` draws the prompts, the noise of training and
whether rollouts pass; `choice` serves the strategy. Strategies compared under one seed thus
meet the same prompts and differ by what they choose.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from report.totals import Totals
from selection.driver import Buffer, Segments, StarvedError, Surplus, collect
from selection.groups import group_totals
from selection.protocol import Order, Outcome, Selector
from sim.costs import Costs
from sim.world import Policy, World

MAX_ORDERS = 1000  # orders that may be spent on one training batch
Strategy = Callable[[Policy], Selector[Any]]  # the oracle alone looks at the policy


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run is made of but its seed.

    Attributes:
        world: The world.
        strategy: Makes the strategy.
        groups: Groups per training batch, B.
        steps: Training steps at most.
        surplus: What becomes of complete groups beyond a batch.
        costs: Prices.
        enough: Progress at which the run ends early.
        norms: Whether the strategy is told score norms.
    """

    world: World
    strategy: Strategy
    groups: int
    steps: int
    surplus: Surplus = "keep"
    costs: Costs = field(default_factory=Costs)
    enough: float = np.inf
    norms: bool = False


@dataclass
class Ledger:
    """Totals of a simulated run: seconds are modelled, and true pass rates are known."""

    costs: Costs
    totals: Totals = field(default_factory=Totals)
    signal_expected: float = 0.0

    def generated(self, order: Order, passes: int) -> None:
        """Count one round of generation."""
        rollouts = int(order.rollouts.sum())
        self.totals.generated(rollouts, self.costs.generation_seconds(rollouts, passes))

    def collected(self, batch: Segments, rates: Float[np.ndarray, "S"]) -> None:
        """Count the learning signal of a batch, under both metrics; `rates` are true ones."""
        _, passes, rollouts = group_totals(batch)
        self.totals.collected(passes, rollouts)
        self.signal_expected += float(batch.rollouts @ (rates * (1.0 - rates)))

    def trained(self, batch: Segments, updates: int) -> None:
        """Count one training step."""
        rollouts, passes = int(batch.rollouts.sum()), int(batch.passes.sum())
        seconds = self.costs.training_seconds(rollouts, passes, updates)
        self.totals.trained(rollouts, updates, seconds)

    def row(self, step: int, accuracy: float) -> dict[str, float]:
        """A row of the record, as it stands after a training step."""
        return self.totals.row(step, accuracy) | {"signal_expected": self.signal_expected}


def simulate(plan: Plan, seed: int) -> dict[str, Float[np.ndarray, "T"]]:
    """Columns of the record of one run, a row before the first step and one after each."""
    nature, choice = np.random.default_rng(seed).spawn(2)
    prompts, outcomes = nature.spawn(2)
    return train(plan, plan.world.begin(prompts), outcomes, choice)


def train(
    plan: Plan, policy: Policy, outcomes: np.random.Generator, choice: np.random.Generator
) -> dict[str, Float[np.ndarray, "T"]]:
    """Columns of the record of a policy's training.

    It ends early once its progress is enough, or once no training batch can be filled any
    more; a first batch that cannot be filled is an error.

    Raises:
        StarvedError: The first batch cannot be filled.
    """
    selector = plan.strategy(policy)
    state, buffer, ledger = (
        selector.init(plan.world.prompts),
        Buffer.empty(),
        Ledger(plan.costs),
    )
    rows = [ledger.row(0, policy.accuracy())]
    for step in range(plan.steps):

        def roll(order: Order, version: int = step) -> Outcome:
            rates = policy.pass_rates(order.prompts)
            passes = outcomes.binomial(order.rollouts, rates)
            ledger.generated(order, int(passes.sum()))
            norms = policy.norms(order.prompts) if plan.norms else None
            return Outcome(passes=passes, norms=norms, version=version, payload=rates)

        try:
            state, buffer, batch = collect(
                selector,
                state,
                roll,
                plan.groups,
                choice,
                buffer=buffer,
                surplus=plan.surplus,
                max_orders=MAX_ORDERS,
            )
        except StarvedError:
            if step == 0:
                raise
            break
        ledger.collected(batch, policy.pass_rates(batch.prompts))
        ledger.trained(batch, policy.learn(batch))
        rows.append(ledger.row(step + 1, policy.accuracy()))
        if rows[-1][plan.world.progress] >= plan.enough:
            break
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]}

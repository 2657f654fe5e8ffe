"""CurES watched while it runs: what it believed at each iteration, and what it allocated.

The strategy decides as if it were not watched; true pass rates are noted beside its beliefs.
The world is that of `sim.figures.cures_runs`.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from selection.cures import Cures, Curriculum
from selection.protocol import Order, Outcome
from sim.figures.cures_runs import Contender, planned
from sim.run import train
from sim.world import Policy

CASE = ("1.5B", "GRPO")


@dataclass(frozen=True)
class Allocated:
    """An order of a training step: true pass rate and rollouts of each of its prompts."""

    iteration: int
    rates: Float[np.ndarray, "k"]
    rollouts: Int[np.ndarray, "k"]


@dataclass
class Seen:
    """What was seen of one run of CurES."""

    beliefs: list[Float[np.ndarray, "K"]] = field(
        default_factory=list
    )  # as iterations end, unless with an empty order
    rates: list[Float[np.ndarray, "K"]] = field(default_factory=list)
    allocated: list[Allocated] = field(default_factory=list)
    iterations: int = 0  # begun so far


@dataclass(frozen=True)
class Watched:
    """CurES, watched: it decides as if it were not."""

    cures: Cures
    policy: Policy
    seen: Seen

    def init(self, num_prompts: int) -> Curriculum:
        return self.cures.init(num_prompts)

    def ask(
        self, state: Curriculum, wanted: int, rng: np.random.Generator
    ) -> tuple[Curriculum, Order]:
        return self.cures.ask(state, wanted, rng)

    def tell(
        self, state: Curriculum, order: Order, outcome: Outcome
    ) -> tuple[Curriculum, Int[np.ndarray, "K"]]:
        after, verdicts = self.cures.tell(state, order, outcome)
        seen, members = self.seen, after.iteration.members
        if state.iteration.piloting:
            seen.iterations += 1
        elif order.prompts.size:
            rates = self.policy.pass_rates(order.prompts)
            seen.allocated.append(Allocated(seen.iterations, rates, order.rollouts))
        if after.iteration.orders == self.cures.steps and len(seen.rates) < seen.iterations:
            seen.beliefs.append(after.beliefs.means(np.arange(members.size)))
            seen.rates.append(self.policy.pass_rates(members))
        return after, verdicts


def watch(contender: Contender, seed: int) -> Seen:
    """What was seen of 15 iterations of 10 steps."""
    plan, seen = planned(contender, *CASE), Seen()
    make = plan.strategy

    def watched(policy: Policy) -> Watched:
        cures = make(policy)
        assert isinstance(cures, Cures)
        return Watched(cures, policy, seen)

    nature, choice = np.random.default_rng(seed).spawn(2)
    prompts, outcomes = nature.spawn(2)
    train(replace(plan, strategy=watched), plan.world.begin(prompts), outcomes, choice)
    return seen

r"""CurES: sample prompts by how much they may teach, allocate rollouts by how noisy they are.

Each iteration starts with a pilot of a few rollouts per prompt of the next subset (`Pilot`).
Beta beliefs $m$ about the pass rates start from it. A training step draws its prompts from the
Gibbs distribution $\propto \exp(\sqrt{m(1-m)}/\tau)$ and allocates the rollout budget by
Neyman's rule $n_i \propto \sigma_i$; what the rollouts show updates the beliefs.

Reference: "CurES: From Gradient Analysis to Efficient Curriculum Learning for Reasoning LLMs",
arXiv 2510.01037 (Eqs. 13-24), and ZexuSun/CurES @ eccf298. The temperature $\tau$ of the
published runs is not reported. What the release does differently:

- `per_pass`: the temperature is 100, multiplied prompt by prompt by 1 + pilot passes, so that
  the sampling is uniform to .3 %, its mode the prompts that never passed.
- `learns`: the beliefs never reach the running sampler.
- `shards`: the allocation is made once per iteration, over each rank's share of the subset
  with the whole budget each, from the pilot's pass rates, rounded without settling the sum;
  prompts whose pilot rollouts agree get nothing and leave the batch short.
- `copies`: each allocated rollout is generated this many times.
- `vectors`: the last term of sigma uses norms where Eq. 21 has vectors.

Departures from the paper: a batch's prompts are distinct (successive draws without
replacement); every prompt drawn gets at least two rollouts, since a group baseline learns
nothing from one; a shard without any mixed pilot is allocated nothing (the release divides by
zero); the sum of an order's rollouts is not padded to a multiple of the GPUs.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from selection.allocation import allocate, neyman_deviation
from selection.beliefs import Beliefs
from selection.checks import counts, positive
from selection.pilot import Iteration, Pilot
from selection.protocol import Order, Outcome, Verdict

PRIOR = (1.0, 1.0)


@dataclass(frozen=True)
class Curriculum:
    """The current iteration and the beliefs about its members."""

    iteration: Iteration
    beliefs: Beliefs  # of the members, by position
    closing: bool  # the next order is empty


@dataclass(frozen=True, kw_only=True)
class Cures:
    """Gibbs sampling of prompts and Neyman allocation of rollouts.

    Attributes:
        rollouts: Mean rollouts per prompt of a batch; the budget is this times its prompts.
        temperature: tau of the Gibbs distribution; large values sample uniformly.
        pilot: Pilot rollouts per prompt, N'.
        subsets: Parts of a pass over the data set, one per iteration, T.
        steps: Training steps per iteration, M of the paper's Algorithm 1.
        at_least: Least rollouts of a prompt that was drawn.
        learns: Whether beliefs follow the rollouts of the training steps.
        per_pass: Whether the temperature grows with a prompt's pilot passes.
        vectors: Whether sigma follows Eq. 21 or the release.
        shards: Shares of the subset that are allocated separately, once per iteration; 0
            allocates over each batch.
        copies: Rollouts generated per rollout allocated.
    """

    rollouts: int = 24
    temperature: float = 0.1
    pilot: int = 4
    subsets: int = 15
    steps: int = 10
    at_least: int = 2
    learns: bool = True
    per_pass: bool = False
    vectors: bool = True
    shards: int = 0
    copies: int = 1

    def __post_init__(self) -> None:
        counts(at_least=self.at_least, copies=self.copies)
        counts(self.at_least, rollouts=self.rollouts)
        counts(pilot=self.pilot, subsets=self.subsets, steps=self.steps)
        counts(0, shards=self.shards)
        positive(temperature=self.temperature)

    @classmethod
    def paper(cls, *, rollouts: int = 24, temperature: float = 0.1) -> "Cures":
        """As the paper has it; the temperature is ours."""
        return cls(rollouts=rollouts, temperature=temperature)

    @classmethod
    def released(cls, *, rollouts: int = 8, shards: int = 8) -> "Cures":
        """As the authors' scripts run it, on `shards` ranks."""
        return cls(
            rollouts=rollouts,
            temperature=100.0,
            learns=False,
            per_pass=True,
            vectors=False,
            shards=shards,
            copies=4,
        )

    @property
    def pilots(self) -> Pilot:
        """When pilots are due."""
        return Pilot(rollouts=self.pilot, subsets=self.subsets, orders=self.steps)

    def init(self, num_prompts: int) -> Curriculum:
        return Curriculum(Iteration.before(num_prompts), Beliefs.prior(0, PRIOR), closing=False)

    def ask(
        self, state: Curriculum, wanted: int, rng: np.random.Generator
    ) -> tuple[Curriculum, Order]:
        if state.closing:
            return replace(state, closing=False), Order.nothing()
        if self.pilots.due(state.iteration):
            iteration, order = self.pilots.begin(state.iteration, rng)
            return Curriculum(iteration, state.beliefs, closing=False), order
        iteration = replace(state.iteration, orders=state.iteration.orders + 1)
        drawn = self.draw(state, wanted, rng)
        rollouts = self.copies * self.share_out(state, drawn, wanted)
        some = rollouts > 0
        order = Order(iteration.members[drawn[some]], rollouts[some])
        closing = self.shards > 0 and 0 < order.prompts.size < wanted
        return replace(state, iteration=iteration, closing=closing), order

    def tell(
        self, state: Curriculum, order: Order, outcome: Outcome
    ) -> tuple[Curriculum, Int[np.ndarray, "K"]]:
        iteration, beliefs = state.iteration, state.beliefs
        piloted = iteration.piloting
        if piloted:
            iteration = self.pilots.record(iteration, outcome)
            beliefs = Beliefs.prior(iteration.members.size, PRIOR)
        if piloted or self.learns:
            where = iteration.positions(order.prompts)
            failures = order.rollouts - outcome.passes
            beliefs = beliefs.update(where, outcome.passes, failures, PRIOR)
        verdict = Verdict.DROP if piloted else Verdict.TRAIN
        state = Curriculum(iteration, beliefs, state.closing)
        return state, np.full(order.prompts.size, verdict)

    def probabilities(self, state: Curriculum) -> Float[np.ndarray, "K"]:
        """The Gibbs distribution over the members."""
        mean = state.beliefs.means(np.arange(state.iteration.members.size))
        growth = 1.0 + state.iteration.passes if self.per_pass else 1.0
        exponent = np.sqrt(mean * (1.0 - mean)) / (self.temperature * growth)
        weights = np.exp(np.maximum(exponent - exponent.max(), -700.0))  # none underflows to 0
        return weights / weights.sum()

    def draw(
        self, state: Curriculum, wanted: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "k"]:
        """Positions of at most `wanted` distinct members."""
        weights = self.probabilities(state)
        return rng.choice(
            weights.size, size=min(wanted, weights.size), replace=False, p=weights
        )

    def share_out(
        self, state: Curriculum, drawn: Int[np.ndarray, "k"], wanted: int
    ) -> Int[np.ndarray, "k"]:
        """Rollouts of each member drawn, before copies."""
        iteration = state.iteration
        if self.shards:
            return self.share_out_shards(iteration, self.rollouts * wanted)[drawn]
        rates = state.beliefs.means(drawn)
        norms = iteration.told_norms(drawn)
        deviation = neyman_deviation(rates, norms, vectors=self.vectors)
        return allocate(deviation, self.rollouts * drawn.size, self.at_least)

    def share_out_shards(self, iteration: Iteration, budget: int) -> Int[np.ndarray, "K"]:
        """Rollouts of every member, each shard with the whole budget, rounded half to even.

        Shards are of equal size; what is left over belongs to the last.
        """
        everyone = np.arange(iteration.members.size)
        deviation = neyman_deviation(
            self.pilots.rates(iteration), iteration.told_norms(everyone), vectors=self.vectors
        )
        starts = np.arange(1, self.shards) * (deviation.size // self.shards)
        return np.concatenate(
            [_proportional(shard, budget) for shard in np.split(deviation, starts)]
        )


def _proportional(weights: Float[np.ndarray, "K"], budget: int) -> Int[np.ndarray, "K"]:
    """Rounded shares of the budget, whose sum may miss it; nothing where all weights are 0."""
    total = weights.sum()
    if not total > 0.0:
        return np.zeros(weights.size, int)
    return np.round(budget * weights / total).astype(int)

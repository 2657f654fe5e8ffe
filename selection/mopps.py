"""MoPPS: predict pass rates with a Beta belief, roll out the prompts nearest a target.

A step draws one pass rate per candidate from its belief (Thompson sampling) and rolls out the
candidates whose draw lies nearest the target. What their rollouts show updates their beliefs,
older evidence fading by the memory. No rollout is spent on screening, and every group is
trained on.

Reference: Qu et al., "Can Prompt Difficulty be Online Predicted for Accelerating RL Finetuning
of Reasoning Models?", arXiv 2507.04632, and thu-rllab/MoPPS @ a883f519, recipe/ours/mopps.py.
What the release does differently:

- `disjoint`: candidates are the next batch of a shuffled loader, so that they are disjoint
  within a pass, instead of a random set.
- `single`: with one rollout per prompt both counts become 8 and stay there (a slip of operator
  precedence that its README does not share).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from selection.acceptance import check_band
from selection.beliefs import Beliefs
from selection.checks import counts, positive, within
from selection.epochs import Epochs
from selection.protocol import Order, Outcome, Verdict

Rule = Literal["nearest", "threshold", "uniform"]


@dataclass(frozen=True)
class Prediction:
    """Beliefs, the place in the data set, and whether the warm start is over."""

    beliefs: Beliefs
    epochs: Epochs
    warm: bool


@dataclass(frozen=True, kw_only=True)
class Mopps:
    """Thompson sampling towards a target pass rate.

    Attributes:
        rollouts: Rollouts per chosen prompt, N.
        ratio: Candidates per group wanted.
        target: Pass rate aimed at; 1/2 maximizes the variance of a binary reward.
        memory: Share of the evidence kept per update, lambda; 1 never forgets.
        prior: (alpha_0, beta_0) of every prompt.
        rule: Take the draws nearest the target (published as "topk"); or any within the
            window, those nearest to it if too few; or any.
        low, high: The window of the threshold rule.
        learns: Whether beliefs are updated at all.
        warm_rollouts: Rollouts of every prompt before the first batch; their results enter the
            beliefs `warm_weight` times and are not trained on.
        warm_weight: See above.
        disjoint: Whether candidates come from shuffled passes.
        single: Value of both counts after an update by a single rollout; None counts it.
    """

    rollouts: int = 24
    ratio: int = 16
    target: float = 0.5
    memory: float = 1.0
    prior: tuple[float, float] = (1.0, 1.0)
    rule: Rule = "nearest"
    low: float = 0.3
    high: float = 0.7
    learns: bool = True
    warm_rollouts: int = 0
    warm_weight: float = 3.0
    disjoint: bool = False
    single: float | None = None

    def __post_init__(self) -> None:
        counts(rollouts=self.rollouts, ratio=self.ratio)
        counts(0, warm_rollouts=self.warm_rollouts)
        within(0.0, 1.0, target=self.target, memory=self.memory)
        check_band(self.low, self.high)
        positive(alpha_0=self.prior[0], beta_0=self.prior[1], warm_weight=self.warm_weight)
        if self.single is not None:
            positive(single=self.single)
        if self.rule not in ("nearest", "threshold", "uniform"):
            raise ValueError(f"rule={self.rule!r} must be 'nearest', 'threshold' or 'uniform'")

    @classmethod
    def paper(cls, *, rollouts: int = 24, memory: float = 1.0) -> "Mopps":
        """As the paper and its README have it."""
        return cls(rollouts=rollouts, memory=memory)

    @classmethod
    def released(cls, *, rollouts: int = 8, memory: float = 1.0) -> "Mopps":
        """As the authors' scripts run it on MATH; on Countdown the memory is 1/2."""
        return cls(rollouts=rollouts, memory=memory, disjoint=True, single=8.0)

    def init(self, num_prompts: int) -> Prediction:
        beliefs = Beliefs.prior(num_prompts, self.prior)
        return Prediction(beliefs, Epochs.before(num_prompts), warm=self.warm_rollouts == 0)

    def ask(
        self, state: Prediction, wanted: int, rng: np.random.Generator
    ) -> tuple[Prediction, Order]:
        num_prompts = state.beliefs.alpha.size
        if not state.warm:
            return state, Order.equal(np.arange(num_prompts), self.warm_rollouts)
        candidates = min(self.ratio * wanted, num_prompts)
        if self.disjoint:
            epochs, pool = state.epochs.draw(candidates, rng)
            state = Prediction(state.beliefs, epochs, warm=True)
        else:
            pool = rng.choice(num_prompts, size=candidates, replace=False, shuffle=False)
        chosen = self.choose(state.beliefs, pool, wanted, rng)
        return state, Order.equal(pool[chosen], self.rollouts)

    def tell(
        self, state: Prediction, order: Order, outcome: Outcome
    ) -> tuple[Prediction, Int[np.ndarray, "K"]]:
        verdicts = np.full(order.prompts.size, Verdict.TRAIN)
        if not state.warm:
            return self._warmed(state, order, outcome), np.full_like(verdicts, Verdict.DROP)
        beliefs = self.learn(state.beliefs, order, outcome) if self.learns else state.beliefs
        return Prediction(beliefs, state.epochs, warm=True), verdicts

    def choose(
        self,
        beliefs: Beliefs,
        pool: Int[np.ndarray, "C"],
        wanted: int,
        rng: np.random.Generator,
    ) -> Int[np.ndarray, "K"]:
        """Positions of the chosen candidates in the pool, at most `wanted`."""
        drawn = rng.beta(beliefs.alpha[pool], beliefs.beta[pool])
        if self.rule == "uniform":
            return rng.permutation(pool.size)[:wanted]
        if self.rule == "nearest":
            return _nearest(np.abs(drawn - self.target), wanted)
        inside = np.flatnonzero((drawn >= self.low) & (drawn <= self.high))
        if inside.size >= wanted:
            return rng.permutation(inside)[:wanted]
        return _nearest(np.maximum(self.low - drawn, drawn - self.high).clip(0.0), wanted)

    def learn(self, beliefs: Beliefs, order: Order, outcome: Outcome) -> Beliefs:
        """Beliefs after the groups of an order."""
        failures = order.rollouts - outcome.passes
        updated = beliefs.update(
            order.prompts, outcome.passes, failures, self.prior, self.memory
        )
        if self.single is None or not (order.rollouts == 1).any():
            return updated
        alone = order.prompts[order.rollouts == 1]
        updated.alpha[alone] = updated.beta[alone] = self.single
        return updated

    def _warmed(self, state: Prediction, order: Order, outcome: Outcome) -> Prediction:
        passes = self.warm_weight * outcome.passes
        failures = self.warm_weight * (order.rollouts - outcome.passes)
        beliefs = state.beliefs.update(order.prompts, passes, failures, self.prior)
        return Prediction(beliefs, state.epochs, warm=True)


def _nearest(distance: Float[np.ndarray, "C"], wanted: int) -> Int[np.ndarray, "K"]:
    """Positions of the `wanted` smallest distances, nearest first, ties in the pool's order."""
    return np.argsort(distance, kind="stable")[:wanted]

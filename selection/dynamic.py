"""Dynamic sampling (DAPO): roll out, keep the mixed groups, refill until the batch is full.

Dropping zero-variance groups, which contribute exactly nothing under a group baseline, leaves
the direction of the expected gradient unchanged; the rollouts of the dropped groups are spent.

Reference: DAPO, arXiv 2503.14476. An ideal refill (`paper`) asks for just the groups still
missing. Released trainers ask for a fixed number of prompts a round and throw the surplus
away (the driver's `surplus="drop"`): verl's DAPO recipe, SPEED's repository with 64 prompts for
16 groups (Zanette-Labs/speed-rl @ 80e47b5, dapo_ray_trainer.py:232), GRESO's with 384 for 256
(Infini-AI-Lab/GRESO @ b2778431). Where verl ends the run at its limit of rounds, MoPPS's copy
(thu-rllab/MoPPS @ a883f519) trains on what it has: `rounds`.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from selection.acceptance import check_band, in_band
from selection.checks import counts
from selection.epochs import Epochs
from selection.protocol import Order, Outcome, Verdict


@dataclass(frozen=True)
class Refill:
    """Place in the data set and progress of the current training batch."""

    epochs: Epochs
    missing: int  # groups the batch still lacked when last asked
    rounds: int  # orders told for this batch


@dataclass(frozen=True, kw_only=True)
class DynamicSampling:
    """Roll out and filter until enough groups are mixed.

    Attributes:
        rollouts: Rollouts per prompt, N.
        prompts: Prompts per order; None asks for the groups still missing.
        rounds: Orders after which the batch is trained on as it stands; None never gives up.
        low, high: Bounds of the mean reward of a group that is kept.
        mixed: Whether a group that is kept must also be mixed.
    """

    rollouts: int = 24
    prompts: int | None = None
    rounds: int | None = None
    low: float = 0.0
    high: float = 1.0
    mixed: bool = True

    def __post_init__(self) -> None:
        check_band(self.low, self.high)
        counts(2 if self.mixed else 1, rollouts=self.rollouts)
        if self.prompts is not None:
            counts(prompts=self.prompts)
        if self.rounds is not None:
            counts(rounds=self.rounds)

    @classmethod
    def paper(cls, *, rollouts: int = 24) -> "DynamicSampling":
        """The ideal refill: no surplus, as many rounds as it takes."""
        return cls(rollouts=rollouts)

    @classmethod
    def released(cls, *, rollouts: int = 24, prompts: int = 64) -> "DynamicSampling":
        """As released with SPEED: a fixed number of prompts per round."""
        return cls(rollouts=rollouts, prompts=prompts)

    def init(self, num_prompts: int) -> Refill:
        return Refill(Epochs.before(num_prompts), missing=0, rounds=0)

    def ask(self, state: Refill, wanted: int, rng: np.random.Generator) -> tuple[Refill, Order]:
        if self.rounds is not None and state.rounds >= self.rounds:
            return replace(state, missing=0, rounds=0), Order.nothing()
        epochs, prompts = state.epochs.draw(self.prompts or wanted, rng)
        asked = replace(state, epochs=epochs, missing=wanted)
        return asked, Order.equal(prompts, self.rollouts)

    def tell(
        self, state: Refill, order: Order, outcome: Outcome
    ) -> tuple[Refill, Int[np.ndarray, "K"]]:
        kept = in_band(order, outcome, low=self.low, high=self.high, mixed=self.mixed)
        full = int(kept.sum()) >= state.missing
        state = replace(state, rounds=0 if full else state.rounds + 1)
        return state, np.where(kept, Verdict.TRAIN, Verdict.DROP)

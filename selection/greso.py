r"""GRESO: skip, before any rollout, prompts whose last groups taught nothing.

A prompt whose last $z$ groups were all zero-variance is skipped with probability
$1 - p_e^{z}$; the exploration probability $p_e$ is kept separately for easy (all pass) and
hard (all fail) prompts, and each moves by a fixed step a training step so that the share of
easy and hard groups among the generated ones tracks a target. Mixed groups are trained on,
the others dropped, and further orders top the batch up, sized by what is still missing.

Reference: Zheng et al., "Act Only When It Pays", arXiv 2506.02177, and Infini-AI-Lab/GRESO @
b2778431 (`verl/trainer/ttis/presampling_selector.py`, `verl/trainer/ppo/ray_trainer.py`).
What the release does differently is a hyperparameter each:

- `joint`: the paper counts one streak over any zero-variance group; the release counts easy and
  hard runs apart, so that all-pass followed by all-fail is a hard run of 1.
- `easy_at`, `hard_at`: the release calls a group easy from a mean reward of .98 and hard up to
  .11, mixed or not, since its rewards are 0, 0.1 (well-formed but wrong) and 1.
- `keep_floor`: the release never skips with a probability above .99.
- `hard_reward`, `share_block`: the shares the release's controller sees count as hard only
  groups of rewards exactly 0.1, and cut the rewards into blocks of 8 whatever N is.
- `single_precision`: the release rounds those shares to float32, which decides ties.
- `adapt_from`: the release adapts from the second pass on.
- `smallest`, `short`: the release orders at least 64 prompts, and once an order is estimated
  to suffice, trains on what that order brings, even if the batch is short.

Departures from the release: an order of zero-variance groups only leads to another order
(there it divides by zero); prompts left over are not lost; nothing is drawn twice in an order.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from selection.checks import counts, positive, within
from selection.epochs import Epochs
from selection.protocol import Order, Outcome, Verdict


@dataclass(frozen=True)
class Streaks:
    """Latest run of groups of one kind, per prompt; 0 where the last group was of another."""

    visits: Int[np.ndarray, "M"]
    zero_variance: Int[np.ndarray, "M"]
    easy: Int[np.ndarray, "M"]
    hard: Int[np.ndarray, "M"]


@dataclass(frozen=True)
class History:
    """What GRESO remembers between orders."""

    epochs: Epochs
    streaks: Streaks
    explore_easy: float
    explore_hard: float
    first: int  # prompts of the batch's first order; 0 between batches
    size: int  # prompts of the next order; 0 between batches
    missing: int  # groups the batch still lacked when last asked
    generated: float  # groups rolled out for this batch, as the shares weigh them
    easy: float  # of which easy
    hard: float  # of which hard
    last: bool  # the order in force closes the batch, full or not
    closing: bool  # the next order is empty


class Shares(NamedTuple):
    """Shares of the generated groups, as the controller sees them."""

    zero_variance: float
    easy: float
    hard: float


@dataclass(frozen=True, kw_only=True)
class Greso:
    """Probabilistic skipping from history.

    Attributes:
        rollouts: Rollouts per prompt, N.
        prompts: Prompts of a batch's first order, and the most of any; None asks for 1.5 times
            the groups wanted, the published 384 for 256.
        explore: Exploration probability before the first adaptation.
        target: Share of zero-variance groups aimed at: a third of it easy, two thirds hard.
        step: Change of an exploration probability per training step.
        least, most: Bounds of the exploration probabilities.
        safety: Factor on the estimated size of a further order, beta.
        chunk: Prompts considered at a time; an order ends with a whole chunk.
        joint: Whether one streak counts all zero-variance groups.
        easy_at: Mean reward from which a group is easy.
        hard_at: Mean reward up to which a group is hard.
        keep_floor: Least probability of keeping a prompt.
        hard_reward: Reward of which a group must consist to count in the hard share; None
            counts every group whose rewards are all at most `hard_at`.
        share_block: Rewards per block of the shares; None takes groups.
        single_precision: Whether the shares are rounded to single precision.
        adapt_from: Pass from which the exploration probabilities move, 0 being the first.
        smallest: Least prompts of a further order.
        short: Whether a batch may close short.
    """

    rollouts: int = 24
    prompts: int | None = None
    explore: float = 0.5
    target: float = 0.25
    step: float = 0.01
    least: float = 0.05
    most: float = 0.95
    safety: float = 1.25
    chunk: int = 1
    joint: bool = True
    easy_at: float = 1.0
    hard_at: float = 0.0
    keep_floor: float = 0.0
    hard_reward: float | None = None
    share_block: int | None = None
    single_precision: bool = False
    adapt_from: int = 0
    smallest: int = 1
    short: bool = False

    def __post_init__(self) -> None:
        counts(2, rollouts=self.rollouts)
        counts(chunk=self.chunk, smallest=self.smallest)
        counts(0, adapt_from=self.adapt_from)
        if self.prompts is not None:
            counts(prompts=self.prompts)
        if self.share_block is not None:
            counts(share_block=self.share_block)
        if self.hard_reward is not None:
            within(0.0, 1.0, hard_reward=self.hard_reward)
        within(0.0, 1.0, target=self.target, step=self.step, keep_floor=self.keep_floor)
        within(0.0, 1.0, least=self.least, most=self.most)
        within(self.least, self.most, explore=self.explore)
        positive(safety=self.safety)
        within(0.0, 1.0, easy_at=self.easy_at, hard_at=self.hard_at)
        if not self.hard_at < self.easy_at:
            raise ValueError(f"hard_at={self.hard_at} must be below easy_at={self.easy_at}")

    @classmethod
    def paper(cls, *, rollouts: int = 24) -> "Greso":
        """As the paper has it, as far as its text is known."""
        return cls(rollouts=rollouts)

    @classmethod
    def released(cls, *, rollouts: int = 8, share_block: int | None = 8) -> "Greso":
        """As the authors' scripts run it."""
        return cls(
            rollouts=rollouts,
            chunk=32,
            joint=False,
            easy_at=0.98,
            hard_at=0.11,
            keep_floor=0.01,
            hard_reward=0.1,
            share_block=share_block,
            single_precision=True,
            adapt_from=1,
            smallest=64,
            short=True,
        )

    def init(self, num_prompts: int) -> History:
        streaks = Streaks(*(np.zeros(num_prompts, int) for _ in range(4)))
        return History(
            epochs=Epochs.before(num_prompts),
            streaks=streaks,
            explore_easy=self.explore,
            explore_hard=self.explore,
            first=0,
            size=0,
            missing=0,
            generated=0.0,
            easy=0.0,
            hard=0.0,
            last=False,
            closing=False,
        )

    def ask(
        self, state: History, wanted: int, rng: np.random.Generator
    ) -> tuple[History, Order]:
        if state.closing:
            return replace(state, closing=False), Order.nothing()
        first = state.first or self.prompts or -(-3 * wanted // 2)
        epochs, kept = self._fill(state, state.size or first, rng)
        state = replace(state, epochs=epochs, first=first, missing=wanted)
        return state, Order.equal(kept, self.rollouts)

    def tell(
        self, state: History, order: Order, outcome: Outcome
    ) -> tuple[History, Int[np.ndarray, "K"]]:
        mixed = outcome.mixed(order)
        shares = self.shares(order, outcome)
        state = self.observe(state, shares, order.prompts.size)
        state = replace(state, streaks=self.remember(state.streaks, order, outcome))
        missing = state.missing - int(mixed.sum())
        if missing > 0 and not state.last:
            state = self.resize(state, missing, shares.zero_variance)
        else:
            state = replace(self.adapt(state), closing=missing > 0)
        return state, np.where(mixed, Verdict.TRAIN, Verdict.DROP)

    def _fill(
        self, state: History, size: int, rng: np.random.Generator
    ) -> tuple[Epochs, Int[np.ndarray, "K"]]:
        """Prompts kept out of the pass, chunk by chunk until there are `size`.

        Never more than one pass over the data set; a pass that would keep nothing is
        rolled out as it comes.
        """
        epochs, num_prompts = state.epochs, state.streaks.visits.size
        kept, passed = np.zeros(0, int), np.zeros(0, int)
        while kept.size < size and passed.size < num_prompts:
            chunks = -(-(size - kept.size) // self.chunk)
            window = min(chunks * self.chunk, num_prompts - passed.size)
            epochs, drawn = epochs.draw(window, rng, besides=passed)
            passed = np.concatenate((passed, drawn))
            kept = np.concatenate((kept, drawn[self.keep(state, drawn, rng)]))
        return epochs, kept if kept.size else passed[:size]

    def skip_probability(
        self, state: History, prompts: Int[np.ndarray, "K"]
    ) -> Float[np.ndarray, "K"]:
        """Probability with which each prompt is passed over; 0 where it was never seen."""
        easy, hard = state.streaks.easy[prompts], state.streaks.hard[prompts]
        both = state.streaks.zero_variance[prompts]
        streak = np.where(self.joint, both, np.where(easy > 0, easy, hard))
        explore = np.where(easy > 0, state.explore_easy, state.explore_hard)
        skip = 1.0 - np.maximum(explore**streak, self.keep_floor)
        return np.where(streak > 0, skip, 0.0)

    def keep(
        self, state: History, prompts: Int[np.ndarray, "K"], rng: np.random.Generator
    ) -> Bool[np.ndarray, "K"]:
        """Whether each prompt is rolled out: one uniform draw per prompt seen before."""
        seen = state.streaks.visits[prompts] > 0
        kept = np.ones(prompts.size, bool)
        kept[seen] = rng.random(int(seen.sum())) >= self.skip_probability(state, prompts[seen])
        return kept

    def remember(self, streaks: Streaks, order: Order, outcome: Outcome) -> Streaks:
        """Streaks once the groups of an order are in, trained on or not."""
        mean, seen = outcome.mean_rewards(order), order.prompts
        zero_variance = ~outcome.mixed(order)

        def extend(run: Int[np.ndarray, "M"], goes_on: Bool[np.ndarray, "K"]) -> np.ndarray:
            longer = run.copy()
            longer[seen] = np.where(goes_on, run[seen] + 1, 0)
            return longer

        return Streaks(
            extend(streaks.visits, np.ones(seen.size, bool)),
            extend(streaks.zero_variance, zero_variance),
            extend(streaks.easy, mean >= self.easy_at),
            extend(streaks.hard, mean <= self.hard_at),
        )

    def shares(self, order: Order, outcome: Outcome) -> Shares:
        """Shares of zero-variance, easy and hard groups among those of an order.

        Raises:
            ValueError: Blocks are not groups and the rewards of single rollouts are not told.
        """
        blocks = self._blocks(order, outcome)
        constant = blocks.min(axis=1) == blocks.max(axis=1)
        level = blocks[:, 0]
        if self.hard_reward is None:
            hard = constant & (level <= self.hard_at)
        else:
            hard = constant & (level == self.hard_reward)
        easy = constant & (level == 1.0)
        precision = np.float32 if self.single_precision else np.float64
        return Shares(*(float(precision(kind.mean())) for kind in (constant, easy, hard)))

    def _blocks(self, order: Order, outcome: Outcome) -> Float[np.ndarray, "blocks width"]:
        """Rewards in blocks; binary groups by their extremes, which say as much."""
        if outcome.rewards is not None:
            width = self.share_block or self.rollouts
            if outcome.rewards.size % width:
                raise ValueError(f"{outcome.rewards.size} rewards make no blocks of {width=}")
            return outcome.rewards.reshape(-1, width)
        if self.share_block not in (None, self.rollouts):
            raise ValueError(
                f"share_block={self.share_block} cuts groups of {self.rollouts} rollouts apart:"
                " tell the reward of every rollout, or set share_block=None"
            )
        passes = outcome.passes
        return np.stack((passes == order.rollouts, passes > 0), axis=1).astype(float)

    def observe(self, state: History, shares: Shares, groups: int) -> History:
        """History once the controller has seen the shares of an order of so many groups."""
        return replace(
            state,
            generated=state.generated + groups,
            easy=state.easy + groups * shares.easy,
            hard=state.hard + groups * shares.hard,
        )

    def resize(self, state: History, missing: int, zero_variance: float) -> History:
        """History with the size of the next order of the same batch.

        The missing groups over the mixed share, with a safety factor; at most the first order.
        """
        if zero_variance == 1.0:
            return replace(state, size=state.first)
        estimate = int(missing / (1.0 - zero_variance) * self.safety)
        size = max(min(estimate, state.first), self.smallest)
        return replace(state, size=size, last=self.short and estimate <= state.first)

    def adapt(self, state: History) -> History:
        """History at the end of a batch: exploration probabilities one step on, counts at 0."""
        easy, hard = state.explore_easy, state.explore_hard
        if state.epochs.epoch >= self.adapt_from and state.generated:
            easy = self._moved(easy, state.easy / state.generated, self.target / 3)
            hard = self._moved(hard, state.hard / state.generated, self.target * 2 / 3)
        return replace(
            state,
            explore_easy=easy,
            explore_hard=hard,
            first=0,
            size=0,
            generated=0.0,
            easy=0.0,
            hard=0.0,
            last=False,
        )

    def _moved(self, explore: float, share: float, target: float) -> float:
        """One step down where the share reaches its target, else one step up, in bounds."""
        if share >= target:
            return max(explore - self.step, self.least)
        return min(explore + self.step, self.most)

"""Strategies by name, made at the sizes of a comparison, with their published sources.

All of them train the same number of groups of the same mean size; what a paper states as a
ratio (64 prompts screened for 16 trained) scales with them.

Releases differ from their own baselines in the optimizer updates that their scripts make of a
training step. Under `accounting="released"` a strategy takes as many updates as its release
makes for each of its baseline's (`released_updates`): SPEED 6 for 1, CurES 27 for 4, GVM 32 for
4, GRESO 4 for 4, MoPPS 2 for 2. Otherwise every strategy takes the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from selection import (
    Cures,
    DynamicSampling,
    Greso,
    Gvm,
    Mopps,
    Oracle,
    Selector,
    Speed,
    Uniform,
)
from selection.checks import counts
from selection.driver import Surplus
from selection.settings import SettingError, change, nearest, parse

PassRates = Callable[[Int[np.ndarray, "K"]], Float[np.ndarray, "K"]]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes that all runs of a comparison share.

    Attributes:
        groups: Groups per training batch, B.
        rollouts: Rollouts per group, N.
        prompts: Prompts in the data set, M.
        steps: Training steps at most.
    """

    groups: int = 64
    rollouts: int = 24
    prompts: int = 2000
    steps: int = 200

    def __post_init__(self) -> None:
        counts(groups=self.groups, prompts=self.prompts, steps=self.steps)
        counts(2, rollouts=self.rollouts)

    @property
    def subsets(self) -> int:
        """Parts of the data set that ten training steps go once through, as in CurES."""
        return max(1, round(self.prompts / (10 * self.groups)))


@dataclass(frozen=True, kw_only=True)
class StrategyEntry:
    """A strategy of the catalogue.

    Attributes:
        make: Makes it at the sizes of the comparison.
        summary: What it does, in a line.
        source: Where it is from.
        surplus: What becomes of complete groups beyond a batch.
        released_updates: Optimizer updates per training step in the authors' scripts, for each
            that their own baseline makes, given the strategy.
        norms: Whether it is told score norms where the world has them.
    """

    make: Callable[[Sizes, PassRates], Selector[Any]]
    summary: str
    source: str
    surplus: Surplus = "keep"
    released_updates: Callable[[Any], int] = lambda _: 1
    norms: bool = False


def _speed(sizes: Sizes) -> tuple[int, int]:
    """N_init and N_cont: 4 of the rollouts screen, or half of them if there are fewer."""
    if sizes.rollouts < 3:
        raise SettingError(
            f"rollouts={sizes.rollouts} leave SPEED none to continue with: at least 3"
        )
    screen = min(4, max(2, sizes.rollouts // 2))
    return screen, sizes.rollouts - screen


def _speed_updates(speed: Speed) -> int:
    """The mini-batch is multiplied by N_init where the baselines' is by N."""
    return -(-(speed.screen + speed.extend) // speed.screen)


def _speed_paper(sizes: Sizes, _: PassRates) -> Speed:
    screen, extend = _speed(sizes)
    return Speed.paper(screen=screen, extend=extend)


def _speed_released(sizes: Sizes, _: PassRates) -> Speed:
    screen, extend = _speed(sizes)
    return Speed.released(screen=screen, extend=extend, fresh=4 * sizes.groups)


def _greso_released(sizes: Sizes, _: PassRates) -> Greso:
    greso = Greso.released(rollouts=sizes.rollouts, share_block=None)
    smallest = max(1, sizes.groups // 4)
    return replace(greso, hard_reward=None, smallest=smallest, chunk=max(1, sizes.groups // 8))


def _cures(sizes: Sizes, _: PassRates) -> Cures:
    return replace(Cures.paper(rollouts=sizes.rollouts), subsets=sizes.subsets)


def _cures_released(sizes: Sizes, _: PassRates) -> Cures:
    """One copy of each rollout, and shards of a batch's size, keep the mean near N."""
    shards = max(1, round(sizes.prompts / (sizes.subsets * sizes.groups)))
    released = Cures.released(rollouts=sizes.rollouts, shards=shards)
    return replace(released, subsets=sizes.subsets, copies=1)


STRATEGIES: dict[str, StrategyEntry] = {
    "uniform": StrategyEntry(
        make=lambda sizes, _: Uniform(rollouts=sizes.rollouts),
        summary="shuffled passes, every group trained on: the baseline",
        source="GRPO, arXiv 2402.03300",
    ),
    "dynamic": StrategyEntry(
        make=lambda sizes, _: DynamicSampling.paper(rollouts=sizes.rollouts),
        summary="dynamic sampling: keep mixed groups, refill just what is missing",
        source="DAPO, arXiv 2503.14476",
        surplus="drop",
    ),
    "dynamic-released": StrategyEntry(
        make=lambda sizes, _: DynamicSampling.released(
            rollouts=sizes.rollouts, prompts=4 * sizes.groups
        ),
        summary="dynamic sampling by rounds of 4 prompts per group wanted, surplus dropped",
        source="Zanette-Labs/speed-rl @ 80e47b5",
        surplus="drop",
    ),
    "dynamic-rounds": StrategyEntry(
        make=lambda sizes, _: DynamicSampling.released(
            rollouts=sizes.rollouts, prompts=sizes.groups
        ),
        summary="dynamic sampling by rounds of 1 prompt per group wanted, surplus dropped",
        source="verl's recipe as run by thu-rllab/MoPPS @ a883f519",
        surplus="drop",
    ),
    "speed": StrategyEntry(
        make=_speed_paper,
        summary="screen with 4 rollouts, continue what is mixed, under one policy",
        source="SPEED, arXiv 2506.09016 (withdrawn), Algorithm 1",
        released_updates=_speed_updates,
    ),
    "speed-released": StrategyEntry(
        make=_speed_released,
        summary="screening and continuation in one order, surplus kept while it ages",
        source="Zanette-Labs/speed-rl @ 80e47b5",
        released_updates=_speed_updates,
    ),
    "greso": StrategyEntry(
        make=lambda sizes, _: Greso.paper(rollouts=sizes.rollouts),
        summary="skip prompts by their streak of zero-variance groups, then filter",
        source="GRESO, arXiv 2506.02177",
        surplus="drop",
    ),
    "greso-released": StrategyEntry(
        make=_greso_released,
        summary="the release's streaks, floors and short batches; shares of 0/1 groups",
        source="Infini-AI-Lab/GRESO @ b2778431",
        surplus="drop",
    ),
    "mopps": StrategyEntry(
        make=lambda sizes, _: Mopps.paper(rollouts=sizes.rollouts),
        summary="Thompson sampling of pass rates, the 1 in 16 nearest 1/2",
        source="MoPPS, arXiv 2507.04632",
    ),
    "mopps-released": StrategyEntry(
        make=lambda sizes, _: Mopps.released(rollouts=sizes.rollouts),
        summary="MoPPS with candidates from shuffled passes",
        source="thu-rllab/MoPPS @ a883f519",
    ),
    "cures": StrategyEntry(
        make=_cures,
        summary="pilot, Gibbs sampling of prompts, Neyman allocation of rollouts",
        source="CurES, arXiv 2510.01037; temperature 0.1, which it does not report",
        released_updates=lambda _: 7,  # 27 for 4
    ),
    "cures-norms": StrategyEntry(
        make=_cures,
        summary="CurES told the true score norms of the pilot's rollouts",
        source="CurES, arXiv 2510.01037, Eq. 21",
        released_updates=lambda _: 7,  # 27 for 4
        norms=True,
    ),
    "cures-released": StrategyEntry(
        make=_cures_released,
        summary="nearly uniform prompts, allocation fixed by the pilot, short batches",
        source="ZexuSun/CurES @ eccf298",
        released_updates=lambda _: 7,  # 27 for 4
    ),
    "gvm": StrategyEntry(
        make=lambda sizes, _: replace(
            Gvm.paper(rollouts=sizes.rollouts), subsets=sizes.subsets
        ),
        summary="pilot, uniform prompts, more rollouts for harder ones that passed",
        source="GVM-RAFT, arXiv 2505.02391",
        released_updates=lambda _: 8,  # 32 for 4
    ),
    "oracle": StrategyEntry(
        make=lambda sizes, pass_rates: Oracle(pass_rates=pass_rates, rollouts=sizes.rollouts),
        summary="told the true pass rates, takes those nearest 1/2: the yardstick",
        source="-",
    ),
}


@dataclass(frozen=True)
class Runnable:
    """A strategy setting in full: the entry, its label and its changes."""

    label: str
    entry: StrategyEntry
    changes: dict[str, str]

    def build(self, sizes: Sizes, pass_rates: PassRates) -> Selector[Any]:
        """The strategy for one run."""
        return change(self.entry.make(sizes, pass_rates), self.changes)

    def knobs(self, sizes: Sizes) -> str:
        """The strategy's hyperparameters at these sizes, as text."""
        return repr(self.build(sizes, _unknown))

    def released_updates(self, sizes: Sizes) -> int:
        """Optimizer updates per training step that the authors' scripts would make of it."""
        return self.entry.released_updates(self.build(sizes, _unknown))


def strategy(text: str, sizes: Sizes) -> Runnable:
    """The strategy that a setting names, tried at these sizes.

    Raises:
        SettingError: Its name or a key is unknown, or a value is wrong.
    """
    name, changes = parse(text)
    if name not in STRATEGIES:
        raise nearest(name, list(STRATEGIES), "strategy")
    runnable = Runnable(text, STRATEGIES[name], changes)
    runnable.knobs(sizes)
    return runnable


def _unknown(prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
    """Stands in for the pass rates where a strategy is made only to look at its settings."""
    raise NotImplementedError(f"no pass rates for {prompts.size} prompts")

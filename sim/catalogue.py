"""What can be compared, by name: strategies and worlds, with their published sources.

Every strategy is made at the sizes of the comparison, so that all of them train the same
number of groups of the same mean size; what a paper states as a ratio (64 prompts screened for
16 trained) scales with them. Worlds say how progress is measured and which target is set.

Releases differ from their own baselines in the optimizer updates that their scripts make of a
training step. Under `accounting="released"` a strategy takes as many updates as its release
makes for each of its baseline's (`released_updates`): SPEED 6 for 1, CurES 27 for 4, GVM 32 for
4, GRESO 4 for 4, MoPPS 2 for 2. Otherwise every strategy takes the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

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
from selection.checks import counts, positive, within
from selection.driver import Surplus
from sim.coupled import Coupled, independent
from sim.drifting import Drifting
from sim.learner import Learner
from sim.replay import Replay
from sim.run import Plan
from sim.settings import SettingError, change, nearest, parse
from sim.static import Static
from sim.world import World

Accounting = Literal["matched", "released"]
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


@dataclass(frozen=True, kw_only=True)
class WorldEntry:
    """A world of the catalogue.

    Attributes:
        make: Makes it at the sizes of the comparison.
        summary: What it is, in a line.
        source: Where its pass rates are from.
        accounting: Whose optimizer updates per training step are used.
        target: Progress to reach; None sets what uniform selection collects in half the steps.
        pace: Share of the comparison's training steps that it runs.
    """

    make: Callable[[Sizes], World]
    summary: str
    source: str
    accounting: Accounting = "matched"
    target: float | None = None
    pace: float = 1.0

    def __post_init__(self) -> None:
        positive(pace=self.pace)
        within(0.0, 100.0, pace=self.pace)
        if self.target is not None:
            positive(target=self.target)


DAPO_COUNTS = "1,000 DAPO-17k prompts x 32 rollouts, Zanette-Labs/speed-rl @ cc3de63"
MARGIN = 0.1  # how far past its target a run of the coupled world goes on


def _coupled(sizes: Sizes, **learner: Any) -> Coupled:  # noqa: ANN401
    nominal = Learner(groups=sizes.groups, rollouts=sizes.rollouts, **learner)
    return Coupled(prompts=sizes.prompts, learner=nominal)


def _coupled_long(sizes: Sizes) -> Coupled:
    return replace(_coupled(sizes), pass_noise=400.0, fail_noise=400.0)


def _independent(sizes: Sizes) -> Coupled:
    """Own coordinates only; training a prompt at 1/2 moves its log-odds by about 1/2."""
    return independent(_coupled(sizes, optimizer="sgd"), step=2.0 * sizes.groups)


WORLDS: dict[str, WorldEntry] = {
    "static-1.5b": WorldEntry(
        make=lambda sizes: Static(population="dapo17k-1.5b", prompts=sizes.prompts),
        summary="pass rates of Qwen2.5-Math-1.5B that never move",
        source=DAPO_COUNTS,
    ),
    "static-7b": WorldEntry(
        make=lambda sizes: Static(population="dapo17k-7b", prompts=sizes.prompts),
        summary="pass rates of Qwen2.5-Math-7B that never move",
        source=DAPO_COUNTS,
    ),
    "replay": WorldEntry(
        make=lambda sizes: Replay(prompts=sizes.prompts),
        summary="pass rates that follow a real GRPO run of Qwen2.5-Math-1.5B, prompt by prompt",
        source="1,209 prompts over 500 steps, ypwang61/One-Shot-RLVR @ 21ed529",
    ),
    "drifting": WorldEntry(
        make=lambda sizes: Drifting(
            prompts=sizes.prompts, steps_per_epoch=max(1, sizes.prompts // sizes.groups)
        ),
        summary="pass rates that rise and wander as GRESO's temporal consistency needs",
        source="fitted to Fig. 3a of GRESO, arXiv 2506.02177",
    ),
    "coupled": WorldEntry(
        make=_coupled,
        summary="pass rates move because they are trained: Adam, one update per step for all",
        source=f"equations of sim/coupled.py; starts at {DAPO_COUNTS}",
        target=0.5,
    ),
    "coupled-long": WorldEntry(
        make=_coupled_long,
        summary="the same where noise dominates, as extrapolated to rollouts of 600 tokens",
        source="within-class variance .7 |D|^2 per token, measured up to 6 tokens only",
        target=0.5,
    ),
    "coupled-six": WorldEntry(
        make=lambda sizes: _coupled(sizes, updates=6),
        summary="the same with six updates per step for all, uniform selection included",
        source="the control of SPEED's accounting",
        target=0.5,
    ),
    "coupled-released": WorldEntry(
        make=_coupled,
        summary="the same with the updates that each release makes for each of its baseline's",
        source="the scripts of each system: SPEED 6 for 1, CurES 27 for 4, GVM 32 for 4",
        accounting="released",
        target=0.5,
    ),
    "coupled-sgd": WorldEntry(
        make=lambda sizes: _coupled(sizes, optimizer="sgd"),
        summary="the same with SGD, one update per step for all",
        source="a contrast: no language model is trained so",
        target=0.5,
    ),
    "independent": WorldEntry(
        make=_independent,
        summary="no transfer: each prompt learns only from itself, SGD",
        source="a contrast: the bandit of the papers' arguments",
        target=0.3,
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


@dataclass(frozen=True)
class Place:
    """A world setting in full: the entry, its label, and the world at these sizes."""

    label: str
    entry: WorldEntry
    world: World
    target: float
    enough: float
    steps: int


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


def place(text: str, sizes: Sizes) -> Place:
    """The world that a setting names, at these sizes.

    Besides its own knobs and its learner's, a setting may change `accounting`, `target` and
    `pace` of the entry.

    Raises:
        SettingError: Its name or a key is unknown, or a value is wrong.
    """
    name, changes = parse(text)
    if name not in WORLDS:
        raise nearest(name, list(WORLDS), "world")
    terms = {
        key: changes.pop(key) for key in ("accounting", "target", "pace") if key in changes
    }
    entry = change(WORLDS[name], terms)
    if entry.accounting == "released" and (clash := {"updates", "mini_batch"} & set(changes)):
        raise SettingError(
            f"{clash.pop()} in {text!r} contradicts accounting=released, which sets the"
            " updates of each strategy: leave out one of them"
        )
    world = change(entry.make(sizes), changes)
    steps, target = max(1, round(entry.pace * sizes.steps)), entry.target
    if world.progress == "accuracy":
        if target is None or target > 1.0:
            raise SettingError(f"target={target} in {text!r} must be a pass rate in (0, 1]")
        return Place(text, entry, world, target, target + MARGIN, steps)
    target = _half_way(world, sizes, steps) if target is None else target
    return Place(text, entry, world, target, 1.25 * target, steps)


def plan(where: Place, who: Runnable, sizes: Sizes) -> Plan:
    """The run of a strategy in a world, to the last step and at default prices."""
    world = where.world
    if where.entry.accounting == "released":
        world = change(world, {"updates": str(who.released_updates(sizes))})
    return Plan(
        world=world,
        strategy=lambda policy: who.build(sizes, policy.pass_rates),
        groups=sizes.groups,
        steps=where.steps,
        surplus=who.entry.surplus,
        norms=who.entry.norms,
    )


def _half_way(world: World, sizes: Sizes, steps: int) -> float:
    """Signal that uniform selection expects from half the steps at the start's pass rates."""
    policy = world.begin(np.random.default_rng(0))
    rates = policy.pass_rates(np.arange(world.prompts))
    return float((rates * (1.0 - rates)).mean() * sizes.groups * sizes.rollouts * steps / 2)


def _unknown(prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
    """Stands in for the pass rates where a strategy is made only to look at its settings."""
    raise NotImplementedError(f"no pass rates for {prompts.size} prompts")

r"""Simulated runs behind MoPPS's figures: the sizes of its scripts on replayed trajectories.

| here | prompts | groups | candidates | memory | steps |
|---|---|---|---|---|---|
| MATH | 7,500 | 256 | 16 per group: 4,096 | 1 | 360 |
| Countdown | 2,000 | 256 | all | 1/2 | 120 |
| Geometry3k | 2,101 | 512 | all | 1/2 | 120 |

Sizes and settings are those of the scripts (thu-rllab/MoPPS @ a883f519), the training steps of
MATH those that its rollouts in print come to. Pass rates are not: none are published for these
data sets and models, so all three follow the public trajectories of another model on other
prompts (`sim.replay`), as far in a training step as there. What is compared is thus the same
strategy at three sizes, not three data sets.

A run is watched through `Watched`, MoPPS with a note of each decision. The draws are read from
a copy of the generator, so that the run is the one that an unwatched MoPPS makes.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from selection.beliefs import Beliefs
from selection.mopps import Mopps
from selection.protocol import Order, Outcome
from selection.strategies import PassRates, Sizes, strategy
from sim.catalogue import place, plan
from sim.figures.entry import share
from sim.run import Plan, simulate
from sim.world import Policy

DRAWN = 3  # seeds
ROLLOUTS = 8
LEAST = 0.2


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A run of the paper, or the first steps of it.

    Attributes:
        sizes: Sizes.
        memory: Share of the evidence kept per update.
    """

    sizes: Sizes
    memory: float

    def shortened(self, fraction: float) -> "Setting":
        """The first training steps of the run, a twentieth of it at least.

        Below a fifth the data set and the batches shrink too, to a fifth.
        """
        whole = self.sizes
        size = 1.0 if fraction >= LEAST else LEAST
        sizes = replace(
            whole,
            steps=share(fraction, whole.steps, least=whole.steps // 20),
            prompts=round(size * whole.prompts),
            groups=round(size * whole.groups),
        )
        return replace(self, sizes=sizes)


def _setting(prompts: int, groups: int, memory: float, steps: int) -> Setting:
    sizes = Sizes(groups=groups, rollouts=ROLLOUTS, prompts=prompts, steps=steps)
    return Setting(sizes=sizes, memory=memory)


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "MATH": _setting(7500, 256, 1.0, 360),
        "Countdown": _setting(2000, 256, 0.5, 120),
        "Geometry3k": _setting(2101, 512, 0.5, 120),
    }
)


@dataclass(frozen=True)
class Choice:
    """A decision of MoPPS: what it believed and drew, and what it chose."""

    drawn: Float[np.ndarray, "C"]  # Thompson draw of each candidate
    believed: Float[np.ndarray, "C"]  # belief mean
    rates: Float[np.ndarray, "C"]  # true pass rate
    chosen: Int[np.ndarray, "K"]  # positions of the chosen candidates


@dataclass(frozen=True)
class Lesson:
    """What MoPPS learned from a batch, prompt by prompt."""

    prompts: Int[np.ndarray, "K"]
    counts: Float[np.ndarray, "K"]  # alpha + beta before
    before: Float[np.ndarray, "K"]  # belief mean before
    after: Float[np.ndarray, "K"]  # belief mean after
    rates: Float[np.ndarray, "K"]  # true pass rate of the rollouts
    observed: Float[np.ndarray, "K"]  # observed pass rate


@dataclass(frozen=True, kw_only=True)
class Watched(Mopps):
    """MoPPS that takes notes, and is told true pass rates for nothing else.

    Attributes:
        truth: True pass rates.
        choices: A note per batch chosen.
        lessons: A note per batch learned from.
    """

    truth: PassRates
    choices: list[Choice] = field(default_factory=list[Choice])
    lessons: list[Lesson] = field(default_factory=list[Lesson])

    def choose(
        self,
        beliefs: Beliefs,
        pool: Int[np.ndarray, "C"],
        wanted: int,
        rng: np.random.Generator,
    ) -> Int[np.ndarray, "K"]:
        """As MoPPS's."""
        drawn = deepcopy(rng).beta(beliefs.alpha[pool], beliefs.beta[pool])
        chosen = super().choose(beliefs, pool, wanted, rng)
        self.choices.append(Choice(drawn, beliefs.means(pool), self.truth(pool), chosen))
        return chosen

    def learn(self, beliefs: Beliefs, order: Order, outcome: Outcome) -> Beliefs:
        """As MoPPS's."""
        after, prompts = super().learn(beliefs, order, outcome), order.prompts
        self.lessons.append(
            Lesson(
                prompts,
                counts=beliefs.alpha[prompts] + beliefs.beta[prompts],
                before=beliefs.means(prompts),
                after=after.means(prompts),
                rates=self.truth(prompts),
                observed=outcome.passes / order.rollouts,
            )
        )
        return after


def watch(setting: Setting, seed: int, **knobs: Any) -> Watched:  # noqa: ANN401
    """MoPPS after a run, with its notes."""
    made: list[Watched] = []

    def build(policy: Policy) -> Watched:
        made.append(
            Watched(
                rollouts=setting.sizes.rollouts,
                memory=setting.memory,
                truth=policy.pass_rates,
                **knobs,
            )
        )
        return made[0]

    simulate(replace(_plan(setting, "mopps"), strategy=build), seed)
    return made[0]


@cache
def runs(setting: Setting, who: str, seeds: int) -> dict[str, Float[np.ndarray, "S T"]]:
    """Columns of the records of a strategy, a row per seed; figures share them."""
    records = list(map(partial(simulate, _plan(setting, who)), range(seeds)))
    return {name: np.stack([one[name] for one in records]) for name in records[0]}


def mixed(setting: Setting, who: str, seeds: int) -> Float[np.ndarray, "S T"]:
    """Share of mixed groups in the batch of each training step, per seed."""
    made = runs(setting, who, seeds)
    return np.asarray(np.diff(made["mixed"] * made["step"], axis=1))


def windowed(
    samples: Float[np.ndarray, "S T"], windows: int = 40
) -> tuple[Float[np.ndarray, "W"], Float[np.ndarray, "S W"]]:
    """Training steps, and means over that many windows of them."""
    parts = np.array_split(np.arange(samples.shape[1]), min(windows, samples.shape[1]))
    steps = np.array([part.mean() + 1.0 for part in parts])
    return steps, np.stack([samples[:, part].mean(axis=1) for part in parts], axis=1)


def _plan(setting: Setting, who: str) -> Plan:
    sizes = setting.sizes
    return plan(place("replay:target=1e9", sizes), strategy(who, sizes), sizes)

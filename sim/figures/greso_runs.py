"""Simulated runs behind GRESO's figures: its scripts' sizes in the drifting population.

256 groups of 8 rollouts a training step for 1,000 training steps, out of 25,417 prompts whose
pass rates move as Figure 3(a) needs (`sim.drifting`). That figure is of a GRPO run, which fixes
how far pass rates move in an epoch, not how many training steps of another strategy an epoch of
theirs takes; so every run is made at two paces, that of the GRPO run and one three times as
fast. At the latter 30 epochs pass, 20 beyond those of the figure: an extrapolation.

What is compared:

| here | strategy |
|---|---|
| GRPO | uniform, every group trained |
| DS | dynamic sampling by whole orders of 384 prompts, the baseline of the paper |
| DS, sized orders | the same with GRESO's later orders, sized by what is missing: no skipping |
| GRESO, whole orders | skipping, with every order of 384 prompts |
| GRESO | skipping and sized orders, as the paper states it |
| GRESO, released | as the authors' scripts run it |

GRESO looks at 32 prompts at a time, as in its scripts: an order has 384 to 415 prompts. Two
facts shape every number:

- while one such order holds 256 mixed groups a training step cannot cost less, whatever is
  skipped: 1,000 training steps take 3.07 to 3.32 million rollouts;
- dynamic sampling pays for whole orders, so that sizing the later ones saves something before
  a single prompt is skipped (`theory.refilling` has it exactly).

**Tolerances.** A published value is simulated at the one pace that is known, and may differ by
as much as three times that pace changes it, by the interval over seeds, and by the rounding in
print: that is all that the papers leave open here but the population itself.
"""

from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from report.aggregate import Estimate, ratio
from report.style import Look, looks
from selection.strategies import Sizes, strategy
from sim.catalogue import place, plan
from sim.costs import Costs
from sim.figures.entry import share
from sim.run import Plan, simulate

STEPS, GROUPS, ROLLOUTS = 1000, 256, 8
ORDER, CHUNK = 384, 32  # prompts of a whole order, and those looked at together
MILLION = 1e6
PACES = (1, 3)
FILLED = MappingProxyType({1: True, 3: False})  # marks of the two paces
DRAWN, FEW = 3, 2  # seeds, and those of the lesser figures: they hardly differ
GRPO, DS, GRESO = "uniform", "dynamic-released:prompts={order}", "greso:chunk=32"
RELEASED = "greso-released"
SIZED = GRESO + ",explore=1,least=1,most=1"  # keeps every prompt
WHOLE = GRESO + ",safety=1e9"  # estimates that more is missing than an order brings
LABELS = MappingProxyType(
    {
        GRPO: "GRPO",
        DS: "DS",
        SIZED: "DS, sized orders",
        WHOLE: "GRESO, whole orders",
        GRESO: "GRESO",
        RELEASED: "GRESO, released",
    }
)
_LOOKS = looks(
    ["uniform", "dynamic", "dynamic-sized", "greso", "greso-released", "greso-whole"]
)
LOOKS: MappingProxyType[str, Look] = MappingProxyType(
    {
        GRPO: _LOOKS["uniform"],
        DS: _LOOKS["dynamic"],
        SIZED: _LOOKS["dynamic-sized"],
        WHOLE: _LOOKS["greso-whole"],
        GRESO: _LOOKS["greso"],
        RELEASED: _LOOKS["greso-released"],
    }
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A run of the paper, at a fraction of its length.

    Attributes:
        groups: Groups per training batch; a whole order has half as many prompts again.
        prompts: Prompts of the data set: 25,417 of DAPO and MATH, 30,000 of Open-R1.
        fraction: Of training steps, prompts and seeds. Steps and prompts shrink together, so
            that as many epochs pass, and no further than to a fortieth.
        drawn: Seeds of a whole figure.
    """

    groups: int = GROUPS
    prompts: int = 25417
    fraction: float = 1.0
    drawn: int = DRAWN

    @property
    def sizes(self) -> Sizes:
        """Sizes of a run."""
        steps = share(self.fraction, STEPS, least=STEPS // 40)
        prompts = round(self.prompts * steps / STEPS)
        return Sizes(groups=self.groups, rollouts=ROLLOUTS, prompts=prompts, steps=steps)

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return share(self.fraction, self.drawn)

    def plan(self, who: str, pace: int) -> Plan:
        """The run of a strategy where pass rates move so many times as fast, to its end."""
        sizes = self.sizes
        epoch = max(1, sizes.prompts // (sizes.groups * pace))
        where = place(f"drifting:target=1e9,steps_per_epoch={epoch}", sizes)
        chosen = strategy(who.format(order=3 * self.groups // 2), sizes)
        return replace(plan(where, chosen, sizes), costs=Costs.preset("greso-7b"))


@cache
def _run(setting: Setting, who: str, pace: int, seed: int) -> dict[str, Float[np.ndarray, "T"]]:
    return simulate(setting.plan(who, pace), seed)


def runs(setting: Setting, who: str, pace: int) -> dict[str, Float[np.ndarray, "S T"]]:
    """Columns of the records of a strategy, a row per seed; figures share them."""
    alike = replace(setting, drawn=DRAWN)  # the same run, however many seeds are drawn
    records = [_run(alike, who, pace, seed) for seed in range(setting.seeds)]
    return {name: np.stack([one[name] for one in records]) for name in records[0]}


def spent(setting: Setting, who: str, pace: int) -> Float[np.ndarray, "S"]:
    """Millions of rollouts in 1,000 training steps, per seed."""
    rollouts = runs(setting, who, pace)["rollouts"][:, -1]
    return np.asarray(rollouts / MILLION * STEPS / setting.sizes.steps)


def saving(setting: Setting, pace: int, who: str = GRESO) -> Estimate:
    """Rollouts of DS over those of a strategy, seed by seed."""
    return ratio(spent(setting, DS, pace), spent(setting, who, pace))


def open_to(found: Estimate, fast: float, rounding: float) -> float:
    """Relative tolerance: three times the pace, the interval over seeds, rounding in print."""
    reach = 0.0 if np.isnan(found.high) else (found.high - found.low) / 2.0
    return abs(fast / found.value - 1.0) + (reach + rounding) / found.value

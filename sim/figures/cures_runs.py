"""Runs behind CurES's curves: the coupled world at a thirty-second of the paper's size.

The paper (arXiv 2510.01037) trains on 1,024 prompts a step with 8 rollouts each, on average,
for 15 iterations of 10 steps, each on its own subset of 9,992 prompts; GRPO makes 4 optimizer
updates of 2,048 rollouts. Here a step has 32 prompts and a subset 320, so that every ratio is
the same.

Two accountings, because the released scripts do not keep to what the paper states:

- *stated*: 8 rollouts per prompt, 4 updates a step, for all;
- *scripts*: mini-batches of 1,024 rollouts for CurES (ZexuSun/CurES @ eccf298) and of 256 for
  GVM (RLHFlow/GVM @ d640a75), CurES's ranks allocating 8 * 1,024 rollouts each, and 4 copies of
  each: about 27 updates a step, of some 27,000 rollouts at full size, and 32. The control is
  uniform selection of as many rollouts and updates as CurES's scripts make.

The start is the pass rates of each model on DAPO-17k, standing in for NuminaMath's, which
nobody published; MATH500 stands for the mean pass rate of held-out prompts. Against runs of a
small language model such a world's ratios erred by 12-15 % (root mean square, see
`sim.coupled`).
"""

from dataclasses import dataclass, replace
from math import inf

import numpy as np
from jaxtyping import Float

from report.aggregate import Estimate, Times, paired_ratio
from report.currencies import time_to_target
from selection.strategies import Sizes, strategy
from sim.catalogue import place, plan
from sim.figures.entry import share
from sim.run import Plan, simulate

Columns = dict[str, Float[np.ndarray, "_"]]  # of one run, all equally long

SIZES = Sizes(groups=32, rollouts=8, prompts=4800, steps=150)
POPULATIONS = {"1.5B": "dapo17k-1.5b", "7B": "dapo17k-7b"}
ESTIMATORS = {"GRPO": "grpo", "RPP": "rpp"}  # RPP is REINFORCE++, whitened over the batch
CASES = tuple((model, estimator) for model in POPULATIONS for estimator in ESTIMATORS)
MODEL_ERROR = 0.15  # of a ratio in this world, at the upper end of what was measured
PATIENCE = 3  # times the baseline's steps, after which a run is given up
CURRENCIES = ("step", "rollouts", "updates")


def steps_of(fraction: float, full: int = SIZES.steps, least: int = 30) -> int:
    """Training steps of a run: all of them from a fifth of the seeds on, else a taste."""
    return share(5.0 * fraction, full, least)


@dataclass(frozen=True)
class Contender:
    """A strategy, how it is named in a figure, and what makes its mini-batches."""

    label: str
    strategy: str
    updates: str = "updates=4"


GRPO = Contender("uniform", "uniform")
CURES = Contender("CurES, paper", "cures")
RELEASED = Contender("CurES, released", "cures-released")
SCRIPTS = Contender(
    "CurES, scripts", "cures-released:shards=8,copies=4", f"mini_batch={SIZES.groups}"
)
CONTROL = Contender("uniform, as much", "uniform:rollouts=26", f"mini_batch={SIZES.groups}")
GVM = Contender("GVM", "gvm")
GVM_SCRIPTS = Contender("GVM, scripts", "gvm", f"mini_batch={SIZES.groups // 4}")


def planned(contender: Contender, model: str, estimator: str, extra: str = "") -> Plan:
    """The plan of a run to its last step, whatever accuracy it reaches."""
    knobs = f"population={POPULATIONS[model]},estimator={ESTIMATORS[estimator]}"
    where = place(f"coupled:{knobs},{contender.updates}{extra}", SIZES)
    return replace(plan(where, strategy(contender.strategy, SIZES), SIZES), enough=inf)


def run(
    contender: Contender,
    case: tuple[str, str],
    seed: int,
    *,
    steps: int = SIZES.steps,
    enough: float = inf,
) -> Columns:
    """The record of one run of a model and estimator."""
    return simulate(replace(planned(contender, *case), steps=steps, enough=enough), seed)


@dataclass(frozen=True)
class Races:
    """Costs at which a contender reached the baseline's peak, by seed and currency."""

    ours: dict[str, Times]
    baseline: dict[str, Times]

    def speedup(self, currency: str) -> Estimate:
        """Geometric mean over seeds of the baseline's cost over the contender's."""
        return paired_ratio(self.baseline[currency], self.ours[currency])


def races(
    contenders: list[Contender], case: tuple[str, str], seeds: int, steps: int = SIZES.steps
) -> list[Races]:
    """Every contender against GRPO on uniformly drawn prompts, to the peak of its steps.

    The peak is that of the same seed. It is the true mean pass rate: a curve of measured
    accuracies has a higher peak, of luck.
    """
    bases = [run(GRPO, case, seed, steps=steps) for seed in range(seeds)]
    peaks = [float(base["accuracy"].max()) for base in bases]
    known = _times(bases, peaks)
    return [
        Races(
            _times(
                [
                    run(one, case, seed, steps=PATIENCE * steps, enough=peak)
                    for seed, peak in enumerate(peaks)
                ],
                peaks,
            ),
            known,
        )
        for one in contenders
    ]


def _times(runs: list[Columns], peaks: list[float]) -> dict[str, Times]:
    """Cost of each run's peak, by currency."""
    return {
        currency: Times(
            np.array(
                [
                    time_to_target(one["accuracy"], one[currency], peak)
                    for one, peak in zip(runs, peaks, strict=True)
                ]
            ),
            np.array([one[currency][-1] for one in runs]),
        )
        for currency in CURRENCIES
    }

"""When SPEED's runs and their baselines reach a target, by the authors' validation curves.

Table 1 gives the hours to the first evaluation at or above a target. The same logs give the
ratio under other definitions of reaching it, and per optimizer update: the released scripts
make 24/4 = 6 updates of a training step with SPEED and one without
(Zanette-Labs/speed-rl @ 80e47b5, `verl/workers/fsdp_workers.py`).

Axis legend: E evaluations of a run.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from report.currencies import moving_average
from theory.checks.speed_logs import as_logged, averaged
from theory.published import BENCHMARKS, reported, speed_curve, table

UPDATES = reported("speed.group") / reported("speed.screening")
Curve = Float[np.ndarray, "E"]
Reading = Callable[[Curve, Curve], Curve]  # hours and evaluations, to what is read off


def twice(_: Curve, values: Curve) -> Curve:
    """The lesser of an evaluation and the next; nothing after the last."""
    return np.minimum(values, np.append(values[1:], -np.inf))


def of_three(_: Curve, values: Curve) -> Curve:
    """Mean of an evaluation and its neighbours; the first and the last have none."""
    inner = np.convolve(values, np.full(3, 1.0 / 3.0), mode="valid")
    return np.concatenate(([-np.inf], inner, [-np.inf]))


def by_evaluation(_: Curve, values: Curve) -> Curve:
    """Exponential average in which the past keeps .6 per evaluation."""
    return moving_average(values, 0.6)


@dataclass(frozen=True)
class Rule:
    """What counts as reaching a target: how the curve is read, and a shift of the target."""

    name: str
    read: Reading
    shift: float = 0.0


FIRST = Rule("first evaluation", as_logged)
SMOOTHED = Rule("average, .6 replaced per hour", averaged)  # as in the appendix figure
RULES = (
    FIRST,
    Rule("two in a row", twice),
    Rule("mean of three", of_three),
    SMOOTHED,
    Rule("average, .6 kept per evaluation", by_evaluation),
    *(
        Rule(f"target {points:+d} pts".replace("-", "−"), as_logged, points / 100.0)
        for points in (-3, -2, -1, 1, 2)
    ),
)


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """An entry of Table 1: printed, and from the logs; NaN where a target is not reached."""

    setting: str
    benchmark: str
    base_step: float
    base_hours: float
    speed_step: float
    speed_hours: float
    printed_base_hours: float
    printed_speed_hours: float
    printed_speedup: float

    @property
    def speedup(self) -> float:
        """Hours of the baseline over hours of SPEED."""
        return self.base_hours / self.speed_hours

    @property
    def per_update(self) -> float:
        """Optimizer updates of the baseline over those of SPEED."""
        return self.base_step / (UPDATES * self.speed_step)

    @property
    def row(self) -> dict[str, str | float]:
        """The entry as a row of a table."""
        ratios = {"speedup": self.speedup, "speedup_per_update": self.per_update}
        return asdict(self) | ratios


def first_reached(
    run: tuple[str, str, str, str], benchmark: str, rule: Rule = FIRST
) -> tuple[float, float]:
    """Training step and hours of the first evaluation at the target; NaN if there is none."""
    logged = speed_curve(run)
    values = rule.read(logged[:, 1], logged[:, 2 + BENCHMARKS.index(benchmark)])
    reached = values >= target(run[0], benchmark) + rule.shift - 1e-12
    if not reached.any():
        return np.nan, np.nan
    step, hours = logged[reached.argmax(), :2]
    return float(step), float(hours)


def target(model: str, benchmark: str) -> float:
    """Accuracy that Table 1 waits for."""
    (found,) = (
        float(row["target"])
        for row in table("speed_targets")
        if (row["model"], row["benchmark"]) == (model, benchmark)
    )
    return found


@cache
def crossings(rule: Rule = FIRST) -> tuple[Crossing, ...]:
    """The entries of Table 1, under a rule of what counts as reaching a target."""
    return tuple(_crossing(row, rule) for row in table("speed_table1"))


def _crossing(row: dict[str, str], rule: Rule) -> Crossing:
    run = (row["model"], row["data"], row["algo"])
    base, speed = (
        first_reached((*run, variant), row["benchmark"], rule) for variant in ("base", "SPEED")
    )
    return Crossing(
        setting=" ".join(run),
        benchmark=row["benchmark"],
        base_step=base[0],
        base_hours=base[1],
        speed_step=speed[0],
        speed_hours=speed[1],
        printed_base_hours=float(row["base_hours"] or "nan"),
        printed_speed_hours=float(row["speed_hours"] or "nan"),
        printed_speedup=float(row["speedup"] or "nan"),
    )

"""The currencies in which progress is paid for, and the price of reaching a target.

Published comparisons each pick one currency, and the ranking of strategies changes with it:
a strategy that rejects prompts spends rollouts to save updates, one that screens spends serial
rounds to save rollouts. All of them are therefore shown side by side, always.

The definition of "reached" moves the answer as well. Over the curves that SPEED's authors
logged (github.com/Zanette-Labs/speed-rl), the mean speedup is 3.3 by first crossing, as
reported; 3.4 by two consecutive evaluations; and 2.45 once both curves are smoothed by an
exponential moving average. Hence `Definition`.

Axis legend: T rows of a record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

Definition = Literal["first", "sustained", "smoothed"]
DEFINITIONS: Mapping[Definition, str] = MappingProxyType(
    {
        "first": "the first evaluation at or above it",
        "sustained": "the first of two consecutive evaluations at or above it",
        "smoothed": "the first crossing of an exponential moving average of the evaluations",
    }
)
SMOOTHING = 0.6  # what SPEED's authors smooth their published curves with


@dataclass(frozen=True)
class Currency:
    """A cumulative column of a record in which progress is paid for."""

    column: str
    label: str
    unit: str
    heading: str  # what a narrow table column is called


CURRENCIES = (
    Currency("step", "training steps", "steps", "steps"),
    Currency("rollouts", "rollouts generated", "rollouts", "rollouts"),
    Currency("trained_rollouts", "trained rollouts", "rollouts", "trained rollouts"),
    Currency("updates", "optimizer updates", "updates", "updates"),
    Currency("rounds", "serial generation rounds", "rounds", "serial rounds"),
    Currency("seconds", "wall clock", "s", "wall clock"),
)


def time_to_target(
    progress: Float[np.ndarray, "T"],
    cost: Float[np.ndarray, "T"],
    target: float,
    definition: Definition = "first",
    *,
    smoothing: float = SMOOTHING,
) -> float:
    """Cost at which progress reaches the target; infinite where it never does.

    The cost of a crossing is interpolated linearly between the row below the target and the
    row at or above it. Progress that starts at or above the target costs what row 0 has cost.

    Args:
        progress: Progress at each row.
        cost: Cost so far at each row, in any unit; the result has the same.
        target: Progress to reach.
        definition: What counts as reaching it.
            *first*: the first row at or above the target. Biased early, the more so the
            noisier and the more frequent the evaluations, since one lucky row suffices; a
            run that collapses afterwards still counts.
            *sustained*: the first of two consecutive rows at or above the target. Less
            easily lucky; a crossing at the last row is not counted.
            *smoothed*: the first crossing of an exponential moving average of the rows.
            Insensitive to luck, but late: on a steady climb by `smoothing / (1 - smoothing)`
            rows, which costs a fast climber the larger share of its time.
        smoothing: Weight of the past in that moving average; unused by the others.
    """
    curve = moving_average(progress, smoothing) if definition == "smoothed" else progress
    there = curve >= target
    if definition == "sustained":
        there = there & np.append(there[1:], np.zeros(1, bool))
    return _crossing(curve, cost, target, there)


def moving_average(
    progress: Float[np.ndarray, "T"], smoothing: float
) -> Float[np.ndarray, "T"]:
    r"""$s_0 = x_0$, $s_t = a s_{t-1} + (1 - a) x_t$ for the weight $a$ of the past.

    Raises:
        ValueError: the weight is outside [0, 1).
    """
    if not 0.0 <= smoothing < 1.0:
        raise ValueError(f"smoothing must lie in [0, 1), got {smoothing}")
    smoothed = progress.copy()
    for row in range(1, progress.size):
        smoothed[row] = smoothing * smoothed[row - 1] + (1.0 - smoothing) * progress[row]
    return smoothed


def _crossing(
    curve: Float[np.ndarray, "T"],
    cost: Float[np.ndarray, "T"],
    target: float,
    there: Bool[np.ndarray, "T"],
) -> float:
    """Interpolated cost of the first row that is there; the row before it is below."""
    if not there.any():
        return float("inf")
    row = int(there.argmax())
    if row == 0:
        return float(cost[0])
    share = (target - curve[row - 1]) / (curve[row] - curve[row - 1])
    return float(cost[row - 1] + share * (cost[row] - cost[row - 1]))

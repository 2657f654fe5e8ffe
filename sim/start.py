"""Where the coupled world starts: log-odds of its prompts, and the family each belongs to.

Families are groups of prompts that share a skill. Nobody has published how the difficulty of a
real data set divides between and within skills, so it is a knob, `family_share`: 1 sorts the
prompts by difficulty into families, 0 deals them out at random.

`tasks` is the measured start of a small language model on eight families of string tasks
(336,096 parameters; families in different shares and of nearly uniform difficulty), on which
the equations of `sim.coupled` were found.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logit

from sim.populations import population

TASKS = np.array(  # share of the prompts, mean and standard deviation of the start log-odds
    [
        (0.02, 3.40, 0.15),
        (0.03, 1.06, 0.85),
        (0.04, 0.59, 0.57),
        (0.06, -0.33, 1.17),
        (0.10, -0.46, 0.41),
        (0.15, -0.73, 0.33),
        (0.30, -2.82, 0.15),
        (0.30, -2.96, 0.24),
    ]
)
LEAST = 1e-9  # a pass rate of exactly 0 or 1 has no log-odds


class Start(NamedTuple):
    """Start of M prompts."""

    log_odds: Float[np.ndarray, "M"]
    family: Int[np.ndarray, "M"]


@cache
def check_start(name: str) -> None:
    """Raise `ValueError` unless a start has this name."""
    if name != "tasks":
        population(name)


def start(
    name: str, num: int, families: int, family_share: float, rng: np.random.Generator
) -> Start:
    """Start log-odds and families of `num` prompts.

    Args:
        name: A population (see `sim.populations`), or "tasks", which has its own families.
        num: Number of prompts.
        families: Number of families.
        family_share: Share of the variance of difficulty (by rank) that lies between families.
        rng: Draws the prompts.
    """
    if name == "tasks":
        family = rng.choice(len(TASKS), size=num, p=TASKS[:, 0])
        _, mean, deviation = TASKS[family].T
        return Start(rng.normal(mean, deviation), family)
    rates = population(name).draw(num, rng)
    log_odds = logit(np.clip(rates, LEAST, 1.0 - LEAST))
    return Start(log_odds, _families(log_odds, families, family_share, rng))


def _families(
    log_odds: Float[np.ndarray, "M"], families: int, share: float, rng: np.random.Generator
) -> Int[np.ndarray, "M"]:
    """Families of equal size, cut from a ranking by difficulty blurred with noise."""
    rank = log_odds.argsort().argsort() / max(log_odds.size - 1, 1)
    difficulty = (rank - 0.5) * np.sqrt(12.0)
    blurred = np.sqrt(share) * difficulty + np.sqrt(1.0 - share) * rng.normal(size=rank.size)
    return blurred.argsort().argsort() * families // log_odds.size

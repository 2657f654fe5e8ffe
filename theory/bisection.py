"""The point at which something stops holding, for many arrays of bounds at once."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from theory.domain import Numbers


def last_holding(
    holds: Callable[[Float[np.ndarray, "*P"]], Bool[np.ndarray, "*P"]],
    low: Numbers,
    high: Numbers,
    rounds: int = 80,
) -> Float[np.ndarray, "*#P"]:
    """Largest point found between the bounds at which something holds, by bisection.

    It is taken to hold at the lower bound and up to some point; 80 rounds find that point to
    the last digit if it is not far smaller than the upper bound.
    """
    low, high = (np.array(x, float) for x in np.broadcast_arrays(low, high))
    for _ in range(rounds):
        middle = np.asarray((low + high) / 2.0)
        onward = holds(middle)
        low, high = np.where(onward, middle, low), np.where(onward, high, middle)
    return low

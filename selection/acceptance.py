"""Which groups are worth training on: those in a band of observed pass rates."""

import numpy as np
from jaxtyping import Bool

from selection.checks import within
from selection.protocol import Order, Outcome


def check_band(low: float, high: float) -> None:
    """Raise `ValueError` unless 0 <= low <= high <= 1."""
    within(0.0, 1.0, low=low, high=high)
    if low > high:
        raise ValueError(f"low={low} must not exceed high={high}")


def in_band(
    order: Order, outcome: Outcome, *, low: float, high: float, mixed: bool = True
) -> Bool[np.ndarray, "K"]:
    """Whether the mean reward of each group lies in [low, high] and, if asked, is mixed.

    All-pass and all-fail groups have no gradient under a group baseline, whatever the bounds.
    """
    mean = outcome.mean_rewards(order)
    inside = (mean >= low) & (mean <= high)
    return inside & outcome.mixed(order) if mixed else inside

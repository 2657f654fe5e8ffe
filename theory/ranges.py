"""What the closed forms on histories accept beside pass rates and group sizes."""

import numpy as np
from jaxtyping import Float

from theory.domain import Numbers


def checked_share(value: Numbers, name: str) -> Float[np.ndarray, "*#P"]:
    """Shares, probabilities and memories as floats.

    Raises:
        ValueError: If one lies outside [0, 1].
    """
    share = np.asarray(value, float)
    outside = ~np.asarray((share >= 0.0) & (share <= 1.0))
    if outside.any():
        raise ValueError(f"{name} lies in [0, 1], not {share[outside][0]:g}")
    return share


def checked_count(value: Numbers, name: str, least: int = 0) -> Float[np.ndarray, "*#P"]:
    """Whole numbers as floats.

    Raises:
        ValueError: If one is not a whole number, or is less than `least`.
    """
    count = np.asarray(value, float)
    whole = np.asarray((count >= least) & (count < np.inf) & (count == np.floor(count)))
    if not whole.all():
        raise ValueError(
            f"{name} is a whole number, at least {least}, not {count[~whole][0]:g}"
        )
    return count


def checked_number(value: Numbers, name: str) -> Float[np.ndarray, "*#P"]:
    """Finite numbers as floats.

    Raises:
        ValueError: If one is infinite or NaN.
    """
    number = np.asarray(value, float)
    if not np.isfinite(number).all():
        raise ValueError(f"{name} is finite, not {number[~np.isfinite(number)][0]:g}")
    return number


def checked_weights(
    weights: Float[np.ndarray, "M"] | None, prompts: int
) -> Float[np.ndarray, "M"]:
    """Weights of the prompts of a population, summing to 1; equal if none are given.

    Raises:
        ValueError: If there is none, one is negative or not finite, or their sum is 0.
    """
    given = np.ones(prompts) if weights is None else weights
    total = given.sum()
    if given.size != prompts or (given < 0).any() or not 0 < total < np.inf:
        raise ValueError(f"{prompts} prompts need weights of a positive sum, not {given}")
    return given / total

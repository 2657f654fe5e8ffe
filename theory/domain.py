"""What the closed forms accept, and how they refuse the rest.

Arguments broadcast against each other, as numpy's do; results are arrays, of no axes where
every argument is a plain number.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Real

Numbers: TypeAlias = Real[np.ndarray, "*#P"] | float | int


def _refuse(
    values: Float[np.ndarray, "*P"], allowed: Bool[np.ndarray, "*P"], rule: str
) -> None:
    if not allowed.all():
        raise ValueError(f"{rule}, not {values[~allowed][0]:g}")


def checked_rates(pass_rate: Numbers) -> Float[np.ndarray, "*#P"]:
    """Pass rates as floats.

    Raises:
        ValueError: If one lies outside [0, 1].
    """
    p = np.asarray(pass_rate, float)
    _refuse(p, np.asarray((p >= 0.0) & (p <= 1.0)), "a pass rate lies in [0, 1]")
    return p


def checked_sizes(rollouts: Numbers, least: int = 1) -> Float[np.ndarray, "*#P"]:
    """Group sizes as floats, so that no product of them overflows.

    Raises:
        ValueError: If one is not a whole number, or is less than `least`.
    """
    sizes = np.asarray(rollouts, float)
    whole = np.asarray((sizes >= least) & (sizes < np.inf) & (sizes == np.floor(sizes)))
    _refuse(sizes, whole, f"a group has a whole number of rollouts, at least {least}")
    return sizes


def checked_positive(value: Numbers, name: str) -> Float[np.ndarray, "*#P"]:
    """Finite positive numbers as floats.

    Raises:
        ValueError: If one is zero, negative, infinite or NaN.
    """
    number = np.asarray(value, float)
    _refuse(number, np.asarray((number > 0) & (number < np.inf)), f"{name} is positive")
    return number


def checked_variance(value: Numbers, name: str) -> Float[np.ndarray, "*#P"]:
    """Finite non-negative numbers as floats.

    Raises:
        ValueError: If one is negative, infinite or NaN.
    """
    number = np.asarray(value, float)
    allowed = np.asarray((number >= 0) & (number < np.inf))
    _refuse(number, allowed, f"{name} is finite and not negative")
    return number


def checked_ratio(value: Numbers, name: str) -> Float[np.ndarray, "*#P"]:
    """Non-negative numbers as floats, infinity among them; -0 becomes 0.

    Raises:
        ValueError: If one is negative or NaN.
    """
    number = np.asarray(np.asarray(value, float) + 0.0)
    _refuse(number, np.asarray(number >= 0), f"{name} is not negative")
    return number


def checked_finite(value: Numbers, name: str) -> Float[np.ndarray, "*#P"]:
    """Finite numbers as floats.

    Raises:
        ValueError: If one is infinite or NaN.
    """
    number = np.asarray(value, float)
    _refuse(number, np.asarray(np.isfinite(number)), f"{name} is finite")
    return number


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

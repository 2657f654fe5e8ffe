"""Checks of hyperparameters: a wrong value is refused by name before it can do harm."""

import math

import numpy as np

MOST = 10**7  # of anything counted; more is a slip, and products of counts stay exact


def counts(least: int = 1, /, **values: object) -> None:
    """Raise `ValueError` unless every value is a whole number from `least` to `MOST`."""
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name}={value} must be a whole number of at least {least}")
        if value > MOST:
            raise ValueError(f"{name}={value} must be at most {MOST:,}")


def within(least: float, most: float, /, **values: float) -> None:
    """Raise `ValueError` unless every value lies in [least, most]; NaN and bools never do."""
    for name, value in values.items():
        if isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"{name}={value} must lie in [{least:g}, {most:g}]")


def positive(**values: float) -> None:
    """Raise `ValueError` unless every value is a positive, finite number, and no bool."""
    for name, value in values.items():
        if isinstance(value, bool) or not 0.0 < value < math.inf:
            raise ValueError(f"{name}={value} must be positive and finite")

"""Checks of hyperparameters: a wrong value is refused by name before it can do harm."""

import math


def counts(least: int = 1, /, **values: object) -> None:
    """Raise `ValueError` unless every value is a whole number of at least `least`."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name}={value} must be a whole number of at least {least}")


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

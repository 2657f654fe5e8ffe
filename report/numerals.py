"""Numbers as a reader wants them: three digits, a unit that fits, and the sign of a bound."""

from math import isinf, isnan
from typing import Literal

import numpy as np

from report.currencies import Currency

ABSENT = "–"
Tone = Literal["cheaper", "even", "dearer"]


def amount(value: float, currency: Currency) -> str:
    """A cost with three digits: `12.3k` rollouts, `3.21 h`."""
    size, unit = scale(value, currency)
    return digits(value / size) + (f" {unit}" if currency.unit == "s" else unit)


def scale(value: float, currency: Currency) -> tuple[float, str]:
    """Divisor and unit (for counts a prefix) in which a cost of this size is read easily."""
    if currency.unit == "s":
        sizes = ((7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))
    else:
        sizes = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e3, 1e3, "k"), (0.0, 1.0, ""))
    return next((size, unit) for start, size, unit in sizes if not value < start)


def times(ratio: float, bound: str = "exact") -> str:
    """A ratio with two decimals (three digits from 10 on) and the sign of its bound."""
    sign = {"at least": "≥ ", "at most": "≤ "}.get(bound, "")
    return sign + (f"{ratio:.2f}" if ratio < 10 else digits(ratio))


def digits(value: float) -> str:
    """Three significant digits, never in exponential notation."""
    if isnan(value):
        return ABSENT
    if isinf(value):
        return "∞"
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


def tone(low: float, high: float) -> Tone:
    """Which side of 1 an interval lies on, if on one."""
    if high < 1.0:
        return "cheaper"
    return "dearer" if low > 1.0 else "even"

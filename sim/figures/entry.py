"""An entry of the registry: a published figure or table, and how it is made here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure

Paper = Literal["SPEED", "GRESO", "MoPPS", "CurES", "across"]
How = Literal["exact formula", "simulation", "published data", "measured pass rates"]
Against = Literal["difference", "ratio"]


@dataclass(frozen=True, kw_only=True)
class Value:
    """A published value beside the one found here.

    Attributes:
        what: The quantity, with its unit.
        published: The value in print, or read off a figure.
        here: The value found here.
        tolerance: The most that the two may differ by and count as reproduced.
        against: Whether the tolerance is for the difference, here - published, or for the
            ratio: |here / published - 1|.
        note: What a reader of the verdict should know: where the published value stands, why
            the two differ.
    """

    what: str
    published: float
    here: float
    tolerance: float
    against: Against = "difference"
    note: str = ""

    def __post_init__(self) -> None:
        if not isfinite(self.published) or not self.tolerance > 0:
            raise ValueError(f"{self.what}: {self.published} +- {self.tolerance}")
        if self.against == "ratio" and not self.published:
            raise ValueError(f"{self.what}: no ratio to a published 0")

    @property
    def deviation(self) -> float:
        """Difference from the published value, or ratio to it."""
        if self.against == "difference":
            return self.here - self.published
        return self.here / self.published

    @property
    def reproduced(self) -> bool:
        """Whether the deviation is within the tolerance."""
        exact = 0.0 if self.against == "difference" else 1.0
        return abs(self.deviation - exact) <= self.tolerance * (1 + 1e-9)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure as made: the picture, the numbers in it, and the verdicts on published values.

    Attributes:
        figure: The picture; a table is drawn too, as the comparison it makes.
        numbers: What is plotted, a row per point, in tidy columns.
        values: Published values beside ours; none where the paper prints none.
        remarks: What the reader should take from it, in a sentence or two, derived from
            `numbers` and never written ahead of them.
    """

    figure: Figure
    numbers: pd.DataFrame
    values: Sequence[Value] = ()
    remarks: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A figure or table of the registry.

    Attributes:
        paper: Whose it is; `across` for comparisons that no paper makes.
        title: What it shows, in a line.
        source: Its number in the paper, with the paper's identifier.
        how: How it is made here; None where it cannot be made.
        seconds: Time that it takes at full fraction on one core.
        make: Makes it from a fraction of its seeds or draws, in (0, 1].
        missing: Why it cannot be made; empty where it can.
    """

    paper: Paper
    title: str
    source: str
    how: How | None
    seconds: float = 1.0
    make: Callable[[float], Drawn] | None = None
    missing: str = ""

    def __post_init__(self) -> None:
        if (self.make is None) != bool(self.missing) or (self.make is None) != (
            self.how is None
        ):
            raise ValueError(f"{self.title}: either made somehow, or missing for a reason")


def share(fraction: float, full: int, least: int = 2) -> int:
    """A fraction of a number of seeds, draws or steps, rounded up, but not below the least."""
    return min(full, max(least, -int(-fraction * full // 1)))

"""Marks that several of these figures share: lines, bands, dots with intervals, one legend."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from math import isfinite, nan
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from report.aggregate import Estimate, mean_band
from report.style import Look, house

COLUMN = 3.4  # width of a column of a paper, in inches: figures are shown at their own size
EDGES = {"at least": ">", "at most": "<"}  # a bound points to where the truth lies


@contextmanager
def column(height: float) -> Generator[Figure]:
    """An empty figure as wide as a column, in the house's look with a paper's type sizes."""
    smaller: dict[Any, float] = {
        "font.size": 7.0,
        "axes.labelsize": 7.0,
        "xtick.labelsize": 7.0,
        "ytick.labelsize": 7.0,
        "axes.titlesize": 7.5,
        "legend.fontsize": 6.5,
        "legend.handlelength": 2.6,
        "legend.columnspacing": 1.2,
        "lines.linewidth": 1.2,
    }
    with house(), mpl.rc_context(smaller):
        yield Figure(figsize=(COLUMN, height), layout="constrained")


def line(
    panel: Axes,
    x: Float[np.ndarray, "G"],
    y: Float[np.ndarray, "G"],
    look: Look,
    label: str = "",
) -> None:
    """A curve without an interval."""
    panel.plot(x, y, color=look.color, linestyle=look.line, label=label)


def band(
    panel: Axes,
    x: Float[np.ndarray, "G"],
    samples: Float[np.ndarray, "S G"],
    look: Look,
    label: str = "",
) -> None:
    """The mean over seeds with its 95% interval, markers telling curves apart."""
    middle, low, high = mean_band(samples)
    panel.fill_between(x, low, high, color=look.color, alpha=0.15, linewidth=0)
    panel.plot(
        x,
        middle,
        color=look.color,
        linestyle=look.line,
        marker=look.marker,
        markerfacecolor=look.fill,
        markersize=3.5,
        markevery=(0.1, 0.25),
        label=label,
    )


def dot(
    panel: Axes,
    estimate: Estimate,
    place: float,
    look: Look,
    label: str = "",
    *,
    hollow: bool | None = None,
) -> None:
    """A value across with its interval; a bound is a triangle that points beyond itself.

    Markers are hollow as asked, else by the look.
    """
    fill = look.fill if hollow is None else "white" if hollow else look.color
    if isfinite(estimate.low) and isfinite(estimate.high):
        ends = [estimate.low, estimate.high]
        panel.plot(ends, [place, place], color=look.color, linewidth=1.4, solid_capstyle="butt")
    panel.plot(
        estimate.value,
        place,
        color=look.color,
        linestyle="none",
        marker=EDGES.get(estimate.bound, look.marker),
        markerfacecolor=fill,
        markersize=4.5,
        label=label,
    )


def rows(panel: Axes, labels: Sequence[str]) -> None:
    """Labelled rows from the top down."""
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")


def factors(panel: Axes, ticks: Sequence[float]) -> None:
    """A logarithmic axis across that is labelled at these factors alone."""
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(list(ticks)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def legend(figure: Figure, panels: Iterable[Axes], columns: int) -> None:
    """One legend below all panels, every label once."""
    known: dict[str, Any] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        known = dict(zip(labels, handles, strict=True)) | known
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=columns)


def columns_of(estimate: Estimate) -> dict[str, object]:
    """An estimate as columns of a table."""
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "bound": estimate.bound,
    }


def certain(value: float) -> Estimate:
    """A value without an interval."""
    return Estimate(value, nan, nan)

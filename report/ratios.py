"""What every strategy costs in every currency relative to the baseline, with intervals."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor, isnan, log2
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from report.currencies import CURRENCIES
from report.style import PANELS, WIDTH, Look, house, looks

ARROW = 1.7  # ratio of an arrow's two ends, at least
OCTAVES = 2.0  # how far beyond the ratios themselves their intervals are shown
WHOLE: Mapping[str, Any] = MappingProxyType({"shrinkA": 0, "shrinkB": 0})
SMALL: Mapping[str, Any] = MappingProxyType({"textcoords": "offset points", "fontsize": 7})

Row = Mapping[Hashable, Any]  # a row of the summary


def ratios(summary: pd.DataFrame, world: str) -> Figure:
    """A panel per currency with the ratio to the baseline of every strategy.

    An arrow points to where the truth lies beyond a bound, because some seed never reached the
    target; the count beside it says how many did.

    Raises:
        ValueError: the summary has no such world.
    """
    every = [row for row in summary.to_dict("records") if row["world"] == world]
    if not every:
        raise ValueError(f"no world {world} in the summary: {sorted(set(summary['world']))}")
    rows = [row for row in every if row["strategy"] != row["baseline"]]
    names = list(dict.fromkeys(str(row["strategy"]) for row in rows))
    styles = looks(summary["strategy"])
    with house():
        figure = Figure(figsize=(WIDTH, 1.6 + 0.44 * len(names)), layout="constrained")
        panels = figure.subplots(*PANELS, sharex=True, sharey=True)
        for panel, currency in zip(panels.flat, CURRENCIES, strict=True):
            panel.set_title(currency.label)
            panel.axvline(1.0, color="#555555", linewidth=1.0)
            _ratio_axis(panel, view(rows), names)
            for row in rows:
                if row["currency"] == currency.column:
                    _draw_ratio(panel, row, names.index(row["strategy"]), styles)
        label = f"cost relative to {every[0]['baseline']} (log scale): left of 1 is cheaper"
        figure.supxlabel(label, fontsize=9)
    return figure


def view(rows: Iterable[Row]) -> tuple[float, float]:
    """The range of ratios to show: all of them, 1/2 to 2, and of intervals what fits."""
    rows = [row for row in rows if 0 < row["ratio"] < np.inf]
    beyond = {"at least": ARROW, "at most": 1 / ARROW}  # room for the arrow past a bound
    values = [row["ratio"] * beyond.get(row["ratio_bound"], 1.0) for row in rows] + [0.5, 2.0]
    ends = [row[name] for row in rows for name in ("ratio_low", "ratio_high")]
    shown = values + [end for end in ends if 0 < end < np.inf]
    reach = 2.0**OCTAVES
    low = max(min(shown), min(values) / reach)
    return low / 1.15, min(max(shown), max(values) * reach) * 1.15


def _ratio_axis(panel: Axes, limits: tuple[float, float], names: Sequence[str]) -> None:
    """Axes of one panel of `ratios`: powers of two across, strategies down."""
    panel.set_xscale("log", base=2)
    panel.set_xlim(*limits)
    first, last = ceil(log2(limits[0])), floor(log2(limits[1]))
    panel.xaxis.set_major_locator(FixedLocator([2.0**k for k in range(first, last + 1)]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: str(Fraction(x))))
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")


def _draw_ratio(panel: Axes, row: Row, place: int, styles: Mapping[str, Look]) -> None:
    """One strategy in one panel of `ratios`: its dot, its interval, and an arrow."""
    if isnan(row["ratio"]):
        panel.annotate("undecided", (1.0, place), (4, 0), **SMALL, color="#777777", va="center")
        return
    style = styles[row["strategy"]]
    left, right = panel.get_xlim()
    ends = np.clip([row["ratio_low"], row["ratio_high"]], left, right)  # keeps NaN: no line
    panel.plot(ends, [place, place], color=style.color, linewidth=2.0, solid_capstyle="butt")
    if row["ratio_bound"] != "exact":
        edge = right if row["ratio_bound"] == "at least" else left
        arrow = {"arrowstyle": "-|>", "color": style.color, "linewidth": 2.0, **WHOLE}
        panel.annotate("", (edge, place), (row["ratio"], place), arrowprops=arrow)
    if row["ratio_bound"] == "at least":
        reached = f"{row['reached']}/{row['seeds']} reach"
        panel.annotate(reached, (right, place), (0, 5), **SMALL, color="#444444", ha="right")
    panel.plot(
        row["ratio"],
        place,
        color=style.color,
        marker=style.marker,
        markerfacecolor=style.fill,
        markersize=6.5,
    )

"""Predicted against measured ratios, a panel per currency: on the diagonal they agree."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from report.agreement import CLOSE, COUNTED
from report.style import PANELS, WIDTH, Look, house, looks

FINE = (0.25, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0)  # ticks
COARSE = (0.125, 0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 4.0, 8.0)  # of a range beyond a factor 4
MARGIN = 1.15
FADES = (1.0, 0.65, 0.4, 0.25)  # of the targets, from the lowest

Row = Mapping[Hashable, Any]  # a row of `report.agreement.agreement`


def agreement_plot(table: pd.DataFrame) -> Figure:
    """A panel per countable currency: measured across, predicted up, with 95 % intervals.

    The band holds predictions within 15 %. Colour and marker are the strategy's; the paler,
    the higher the target. Ratios that are only bounds are not drawn.
    """
    drawn = table.loc[table["bound"] == "exact"]
    styles = looks(drawn["strategy"])
    targets = sorted(set(drawn["target"]))
    with house():
        figure = Figure(figsize=(WIDTH, 6.8), layout="constrained")
        panels = figure.subplots(*PANELS)
        for panel, currency in zip(panels.flat, COUNTED, strict=False):
            panel.set_title(currency.label)
            here = drawn.loc[drawn["currency"] == currency.column]
            _axes(panel, _limits(here))
            for row in here.to_dict("records"):
                _draw(panel, row, styles[row["strategy"]], targets.index(row["target"]))
        for panel in panels.flat[len(COUNTED) :]:
            panel.axis("off")
        _legend(panels.flat[-1], styles, targets)
        figure.supxlabel("measured cost relative to the baseline (log scale)", fontsize=9)
        figure.supylabel("predicted before the runs", fontsize=9)
    return figure


def _limits(drawn: pd.DataFrame) -> tuple[float, float]:
    """A range with every ratio in it, and of the intervals what lies within a factor 2."""
    ratios = drawn[["predicted", "measured"]].to_numpy(float)
    ends = drawn.filter(regex="_(low|high)$").to_numpy(float)
    least, most = float(ratios.min()), float(ratios.max())
    inner = ends[(ends > least / 2) & (ends < most * 2)]
    everything = np.append(inner, [least, most, 1.0])
    return float(everything.min()) / MARGIN, float(everything.max()) * MARGIN


def _axes(panel: Axes, limits: tuple[float, float]) -> None:
    line = np.array(limits)
    ticks = FINE if limits[1] < 4.0 * limits[0] else COARSE
    panel.set_xscale("log", base=2)
    panel.set_yscale("log", base=2)
    panel.fill_between(line, line * (1 - CLOSE), line * (1 + CLOSE), color="#eeeeee", zorder=0)
    panel.plot(line, line, color="#888888", linewidth=1.0, zorder=1)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(FixedLocator(list(ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    panel.set_xlim(*limits)
    panel.set_ylim(*limits)
    panel.set_aspect("equal")


def _draw(panel: Axes, row: Row, style: Look, place: int) -> None:
    x, y = row["measured"], row["predicted"]
    panel.errorbar(
        x,
        y,
        xerr=[[x - row["measured_low"]], [row["measured_high"] - x]],
        yerr=[[y - row["predicted_low"]], [row["predicted_high"] - y]],
        color=style.color,
        alpha=FADES[min(place, len(FADES) - 1)],
        marker=style.marker,
        markerfacecolor=style.fill,
        markersize=5.5,
        elinewidth=0.8,
        linestyle="none",
    )


def _legend(panel: Axes, styles: Mapping[str, Look], targets: list[float]) -> None:
    for name, style in styles.items():
        panel.plot(
            [],
            [],
            color=style.color,
            marker=style.marker,
            markerfacecolor=style.fill,
            linestyle="none",
            label=name,
        )
    for place, target in enumerate(targets):
        alpha = FADES[min(place, len(FADES) - 1)]
        panel.plot([], [], "ok", linestyle="none", alpha=alpha, label=f"target {target:g}")
    panel.fill_between([], [], color="#e0e0e0", label=f"within {CLOSE:.0%}")
    panel.legend(loc="center")

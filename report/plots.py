"""Figures of a comparison, made without a display and without global state.

`curves` shows progress against every currency, `ratios` what every strategy costs in every
currency, `overview` all worlds at a glance. Equal inputs give equal bytes through `png`.

Axis legend: S seeds, G points of a curve, W worlds, C strategies.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from io import BytesIO
from math import ceil, floor, isnan, log2
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullLocator

from report.aggregate import mean_band
from report.currencies import CURRENCIES, Currency
from report.numerals import scale, times, tone
from report.record import Record
from report.runs import by_world, ordered
from report.style import house, look

PANELS = (2, 3)  # rows and columns of panels, one per currency
WIDTH = 9.6  # of a figure with a panel per currency, in inches
POINTS = 200  # of a curve: about the pixels it gets
ARROW = 1.7  # ratio of an arrow's two ends, at least
OCTAVES = 2.0  # how far beyond the ratios themselves their intervals are shown
OVERVIEW = tuple(one for one in CURRENCIES if one.column in ("rollouts", "seconds"))
OVERVIEW_NOTE = "bold: the 95% interval excludes 1;  ≥, ≤: some seed never reached the target"
COLORS = colormaps["RdBu_r"]
WHOLE: Mapping[str, Any] = MappingProxyType({"shrinkA": 0, "shrinkB": 0})
SMALL: Mapping[str, Any] = MappingProxyType({"textcoords": "offset points", "fontsize": 7})

Row = Mapping[Hashable, Any]  # a row of the summary


def png(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as a PNG file."""
    buffer = BytesIO()
    with house():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def pictures(records: Sequence[Record], summary: pd.DataFrame) -> dict[str, bytes]:
    """All figures of a comparison as PNG files: "overview", "WORLD-curves", "WORLD-ratios"."""
    baseline = str(summary["baseline"].iloc[0])
    files = {"overview": png(overview(summary))}
    for world in by_world(records):
        files[f"{world}-curves"] = png(curves(records, world, baseline=baseline))
        files[f"{world}-ratios"] = png(ratios(summary, world))
    return files


def curves(
    records: Iterable[Record], world: str, *, baseline: str = "uniform", oracle: str = "oracle"
) -> Figure:
    """Progress against each currency: the mean over seeds, and its 95% band.

    A strategy's curve ends where its cheapest run ends, so that every point is a mean over all
    its seeds. A single seed has no band.

    Raises:
        ValueError: there are no records of that world.
    """
    runs = by_world(records).get(world)
    if runs is None:
        raise ValueError(f"no records of world {world}")
    names = ordered(runs, first=baseline, last=oracle)
    with house():
        columns = max(1, int(WIDTH / (0.8 + 0.075 * max(map(len, names)))))  # of the legend
        height = 5.2 + 0.25 * ceil((len(names) + 1) / columns)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(*PANELS, sharey=True)
        for panel, currency in zip(panels.flat, CURRENCIES, strict=True):
            _draw_curves(panel, currency, {name: runs[name] for name in names})
        for panel in panels[:, 0]:
            panel.set_ylabel(runs[names[0]][0].progress.replace("_", " "))
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    return figure


def band(
    group: Sequence[Record], currency: Currency
) -> tuple[Float[np.ndarray, "G"], tuple[Float[np.ndarray, "G"], ...]]:
    """Costs that every seed has paid, and the mean progress there with its band's ends."""
    costs = [one.columns[currency.column] for one in group]
    shared = np.linspace(max(c[0] for c in costs), min(c[-1] for c in costs), POINTS)
    progress = [one.columns[one.progress] for one in group]
    samples = [np.interp(shared, *pair) for pair in zip(costs, progress, strict=True)]
    return shared, mean_band(np.stack(samples))


def ratios(summary: pd.DataFrame, world: str) -> Figure:
    """The ratio to the baseline of every strategy in every currency, with its interval.

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
    with house():
        figure = Figure(figsize=(WIDTH, 1.6 + 0.44 * len(names)), layout="constrained")
        panels = figure.subplots(*PANELS, sharex=True, sharey=True)
        for panel, currency in zip(panels.flat, CURRENCIES, strict=True):
            panel.set_title(currency.label)
            panel.axvline(1.0, color="#555555", linewidth=1.0)
            _ratio_axis(panel, view(rows), names)
            for row in rows:
                if row["currency"] == currency.column:
                    _draw_ratio(panel, row, names.index(row["strategy"]))
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


def overview(summary: pd.DataFrame) -> Figure:
    """Ratios to the baseline of all worlds and strategies, in rollouts and in seconds."""
    worlds, names = (list(dict.fromkeys(summary[name])) for name in ("world", "strategy"))
    height = 1.4 + 0.04 * max(map(len, names)) + 2 * (0.3 + 0.34 * len(worlds))
    size = (max(5.2, 2.2 + 0.66 * len(names)), height)
    with house():
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(OVERVIEW), 1, sharex=True)
        for panel, currency in zip(panels, OVERVIEW, strict=True):
            every = summary.to_dict("records")
            rows = [row for row in every if row["currency"] == currency.column]
            panel.set_title(f"{currency.label}, relative to {rows[0]['baseline']}")
            _grid_axis(panel, worlds, names)
            for row in rows:
                _draw_ratio_cell(panel, row, worlds, names)
        figure.supxlabel(OVERVIEW_NOTE, fontsize=7.5, color="#444444")
    return figure


def _draw_curves(
    panel: Axes, currency: Currency, groups: Mapping[str, Sequence[Record]]
) -> None:
    """One panel of `curves`."""
    column = currency.column
    most = max(one.columns[column][-1] for group in groups.values() for one in group)
    size, unit = scale(float(most), currency) if currency.unit == "s" else (1.0, "")
    panel.set_xlabel(f"{currency.label} ({unit})" if unit else currency.label)
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    target = next(iter(groups.values()))[0].target
    faint = min(0.15, 0.9 / len(groups))  # many bands would bury the lines
    panel.axhline(target, color="#888888", linewidth=1.0, linestyle=(0, (2, 2)), label="target")
    for name, group in groups.items():
        style = look(name)
        cost, (mean, low, high) = band(group, currency)
        panel.fill_between(cost / size, low, high, color=style.color, alpha=faint, linewidth=0)
        panel.plot(
            cost / size,
            mean,
            color=style.color,
            linestyle=style.line,
            marker=style.marker,
            markerfacecolor=style.fill,
            markersize=4.5,
            markevery=(0.1, 0.2),
            label=name,
        )


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


def _draw_ratio(panel: Axes, row: Row, place: int) -> None:
    """One strategy in one panel of `ratios`: its dot, its interval, and an arrow."""
    if isnan(row["ratio"]):
        panel.annotate("undecided", (1.0, place), (4, 0), **SMALL, color="#777777", va="center")
        return
    style = look(row["strategy"])
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


def _grid_axis(panel: Axes, worlds: Sequence[str], names: Sequence[str]) -> None:
    """Axes of one panel of `overview`: worlds down, strategies across."""
    panel.set_yticks(range(len(worlds)), worlds)
    panel.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    panel.set_xlim(-0.5, len(names) - 0.5)
    panel.set_ylim(len(worlds) - 0.5, -0.5)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.grid(visible=False)


def _draw_ratio_cell(
    panel: Axes, row: Row, worlds: Sequence[str], names: Sequence[str]
) -> None:
    """One square of `overview`: blue is cheaper than the baseline, red dearer."""
    x, y = names.index(row["strategy"]), worlds.index(row["world"])
    octaves = float(np.clip(log2(row["ratio"]), -2, 2)) if row["ratio"] > 0 else 0.0
    color = COLORS(0.5 + octaves / 4)
    panel.add_patch(Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, facecolor=color))
    decided = tone(row["ratio_low"], row["ratio_high"]) != "even"
    panel.text(
        x,
        y,
        times(row["ratio"], row["ratio_bound"]),
        ha="center",
        va="center",
        fontsize=8,
        color="white" if abs(octaves) > 1.2 else "#222222",
        weight="bold" if decided else "normal",
    )

"""Progress against every currency: the mean over seeds, and its 95% band.

Axis legend: S seeds, G points of a curve.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, inf

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from report.aggregate import mean_band
from report.currencies import CURRENCIES, Currency
from report.numerals import digits, scale
from report.record import COLUMNS, INSTANTANEOUS, Record, label
from report.runs import by_world, ordered
from report.style import PANELS, WIDTH, Look, house, looks

POINTS = 200  # of a curve: about the pixels it gets
ROOM = 0.5  # for bands above and below the curves, in their height
MARGIN = 0.02  # beyond what progress can be, so that a line there is drawn whole


def curves(
    records: Iterable[Record], world: str, *, baseline: str = "uniform", oracle: str = "oracle"
) -> Figure:
    """A panel per currency with the curve of every strategy.

    A strategy's curve ends where its cheapest run ends, so that every point is a mean over all
    its seeds. A single seed has no band.

    Raises:
        ValueError: there are no records of that world.
    """
    records = list(records)
    runs = by_world(records).get(world)
    if runs is None:
        raise ValueError(f"no records of world {world}")
    groups = {name: runs[name] for name in ordered(runs, first=baseline, last=oracle)}
    styles = looks(one.strategy for one in records)
    with house():
        columns = max(1, int(WIDTH / (0.8 + 0.075 * max(map(len, groups)))))  # of the legend
        height = 5.2 + 0.25 * ceil((len(groups) + 1) / columns)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(*PANELS, sharey=True)
        for panel, currency in zip(panels.flat, CURRENCIES, strict=True):
            _draw_curves(panel, currency, groups, styles)
        goal = groups[next(iter(groups))][0].progress
        panels[0, 0].set_ylim(*view(panels.flat, goal))
        figure.supylabel(label(goal), fontsize=9)
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    return figure


def band(
    group: Sequence[Record], currency: Currency
) -> tuple[Float[np.ndarray, "G"], tuple[Float[np.ndarray, "G"], ...]]:
    """Costs that every seed has paid, and the mean progress there with its band's ends.

    Student's interval knows nothing of what progress can be; its ends are cut there.
    """
    costs = [one.columns[currency.column] for one in group]
    shared = np.linspace(max(c[0] for c in costs), min(c[-1] for c in costs), POINTS)
    progress = [one.columns[one.progress] for one in group]
    samples = [np.interp(shared, *pair) for pair in zip(costs, progress, strict=True)]
    mean, low, high = mean_band(np.stack(samples))
    least, most = possible(group[0].progress)
    return shared, (mean, np.maximum(low, least), np.minimum(high, most))


def possible(progress: str) -> tuple[float, float]:
    """The least and the most that a column can be."""
    if progress in INSTANTANEOUS:
        return 0.0, 1.0
    return (0.0 if progress in COLUMNS else -inf), inf


def view(panels: Iterable[Axes], progress: str) -> tuple[float, float]:
    """The range to show: all curves, of their bands what fits, and nothing impossible."""
    panels = list(panels)
    heights = np.concatenate([line.get_ydata() for panel in panels for line in panel.lines])
    bottom, top = float(heights.min()), float(heights.max())
    reach = ROOM * (top - bottom) or inf
    least, most = possible(progress)
    low, high = panels[0].get_ylim()
    return max(low, bottom - reach, least - MARGIN), min(high, top + reach, most + MARGIN)


def _draw_curves(
    panel: Axes,
    currency: Currency,
    groups: Mapping[str, Sequence[Record]],
    styles: Mapping[str, Look],
) -> None:
    """One panel of `curves`."""
    most = max(one.columns[currency.column][-1] for group in groups.values() for one in group)
    size = _cost_axis(panel, currency, float(most))
    target = next(iter(groups.values()))[0].target
    faint = min(0.15, 0.9 / len(groups))  # many bands would bury the lines
    panel.axhline(target, color="#888888", linewidth=1.0, linestyle=(0, (2, 2)), label="target")
    for name, group in groups.items():
        style = styles[name]
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


def _cost_axis(panel: Axes, currency: Currency, most: float) -> float:
    """The axis of a cost, in a unit that fits; returns the size of that unit."""
    size, unit = scale(most, currency) if currency.unit == "s" else (1.0, "")
    panel.set_xlabel(f"{currency.label} ({unit})" if unit else currency.label)
    panel.xaxis.set_major_formatter(FuncFormatter(_tick))
    if currency.unit != "s":  # there is no half update
        panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    return size


def _tick(value: float, _: int | None = None) -> str:
    """A cost at a tick: `12.5k`, but 0.2 rather than 200m."""
    return EngFormatter(sep="")(value) if abs(value) >= 1000 else digits(value)

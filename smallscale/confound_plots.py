"""The update confound in pictures: progress, ratios, and what tuning a baseline does.

Colours are the strategies', as everywhere. A broken line means six updates, a cross a single
seed, which has no interval, a hollow diamond the coupled world.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from report.aggregate import Estimate, mean_band
from report.record import Record
from report.style import house, looks
from smallscale.confound import (
    BASE,
    CORE,
    DYNAMIC,
    FRESH,
    MIDDLE,
    SETTINGS,
    SPEED,
    TARGETS,
    UNIFORM,
    Arm,
)
from smallscale.confound_costs import SIMULATED, Paid, indexed, ratio

POINTS = 100  # of a curve
BROKEN = (0, (5, 2))
SHORT = {"uniform": "uniform", "speed-released": "SPEED", "dynamic": "dynamic"}
Pairs = Sequence[tuple[str, Arm, str]]
PAIRS: Pairs = (  # what is drawn against what, from the top
    ("SPEED 6 : uniform 1", SPEED[1], BASE),
    ("uniform 6 : uniform 1", UNIFORM[1], BASE),
    ("SPEED 1 : uniform 1", SPEED[0], BASE),
    ("SPEED 6 : uniform 6", SPEED[1], UNIFORM[1].name),
    ("SPEED 6, nothing kept", FRESH[1], UNIFORM[1].name),
    ("dynamic 1 : uniform 1", DYNAMIC[0], BASE),
    ("dynamic 6 : uniform 6", DYNAMIC[1], UNIFORM[1].name),
)
MARKERS = {
    "o": ("#444444", "network, 95% interval"),
    "x": ("#444444", "network, one seed"),
    "D": ("#888888", "coupled world"),
}
PANELS = {"step": "training steps", "rollouts": "rollouts", "modelled": "modelled seconds"}


def curves(runs: Iterable[tuple[str, Arm, Record]], setting: str) -> Figure:
    """Accuracy of the core arms of a setting by step, update and rollout: mean and 95% band."""
    groups: dict[str, list[Record]] = {}
    for where, arm, record in runs:
        if where == setting:
            groups.setdefault(arm.name, []).append(record)
    with house():
        figure = Figure(figsize=(9.6, 3.4), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
        for panel, (cost, told) in zip(
            panels,
            {
                "step": "training steps",
                "updates": "optimizer updates",
                "rollouts": "rollouts generated",
            }.items(),
            strict=True,
        ):
            for arm in SETTINGS[setting].arms:
                if arm in CORE and arm.name in groups:
                    _curve(panel, groups[arm.name], arm, cost)
            panel.set(xlabel=told, xlim=(0, None))
            panel.xaxis.set_major_locator(MaxNLocator(5))
            panel.xaxis.set_major_formatter(EngFormatter(sep=""))
        panels[0].set_ylabel("mean held-out pass rate")
        title = f"{SETTINGS[setting].told}: mean of {_seeds(map(len, groups.values()))}"
        figure.suptitle(title, fontsize=9, fontweight="bold")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def ratios(runs: pd.DataFrame) -> Figure:
    """Costs of a target relative to uniform selection, a row of panels per setting."""
    paid = indexed(runs)
    named = {name: _there(paid, name) for name in SETTINGS if name in set(runs["setting"])}
    heights = [1.0 + len(pairs) for pairs in named.values()]
    with house():
        figure = Figure(figsize=(9.6, 0.5 + 0.27 * sum(heights)), layout="constrained")
        grid = figure.subplots(
            len(named),
            len(PANELS),
            sharex="col",
            sharey="row",
            squeeze=False,
            height_ratios=heights,
        )
        for row, (setting, pairs) in zip(grid, named.items(), strict=True):
            for panel, currency in zip(row, PANELS, strict=True):
                _forest(panel, paid, setting, currency, pairs)
            row[0].set_yticks(range(len(pairs)), [name for name, _, _ in pairs])
            row[0].set_ylim(max(len(pairs), 1) - 0.4, -0.6)
            found = [ratio(paid, setting, a.name, b, MIDDLE, "step")[1] for _, a, b in pairs]
            row[0].set_title(f"{SETTINGS[setting].told}: {_seeds(found)}")
        for panel, told in zip(grid[-1], PANELS.values(), strict=True):
            panel.set_xlabel(f"{told} to {MIDDLE:g}, ratio")
        told = {
            label: handle
            for panel in grid.flat
            for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        figure.legend(told.values(), told.keys(), loc="outside lower center", ncols=3)
    return figure


def tuning(runs: pd.DataFrame) -> Figure:
    """How many times fewer steps uniform selection takes, by learning rate and by updates."""
    sweeps: tuple[tuple[str, list[tuple[int, Arm]]], ...] = (
        (
            "learning rate, multiple of the setting's",
            [(x, Arm(strategy="uniform", faster=x)) for x in (1, 2, 4, 8)],
        ),
        (
            "optimizer updates per training step",
            [(u, Arm(strategy="uniform", updates=u)) for u in (1, 2, 3, 6, 12)],
        ),
    )
    six, paid = SPEED[1], indexed(runs)
    with house():
        figure = Figure(figsize=(7.2, 3.2), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for panel, (told, arms) in zip(panels, sweeps, strict=True):
            for color, target in zip(("#999999", "#444444", "#000000"), TARGETS, strict=True):
                found = [
                    ratio(paid, "adam", arm.name, BASE, target, "step")[0] for _, arm in arms
                ]
                shift = 1 + 0.3 * (target - MIDDLE)  # else intervals hide each other
                _speedups(
                    panel, [x * shift for x, _ in arms], found, color, f"uniform, to {target}"
                )
            level = 1 / ratio(paid, "adam", six.name, BASE, MIDDLE, "step")[0].value
            color = looks(("speed",))["speed"].color
            panel.axhline(
                level, color=color, linestyle=BROKEN, label=f"SPEED at 6, to {MIDDLE}"
            )
            panel.set(xscale="log", yscale="log", xlabel=told)
            panel.set_xticks([x for x, _ in arms], [str(x) for x, _ in arms])
            panel.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
            panel.minorticks_off()
            panel.set_xlim(0.85, 1.15 * arms[-1][0])
        panels[0].set_ylabel("training steps, times fewer\nthan uniform at 1 update")
        panels[1].legend(loc="lower right")
    return figure


def _curve(panel: Axes, group: Sequence[Record], arm: Arm, cost: str) -> None:
    """The mean curve of an arm and its band, up to where its cheapest run ends."""
    columns = [one.columns for one in group]
    along = np.linspace(0.0, min(c[cost][-1] for c in columns), POINTS)
    samples = np.stack([np.interp(along, c[cost], c["accuracy"]) for c in columns])
    middle, low, high = mean_band(samples)
    color = _color(arm)
    line: Any = "-" if arm.updates == 1 else BROKEN
    told = f"{SHORT[arm.strategy]}, {arm.updates} update{'s' if arm.updates > 1 else ''}"
    panel.plot(along, middle, color=color, linestyle=line, label=told)
    if len(group) > 2:  # the band of two seeds hides everything else
        panel.fill_between(along, low, high, color=color, alpha=0.15, linewidth=0)


def _there(paid: Paid, setting: str) -> Pairs:
    """The pairs that the network has runs of."""
    return [
        pair for pair in PAIRS if ratio(paid, setting, pair[1].name, pair[2], MIDDLE, "step")[1]
    ]


def _forest(panel: Axes, paid: Paid, setting: str, currency: str, pairs: Pairs) -> None:
    """Some pairs of a setting in one currency, the network's beside the coupled world's."""
    drawn: set[str] = set()
    for where, shift, fill in ((setting, -0.13, True), (setting + SIMULATED, 0.13, False)):
        for place, (_, arm, base) in enumerate(pairs):
            found, seeds = ratio(paid, where, arm.name, base, MIDDLE, currency)
            if not seeds or not np.isfinite(found.value):
                continue
            color = _color(arm) if fill else "#888888"
            ends = np.array([[found.value - found.low], [found.high - found.value]])
            marker = ("o" if np.isfinite(found.low) else "x") if fill else "D"
            drawn.add(marker)
            panel.errorbar(
                [found.value],
                [place + shift],
                xerr=np.nan_to_num(ends, posinf=0.0),
                fmt=marker,
                color=color,
                markersize=4.5 if fill else 3.5,
                markerfacecolor=color if fill else "white",
                capsize=1.5,
            )
    _furnish(panel, drawn)


def _furnish(panel: Axes, drawn: Collection[str]) -> None:
    """Axes of ratios, and entries of the legend for the markers that were drawn."""
    panel.axvline(1.0, color="#444444", linewidth=0.8)
    panel.set_xscale("log")
    panel.set_xticks([0.125, 0.25, 0.5, 1, 2, 4], ["1/8", "1/4", "1/2", "1", "2", "4"])
    panel.minorticks_off()
    panel.grid(visible=False, axis="y")
    for marker, (color, told) in MARKERS.items():
        if marker in drawn:
            fill = "white" if marker == "D" else color
            panel.plot([], [], marker, color=color, markerfacecolor=fill, label=told)


def _speedups(
    panel: Axes, places: Sequence[float], found: Sequence[Estimate], color: str, told: str
) -> None:
    """Speedups with their intervals; those of runs that did not all arrive are left out."""
    middle = 1 / np.array([(e.value, e.high, e.low) for e in found]).T
    known = np.array([one.bound == "exact" for one in found])
    middle[:, ~known] = np.nan
    panel.errorbar(
        places,
        middle[0],
        yerr=np.nan_to_num(np.abs(middle[1:] - middle[0])),
        fmt="o-",
        color=color,
        markersize=4,
        capsize=1.5,
        label=told,
    )


def _seeds(counts: Iterable[int]) -> str:
    """How many seeds a picture is of."""
    there = list(counts)
    fewest, most = min(there, default=0), max(there, default=0)
    number = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{number} seed{'' if most == 1 else 's'}"


def _color(arm: Arm) -> str:
    system = arm.strategy.partition("-")[0]
    return looks((system,))[system].color

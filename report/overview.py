"""All worlds at a glance: ratios to the baseline as coloured squares.

The shorter of worlds and strategies lies across once the figure would grow wider than a page
shows at its own size, so that its text stays legible however many there are.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import starmap
from math import isnan
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from report.currencies import CURRENCIES
from report.numerals import times, tone
from report.runs import arranged, ordered
from report.style import WIDTH, house

SHOWN = tuple(one for one in CURRENCIES if one.column in ("rollouts", "seconds"))
NOTE = (
    "bold: the 95% interval excludes 1;  ≥, ≤: some seed never reached the target,\n"
    "without colour if the truth may lie on either side of 1"
)
OCTAVES = 4  # the colours end at a factor of 16
COLORS = colormaps["RdBu_r"]
CELL = (0.66, 0.34)  # inches of a square
LETTER, LINE = 0.075, 0.16  # inches of a label's letter and line
SLANT, SLANTED = 30, 0.87  # degrees, and a letter's share of its width across
TITLE = 1.9  # inches of the widest panel title
FOLD = 32  # letters of a label's line, with a separator after them
PIECE = re.compile(f".{{1,{FOLD}}}?(?:[,:]|$)|.{{{FOLD}}}")  # what a fold leaves whole
Row = Mapping[Hashable, Any]  # a row of the summary


@dataclass(frozen=True, kw_only=True)
class Table:
    """Where the squares lie: worlds down and strategies across, or turned."""

    worlds: Sequence[str]
    strategies: Sequence[str]

    @property
    def turned(self) -> bool:
        """Whether strategies lie down, because across they would be too many."""
        width = _inches(_folded(self.worlds)) + CELL[0] * len(self.strategies)
        return width > WIDTH and len(self.strategies) > len(self.worlds)

    @property
    def labels(self) -> tuple[list[str], list[str]]:
        """Labels down and across."""
        worlds, strategies = _folded(self.worlds), _folded(self.strategies)
        return (strategies, worlds) if self.turned else (worlds, strategies)

    @property
    def panels(self) -> tuple[int, int]:
        """Rows and columns of panels: side by side where that is narrow enough."""
        beside = self.turned and self.width(len(SHOWN)) <= WIDTH
        return (1, len(SHOWN)) if beside else (len(SHOWN), 1)

    @property
    def size(self) -> tuple[float, float]:
        """Inches of the figure."""
        down, across = self.labels
        rows, columns = self.panels
        row = max(CELL[1], LINE * max(label.count("\n") + 1 for label in down))
        feet = (rows if self.turned else 1) * (0.25 + _inches(across) / 2)  # slanted
        return self.width(columns), 1.2 + feet + rows * (0.3 + row * len(down))

    def width(self, columns: int) -> float:
        """Inches of a figure with that many panels side by side."""
        down, across = self.labels
        hang = max(0.0, *starmap(_hang, enumerate(across)))
        panel = 0.2 + max(CELL[0] * len(across), TITLE)
        side = max(_inches(down), hang)
        return max(5.2, 0.5 + side + columns * panel + (columns - 1) * hang)

    def place(self, row: Row) -> tuple[int, int]:
        """How far across and down a row of the summary lies."""
        down = self.worlds.index(row["world"])
        across = self.strategies.index(row["strategy"])
        return (down, across) if self.turned else (across, down)


def overview(
    summary: pd.DataFrame, *, worlds: Iterable[str] = (), oracle: str = "oracle"
) -> Figure:
    """Ratios to the baseline of all worlds and strategies, in rollouts and in seconds.

    The named worlds come first, in that order; strategies as in `summarize`.
    """
    every = summary.to_dict("records")
    baseline = str(every[0]["baseline"])
    table = Table(
        worlds=arranged(summary["world"], worlds),
        strategies=ordered(set(summary["strategy"]), first=baseline, last=oracle),
    )
    with house():
        figure = Figure(figsize=table.size, layout="constrained")
        panels = list(figure.subplots(*table.panels, sharex=True, sharey=True))
        for panel, currency in zip(panels, SHOWN, strict=True):
            panel.set_title(currency.label)
            _grid_axis(panel, table)
            for row in every:
                if row["currency"] == currency.column:
                    _draw_ratio_cell(panel, row, table.place(row))
        _color_bar(figure, panels, f"cost relative to {baseline}")
        figure.supxlabel(NOTE, fontsize=7.5, color="#444444")
    return figure


def _folded(names: Sequence[str]) -> list[str]:
    return [_fold(name) for name in names]


def _fold(name: str) -> str:
    """The name in lines, cut at separators where it can be."""
    lines = [""]
    for piece in PIECE.findall(name):
        if len(lines[-1] + piece) > FOLD + 1:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def _inches(labels: Sequence[str]) -> float:
    """Width of the longest line."""
    return LETTER * max(len(line) for label in labels for line in label.split("\n"))


def _hang(place: int, label: str) -> float:
    """How far a slanted label reaches left of the first square."""
    lines = label.count("\n") + 1
    return SLANTED * _inches([label]) + LINE * lines / 2 - CELL[0] * (place + 0.5)


def _grid_axis(panel: Axes, table: Table) -> None:
    """Axes of one panel."""
    down, across = table.labels
    panel.set_yticks(range(len(down)), down)
    panel.set_xticks(
        range(len(across)), across, rotation=SLANT, ha="right", rotation_mode="anchor"
    )
    panel.set_xlim(-0.5, len(across) - 0.5)
    panel.set_ylim(len(down) - 0.5, -0.5)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.grid(visible=False)
    if table.turned:  # a tall panel's labels should not be a page away
        panel.tick_params(labelbottom=True)


def _draw_ratio_cell(panel: Axes, row: Row, place: tuple[int, int]) -> None:
    """One square: blue is cheaper than the baseline, red dearer."""
    x, y = place
    octaves = shade(row)
    color = COLORS(0.5 + octaves / (2 * OCTAVES))
    panel.add_patch(Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, facecolor=color))
    decided = tone(row["ratio_low"], row["ratio_high"]) != "even"
    panel.text(
        x,
        y,
        times(row["ratio"], row["ratio_bound"]),
        ha="center",
        va="center",
        fontsize=8,
        color="white" if abs(octaves) > 0.6 * OCTAVES else "#222222",
        weight="bold" if decided else "normal",
    )


def shade(row: Row) -> float:
    """Octaves that a ratio's colour stands for: 0 where its bound leaves its side of 1 open."""
    ratio, bound = row["ratio"], row["ratio_bound"]
    open_ended = (bound == "at most" and ratio > 1.0) or (bound == "at least" and ratio < 1.0)
    if isnan(ratio) or open_ended:
        return 0.0
    with np.errstate(divide="ignore"):  # a ratio of 0 has the last colour
        return float(np.clip(np.log2(ratio), -OCTAVES, OCTAVES))


def _color_bar(figure: Figure, panels: Sequence[Axes], title: str) -> None:
    """What factor a colour stands for."""
    colors = ScalarMappable(Normalize(-OCTAVES, OCTAVES), COLORS)
    pad = 0.25 / figure.get_size_inches()[1]
    bar = figure.colorbar(
        colors, ax=panels, location="bottom", aspect=50, shrink=0.6, pad=pad, extend="both"
    )
    powers = range(-OCTAVES, OCTAVES + 1)
    bar.set_ticks(list(powers), labels=[str(Fraction(2) ** power) for power in powers])
    bar.ax.tick_params(labelsize=7.5, length=0)
    bar.outline.set_visible(False)
    bar.set_label(title)

"""Sizes and strokes that figures share: a column or a page of a paper, curves with a band."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.aggregate import mean_band
from report.style import FURTHER_HUES, Dashes, Look

COLUMN, PAGE = 3.4, 7.0  # inches, of a two-column page
FAINT = 0.18
MODELS = {"1.5B": (FURTHER_HUES[1], "s"), "7B": (FURTHER_HUES[0], "o")}  # colour and marker
Shared = Literal["none", "all", "row", "col"]
Band = tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T"], Float[np.ndarray, "T"]]


def grid(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    *,
    sharex: Shared = "none",
    sharey: Shared = "none",
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with panels that keep clear of each other, and the panels by row."""
    drawing = Figure(figsize=(width, height), layout="constrained")
    panels = drawing.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    return drawing, [list(row) for row in panels]


def curve(
    panel: Axes,
    x: Float[np.ndarray, "T"],
    samples: Float[np.ndarray, "S T"],
    *,
    color: str,
    line: Literal["-"] | Dashes = "-",
    label: str = "",
) -> Band:
    """Draws the mean over seeds and its 95 % interval; the three lines drawn."""
    middle, low, high = mean_band(samples)
    panel.fill_between(x, low, high, color=color, alpha=FAINT, linewidth=0)
    panel.plot(x, middle, color=color, linestyle=line, label=label)
    return middle, low, high


def band(
    panel: Axes,
    x: Float[np.ndarray, "T"],
    samples: Float[np.ndarray, "S T"],
    look: Look,
    label: str,
) -> Band:
    """The mean over seeds and its interval, in a strategy's look; the three lines drawn."""
    return curve(panel, x, samples, color=look.color, line=look.line, label=label)


def level(panel: Axes, value: float, *, label: str = "") -> None:
    """A dotted horizontal line, such as a target."""
    panel.axhline(value, color="#888888", linewidth=0.9, linestyle=(0, (2, 2)), label=label)


def upright(panel: Axes, value: float) -> None:
    """A dotted vertical line, such as where two costs are equal."""
    panel.axvline(value, color="#888888", linewidth=0.9, linestyle=(0, (2, 2)))


def legend_below(drawing: Figure, panels: Iterable[Axes], columns: int) -> None:
    """One legend of all that is labelled in the panels, under them."""
    named = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    drawing.legend(list(named.values()), list(named), loc="outside lower center", ncols=columns)

"""Marks of GRESO's figures: published points, simulated values at two paces, rows."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes

from report.aggregate import Estimate
from report.style import Look
from sim.figures.greso_runs import FILLED, GRESO, LOOKS

PRINTED: Mapping[str, Any] = MappingProxyType(
    {"color": "k", "marker": "+", "linestyle": "", "markersize": 9, "markeredgewidth": 1.6}
)
BROKEN = (0, (4, 2))  # line of the faster pace


def at_pace(look: Look, pace: int) -> Look:
    """The look of a strategy at one of the two paces."""
    return Look(look.color, look.marker, look.line if FILLED[pace] else BROKEN)


def dot(panel: Axes, found: Estimate, place: int, pace: int) -> None:
    """A simulated value with its interval."""
    look = LOOKS[GRESO]
    panel.plot([found.low, found.high], [place] * 2, color=look.color, linewidth=2)
    panel.plot(
        found.value,
        place,
        color=look.color,
        marker=look.marker,
        markerfacecolor=look.color if FILLED[pace] else "white",
        linestyle="",
        label="" if place else f"simulated, pace {pace}",
    )


def rows_down(panel: Axes, names: Sequence[str]) -> None:
    """Labelled rows from the top down."""
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.grid(visible=False, axis="y")

"""Figures of a comparison, made without a display and without global state.

`report.curves` shows progress against every currency, `report.ratios` what every strategy costs
in every currency, `report.overview` all worlds at a glance. Equal inputs give equal bytes
through `png`.
"""

from collections.abc import Sequence
from io import BytesIO

import pandas as pd
from matplotlib.figure import Figure

from report.curves import curves
from report.overview import overview
from report.ratios import ratios
from report.record import Record
from report.runs import arranged, by_world
from report.style import house


def png(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as a PNG file."""
    buffer = BytesIO()
    with house():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def pictures(
    records: Sequence[Record], summary: pd.DataFrame, *, worlds: Sequence[str] = ()
) -> dict[str, bytes]:
    """All figures of a comparison as PNG files: "overview", "WORLD-curves", "WORLD-ratios".

    The overview shows the named worlds in that order, then the rest.
    """
    baseline = str(summary["baseline"].iloc[0])
    files = {"overview": png(overview(summary, worlds=worlds))}
    for world in arranged(by_world(records), worlds):
        files[f"{world}-curves"] = png(curves(records, world, baseline=baseline))
        files[f"{world}-ratios"] = png(ratios(summary, world))
    return files

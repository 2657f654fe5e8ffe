"""Every figure of CurES and across papers: nothing clipped, type legible, numbers tidy."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from report.aggregate import Estimate
from report.style import Look
from sim.figures.across_draw import COLUMN, band, certain, column, dot, legend
from tests.sim.figures.across_made import ENTRIES, MADE, made

LOOK = Look("#123456", "s", (0, (1, 1)))
LEAST_TYPE = 5.0  # points; superscripts excepted


@pytest.mark.parametrize("key", MADE)
def test_nothing_is_clipped_and_type_is_legible(key: str) -> None:
    """All that is drawn lies on the page, an inch wide as a column, and panels do not touch."""
    figure = made(key).figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert width == COLUMN
    assert min(drawn.x0, drawn.y0) > -0.01
    assert drawn.x1 < width + 0.01
    assert drawn.y1 < height + 0.01
    boxes = [axes.get_tightbbox(canvas.get_renderer()) for axes in figure.axes]
    boxes += [box.get_window_extent(canvas.get_renderer()) for box in figure.legends]
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            assert one is not None
            assert other is not None
            assert not _overlap(one, other)
    found: list[Any] = figure.findobj(Text)
    texts = [text for text in found if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= LEAST_TYPE


def _overlap(one: Bbox, other: Bbox, slack: float = 1.0) -> bool:
    """Whether two boxes share more than a pixel either way."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > slack and height > slack


@pytest.mark.parametrize("key", MADE)
def test_axes_are_named_and_numbers_are_tidy(key: str) -> None:
    drawn = made(key)
    assert drawn.numbers.shape[0] > 4
    assert not drawn.numbers.duplicated().any()
    assert drawn.remarks.endswith(".")
    assert "nan" not in drawn.remarks
    for value in drawn.values:
        assert np.isfinite(value.here)
        assert value.what.strip()
    bottom = [axes for axes in drawn.figure.axes if _lowest(axes, drawn.figure)]
    assert all(axes.get_xlabel() for axes in bottom)


def _lowest(axes: Axes, figure: Figure) -> bool:
    return axes.get_position().y0 <= min(a.get_position().y0 for a in figure.axes) + 1e-6


def test_what_cannot_be_made_is_listed_with_its_reason() -> None:
    missing = {key: entry.missing for key, entry in ENTRIES.items() if not entry.make}
    assert set(missing) == {"cures-accuracies", "cures-gvm-table1"}
    assert all("needs the runs" in reason for reason in missing.values())


def test_figures_are_functions_of_their_fraction() -> None:
    for key in ("cures-3", "across-index"):
        make = ENTRIES[key].make
        assert make
        assert make(0.02).numbers.equals(made(key).numbers)


# Marks


def panel_of() -> tuple[Figure, Any]:
    with column(2.0) as figure:
        return figure, figure.subplots()


def test_a_dot_shows_its_interval_and_a_bound_its_side() -> None:
    _, panel = panel_of()
    dot(panel, Estimate(2.0, 1.0, 3.0), 5.0, LOOK, "one")
    span, mark = panel.lines
    assert list(span.get_xdata()) == [1.0, 3.0]
    assert list(span.get_ydata()) == [5.0, 5.0]
    assert (mark.get_xdata()[0], mark.get_marker()) == (2.0, "s")
    assert mark.get_markerfacecolor() == "white"  # hollow goes with a broken line
    dot(panel, Estimate(2.0, 1.0, np.inf, "at least"), 6.0, LOOK, hollow=False)
    dot(panel, Estimate(2.0, 0.0, 3.0, "at most"), 7.0, LOOK)
    bound, below = panel.lines[2], panel.lines[-1]
    assert bound.get_marker() == ">"
    assert bound.get_markerfacecolor() == LOOK.color
    assert below.get_marker() == "<"
    dot(panel, certain(1.0), 8.0, LOOK)
    assert len(panel.lines) == 6  # no interval, no line


def test_a_band_is_the_interval_of_the_mean() -> None:
    """Student's t with one degree of freedom: 12.706 standard errors."""
    _, panel = panel_of()
    band(panel, np.array([0.0, 1.0]), np.array([[1.0, 4.0], [3.0, 4.0]]), LOOK, "x")
    assert list(panel.lines[0].get_ydata()) == [2.0, 4.0]
    corners = panel.collections[0].get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(2.0 + 12.706, abs=1e-3)


def test_a_legend_names_everything_once() -> None:
    figure, panel = panel_of()
    dot(panel, certain(1.0), 0.0, LOOK, "a")
    dot(panel, certain(1.0), 1.0, LOOK, "a")
    dot(panel, certain(1.0), 2.0, LOOK, "b")
    legend(figure, [panel, panel], 2)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]

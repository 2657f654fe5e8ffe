"""Every figure and table can be made, is whole, and says what it must."""

import re
from importlib import import_module
from math import isfinite
from pkgutil import iter_modules

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import sim.figures
from report.style import house
from selection.settings import SettingError
from sim.figures.registry import FIGURES, MODULES, figure

MADE = [key for key, entry in FIGURES.items() if entry.make is not None]
TASTE = 0.02


@pytest.mark.parametrize("key", FIGURES)
def test_an_entry_says_what_it_shows_and_where_it_stands(key: str) -> None:
    entry = FIGURES[key]
    assert key.startswith(entry.paper.lower())
    assert re.fullmatch(r"[a-z0-9.-]+", key)
    assert len(entry.title.split()) > 2
    assert len(entry.source) > 10
    assert 0.0 < entry.seconds < 300.0


def test_no_module_is_left_out_and_no_key_is_taken_twice() -> None:
    modules = {
        found.name: import_module(f"sim.figures.{found.name}")
        for found in iter_modules(sim.figures.__path__)
        if found.name not in ("registry", "make", "index", "cli")
    }
    own = {name for name, module in modules.items() if hasattr(module, "FIGURES")}
    listed = {module.__name__.rpartition(".")[2] for module in MODULES}
    assert own == listed
    assert sum(len(module.FIGURES) for module in MODULES) == len(FIGURES)


def test_titles_differ() -> None:
    assert len({entry.title for entry in FIGURES.values()}) == len(FIGURES)


def test_every_paper_has_figures() -> None:
    assert {entry.paper for entry in FIGURES.values()} == {
        "SPEED",
        "GRESO",
        "MoPPS",
        "CurES",
        "across",
    }


def test_the_nearest_key_is_suggested() -> None:
    with pytest.raises(SettingError, match="'sped-snr': did you mean 'speed-snr'"):
        figure("sped-snr")


@pytest.mark.parametrize("key", MADE)
def test_a_taste_of_every_figure(key: str) -> None:
    """It is drawn within its canvas, its numbers are a table, its values have verdicts."""
    make = FIGURES[key].make
    assert make is not None
    with house():
        drawn = make(TASTE)
        assert_within_canvas(drawn.figure)
    assert isinstance(drawn.numbers, pd.DataFrame)
    assert len(drawn.numbers) > 1
    assert drawn.numbers.notna().any(axis=None)
    compared = drawn.values  # noqa: PD011 - no data frame
    assert len({value.what for value in compared}) == len(compared)
    for value in compared:
        assert value.note, value.what
        assert isfinite(value.here)
    assert len(drawn.remarks.split()) > 3
    assert "nan" not in drawn.remarks


def assert_within_canvas(drawing: Figure) -> None:
    """All that is drawn lies within the figure, and no two of its legends and titles meet."""
    canvas = FigureCanvasAgg(drawing)
    canvas.draw()
    box = drawing.get_tightbbox(canvas.get_renderer())
    width, height = drawing.get_size_inches()
    spill = (-box.x0, -box.y0, box.x1 - width, box.y1 - height)
    assert max(spill) < 0.02, f"{np.round(spill, 3)} inches outside (left, below, right, above)"


def test_what_is_wider_than_its_canvas_is_noticed() -> None:
    """The control of the test above."""
    drawing = Figure(figsize=(2.0, 1.0))
    drawing.text(0.5, 0.5, "much too long a line for so small a picture")
    with pytest.raises(AssertionError, match="outside"):
        assert_within_canvas(drawing)

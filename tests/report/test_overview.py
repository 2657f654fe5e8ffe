from math import log2, nan

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from report.overview import COLORS, OCTAVES, overview, shade
from report.style import WIDTH
from report.summary import summarize
from tests.report.runs import run, trio

RECORDS = [*trio(), *(run("stuck", seed, speed=0.1) for seed in range(3))]
DALE = trio("dale")
SWEEP = [
    run(name, world=world, speed=1 + place / 9)
    for world in ("fen", "hill")
    for place, name in enumerate(["uniform", "oracle", *(f"speed:n={n}" for n in range(22))])
]


def ticks(panel: Axes) -> tuple[list[str], list[str]]:
    """Labels down and across."""
    labels = panel.get_yticklabels(), panel.get_xticklabels()
    down, across = ([label.get_text() for label in axis] for axis in labels)
    return down, across


def squares(panel: Axes) -> dict[tuple[float, float], str]:
    """The text of each square, by how far across and down it lies."""
    return {text.get_position(): text.get_text() for text in panel.texts}


def test_the_ratio_of_every_world_and_strategy_is_shown() -> None:
    summary = summarize([*RECORDS, *DALE])
    *panels, _ = overview(summary).axes
    for panel, currency in zip(panels, ("rollouts", "seconds"), strict=True):
        assert ticks(panel)[0] == ["dale", "hill"]
        rows = summary[summary["currency"] == currency]
        assert len(panel.texts) == len(rows) == 7
        found = squares(panel)
        assert found[1, 0] == found[1, 1] == "0.80"
        assert (found[3, 0], found[2, 1], found.get((2, 0))) == ("0.50", "≥ 2.38", None)

    assert ticks(panels[1])[1] == ["uniform", "mopps", "stuck", "oracle"]


def test_worlds_follow_the_callers_order() -> None:
    summary = summarize([*RECORDS, *DALE, *trio("fen")])
    panel = overview(summary, worlds=["hill", "absent", "dale"]).axes[0]
    assert ticks(panel)[0] == ["hill", "dale", "fen"]
    assert squares(panel)[2, 0] == "≥ 2.38"


@pytest.mark.parametrize("worlds", [2, 12])
def test_many_strategies_lie_down_and_the_figure_keeps_its_width(worlds: int) -> None:
    records = [
        run(str(one.strategy), world=f"w{n}", speed=1.5)
        for one in SWEEP[:24]
        for n in range(worlds)
    ]
    figure = overview(summarize(records))
    figure.draw_without_rendering()
    *panels, _ = figure.axes
    down, across = ticks(panels[0])
    assert down[:3] == ["uniform", "speed:n=0", "speed:n=1"]
    assert (len(down), down[-1], len(across)) == (24, "oracle", worlds)
    left, right = (panel.get_position() for panel in panels)
    assert (left.y0 == right.y0) == (worlds == 2)
    assert figure.get_size_inches()[0] < WIDTH * 1.05
    inches = figure.get_size_inches()[1] * left.height / 24
    assert inches > 0.28  # of a row, for text of 0.11


def test_a_turned_square_lies_where_its_labels_say() -> None:
    records = [run(one.strategy, world=one.world, speed=1.0) for one in SWEEP]
    twice = [*records[:-1], run(SWEEP[-1].strategy, world="hill", speed=2.0)]
    panel = overview(summarize(twice)).axes[0]
    down, across = ticks(panel)
    place = across.index("hill"), down.index(SWEEP[-1].strategy)
    assert [at for at, text in squares(panel).items() if text == "0.50"] == [place]


@pytest.mark.parametrize(
    ("ratio", "bound", "octaves"),
    [
        (2.0, "exact", 1.0),
        (0.25, "exact", -2.0),
        (0.0, "exact", -4.0),
        (100.0, "exact", 4.0),
        (2.0, "at least", 1.0),
        (0.5, "at least", 0.0),
        (2.58, "at most", 0.0),
        (0.5, "at most", -1.0),
        (nan, "unknown", 0.0),
    ],
)
def test_a_bound_with_the_truth_on_either_side_has_no_colour(
    ratio: float, bound: str, octaves: float
) -> None:
    assert shade({"ratio": ratio, "ratio_bound": bound}) == octaves


def test_squares_have_the_colours_of_the_bar() -> None:
    """0.5 by the squares, and the square of an undecided bound as light as that of 1."""
    late = [run("uniform", speed=0.1), run("mopps", speed=0.5, price=3.0)]
    figure = overview(summarize([*late, *trio("dale", seeds=1)]))
    panel, bar = figure.axes[0], figure.axes[-1]
    patches = [patch for patch in panel.patches if isinstance(patch, Rectangle)]
    colors = {
        squares(panel)[round(patch.get_x() + 0.48), round(patch.get_y() + 0.47)]: patch
        for patch in patches
    }
    assert colors["≤ 3.00"].get_facecolor() == COLORS(0.5)
    assert colors["0.50"].get_facecolor() == COLORS(0.5 + log2(0.5) / (2 * OCTAVES))
    labels = [label.get_text() for label in bar.get_xticklabels()]
    assert labels == ["1/16", "1/8", "1/4", "1/2", "1", "2", "4", "8", "16"]
    assert bar.get_xlabel() == "cost relative to uniform"
    np.testing.assert_array_equal(bar.get_xlim(), (-OCTAVES, OCTAVES))

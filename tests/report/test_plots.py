import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import inf
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Annotation
from matplotlib.transforms import BboxBase

from report.aggregate import mean_band
from report.currencies import CURRENCIES
from report.curves import POINTS, band, curves, possible
from report.overview import overview
from report.plots import pictures, png
from report.ratios import ratios, view
from report.record import Record
from report.summary import summarize
from tests.report.runs import run, trio

TUNED = "mopps:target=0.4,memory=0.9,discount=0.25"
RECORDS = [
    *trio(),
    *(run(TUNED, seed) for seed in range(3)),
    *(run("speed-released", seed, speed=2.0 - seed / 3, price=2.5) for seed in range(3)),
    *(run("stuck", seed, speed=0.1) for seed in range(3)),
]
SUMMARY = summarize(RECORDS)
ROLLOUTS = CURRENCIES[1]
LONG = f"static:population={'x' * 60},seed=3"
SWEEP = [
    run(name, seed, speed=1.0 + place / 20 + seed)
    for place, name in enumerate(
        ["uniform", *(f"speed:screen={n},extend=20" for n in range(24))]
    )
    for seed in range(2)
]
FIGURES = ("curves", "ratios", "overview", "signal curves", "sweep's curves", "sweep's ratios")
OVERVIEWS = ("sweep's overview", "overview of long names", "overview of one pair")


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    """Each figure, drawn once, so that its layout is settled."""
    sweep = SWEEP + [replace(one, setting={**one.setting, "world": LONG}) for one in SWEEP]
    signal = [replace(one, progress="signal_realised", target=30.0) for one in RECORDS]
    summary = summarize(SWEEP)
    made = {
        "curves": curves(RECORDS, "hill"),
        "ratios": ratios(SUMMARY, "hill"),
        "overview": overview(SUMMARY),
        "signal curves": curves(signal, "hill"),
        "sweep's curves": curves(SWEEP, "hill"),
        "sweep's ratios": ratios(summary, "hill"),
        "sweep's overview": overview(summary),
        "overview of long names": overview(summarize(sweep)),
        "overview of one pair": overview(summarize([run(), run("mopps")])),
    }
    for figure in made.values():
        png(figure)
        figure.draw_without_rendering()  # measured at the figure's own resolution
    return made


def arrow_end(panel: Axes) -> float:
    """Where the only arrow of a panel points, in data."""
    (arrow,) = (x for x in panel.texts if isinstance(x, Annotation) and x.arrow_patch)
    return float(arrow.xy[0])


def panels(figure: Figure) -> dict[str, Axes]:
    return {panel.get_title("left") or panel.get_xlabel(): panel for panel in figure.axes}


def words(panel: Axes) -> set[str]:
    return {text.get_text() for text in panel.texts if text.get_text()}


@pytest.mark.parametrize("name", [*FIGURES, *OVERVIEWS])
def test_nothing_is_clipped(figures: dict[str, Figure], name: str) -> None:
    """Ink that was cut off would touch the edge of the picture."""
    image = imread(io.BytesIO(png(figures[name], dpi=80)))
    edges = (image[0], image[-1], image[:, 0], image[:, -1])
    assert all((edge == 1.0).all() for edge in edges)
    page = figures[name].bbox
    for legend in figures[name].legends:
        box = legend.get_window_extent()
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1


@pytest.mark.parametrize("name", [*FIGURES, *OVERVIEWS])
def test_nothing_covers_anything(figures: dict[str, Figure], name: str) -> None:
    """Panels with all their labels, and the legend, lie apart; so do labels of one axis."""
    figure = figures[name]
    parts = [panel.get_tightbbox() for panel in figure.axes]
    parts += [legend.get_window_extent() for legend in figure.legends]
    parts += [text.get_window_extent() for text in figure.texts]
    assert_apart([part for part in parts if part])
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            labels = [tick.label1 for tick in ticks if not tick.label1.get_rotation()]
            assert_apart([x.get_window_extent() for x in labels if x.get_visible()])


def assert_apart(boxes: Sequence[BboxBase]) -> None:
    for one, other in combinations(boxes, 2):
        assert not one.padded(-0.5).overlaps(other.padded(-0.5)), (one, other)


@pytest.mark.parametrize("name", ["curves", "ratios", "overview"])
def test_equal_inputs_give_equal_bytes(name: str) -> None:
    make = {
        "curves": lambda: curves(RECORDS[::-1], "hill"),
        "ratios": lambda: ratios(SUMMARY, "hill"),
        "overview": lambda: overview(SUMMARY),
    }[name]
    one = png(make(), dpi=60)
    assert one == png(make(), dpi=60)
    assert b"Software" not in one
    assert imread(io.BytesIO(one)).std() > 0.05


def test_drawing_leaves_no_global_state() -> None:
    before = dict(mpl.rcParams)
    png(overview(SUMMARY), dpi=30)
    assert dict(mpl.rcParams) == before


def test_there_is_a_panel_per_currency(figures: dict[str, Figure]) -> None:
    labels = [currency.label for currency in CURRENCIES]
    assert [panel.get_title("left") for panel in figures["ratios"].axes] == labels
    shown = [panel.get_xlabel() for panel in figures["curves"].axes]
    assert shown == [*labels[:-1], "wall clock (min)"]


def test_bands_are_t_intervals_of_progress_at_equal_cost() -> None:
    """Runs whose steps cost 64, 85.3 and 128 rollouts: shared up to 64 * 20 of them."""
    group = [run(seed=seed, price=price) for seed, price in enumerate((1.0, 4 / 3, 2.0))]
    cost, (mean, low, high) = band(group, ROLLOUTS)
    assert (cost[0], cost[-1], cost.size) == (0.0, 64.0 * 20, POINTS)
    np.testing.assert_allclose(mean[-1], (0.4 + 0.3) / 2)
    expected = mean_band(np.array([[0.4], [0.35], [0.3]]))
    np.testing.assert_allclose((mean[-1], low[-1], high[-1]), np.ravel(expected))


@pytest.mark.parametrize("progress", ["accuracy", "signal_realised"])
def test_bands_hold_nothing_impossible(progress: str) -> None:
    """Two seeds 0.2 apart: Student's interval would reach from -0.9 to 1.7."""
    group = [replace(run(seed=seed, speed=1 + seed), progress=progress) for seed in (0, 1)]
    for one, factor in zip(group, (1.0, 3.0), strict=True):
        one.columns["signal_realised"][:] *= factor
    _, (mean, low, high) = band(group, ROLLOUTS)
    least, most = possible(progress)
    assert (least <= low).all()
    assert (low <= mean).all()
    assert (mean <= high).all()
    assert (high <= most).all()
    assert (low[-1], high[-1] == 1.0) == (0.0, progress == "accuracy")


def test_what_may_be_negative_has_a_whole_band() -> None:
    assert possible("reward") == (-inf, inf)


@pytest.mark.parametrize("speeds", [(1.0, 3.0), (0.0, 0.0), (1.0, 60.0), (60.0, 60.0)])
def test_wide_bands_neither_press_the_curves_nor_leave_the_possible(
    speeds: tuple[float, float],
) -> None:
    """The curves take half the height, where they are not flat."""
    records = [run(seed=seed, speed=speed) for seed, speed in enumerate(speeds)]
    panel = curves(records, "hill").axes[0]
    low, high = panel.get_ylim()
    heights = [float(y) for line in panel.lines for y in np.asarray(line.get_ydata())]
    assert -0.03 < low <= min(heights)
    assert max(heights) <= high < 1.03
    assert (max(heights) - min(heights)) * 2.001 >= high - low


def short(seconds: float) -> list[Record]:
    """Two runs of one training step, that many seconds long."""
    whole = [run(), run("mopps", speed=1.2)]
    cut = [{name: column[:2] for name, column in one.columns.items()} for one in whole]
    clock = {"seconds": np.array([0.0, seconds])}
    return [
        replace(one, columns=columns | clock) for one, columns in zip(whole, cut, strict=True)
    ]


@pytest.mark.parametrize("seconds", [0.5, 3e9])
def test_ticks_of_tiny_runs_are_whole_and_have_no_small_prefix(seconds: float) -> None:
    figure = curves(short(seconds), "hill")
    png(figure, dpi=30)
    for panel, currency in zip(figure.axes, CURRENCIES, strict=True):
        labels = [label.get_text() for label in panel.get_xticklabels()]
        assert not any(label.endswith(("m", "µ")) for label in labels)
        if currency.unit != "s":
            assert all(float(tick).is_integer() for tick in panel.get_xticks())
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()][1:3] == ["0", "1"]
    clock = {label.get_text() for label in figure.axes[5].get_xticklabels()}
    assert clock >= ({"0.2", "0.4"} if seconds < 1 else {"200k", "400k"})


def test_progress_has_a_name_that_explains_it(figures: dict[str, Figure]) -> None:
    assert figures["curves"].get_supylabel() == "mean held-out pass rate"
    signal = figures["signal curves"].get_supylabel()
    assert signal == "learning signal (sum of K(N−K)/(N−1))"


def test_curves_show_every_strategy_and_the_target(figures: dict[str, Figure]) -> None:
    for panel in figures["curves"].axes:
        labels = [str(line.get_label()) for line in panel.lines]
        names = ["mopps", TUNED, "speed-released", "stuck"]
        assert labels == ["target", "uniform", *names, "oracle"]
        assert list(np.atleast_1d(panel.lines[0].get_ydata())) == [0.3, 0.3]
    minutes = figures["curves"].axes[5].lines[1].get_xdata()
    assert np.max(np.asarray(minutes)) == pytest.approx(20 * 90 / 60)


def test_dots_and_intervals_lie_where_the_summary_says(figures: dict[str, Figure]) -> None:
    panel = panels(figures["ratios"])[ROLLOUTS.label]
    every: Sequence[Mapping[Any, Any]] = SUMMARY.to_dict(orient="records")
    rows = [x for x in every if x["currency"] == "rollouts" and x["strategy"] != "uniform"]
    drawn = [np.asarray(line.get_xdata(), float) for line in panel.lines[1:]]
    names = [label.get_text() for label in figures["ratios"].axes[0].get_yticklabels()]
    assert names == [row["strategy"] for row in rows]
    for place, row in enumerate(rows):
        interval, dot = drawn[2 * place], drawn[2 * place + 1]
        assert dot[0] == pytest.approx(row["ratio"])
        low, high = panel.get_xlim()
        ends = max(row["ratio_low"], low), min(row["ratio_high"], high)
        assert tuple(interval) == pytest.approx(ends)
    assert panel.lines[0].get_xdata() == [1.0, 1.0]


def test_a_strategy_that_never_arrives_gets_an_arrow(figures: dict[str, Figure]) -> None:
    for panel in figures["ratios"].axes:
        assert "0/3 reach" in words(panel)
        assert arrow_end(panel) == pytest.approx(panel.get_xlim()[1])


def test_what_nobody_reaches_is_undecided() -> None:
    summary = summarize([run("uniform", speed=0.1), run("mopps", speed=0.1)])
    figure = ratios(summary, "hill")
    assert all("undecided" in words(panel) for panel in figure.axes)
    assert "–" in words(overview(summary).axes[0])


def test_a_baseline_that_never_arrives_points_the_arrows_left() -> None:
    panel = ratios(summarize([run("uniform", speed=0.1), run("mopps")]), "hill").axes[0]
    assert arrow_end(panel) == pytest.approx(panel.get_xlim()[0])


def test_views_hold_all_ratios_and_bounded_intervals() -> None:
    exact = {"ratio_bound": "exact"}
    low, high = view([{"ratio": 3.0, "ratio_low": 2.5, "ratio_high": 3.5, **exact}])
    assert (low, high) == (pytest.approx(0.5 / 1.15), pytest.approx(3.5 * 1.15))
    low, high = view([{"ratio": 3.0, "ratio_low": 1e-6, "ratio_high": inf, **exact}])
    assert (low, high) == (pytest.approx(0.125 / 1.15), pytest.approx(3.0 * 1.15))
    bound = {"ratio_bound": "at least"}
    _, high = view([{"ratio": 3.0, "ratio_low": 2.5, "ratio_high": inf, **bound}])
    assert high > 3.0 * 1.5


def test_variants_look_the_same_in_every_figure() -> None:
    """Though a world lacks one of them, and `ratios` never draws the baseline."""
    names = ("uniform", *(f"speed:n={n}" for n in (2, 4, 8, 12)), "uniform:n=4")
    records = [run(name) for name in names] + [run(name, world="dale") for name in names[:4]]
    summary = summarize(records)
    for world, count in (("hill", 6), ("dale", 4)):
        lines = curves(records, world).axes[0].lines[2 : count + 1]
        drawn = {str(line.get_label()): (line.get_color(), line.get_marker()) for line in lines}
        dots = ratios(summary, world).axes[0].lines[2::2]
        assert [(dot.get_color(), dot.get_marker()) for dot in dots] == list(drawn.values())
        assert list(drawn) == list(names[1:count])
        assert drawn["speed:n=2"][0] == "#6a2f00"


def test_pictures_come_in_the_order_of_the_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []

    def remember(figure: Figure) -> bytes:
        drawn.append(figure)
        return b""

    monkeypatch.setattr("report.plots.png", remember)
    records = [run(name, world=world) for name in ("uniform", "mopps") for world in "abc"]
    found = pictures(records, summarize(records), worlds=("c", "absent", "a"))
    kinds = [f"{world}-{kind}" for world in "cab" for kind in ("curves", "ratios")]
    assert list(found) == ["overview", *kinds]
    rows = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert rows == ["c", "a", "b"]


def test_an_unknown_world_is_refused() -> None:
    with pytest.raises(ValueError, match="no records of world dale"):
        curves(RECORDS, "dale")
    with pytest.raises(ValueError, match="no world dale"):
        ratios(SUMMARY, "dale")

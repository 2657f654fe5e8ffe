"""GRESO's figures, each made at a small fraction, and the numbers in them."""

from functools import cache

import numpy as np
import pytest

from sim.figures.entry import Drawn
from sim.figures.greso import FIGURES
from sim.figures.greso_consistency import (
    CURVES,
    DRIFTING,
    LOG,
    MOVING,
    STATIC,
    STILL,
    chances,
    curves,
    logged,
)
from theory.published import column

MADE = [key for key, entry in FIGURES.items() if entry.make]


@cache
def drawn(key: str) -> Drawn:
    make = FIGURES[key].make
    assert make is not None
    return make(0.02)


@pytest.mark.parametrize("key", [key for key in FIGURES if key not in MADE])
def test_what_cannot_be_made_says_why(key: str) -> None:
    assert len(FIGURES[key].missing) > 20


def test_a_figure_is_a_function_of_its_fraction() -> None:
    make = FIGURES["greso-3a"].make
    assert make is not None
    assert make(0.02).numbers.equals(drawn("greso-3a").numbers)


def test_points_of_figure_3a_stand_beside_the_drifting_population() -> None:
    values = drawn("greso-3a").values
    assert [value.published for value in values[:2]] == [0.546, 0.807]
    assert [value.published for value in values[-2:]] == [0.788, 0.792]
    assert [value.tolerance for value in values] == pytest.approx([0.021] * 18)
    found = curves(DRIFTING, 0.02)
    for key, some in zip(CURVES, (values[:9], values[9:]), strict=True):
        assert [value.here for value in some] == found[key].mean(axis=0).tolist()


def test_drifting_fits_where_static_fails() -> None:
    """The whole population: within .03 of every point, the static one .2 off one of them."""
    for world, low, high in ((MOVING, 0.0, 0.03), (STILL, 0.2, 0.4)):
        w = chances(world, 0)
        before = 1.0 - np.cumprod(1.0 - w, axis=0)[:-1]
        both = (w[1:] * before).sum(axis=1)
        off = [
            np.abs(both / w[1:].sum(axis=1) - column("greso_fig3a", "previous_given_now")),
            np.abs(both / before.sum(axis=1) - column("greso_fig3a", "now_given_previous")),
        ]
        assert low <= np.max(off) < high


def test_the_static_curve_falls_and_so_does_the_logs() -> None:
    static = curves(STATIC, 0.02)["now_given_previous"].mean(axis=0)
    assert (np.diff(static) < 0.0).all()
    log = curves(LOG, 0.02)["now_given_previous"][0]
    assert log[0] == pytest.approx(392 / 531)
    assert log[-1] < log[0] - 0.1
    assert logged().previous_given_now()[0] == pytest.approx(392 / 537)


def test_zero_variance_shares_rise_in_the_drifting_population_alone() -> None:
    numbers = drawn("greso-shares").numbers
    share = {name: np.array(rows["zero_variance"]) for name, rows in numbers.groupby("of")}
    assert (np.diff(share[DRIFTING]) > 0.0).all()
    np.testing.assert_allclose(share[STATIC], share[STATIC][0])
    assert share["implied"][1] / share["implied"][0] == pytest.approx(0.769 / 0.546)
    assert share["implied"][0] == pytest.approx(share[DRIFTING][0])


def test_cumulative_rollouts_only_grow_and_stay_in_order() -> None:
    numbers = drawn("greso-2").numbers
    curve = {name: np.array(rows["rollouts_millions"]) for name, rows in numbers.groupby("of")}
    for rollouts in curve.values():
        assert (np.diff(rollouts) > 0.0).all()
    assert curve["GRPO"][-1] == pytest.approx(2.048)
    assert curve["GRPO"][-1] < curve["GRESO"][-1] < curve["DS"][-1] < curve["DS, pace 3"][-1]


def test_greso_saves_in_every_row_and_printed_numbers_stand_there() -> None:
    numbers = drawn("greso-table1").numbers
    made, said = (numbers[(numbers["of"] == "published") == flag] for flag in (False, True))
    assert min(made["ratio"]) > 1.0
    assert list(said["ratio"]) == [2.30, 2.38, 1.5, 1.6, 2.08, 3.35]
    assert list(said["greso"]) == [3.3, 1.6, 1.6, 1.5, 6.3, 3.4]
    by_figure_1 = drawn("greso-table1").values[-1]
    assert by_figure_1.published == pytest.approx(3120.0)


def test_hours_are_stacked_from_their_parts() -> None:
    numbers = drawn("greso-table2").numbers
    parts = numbers[["rollout", "training", "other"]].sum(axis=1)
    np.testing.assert_allclose(parts, numbers["total"])
    rows = numbers.to_dict("records")
    row = next(
        row
        for row in rows
        if (row["model"], row["run"], row["of"]) == ("Qwen2.5-Math-7B", "GRESO", "print")
    )
    assert [row[part] for part in ("rollout", "training", "other")] == [65.5, 16.6, 6.3]


def test_skipping_saves_more_than_sizing() -> None:
    numbers = drawn("greso-adaptive-batch").numbers
    for _, rows in numbers.groupby("pace"):
        found = dict(zip(rows["of"], rows["rollouts_millions"], strict=True))
        assert found["DS, sized orders"] < found["DS"]
        assert found["GRESO, whole orders"] < found["DS, sized orders"]
        assert found["GRESO"] <= found["GRESO, whole orders"]


def test_targets_are_labelled_and_cost_at_least_an_order() -> None:
    numbers = drawn("greso-target").numbers
    assert list(numbers["target"]) == [0.0, 0.25, 0.5] * 2
    assert min(numbers["rollouts_millions"]) > 384 * 8 * 1000 / 1e6 - 0.02


def test_exploration_moves_by_its_step_within_its_bounds() -> None:
    numbers = drawn("greso-exploration").numbers
    for _, rows in numbers.groupby("pace"):
        for kind, share in (("explore_easy", "share_easy"), ("explore_hard", "share_hard")):
            path = np.array(rows[kind])
            assert path.min() >= 0.05
            assert path.max() <= 0.95
            assert abs(path[0] - 0.5) == pytest.approx(0.01)
            goal = 0.25 / 3 * (1 if kind == "explore_easy" else 2)
            falls = np.array(rows[share])[1:] >= goal
            moved = np.diff(path)
            assert (moved[falls] <= 0.0).all()
            assert (moved[~falls] >= 0.0).all()


def test_every_prompt_is_rolled_out_first() -> None:
    numbers = drawn("greso-case-study").numbers
    first = numbers[numbers["epoch"] == 1]
    assert set(first["cell"]) == {"rolled out"}
    assert len(numbers) == 80 * 12

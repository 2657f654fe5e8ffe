"""SPEED's Table 1 and curves, from the authors' logs."""

from itertools import pairwise
from math import isnan

import numpy as np
import pytest

from sim.figures import speed_curves, speed_table1
from sim.figures.speed_logs import (
    FIRST,
    RULES,
    SMOOTHED,
    UPDATES,
    by_evaluation,
    crossings,
    first_reached,
    of_three,
    target,
    twice,
)

HOURS = np.arange(5.0)
VALUES = np.array([0.1, 0.4, 0.2, 0.6, 0.5])
# Training steps at the crossings: baseline and SPEED, by setting and then benchmark.
STEPS = {
    "1.5B NuminaMath RLOO": ((1225, 400), (650, 200), (225, 175), (650, 350)),
    "1.5B NuminaMath DAPO": ((None, 575), (650, 225), (350, 200), (600, 525)),
    "1.5B DAPO-17k RLOO": ((None, 250), (650, 275), (375, 125), (600, 275)),
    "7B DAPO-17k RLOO": ((475, 150), (450, 175), (150, 75), (275, 125)),
    "7B DAPO-17k DAPO": ((325, 225), (600, 275), (200, 100), (200, 125)),
    "7B DeepScaleR RLOO": ((450, 125), (400, 125), (200, 50), (350, 75)),
    "7B DeepScaleR DAPO": ((475, 625), (450, 250), (200, 100), (300, 100)),
}


def test_the_steps_at_which_targets_are_reached() -> None:
    listed = [pair for pairs in STEPS.values() for pair in pairs]
    assert len(crossings()) == len(listed) == 28
    for one, (base, speed) in zip(crossings(), listed, strict=True):
        assert one.speed_step == speed, one
        assert one.base_step == base or (base is None and isnan(one.base_step)), one


def test_every_number_of_table_1_is_reproduced() -> None:
    drawn = speed_table1.table1(1.0)
    compared = drawn.values
    assert len(compared) == 1 + 28 + 26 + 26
    assert all(value.reproduced for value in compared)
    assert compared[0].here == pytest.approx(3.274, abs=5e-4)
    found = {value.what: value.here for value in compared}
    assert found["7B DeepScaleR RLOO, AIME: speedup"] == pytest.approx(
        5.96, abs=5e-3
    )  # not 6.1
    assert len({value.here for value in compared}) > 60  # logged hours, not the rounded ones


def test_six_updates_per_training_step_undo_the_speedup() -> None:
    assert UPDATES == 6.0
    found = [one.per_update for one in crossings() if not isnan(one.per_update)]
    assert max(found) == pytest.approx(350 / 75 / 6)
    assert min(found) == pytest.approx(475 / 625 / 6)


def test_the_average_under_other_definitions() -> None:
    """As another program found from the same logs, to two decimals."""
    means = {rule.name: np.nanmean([c.speedup for c in crossings(rule)]) for rule in RULES}
    finite = {
        rule.name: np.isfinite([c.speedup for c in crossings(rule)]).sum() for rule in RULES
    }
    assert (round(means["two in a row"], 2), finite["two in a row"]) == (3.44, 24)
    assert (round(means["mean of three"], 2), finite["mean of three"]) == (3.33, 24)
    assert (round(means[SMOOTHED.name], 2), finite[SMOOTHED.name]) == (2.45, 21)
    assert round(means["target +1 pts"], 2) == 2.93
    assert round(means["target −1 pts"], 2) == 3.43


def test_an_average_that_does_not_survive_is_not_reproduced() -> None:
    compared = speed_table1.definitions(1.0).values
    verdict = {
        value.what.removeprefix("mean speedup, "): value.reproduced for value in compared
    }
    assert verdict[FIRST.name]
    assert verdict["two in a row"]
    assert not verdict[SMOOTHED.name]
    assert not verdict["per optimizer update"]


def test_readings_of_a_curve() -> None:
    assert twice(HOURS, VALUES).tolist() == [0.1, 0.2, 0.2, 0.5, -np.inf]
    assert of_three(HOURS, VALUES)[1:-1] == pytest.approx([0.7 / 3, 0.4, 1.3 / 3])
    assert np.isneginf(of_three(HOURS, VALUES)[[0, -1]]).all()
    assert by_evaluation(HOURS, VALUES)[:2] == pytest.approx([0.1, 0.6 * 0.1 + 0.4 * 0.4])


def test_a_target_that_is_out_of_reach() -> None:
    run = ("1.5B", "DAPO-17k", "RLOO", "base")
    assert all(isnan(x) for x in first_reached(run, "DAPO-1k"))
    assert target("1.5B", "DAPO-1k") == 0.3
    assert target("7B", "AIME") == 0.18


@pytest.mark.parametrize(("base", "speed"), [(9.7, 1.6), (25.9, 7.6), (17.1, 15.1)])
def test_rounding_covers_all_that_rounds_to_the_printed_hours(
    base: float, speed: float
) -> None:
    off = np.linspace(-0.05, 0.05, 21)
    ratios = (base + off[:, None]) / (speed + off)
    worst = np.abs(ratios - base / speed).max()
    assert speed_table1.rounding(base, speed) == pytest.approx(0.05 + worst)


def test_the_only_real_loss_is_on_math500() -> None:
    where, change = speed_curves.largest_loss()
    assert where == "1.5B NuminaMath RLOO, MATH500"
    assert change == pytest.approx(0.596 - 0.728, abs=1.5e-3)


def test_the_curves_drawn_are_those_of_the_logs() -> None:
    rows = speed_curves.main(1.0).numbers.to_dict("records")
    aime = [
        (float(row["hours"]), float(row["accuracy"]))
        for row in rows
        if (row["setting"], row["variant"], row["benchmark"])
        == ("7B DeepScaleR RLOO", "SPEED", "AIME")
    ]
    hours = [hour for hour, _ in aime]
    assert hours[0] == 0.0
    assert hours[-1] <= 10.0
    assert all(a < b for a, b in pairwise(hours))
    crossed = next(hour for hour, accuracy in aime if accuracy >= 0.18)
    assert crossed == pytest.approx(1.6, abs=0.05)  # hours of Table 1


def test_the_teaser_reproduces_its_ratio_and_not_its_level() -> None:
    compared = speed_curves.teaser(1.0).values
    assert [value.reproduced for value in compared] == [True, False, False, False]
    start, speed, base = (value.here for value in compared[1:])
    assert start == pytest.approx(0.227, abs=1e-3)
    assert start < base < speed < 0.52

"""SPEED's theorem, the objective of screening, pass rates and prices."""

import numpy as np
import pytest

from sim.figures import speed_pass_rates, speed_theory
from theory.published import dapo1k_passes

# SNR without noise at p = .01, .1, .25, .5, and 4Np(1-p), to the digits given.
SNR = {
    4: ((0.0410, 0.5143, 2.0, 6.0), (0.158, 1.44, 3.0, 4.0)),
    8: ((0.0822, 1.0815, 4.9412, 28.0), (0.317, 2.88, 6.0, 8.0)),
    24: ((0.2472, 3.3342, 16.898, 276.0), (0.95, 8.64, 18.0, 24.0)),
}


@pytest.mark.parametrize("N", SNR)
def test_the_curves_of_the_theorem(N: int) -> None:
    rows = [
        row
        for row in speed_theory.signal_to_noise(1.0).numbers.to_dict("records")
        if (row["estimator"], row["N"]) == ("RLOO", N)
    ]
    ratio, bound = SNR[N]
    places = (0.01, 0.1, 0.25, 0.5)
    found = [min(rows, key=lambda row: abs(row["pass_rate"] - p)) for p in places]
    assert [row["snr"] for row in found] == pytest.approx(ratio, rel=2e-3)
    assert [row["bound"] for row in found] == pytest.approx(bound, rel=4e-3)


def test_the_theorem_holds_in_its_range_and_nowhere_else() -> None:
    compared = speed_theory.signal_to_noise(1.0).values
    assert [value.reproduced for value in compared] == [True, True, True, False, False]
    largest, edge, _, everywhere, grpo = (value.here for value in compared)
    assert largest <= 1.0 + 1e-12
    assert edge == pytest.approx(0.25, abs=1e-4)
    assert everywhere == pytest.approx(276 / 24)
    assert grpo > 30.89 / 15.36  # at p = .2, and more at 1/4


@pytest.mark.parametrize(
    ("split", "drawn", "trained"),
    [
        ((4, 20), (0.198, 0.442, 0.878), (5.03, 1.29, 1.00)),
        ((6, 18), (0.292, 0.590, 0.970), (4.99, 1.26, 1.00)),
        ((8, 16), (0.383, 0.702, 0.993), (4.95, 1.23, 1.00)),
    ],
)
def test_the_slope_of_the_objective(
    split: tuple[int, int], drawn: tuple[float, ...], trained: tuple[float, ...]
) -> None:
    rows = [
        row
        for row in speed_theory.objective(1.0).numbers.to_dict("records")
        if (row["screening"], row["continuation"]) == split
    ]
    found = [min(rows, key=lambda row: abs(row["pass_rate"] - p)) for p in (0.01, 0.1, 0.5)]
    assert [row["per_prompt"] for row in found] == pytest.approx(drawn, abs=6e-4)
    assert [row["per_trained_group"] for row in found] == pytest.approx(trained, abs=6e-3)


def test_a_sixth_of_the_slope_is_left_at_the_edge() -> None:
    (value,) = speed_theory.objective(1.0).values
    assert value.here == pytest.approx(4 / 24)
    assert not value.reproduced


def test_ordered_colours_are_distinct() -> None:
    assert len({speed_theory.shade(place, 6) for place in range(6)}) == 6
    assert speed_theory.shade(0, 1) == speed_theory.shade(0, 6)


@pytest.mark.parametrize("model", ["1.5B", "7B"])
def test_the_histogram_is_the_printed_one(model: str) -> None:
    assert tuple(speed_pass_rates.bins(model)) == speed_pass_rates.PRINTED[model]
    assert sum(speed_pass_rates.PRINTED[model]) == 1000
    assert speed_pass_rates.fitted_bins(model).sum() == pytest.approx(1000.0)


def test_bins_are_closed_below() -> None:
    passes = np.array([0, 1, 2, 16, 31, 32])  # observed .03, .06, .5, .97 and 1
    assert speed_pass_rates.binned(passes).tolist() == [0, 0, 1, 10, 19, 19]


def test_all_of_the_histogram_is_reproduced() -> None:
    compared = speed_pass_rates.pass_rates(1.0).values
    assert len(compared) == 2 * (3 + 20)
    assert all(value.reproduced for value in compared)
    assert compared[0].here == pytest.approx(dapo1k_passes("1.5B").mean() / 32)


def test_a_moved_bar_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = (459, 150, *speed_pass_rates.PRINTED["1.5B"][2:])
    monkeypatch.setitem(speed_pass_rates.PRINTED, "1.5B", moved)
    compared = speed_pass_rates.pass_rates(1.0).values
    assert sum(not value.reproduced for value in compared) == 2


def test_a_training_step_by_the_prices() -> None:
    drawn = speed_pass_rates.timing(1.0)
    printed = drawn.numbers.set_index("run").loc["7B printed"]
    assert tuple(printed) == (71.5, 31.9)
    compared = drawn.values
    assert all(value.reproduced for value in compared)
    inference, training = speed_pass_rates.seconds("speed-1.5b")
    assert inference + training == pytest.approx(76.9, rel=0.03)  # seconds per step of its logs

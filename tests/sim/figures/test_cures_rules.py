"""CurES's Figure 1: rules against their formulas, enumeration and the release's own numbers."""

import numpy as np
import pytest
from scipy.special import comb

from sim.figures.cures_rules import (
    RATES,
    after_pilot,
    allocations,
    chances,
    released_weights,
)
from tests.sim.figures.across_made import made

HALF = RATES.size // 2


def at(curve: np.ndarray, rate: float) -> float:
    return float(curve[np.abs(RATES - rate).argmin()])


def test_a_pilot_is_averaged_over_its_outcomes() -> None:
    worth, p = np.array([3.0, 5.0, 1.0]), np.array([0.2, 0.7])
    expected = (1 - p) ** 2 * 3.0 + 2 * p * (1 - p) * 5.0 + p**2 * 1.0
    np.testing.assert_allclose(after_pilot(worth, p), expected)


def test_the_release_samples_uniformly_to_a_third_of_a_percent() -> None:
    """Weights of the executed release, and its mode: prompts that never passed."""
    weights = np.array([1.003734, 1.002360, 1.001668, 1.001179, 1.000746])
    np.testing.assert_allclose(released_weights(), weights / weights[-1], atol=2e-6)


def test_chances_are_those_of_the_papers_formulas() -> None:
    chance = chances()
    assert RATES[HALF] == 0.5
    for curve in chance.values():
        assert curve[HALF] == 1.0
    v = RATES * (1 - RATES)
    np.testing.assert_allclose(chance["cures"], np.exp((np.sqrt(v) - 0.5) / 0.1))
    accepted = sum(comb(4, k) * RATES**k * (1 - RATES) ** (4 - k) for k in (1, 2, 3))
    np.testing.assert_allclose(chance["speed"], accepted / 0.875)
    np.testing.assert_allclose(chance["cures-released"], chance["speed"], atol=5e-4)
    assert np.abs(chance["cures-released"] - chance["speed"]).max() > 1e-5
    assert (chance["gvm"] == 1.0).all()
    assert at(chance["gvm-released"], 0.1) == pytest.approx((1 - 0.9**8) / (1 - 0.5**8))


def test_the_release_allocates_like_a_screen() -> None:
    """E[n given p] over that at 1/2; SPEED's acceptance is .089 .212 .393 .673 .859."""
    released = allocations()["cures-released"]
    got = [at(released, p) / released[HALF] for p in (0.02, 0.05, 0.1, 0.2, 0.3)]
    np.testing.assert_allclose(got, [0.084, 0.201, 0.377, 0.657, 0.850], atol=6e-4)


def test_allocations_average_one_and_peak_where_they_should() -> None:
    curves = allocations()
    for curve in curves.values():
        assert curve.mean() == pytest.approx(1.0)
    assert RATES[curves["gvm"].argmax()] == pytest.approx(0.03, abs=0.003)
    assert 0.15 < RATES[curves["gvm-released"].argmax()] < 0.35
    for name in ("speed", "cures", "cures-released"):
        assert RATES[curves[name].argmax()] == 0.5
    ratio = curves["cures"] / np.sqrt(RATES * (1 - RATES))
    assert np.ptp(ratio) < 1e-9
    assert at(curves["speed"], 0.5) / at(curves["speed"], 0.005) == pytest.approx(
        (4 + 20 * 0.875) / (4 + 20 * (1 - 0.995**4 - 0.005**4))
    )


def test_what_the_executed_release_gave_is_reproduced() -> None:
    drawn = made("cures-1")
    assert [value.published for value in drawn.values] == [1.00299, 10.0, 12.0, 10.0, 0.0]
    assert all(value.reproduced for value in drawn.values)
    assert set(drawn.numbers["quantity"]) == {"chance", "rollouts"}

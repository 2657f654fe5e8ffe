"""What can be gained at most: limits, allocation, and the index."""

import numpy as np
import pytest

from sim.figures.across_allocation import BUDGET, LEAST, SPREAD, allocations, worth
from sim.figures.across_index import BOUNDED, RANKED, starts
from sim.figures.across_limits import POPULATIONS, whole_group_gain
from tests.sim.figures.across_made import numbers_of
from theory.limits import Beta, allocation_limit

TABLE = {  # E[v] gives the first, then E sqrt v, then Neyman's
    "DSR-sub 1.5B, start": (2.20, 1.70, 1.32),
    "DSR-sub 1.5B, visit 11": (2.36, 1.80, 1.37),
    "DSR-sub 1.5B, visit 44": (2.46, 1.85, 1.40),
    "OpenR1 1.5B": (2.67, 1.98, 1.47),
    "DAPO-17k 1.5B": (2.82, 2.00, 1.42),
    "DAPO-17k 7B": (2.24, 1.69, 1.28),
    "uniform on [0, 1]": (1.50, 1.27, 1.08),
}
NAMES = ("choose, worth v", "choose, worth √v", "allocate, fractions")


@pytest.mark.parametrize("name", TABLE)
def test_limits_are_those_derived(name: str) -> None:
    gains = numbers_of("across-limits").set_index(["population", "limit"])["gain"]
    np.testing.assert_allclose([gains[name, limit] for limit in NAMES], TABLE[name], atol=6e-3)
    assert 1.0 < gains[name, "choose best quarter"] < gains[name, "choose, worth v"]
    assert (
        1.0 < gains[name, "allocate, groups of 8"] < gains[name, "allocate, fractions"] + 0.01
    )


def test_all_populations_are_shown() -> None:
    assert set(numbers_of("across-limits")["population"]) == set(TABLE) == set(POPULATIONS)


def test_whole_groups_by_known_cases() -> None:
    """Pass rates all alike leave nothing to allocate; unsolved prompts need nothing."""
    assert whole_group_gain(Beta(5000.0, 5000.0)) == pytest.approx(1.0, abs=2e-3)
    half = whole_group_gain(Beta(5000.0, 5000.0, 0.5))
    assert half == pytest.approx((14 - 1) / (8 - 1), rel=0.02)  # 2 for the unsolved, 14 else
    assert half < allocation_limit(Beta(5000.0, 5000.0, 0.5))


@pytest.mark.parametrize(
    ("estimator", "loss", "noise", "ratios"),
    [
        ("rloo", "per prompt", 0.0, (0.996, 0.848, 0.985, 0.965)),
        ("rloo", "flat", 0.0, (0.963, 0.700, 0.995, 0.875)),
        ("grpo", "per prompt", 0.0, (0.965, 0.830, 0.980, 0.939)),
        ("grpo", "flat", 0.0, (0.945, 0.595, 0.995, 0.773)),
        ("rloo", "per prompt", 100.0, (0.930, 0.993, 0.993, 0.764)),
        ("rloo", "flat", 100.0, (0.541, 0.666, 0.666, 0.460)),
        ("grpo", "per prompt", 100.0, (0.780, 0.889, 0.889, 0.677)),
        ("grpo", "flat", 100.0, (0.475, 0.609, 0.609, 0.374)),
    ],
)
def test_efficiencies_are_those_derived(
    estimator: str, loss: str, noise: float, ratios: tuple[float, ...]
) -> None:
    """Of a local search elsewhere: within 4 thousandths of the exact optimum's ratios."""
    numbers = numbers_of("across-allocation")
    case = f"{estimator.upper()}, {loss}, {'noise' if noise else 'no noise'}"
    even = numbers[numbers["population"] == "pass rates spread evenly"]
    np.testing.assert_allclose(even[even["case"] == case]["worth"], ratios, atol=4e-3)


def test_allocations_spend_the_budget() -> None:
    for counts in allocations(SPREAD, 1.0).values():
        assert counts.sum() == BUDGET
        assert counts.min() >= LEAST
    assert max(worth(SPREAD, "rloo", 1.0, flattened=False).values()) <= 1.0


def test_no_rule_exceeds_what_is_possible() -> None:
    assert numbers_of("across-allocation")["worth"].between(0.0, 1.0 + 1e-12).all()


def test_the_index_favours_the_hard_and_leads() -> None:
    numbers = numbers_of("across-index")
    index = numbers[numbers["part"] == "index"].set_index(["curve", "x"])["y"]
    table = {
        0.5: (0.4483, 0.3),
        1.0: (0.1974, 0.09),
        1.5: (0.0851, 0.027),
        2.0: (0.0358, 0.0081),
    }
    for power, (worth_, now) in table.items():
        curve = index[f"a={power:g}"]
        low = curve.iloc[np.abs(curve.index - 0.1).argmin()]
        assert low == pytest.approx(worth_ / now, rel=6e-3)
        assert (curve[curve.index >= 0.5] == 1.0).all()
    run = numbers[numbers["part"] == "run"]
    curves = {name: part.set_index("x")["y"] for name, part in run.groupby("curve")}
    start = starts().mean()
    bound = curves.pop(BOUNDED)
    for name, curve in curves.items():
        assert curve.iloc[0] == pytest.approx(start)
        assert (np.interp(bound.index, curve.index, curve) <= bound + 5e-3).all()
        assert name == RANKED or curve.iloc[-1] < curves[RANKED].iloc[-1] - 0.03
    assert bound.iloc[-1] - curves[RANKED].iloc[-1] < 0.02

"""Signal per rollout of every system: against formulas, bounds and what must hold exactly."""

from typing import Any

import numpy as np
import pytest

from sim.figures.across_signal import SYSTEMS, WORLDS, compare, per_rollout
from tests.sim.figures.across_made import numbers_of
from theory.limits import Beta, selection_limit
from theory.published import FITTED
from theory.screened_signal import screened_signal

STILL = {"DAPO-17k 1.5B, still": "1.5B", "DAPO-17k 7B, still": "7B"}


@pytest.fixture(scope="module")
def signal() -> Any:  # noqa: ANN401
    numbers = numbers_of("across-signal")
    assert numbers.shape[0] == len(SYSTEMS) * len(WORLDS) * 2
    return numbers.set_index(["world", "system", "metric"])["value"]


@pytest.mark.parametrize("world", STILL)
def test_screening_gathers_what_its_formula_says(signal: Any, world: str) -> None:  # noqa: ANN401
    """Two seeds of ten steps, 640 groups each: 5 % of standard error at most."""
    theory = screened_signal(Beta(*FITTED[STILL[world]]), 4, 20)
    assert signal[world, "speed", "realised"] == pytest.approx(theory.realized, rel=0.1)
    assert signal[world, "speed", "expected"] == pytest.approx(theory.expected, rel=0.1)
    assert signal[world, "speed", "realised"] > signal[world, "speed", "expected"]


@pytest.mark.parametrize("world", WORLDS)
def test_dropping_zeros_gathers_no_more_than_uniform(signal: Any, world: str) -> None:  # noqa: ANN401
    assert signal[world, "dynamic", "realised"] == pytest.approx(1.0, abs=0.08)
    assert signal[world, "dynamic", "expected"] < signal[world, "dynamic", "realised"]
    released = signal[world, "dynamic-released", "realised"]
    assert released < 0.7  # rounds of 4 prompts per group wanted, the surplus dropped


@pytest.mark.parametrize("world", WORLDS)
def test_rules_blind_to_their_outcomes_have_one_signal(signal: Any, world: str) -> None:  # noqa: ANN401
    for system in ("mopps", "cures", "gvm", "oracle"):
        both = [signal[world, system, metric] for metric in ("realised", "expected")]
        assert both[0] == pytest.approx(both[1], rel=0.06)
    best = signal[world].xs("expected", level="metric")
    assert best.idxmax() == "oracle"
    if world in STILL:
        limit = selection_limit(Beta(*FITTED[STILL[world]]))
        assert best.max() < 1.1 * limit  # the limit of the fit, not of the prompts drawn


def test_signal_is_per_generated_rollout() -> None:
    """Uniform: E[v] of the population per rollout, .089 for the fit."""
    got = per_rollout("DAPO-17k 1.5B, still", "uniform", 2, 20)
    assert np.mean(got["expected"]) == pytest.approx(0.0887, rel=0.1)
    assert np.mean(got["realised"]) == pytest.approx(0.0887, rel=0.12)
    assert got["expected"].shape == (2,)


def test_uniform_against_itself_would_be_one() -> None:
    found = compare(2, 1)
    assert set(found) == {
        (w, s, m) for w in WORLDS for s in SYSTEMS for m in ("realised", "expected")
    }
    assert all(estimate.value > 0 for estimate in found.values())

"""The formula against `theory`, and groups of made-up scores against the formula."""

import numpy as np
import pytest
from jaxtyping import Bool, Float

from smallscale.geometry import Estimator, Geometry
from smallscale.group_snr import (
    exact_snr,
    interval,
    measured,
    noise_dominated_snr,
    speed_bound,
)
from theory import snr as theory_snr
from theory.moments import moments

SCORES = Geometry(1.0, 1.6, 3.6)
ESTIMATORS: tuple[Estimator, ...] = ("rloo", "grpo")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("rollouts", [2, 3, 8, 24])
@pytest.mark.parametrize("pass_rate", [0.0, 0.04, 0.3, 0.5, 0.9, 1.0])
def test_formulas_are_those_of_theory(
    estimator: Estimator, rollouts: int, pass_rate: float
) -> None:
    exact = moments(estimator, pass_rate, rollouts)
    for scores in (SCORES, Geometry(2.0, 0.0, 5.0), Geometry(0.5, 70.0, 90.0)):
        expected = exact.snr(scores.contrast, scores.pass_noise, scores.fail_noise)
        found = exact_snr(estimator, pass_rate, rollouts, scores)
        assert found == pytest.approx(float(expected), abs=1e-12)
        limit = theory_snr.noise_dominated_snr(pass_rate, rollouts, scores.noise)
        assert noise_dominated_snr(pass_rate, rollouts, scores) == pytest.approx(float(limit))
    bound = float(theory_snr.speed_bound(pass_rate, rollouts))
    assert speed_bound(pass_rate, rollouts) == pytest.approx(bound)


def test_the_formula_at_its_ends() -> None:
    assert exact_snr("rloo", 0.5, 2, Geometry(-1.0, 1.0, 1.0)) == 0.0
    assert exact_snr("rloo", 0.5, 3, Geometry(1.0, 0.0, 0.0)) == pytest.approx(3.0)
    with pytest.raises(ValueError, match="rollouts=1"):
        exact_snr("rloo", 0.5, 1, SCORES)
    with pytest.raises(ValueError, match=r"pass_rate=1\.5"):
        exact_snr("rloo", 1.5, 4, SCORES)


def drawn(
    rng: np.random.Generator, rollouts: int, pass_rate: float = 0.3
) -> tuple[Float[np.ndarray, "R R"], Bool[np.ndarray, "R"]]:
    """Gram matrix and outcomes of rollouts whose constants are `SCORES`, in 40 dimensions."""
    passed = rng.random(rollouts) < pass_rate
    deviation = np.sqrt(np.where(passed, SCORES.pass_noise, SCORES.fail_noise) / 40)
    rows = deviation[:, None] * rng.normal(size=(rollouts, 40))
    rows[:, 0] += passed - pass_rate  # (1-p) D of those that pass, -p D of those that fail
    return rows @ rows.T, passed


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("rollouts", [2, 4, 24])
def test_groups_have_the_snr_of_the_formula(estimator: Estimator, rollouts: int) -> None:
    """Over other seeds the ratio has a standard deviation of 4% at most: 15% is 4 of them."""
    rng = np.random.default_rng(5)
    found = measured(*drawn(rng, 2400), estimator, rollouts, deals=4, rng=rng)
    assert found == pytest.approx(exact_snr(estimator, 0.3, rollouts, SCORES), rel=0.15)


def test_few_rollouts_are_not_biased() -> None:
    """A mean over all groups, its noise left in, would be 1.5 times the formula here."""
    rng = np.random.default_rng(6)
    found = [measured(*drawn(rng, 48), "rloo", 4, deals=20, rng=rng) for _ in range(300)]
    assert np.mean(found) == pytest.approx(exact_snr("rloo", 0.3, 4, SCORES), rel=0.12)


def test_intervals_cover() -> None:
    """Of 60 intervals at 95%, less than 49 cover with a probability of 4e-5."""
    rng, exact = np.random.default_rng(7), exact_snr("rloo", 0.3, 4, SCORES)
    found = [interval(*drawn(rng, 192), "rloo", 4, deals=10, rng=rng) for _ in range(60)]
    assert sum(low < exact < high for low, high in found) >= 49
    assert np.median([high / low for low, high in found]) < 4.0


def test_noise_may_hide_the_mean() -> None:
    rng = np.random.default_rng(8)
    passed = np.arange(16) < 8
    opposed = np.eye(16) - 0.02 * np.outer(2 * passed - 1, 2 * passed - 1)
    assert measured(opposed, passed, "rloo", 4, deals=5, rng=rng) == 0.0
    low, high = interval(opposed, passed, "rloo", 4, deals=5, rng=rng)
    assert np.isnan([low, high]).all()


def test_two_groups_are_the_least() -> None:
    rng = np.random.default_rng(9)
    with pytest.raises(ValueError, match="15 rollouts make less than two groups of 8"):
        measured(np.eye(15), np.arange(15) < 8, "rloo", 8, deals=1, rng=rng)


def test_without_any_noise_the_limit_is_infinite() -> None:
    assert noise_dominated_snr(0.5, 8, Geometry(2.0, 0.0, 0.0)) == np.inf

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from scipy.stats import binom

from tests.statistical import assert_mean
from theory.tracking import (
    best_memory,
    confidence,
    counts_after,
    lag_bias,
    loose_bound,
    mean_squared_error,
    mean_weights,
    optimal_memory,
    stationary_mean,
    stationary_variance,
    steady_counts,
    tight_bound,
    update,
)

shares = st.floats(0.0, 1.0)
shapes = st.floats(0.1, 20.0)


def test_memory_one_is_bayes_and_memory_zero_forgets() -> None:
    assert [float(x) for x in update(3.0, 4.0, 2, 8, 1.0)] == [5.0, 10.0]
    assert [float(x) for x in update(3.0, 4.0, 2, 8, 0.0)] == [3.0, 7.0]
    assert [float(x) for x in update(3.0, 5.0, 2, 8, 0.5)] == [4.0, 9.0]
    got = update(3.0, 5.0, 2, 8, 0.5, prior_alpha=2.0, prior_beta=6.0)
    assert [float(x) for x in got] == [4.5, 11.5]


@given(a=shapes, b=shapes, a0=shapes, b0=shapes, memory=shares, passes=st.integers(0, 8))
def test_the_mean_obeys_its_recursion(
    a: float, b: float, a0: float, b0: float, memory: float, passes: int
) -> None:
    alpha, beta = update(a, b, passes, 8, memory, a0, b0)
    kept, prior, data = mean_weights(a + b, 8, memory, a0 + b0)
    np.testing.assert_allclose(kept + prior + data, 1.0)
    mean = kept * a / (a + b) + prior * a0 / (a0 + b0) + data * passes / 8
    np.testing.assert_allclose(alpha / (alpha + beta), mean)


def walk(memory: float, drift: float) -> dict[str, Float[np.ndarray, "T W"]]:
    """Pass rates that move by up to `drift` a visit, tracked from the prior on."""
    rng = np.random.default_rng(0)
    rate = rng.random(2000)
    alpha = beta = np.ones(rate.size)
    keys = ("counts", "before", "now", "moved", "rate", "observed")
    log: dict[str, list[np.ndarray]] = {key: [] for key in keys}
    for _ in range(40):
        counts, before = alpha + beta, np.abs(alpha / (alpha + beta) - rate)
        moved = np.clip(rate + drift * rng.uniform(-1, 1, rate.size), 0.0, 1.0)
        passes = rng.binomial(8, moved)
        alpha, beta = update(alpha, beta, passes, 8, memory)
        now = np.abs(alpha / (alpha + beta) - moved)
        row = (counts, before, now, np.abs(moved - rate), moved, passes / 8)
        for key, value in zip(keys, row, strict=True):
            log[key].append(value)
        rate = moved
    return {key: np.array(value) for key, value in log.items()}


@pytest.mark.parametrize("memory", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("drift", [0.0, 0.02, 0.2])
def test_the_bounds_hold_for_a_prompt_trained_at_every_step(
    memory: float, drift: float
) -> None:
    """The tight one always; the loose one far more often than it promises at eta = .3."""
    log = walk(memory, drift)
    luck = np.abs(log["observed"] - log["rate"])
    weights = mean_weights(log["counts"], 8, memory)
    away = np.abs(0.5 - log["rate"])
    tight = tight_bound(weights, log["before"], log["moved"], away, luck)
    assert (log["now"] <= tight + 1e-12).all()
    assert (tight <= loose_bound(log["before"], log["moved"], memory, luck) + 1e-12).all()
    violated = log["now"] >= loose_bound(log["before"], drift, memory, 0.3)
    assert confidence(8, 0.3) == pytest.approx(1 - 0.474, abs=5e-4)
    assert violated.mean() < 0.02 < 1.0 - confidence(8, 0.3)


def test_the_tight_bound_is_attained() -> None:
    """Everything errs to one side: mean .9 against .2, prior .5, observed pass rate 1."""
    alpha, beta = update(9.0, 1.0, 8, 8, 0.5)
    weights = mean_weights(10.0, 8, 0.5)
    bound = tight_bound(weights, 0.6, 0.1, 0.3, 0.8)
    np.testing.assert_allclose(bound, alpha / (alpha + beta) - 0.2)


def violations(
    counts: float, mean: float, prior_mean: float, memory: float, eta: float
) -> float:
    """Exact chance that the error after a group at pass rate 0.05 reaches the loose bound."""
    passes = np.arange(9)
    weights = mean_weights(counts, 8, memory)
    new = weights[0] * mean + weights[1] * prior_mean + weights[2] * passes / 8
    bound = loose_bound(abs(mean - 0.05), 0.0, memory, eta)
    return float(binom.pmf(passes, 8, 0.05) @ (np.abs(new - 0.05) >= bound))


@pytest.mark.parametrize("memory", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("eta", [0.22, 0.25, 0.3, 0.4])
def test_the_loose_bound_holds_up_to_the_steady_counts(memory: float, eta: float) -> None:
    allowed = 1.0 - float(confidence(8, eta))
    for counts in np.linspace(2.0, float(steady_counts(8, memory)), 9):
        for mean in np.linspace(0.0, 1.0, 21):
            assert violations(counts, mean, 0.5, memory, eta) <= allowed


def test_the_loose_bound_fails_beyond_the_steady_counts() -> None:
    """A warm start on 256 passes, each counted three times; the pass rate is now .05."""
    assert steady_counts(8, 0.25) < 770
    assert violations(770.0, 1.0, 0.5, 0.25, 0.25) == pytest.approx(1.0)
    assert confidence(8, 0.25) > 0.26


def test_the_loose_bound_fails_for_a_prior_mean_other_than_one_half() -> None:
    """A strong prior of 1 at pass rate .05, and no memory of anything else."""
    _, prior, data = mean_weights(1000.0, 8, 0.0, 1000.0)
    errors = prior * 1.0 + data * np.arange(9) / 8 - 0.05
    assert errors.min() > loose_bound(0.95, 0.0, 0.0, 0.4)
    assert confidence(8, 0.4) > 0.84


def test_the_loose_bound_fails_for_a_prompt_that_is_not_visited() -> None:
    """Its belief stands still: error .9 stays .9, against 1/2 + eta at memory 0."""
    assert loose_bound(0.9, 0.0, 0.0, 0.3) < 0.9


def test_counts_of_a_belief() -> None:
    """n_inf = 13.43, 18 and 82 at N = 8; without end at memory 1."""
    steady = steady_counts(8, np.array([0.3, 0.5, 0.9, 1.0]))
    np.testing.assert_allclose(steady, [13.4286, 18.0, 82.0, np.inf], atol=1e-4)
    for memory in (0.0, 0.3, 0.9, 1.0):
        alpha, beta = np.ones(()), np.ones(())
        for visits in range(6):
            np.testing.assert_allclose(counts_after(visits, 8, memory), alpha + beta)
            alpha, beta = update(alpha, beta, 3, 8, memory)
    np.testing.assert_allclose(counts_after(10**6, 8, 0.5), 18.0)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_stationary_moments_agree_with_simulation(memory: float) -> None:
    """The control is a variance with 1 - memory in place of 1 - memory^2."""
    rng = np.random.default_rng(1)
    alpha, beta = np.full(100_000, 1.0), np.full(100_000, 3.0)
    for _ in range(60):
        alpha, beta = update(alpha, beta, rng.binomial(8, 0.3, alpha.size), 8, memory, 1.0, 3.0)
    mean = alpha / (alpha + beta)
    expected = float(stationary_mean(0.3, 8, memory, 1.0, 3.0))
    variance = float(stationary_variance(0.3, 8, memory, 4.0))
    assert_mean(mean, expected)
    high = float(((mean - expected) ** 2).max())
    assert_mean((mean - expected) ** 2, variance, 0.0, high)
    if memory > 0:
        with pytest.raises(AssertionError):
            assert_mean((mean - expected) ** 2, variance * (1 + memory), 0.0, high)


@pytest.mark.parametrize(("memory", "published"), [(0.3, -0.0276), (0.5, -0.0236)])
def test_the_lag_under_linear_drift(memory: float, published: float) -> None:
    """Exact in the long run; mostly shrinkage towards 1/2 at a pass rate of .673."""
    rates = 0.673 + 0.005 * np.arange(-60, 1)
    alpha = beta = 1.0
    for rate in rates:  # the mean of alpha is linear in the pass rates
        alpha = memory * alpha + (1 - memory) + 8 * rate
        beta = memory * beta + (1 - memory) + 8 * (1 - rate)
    lag, shrunk = lag_bias(0.005, 8, memory), stationary_mean(0.673, 8, memory) - 0.673
    np.testing.assert_allclose(alpha / (alpha + beta) - 0.673, shrunk + lag, atol=1e-12)
    assert shrunk + lag == pytest.approx(published, abs=1e-4)
    assert lag == pytest.approx({0.3: -0.0018, 0.5: -0.0044}[memory], abs=5e-5)


def test_limits_of_the_memory() -> None:
    assert stationary_mean(0.3, 8, 1.0) == pytest.approx(0.3)
    assert stationary_mean(0.3, 8, 0.0) == pytest.approx(3.4 / 10)
    assert stationary_variance(0.3, 8, 1.0) == 0.0
    assert stationary_variance(0.3, 8, 0.0) == pytest.approx(8 * 0.21 / 100)
    assert stationary_variance(np.array([0.0, 1.0]), 8, 0.5).tolist() == [0.0, 0.0]
    assert lag_bias(np.array([0.01, -0.01]), 8, 1.0).tolist() == [-np.inf, np.inf]
    assert lag_bias(0.0, 8, 1.0) == 0.0
    assert lag_bias(0.1, 8, 0.0) == 0.0
    assert mean_squared_error(0.3, 8, np.array([1.0]), 0.01)[0] == np.inf
    assert mean_squared_error(0.3, 8, 1.0) == pytest.approx(0.0, abs=1e-30)


@given(rate=st.floats(0.01, 0.99), size=st.integers(1, 64), drift=st.floats(1e-6, 0.5))
def test_the_optimal_memory_is_the_root_of_its_cubic(
    rate: float, size: int, drift: float
) -> None:
    memory = float(optimal_memory(rate, size, drift))
    kappa = rate * (1 - rate) / (size * drift**2)
    assert memory * (1 + memory) ** 2 == pytest.approx(kappa * (1 - memory) ** 3, rel=1e-6)
    here = mean_squared_error(rate, size, memory, drift, 1e-9, 1e-9)
    others = np.linspace(0.0, 1.0, 999, endpoint=False)
    assert here <= mean_squared_error(rate, size, others, drift, 1e-9, 1e-9).min() + 1e-9


def test_the_optimal_memory() -> None:
    """1/2 suits a drift of .059 per visit at p = 1/2, N = 8, and .9 one of .0031."""
    drift = np.sqrt(0.25 / 8 / np.array([9.0, 0.9 * 1.9**2 / 0.001]))
    np.testing.assert_allclose(drift, [0.0589, 0.0031], atol=5e-5)
    np.testing.assert_allclose(optimal_memory(0.5, 8, drift), [0.5, 0.9], rtol=1e-12)
    slow = 1.0 - optimal_memory(0.5, 8, 1e-6)
    assert slow == pytest.approx((4 * 8 * 1e-12 / 0.25) ** (1 / 3), rel=1e-3)
    assert optimal_memory(0.5, 8, np.array([0.0, 1e-200, 1e200])).tolist() == [1.0, 1.0, 0.0]
    assert optimal_memory(np.array([0.0, 1.0]), 8, 0.1).tolist() == [0.0, 0.0]
    assert optimal_memory(0.0, 8, 0.0) == 1.0
    assert optimal_memory(0.5, 8, -0.01) == optimal_memory(0.5, 8, 0.01)


def test_the_best_memory_with_a_prior_agrees_with_a_grid() -> None:
    rate = np.array([0.02, 0.2, 0.5, 0.9])[:, None]
    drift = np.array([-0.05, -0.005, 0.005, 0.05])
    got = best_memory(rate, 8, drift, 1.0, 2.0)
    assert got.shape == (4, 4)
    grid = 1.0 - np.logspace(-5, 0, 5001)
    errors = mean_squared_error(rate[..., None], 8, grid, drift[:, None], 1.0, 2.0)
    least = mean_squared_error(rate, 8, got, drift, 1.0, 2.0)
    assert (least <= errors.min(axis=-1) + 1e-12).all()
    np.testing.assert_allclose(got, grid[errors.argmin(axis=-1)], atol=2e-3)


def test_a_prior_moves_the_best_memory() -> None:
    """At p = .2 a prior of 1/2 errs upwards, against the lag of a rise, with that of a fall."""
    weak = best_memory(0.3, 8, 0.01, 1e-9, 1e-9)
    assert weak == pytest.approx(float(optimal_memory(0.3, 8, 0.01)), abs=1e-6)
    assert best_memory(0.3, 8, 0.0) == 1.0
    alone = float(optimal_memory(0.2, 8, 0.06))
    assert best_memory(0.2, 8, -0.06) < alone - 0.01 < alone + 0.01 < best_memory(0.2, 8, 0.06)


def test_the_variance_under_drift_is_that_of_the_present_pass_rate_to_first_order() -> None:
    """Where the drift is fast the exact one differs: the condition of the squared error."""

    def exact(drift: float) -> float:
        past = np.maximum(0.5 - drift * np.arange(40), 0.0)
        return float((0.25 ** np.arange(40) * 8 * past * (1 - past)).sum() / 18.0**2)

    stationary = float(stationary_variance(0.5, 8, 0.5))
    assert exact(0.0) == pytest.approx(stationary)
    assert exact(0.01) == pytest.approx(stationary, rel=1e-3)
    assert exact(0.2) < 0.95 * stationary


@pytest.mark.parametrize("function", [stationary_mean, stationary_variance, mean_squared_error])
def test_domains_are_checked(function: Callable[[float, float, float], object]) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\], not 1\.5"):
        function(1.5, 8, 0.5)
    with pytest.raises(ValueError, match=r"whole number of rollouts.* not 0"):
        function(0.5, 0, 0.5)
    with pytest.raises(ValueError, match=r"memory lies in \[0, 1\], not -0\.5"):
        function(0.5, 8, -0.5)


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match=r"passes lie in \[0, 8\], not 9"):
        update(1.0, 1.0, 9, 8, 0.5)
    with pytest.raises(ValueError, match="passes is a whole number"):
        update(1.0, 1.0, 0.5, 8, 0.5)
    with pytest.raises(ValueError, match="alpha is positive, not 0"):
        update(0.0, 1.0, 1, 8, 0.5)
    with pytest.raises(ValueError, match="prior_beta is positive"):
        update(1.0, 1.0, 1, 8, 0.5, 1.0, -1.0)
    with pytest.raises(ValueError, match="counts is positive, not 0"):
        mean_weights(0.0, 8, 0.5)
    with pytest.raises(ValueError, match="error is finite and not negative"):
        loose_bound(-0.1, 0.0, 0.5, 0.1)
    with pytest.raises(ValueError, match="luck is finite and not negative"):
        confidence(8, -0.1)
    with pytest.raises(ValueError, match="drift is finite and not negative"):
        tight_bound(mean_weights(2.0, 8, 0.5), 0.1, -0.1, 0.1, 0.1)
    with pytest.raises(ValueError, match="drift is finite, not nan"):
        optimal_memory(0.5, 8, np.nan)
    with pytest.raises(ValueError, match=r"visits is a whole number.*not 0\.5"):
        counts_after(0.5, 8, 0.5)
    with pytest.raises(ValueError, match="prior_counts is positive"):
        steady_counts(8, 0.5, 0.0)

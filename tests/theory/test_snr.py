"""RLOO's SNR, and both sides of the condition under which SPEED's bound on it holds."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.closed_forms import fixed_baseline_moments, rloo_moments
from theory.moments import moments
from theory.snr import (
    gain_per_rollout,
    guaranteed_gain,
    noise_dominated_snr,
    optimal_step,
    rloo_snr,
    snr_max,
    speed_bound,
    speed_bound_edge,
    speed_bound_holds,
    speed_bound_noise,
    speed_bound_variance,
)

rates = st.just(0.0) | st.floats(1e-150, 1.0)
sizes = st.integers(2, 64)
noises = st.floats(0.0, 100.0)
GRID = np.linspace(0.0, 1.0, 401)


@given(rate=rates, size=sizes, D2=st.floats(0.01, 100.0), V1=noises, V0=noises)
def test_the_closed_form_agrees_with_the_moments(
    rate: float, size: int, D2: float, V1: float, V0: float
) -> None:
    exact = rloo_moments(rate, size).snr(D2, V1, V0)
    np.testing.assert_allclose(rloo_snr(rate, size, D2, V1, V0), exact, rtol=1e-9, atol=1e-300)


@given(rate=rates, size=sizes, V1=noises, V0=noises)
def test_noise_never_raises_the_snr(rate: float, size: int, V1: float, V0: float) -> None:
    assert rloo_snr(rate, size, 1.0, V1, V0) <= snr_max(rate, size) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("size", "largest", "bound"),
    [
        (
            2,
            (0.0202, 0.105, 0.2195, 0.4706, 0.6, 0.9231, 1),
            (0.079, 0.38, 0.72, 1.28, 1.5, 1.92, 2),
        ),
        (
            3,
            (0.0306, 0.1662, 0.3699, 0.9231, 1.2857, 2.5714, 3),
            (0.119, 0.57, 1.08, 1.92, 2.25, 2.88, 3),
        ),
        (4, (0.0410, 0.2257, 0.5143, 1.3714, 2, 4.8, 6), (0.158, 0.76, 1.44, 2.56, 3, 3.84, 4)),
        (
            8,
            (0.0822, 0.4614, 1.0815, 3.1549, 4.9412, 17.68, 28),
            (0.317, 1.52, 2.88, 5.12, 6, 7.68, 8),
        ),
        (
            16,
            (0.1647, 0.9310, 2.2086, 6.7133, 10.909, 53.33, 120),
            (0.634, 3.04, 5.76, 10.24, 12, 15.36, 16),
        ),
        (
            24,
            (0.2472, 1.4003, 3.3342, 10.270, 16.898, 94.63, 276),
            (0.95, 4.56, 8.64, 15.36, 18, 23.04, 24),
        ),
    ],
)
def test_tabulated_snr(size: int, largest: tuple[float, ...], bound: tuple[float, ...]) -> None:
    rate = np.array([0.01, 0.05, 0.1, 0.2, 0.25, 0.4, 0.5])
    np.testing.assert_allclose(snr_max(rate, size), largest, rtol=2e-3)
    np.testing.assert_allclose(speed_bound(rate, size), bound, rtol=3e-3)


def test_snr_at_the_ends_and_in_the_middle() -> None:
    """0 at p = 0 and 1, N(N-1)/2 at 1/2, slope N at 0."""
    size = np.arange(2, 65)
    ends = snr_max(np.array([[0.0], [1.0]]), size)
    assert not ends.any()
    np.testing.assert_allclose(snr_max(0.5, size), size * (size - 1) / 2)
    for small in (1e-3, 1e-4):
        np.testing.assert_allclose(snr_max(small, size) / small, size, rtol=4 * small)


def test_the_bound_holds_below_a_quarter_for_every_size() -> None:
    """Theorem 3.1 of SPEED as stated: N >= 3 and p < 1/4 or p > 3/4."""
    size = np.arange(3, 65)[:, None]
    rate = GRID[(GRID <= 0.25) | (GRID >= 0.75)]
    assert (snr_max(rate, size) <= speed_bound(rate, size) * (1 + 1e-12)).all()
    assert speed_bound_holds(rate, size).all()


def test_the_bound_fails_without_the_restriction_on_p() -> None:
    """At N = 4, p = 1/2 it is 4 where the SNR is 6; at N = 3 it is reached."""
    assert (snr_max(0.5, 4), speed_bound(0.5, 4)) == (6.0, 4.0)
    assert not speed_bound_holds(0.5, 4)
    assert snr_max(0.5, 3) == speed_bound(0.5, 3) == 3.0
    assert speed_bound_holds(GRID, np.array([[2], [3]])).all()


def test_the_restriction_on_p_cannot_be_relaxed_for_all_sizes() -> None:
    """Just above 1/4 a large enough group violates the bound."""
    assert not speed_bound_holds(0.251, 1000)
    assert snr_max(0.251, 1000) > speed_bound(0.251, 1000)
    np.testing.assert_allclose(snr_max(0.25, 10**9), speed_bound(0.25, 10**9), rtol=1e-8)


@pytest.mark.parametrize(
    ("size", "edge"), [(4, 0.3419), (8, 0.2807), (16, 0.2633), (24, 0.2585), (64, 0.2530)]
)
def test_tabulated_edges_of_the_bound(size: int, edge: float) -> None:
    assert speed_bound_edge(size) == pytest.approx(edge, abs=6e-5)


@given(size=st.integers(4, 500), beyond=st.floats(1e-6, 1e-3))
def test_the_edge_separates_both_sides(size: int, beyond: float) -> None:
    edge = float(speed_bound_edge(size))
    for rate, holds in ((edge - beyond, True), (edge + beyond, False)):
        assert speed_bound_holds(rate, size) == holds
        assert (snr_max(rate, size) <= speed_bound(rate, size)) == holds
        assert speed_bound_holds(1.0 - rate, size) == holds
    np.testing.assert_allclose(edge * (1.0 - edge), speed_bound_variance(size))


def test_small_groups_have_no_edge() -> None:
    assert speed_bound_edge(np.array([2, 3])).tolist() == [0.5, 0.5]
    assert speed_bound_variance(np.array([2, 3])).tolist() == [3 / 8, 1 / 4]


@pytest.mark.parametrize(("size", "rate"), [(24, 0.2), (8, 0.25), (16, 0.25)])
def test_the_bound_does_not_extend_to_grpo(size: int, rate: float) -> None:
    """30.89 > 15.36, 7.31 > 6 and 28.56 > 12, inside p <= 1/4, where RLOO keeps to it."""
    assert moments("grpo", rate, size).snr() > 1.2 * speed_bound(rate, size)
    assert snr_max(rate, size) < speed_bound(rate, size)
    assert moments("grpo", 0.2, 24).snr() == pytest.approx(30.89, abs=5e-3)


@given(size=st.integers(4, 200))
def test_enough_noise_saves_the_bound_for_every_pass_rate(size: int) -> None:
    """From V = (N-3)/(4N) |D|^2 on, and not below."""
    enough = float(speed_bound_noise(size))
    assert enough < 1 / 4
    bound = speed_bound(GRID, size)
    assert (rloo_snr(GRID, size, 1.0, enough, enough) <= bound * (1 + 1e-12)).all()
    short = 0.99 * enough
    assert rloo_snr(0.5, size, 1.0, short, short) > speed_bound(0.5, size)
    assert speed_bound_noise(2) == speed_bound_noise(3) == 0.0


def test_proportionality_to_p_times_one_minus_p_is_a_limit() -> None:
    """Reached where noise dominates with the factor N-1; without noise off by 20-fold."""
    rate = np.array([0.05, 0.3, 0.5])
    noisy = rloo_snr(rate, 8, 1.0, 1e8, 1e8)
    np.testing.assert_allclose(noisy, noise_dominated_snr(rate, 8, 1e8), rtol=1e-6)
    np.testing.assert_allclose(noisy * 1e8, 7 * rate * (1 - rate), rtol=1e-6)
    ratio = snr_max(0.5, 64) / snr_max(0.05, 64)
    assert ratio > 20 * 0.25 / (0.05 * 0.95)


@pytest.mark.parametrize(("rate", "factor"), [(0.01, 1.03), (0.1, 1.35)])
def test_the_snr_exceeds_n_p_unless_noise_prevents_it(rate: float, factor: float) -> None:
    """N = 8; below N p from V/|D|^2 = p [(3N-5) - (4N-6) p]/N on."""
    assert snr_max(rate, 8) / (8 * rate) == pytest.approx(factor, abs=5e-3)
    critical = rate * (19 - 26 * rate) / 8
    assert rloo_snr(rate, 8, 1.0, critical, critical) == pytest.approx(8 * rate)


@given(st.floats(0.01, 100.0), st.floats(0.1, 10.0), st.floats(0.01, 10.0))
def test_no_step_guarantees_more_than_the_optimal_one(
    snr: float, smoothness: float, step: float
) -> None:
    best = optimal_step(snr, smoothness)
    gain = guaranteed_gain(snr, best, smoothness)
    np.testing.assert_allclose(gain, snr / (2 * smoothness * (1 + snr)))
    assert guaranteed_gain(snr, step, smoothness) <= gain + 1e-12


def test_fact_one_is_vacuous_below_an_snr_of_one() -> None:
    snr = np.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(guaranteed_gain(snr), [-0.5, 0.0, 0.25])


@pytest.mark.parametrize("curvature", [1.0, 0.5, 0.0])
def test_a_noisy_step_gains_at_least_what_is_guaranteed(curvature: float) -> None:
    """Up J = theta - curvature theta^2/2 from 0, which is 1-smooth: equality at curvature 1."""
    step, noise = 0.6, np.array([-0.5, 0.5])
    reached = step * (1.0 + noise)
    gain = float((reached - curvature * reached**2 / 2).mean())
    guaranteed = float(guaranteed_gain(1 / 0.25, step))
    assert gain >= guaranteed - 1e-15
    assert (gain == pytest.approx(guaranteed)) == (curvature == 1.0)


@given(rate=st.floats(0.001, 0.999), size=st.integers(2, 64))
def test_gain_per_rollout(rate: float, size: int) -> None:
    snr = snr_max(rate, size)
    np.testing.assert_allclose(gain_per_rollout(rate, size), snr / (1 + snr) / size)
    assert gain_per_rollout(rate, size + 1) <= gain_per_rollout(rate, size) * (1 + 1e-12)
    np.testing.assert_allclose(gain_per_rollout(rate, np.array([2, 3])), rate * (1 - rate))


def test_the_bound_does_not_describe_plain_reinforce_without_noise() -> None:
    """Its SNR is N p/(1-p) in a two-armed bandit, unbounded as p tends to 1."""
    assert fixed_baseline_moments(0.99, 8).snr() > speed_bound(0.99, 8) * 100


def test_a_million_values_take_a_fifth_of_a_second() -> None:
    rng = np.random.default_rng(0)
    rate, size, noise = rng.random(10**6), rng.integers(2, 65, 10**6), rng.random(10**6)

    def seconds() -> float:
        start = time.perf_counter()
        rloo_snr(rate, size, 1.0, noise, noise)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.2


@pytest.mark.parametrize("function", [rloo_snr, snr_max, speed_bound, gain_per_rollout])
def test_domains_are_checked(function: Callable[[float, float], object]) -> None:
    for rate in (-0.5, 1.5, np.nan):
        with pytest.raises(ValueError, match=f"not {rate:g}"):
            function(rate, 4)
    for size in (1, 0, 2.5):
        with pytest.raises(ValueError, match=f"not {size:g}"):
            function(0.5, size)


def test_noise_and_steps_are_checked() -> None:
    with pytest.raises(ValueError, match="V1 is finite and not negative, not -1"):
        rloo_snr(0.5, 4, 1.0, -1.0)
    with pytest.raises(ValueError, match="noise is positive, not 0"):
        noise_dominated_snr(0.5, 4, 0.0)
    for ratio in (-1.0, np.nan):
        with pytest.raises(ValueError, match=f"snr is not negative, not {ratio:g}"):
            optimal_step(ratio)
    with pytest.raises(ValueError, match="step is positive, not -1"):
        guaranteed_gain(1.0, -1.0)


def test_steps_without_signal_and_without_noise() -> None:
    ends = np.array([0.0, -0.0, np.inf])
    assert optimal_step(ends, 2.0).tolist() == [0.0, 0.0, 0.5]
    assert guaranteed_gain(ends).tolist() == [-np.inf, -np.inf, 0.5]
    assert guaranteed_gain(5e-324) == -np.inf
    assert optimal_step(1e308) == 1.0


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_no_gap_is_no_signal_in_both_forms(noise: float) -> None:
    rates = np.array([0.0, 0.3, 0.5, 1.0])
    for size in (2, 3, 8):
        assert rloo_snr(rates, size, 0.0, noise, noise).tolist() == [0.0] * 4
        assert rloo_moments(rates, size).snr(0.0, noise, noise).tolist() == [0.0] * 4

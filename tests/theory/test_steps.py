"""What Fact 1 guarantees, and both sides of where it guarantees anything."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.snr import gain_per_rollout, guaranteed_gain, optimal_step, rloo_snr, snr_max
from theory.steps import (
    fact_one_edge,
    fact_one_variance,
    gain_per_cost,
    is_vacuous,
    longest_step,
    optimal_gain,
    optimal_rollouts,
    pairs_suffice_noise,
)

snrs = st.floats(1e-3, 1e3)
inner = st.floats(0.001, 0.999)
noises = st.floats(0.0, 50.0)
SIZES = np.arange(2, 3000)


@given(snr=snrs, smoothness=st.floats(0.1, 10.0), share=st.floats(0.01, 1.99))
def test_the_optimal_gain_is_the_guarantee_at_the_optimal_step(
    snr: float, smoothness: float, share: float
) -> None:
    best = float(optimal_step(snr, smoothness))
    gain = optimal_gain(snr, smoothness)
    np.testing.assert_allclose(gain, guaranteed_gain(snr, best, smoothness), rtol=1e-12)
    assert guaranteed_gain(snr, share * best, smoothness) <= gain * (1 + 1e-12)
    assert gain > 0


@given(snr=snrs, smoothness=st.floats(0.1, 10.0))
def test_the_longest_step_separates_both_sides(snr: float, smoothness: float) -> None:
    longest = float(longest_step(snr, smoothness))
    assert not is_vacuous(snr, 0.999 * longest, smoothness)
    assert is_vacuous(snr, 1.001 * longest, smoothness)


@pytest.mark.parametrize(("share", "gains"), [(0.99, True), (1.01, False)])
def test_the_guarantee_is_tight_on_a_parabola(share: float, gains: bool) -> None:  # noqa: FBT001
    """Up theta - theta^2/2 from 0 along 1 + noise of variance 1/2: the SNR is 2."""
    step = share * float(longest_step(2.0))
    reached = step * (1.0 + np.sqrt(0.5) * np.array([-1.0, 1.0]))
    assert ((reached - reached**2 / 2.0).mean() > 0.0) == gains


@given(size=st.integers(2, 500))
def test_fact_one_says_nothing_up_to_its_edge_whatever_the_scores(size: int) -> None:
    edge = float(fact_one_edge(size))
    np.testing.assert_allclose(edge * (1 - edge), fact_one_variance(size), atol=1e-12)
    np.testing.assert_allclose(snr_max(edge, size), 1.0, rtol=1e-9)
    assert is_vacuous(snr_max(0.99 * edge, size))
    if size > 2:
        assert not is_vacuous(snr_max(edge + 0.01 * (0.5 - edge), size))


def test_edges_of_fact_one() -> None:
    """Everywhere but at 1/2 for pairs, and up to about 1/N for large groups."""
    assert fact_one_variance(2) == 0.25
    assert fact_one_edge(2) == 0.5
    np.testing.assert_allclose(
        fact_one_edge(np.array([4, 8, 24])), [0.16290, 0.09425, 0.03721], atol=5e-6
    )
    assert fact_one_edge(10**6) * 10**6 == pytest.approx(1.0, abs=1e-4)


@given(rate=inner, size=st.integers(2, 200), noise=noises, overhead=st.floats(0.0, 50.0))
def test_gain_per_cost_is_that_of_the_optimal_step(
    rate: float, size: int, noise: float, overhead: float
) -> None:
    gain = optimal_gain(rloo_snr(rate, size, 1.0, noise, noise)) / (size + overhead)
    np.testing.assert_allclose(2.0 * gain, gain_per_cost(rate, size, noise, overhead))
    np.testing.assert_allclose(gain_per_cost(rate, size), gain_per_rollout(rate, size))


@given(rate=inner, noise=noises, overhead=st.floats(0.0, 50.0))
def test_the_gain_per_cost_has_one_peak(rate: float, noise: float, overhead: float) -> None:
    """Its inverse is convex in N; the closed form finds the least, by brute force over N."""
    cost = 1.0 / gain_per_cost(rate, SIZES, noise, overhead)
    assert (np.diff(cost, n=2) >= -1e-9 * cost[1:-1]).all()
    best = optimal_rollouts(rate, noise, overhead)
    np.testing.assert_allclose(cost[int(best) - 2], cost.min(), rtol=1e-12)


@pytest.mark.parametrize(
    ("rate", "noise", "overhead", "size"),
    [
        (0.5, 0.0, 0.0, 2),
        (0.05, 0.0, 0.0, 2),
        (0.05, 0.0, 4.0, 9),
        (0.001, 0.0, 4.0, 63),
        (0.5, 1.0, 0.0, 3),
        (0.05, 1.0, 0.0, 6),
        (0.5, 100.0, 0.0, 21),
    ],
)
def test_larger_groups_need_noise_or_a_fixed_cost(
    rate: float, noise: float, overhead: float, size: int
) -> None:
    assert optimal_rollouts(rate, noise, overhead) == size


def test_two_and_three_rollouts_guarantee_the_same_per_rollout() -> None:
    rate = np.linspace(0.0, 1.0, 21)
    np.testing.assert_allclose(gain_per_cost(rate, 2), rate * (1 - rate))
    np.testing.assert_allclose(gain_per_cost(rate, 3), rate * (1 - rate))
    assert (gain_per_cost(rate[1:-1], 4) < gain_per_cost(rate[1:-1], 3)).all()


@given(rate=inner, size=st.integers(4, 64))
def test_pairs_suffice_up_to_a_noise_and_not_beyond(rate: float, size: int) -> None:
    edge = float(pairs_suffice_noise(rate, size))
    quiet, loud = (
        gain_per_cost(rate, np.array([2, size]), 0.99 * edge),
        gain_per_cost(rate, np.array([2, size]), 1.01 * edge),
    )
    assert quiet[0] > quiet[1]
    assert loud[0] < loud[1]


def test_sixteen_rollouts_against_pairs() -> None:
    """Equal at V = 13 v |D|^2; in noise pairs have 16/30 of the gain per rollout."""
    assert pairs_suffice_noise(0.5, 16) == 13 / 4
    two, sixteen = gain_per_cost(0.5, np.array([2, 16]), 1e9)
    assert two / sixteen == pytest.approx(16 / 30)
    assert gain_per_cost(0.5, 2) > 4 * gain_per_cost(0.5, 16)


def test_ends() -> None:
    ends = np.array([0.0, 1.0])
    assert gain_per_cost(ends, 8, 1.0, 1.0).tolist() == [0.0, 0.0]
    assert optimal_rollouts(ends, 1.0, 1.0).tolist() == [np.inf, np.inf]
    assert optimal_rollouts(1e-300, 1.0) == pytest.approx(1e150)
    assert pairs_suffice_noise(ends, 8).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("function", [gain_per_cost, pairs_suffice_noise])
def test_domains_are_checked(function: Callable[[float, float], object]) -> None:
    with pytest.raises(ValueError, match=r"not 1\.5"):
        function(1.5, 4)
    with pytest.raises(ValueError, match=r"not 1$"):
        function(0.5, 1)


def test_noise_and_overhead_are_checked() -> None:
    with pytest.raises(ValueError, match="noise is finite and not negative, not -1"):
        gain_per_cost(0.5, 4, -1.0)
    with pytest.raises(ValueError, match="overhead is finite and not negative, not -1"):
        optimal_rollouts(0.5, 1.0, -1.0)
    with pytest.raises(ValueError, match="snr is not negative, not -1"):
        optimal_gain(-1.0)
    with pytest.raises(ValueError, match="at least 2, not 1"):
        fact_one_variance(1)


def test_gains_without_signal_and_without_noise() -> None:
    ends = np.array([0.0, np.inf])
    assert optimal_gain(ends, 2.0).tolist() == [0.0, 0.25]
    assert is_vacuous(ends).tolist() == [True, False]

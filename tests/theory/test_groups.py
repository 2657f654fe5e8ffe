import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln

from tests.statistical import assert_mean
from tests.theory.enumeration import chances, reward_vectors
from theory.groups import (
    expected_deviation,
    expected_mixed,
    expected_variance,
    mixed_probability,
    rollouts_per_mixed_group,
    rollouts_until_mixed,
    zero_variance_probability,
)

rates = st.floats(0.0, 1.0)
shapes = st.floats(0.1, 50.0)


@given(rate=rates, size=st.integers(1, 7))
def test_probabilities_agree_with_enumeration(rate: float, size: int) -> None:
    rewards = reward_vectors(size)
    agree = rewards.min(axis=1) == rewards.max(axis=1)
    weights = chances(rewards, rate)
    np.testing.assert_allclose(
        zero_variance_probability(rate, size), weights @ agree, atol=1e-14
    )
    np.testing.assert_allclose(mixed_probability(rate, size), weights @ ~agree, atol=1e-14)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (2, (0.9802, 0.9608, 0.9050, 0.8200, 0.6800, 0.6250, 0.5800, 0.5200, 0.5)),
        (4, (0.9606, 0.92237, 0.81451, 0.6562, 0.4112, 0.32031, 0.2482, 0.1552, 0.1250)),
        (6, (0.94148, 0.88584, 0.73509, 0.53144, 0.26221, 0.17822, 0.11838, 0.05075, 0.03125)),
        (8, (0.92274, 0.85076, 0.66342, 0.43047, 0.16777, 0.10013, 0.05771, 0.01745, 0.00781)),
        (16, (0.85146, 0.72380, 0.44013, 0.18530, 0.02815, 0.01002, 0.00332, 0.00028, 0.00003)),
        (24, (0.78568, 0.61578, 0.29199, 0.07977, 0.00472, 0.00100, 0.00019, 5e-6, 1.2e-7)),
        (32, (0.72498, 0.52388, 0.19371, 0.03434, 0.00079, 0.00010, 1e-5, 8e-8, 5e-10)),
    ],
)
def test_tabulated_zero_variance_probabilities(size: int, expected: tuple[float, ...]) -> None:
    rate = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5])
    np.testing.assert_allclose(zero_variance_probability(rate, size), expected, atol=6e-6)
    np.testing.assert_allclose(zero_variance_probability(1 - rate, size), expected, atol=6e-6)


@given(rate=rates, size=st.integers(1, 100))
def test_the_two_probabilities_are_complements(rate: float, size: int) -> None:
    total = zero_variance_probability(rate, size) + mixed_probability(rate, size)
    np.testing.assert_allclose(total, 1.0, atol=1e-14)


def test_rare_mixed_groups_keep_their_digits() -> None:
    """N p to first order, at both ends, where 1 - Z would round to 0."""
    rare = np.array([1e-20, 1e-300])
    np.testing.assert_allclose(mixed_probability(rare, 8), 8 * rare, rtol=1e-14)
    assert mixed_probability(1.0 - 2**-53, 8) == pytest.approx(8 * 2**-53, rel=1e-12)


def test_certain_outcomes_are_exact() -> None:
    certain, size = np.array([0.0, 1.0]), np.array([[1], [2], [24]])
    assert (zero_variance_probability(certain, size) == 1.0).all()
    assert (mixed_probability(certain, size) == 0.0).all()
    assert np.isinf(rollouts_per_mixed_group(certain, size)).all()
    assert np.isinf(rollouts_until_mixed(certain)).all()
    assert mixed_probability(np.linspace(0, 1, 99), 1).max() == 0.0
    assert np.isinf(rollouts_per_mixed_group(0.3, 1))


def test_rollouts_per_mixed_group() -> None:
    """2 per group at p = 1/2 wasted half the time; 8 at Z = .66342."""
    assert rollouts_per_mixed_group(0.5, 2) == 4.0
    assert rollouts_per_mixed_group(0.05, 8) == pytest.approx(8 / (1 - 0.66342), rel=1e-4)


def test_rolling_until_both_outcomes_were_seen() -> None:
    assert rollouts_until_mixed(0.5) == 3.0
    p, q = 0.2, 0.8
    lengths = np.arange(2, 400)
    chance = p ** (lengths - 1) * q + q ** (lengths - 1) * p
    assert rollouts_until_mixed(p) == pytest.approx(chance @ lengths)


@given(alpha=shapes, beta=shapes, size=st.integers(1, 40))
def test_beliefs_agree_with_ratios_of_beta_functions(
    alpha: float, beta: float, size: int
) -> None:
    def ratio(a: float, b: float) -> float:
        return float(np.exp(betaln(alpha + a, beta + b) - betaln(alpha, beta)))

    mixed = 1.0 - ratio(size, 0) - ratio(0, size)
    np.testing.assert_allclose(expected_mixed(alpha, beta, size), mixed, atol=1e-11)
    np.testing.assert_allclose(expected_variance(alpha, beta), ratio(1, 1), rtol=1e-11)
    np.testing.assert_allclose(expected_deviation(alpha, beta), ratio(0.5, 0.5), rtol=1e-11)


@pytest.mark.parametrize(
    ("alpha", "beta", "mean", "at_the_mean"),
    [
        (1, 5, 0.322, 0.373),
        (2, 4, 0.430, 0.471),
        (3, 3, 0.460, 0.5),
        (1, 9, 0.262, 0.3),
        (5, 5, 0.476, 0.5),
    ],
)
def test_tabulated_deviations(alpha: int, beta: int, mean: float, at_the_mean: float) -> None:
    """The mean deviation is not the deviation at the mean pass rate."""
    assert expected_deviation(alpha, beta) == pytest.approx(mean, abs=6e-4)
    m = alpha / (alpha + beta)
    assert np.sqrt(m * (1 - m)) == pytest.approx(at_the_mean, abs=6e-4)


def test_beliefs_agree_with_simulation() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(2.0, 4.0, 10**6)
    assert_mean(mixed_probability(p, 8), float(expected_mixed(2.0, 4.0, 8)))
    assert_mean(p * (1 - p), float(expected_variance(2.0, 4.0)), 0.0, 0.25)
    assert_mean(np.sqrt(p * (1 - p)), float(expected_deviation(2.0, 4.0)), 0.0, 0.5)
    with pytest.raises(AssertionError):
        assert_mean(np.sqrt(p * (1 - p)), np.sqrt(2 / 9), 0.0, 0.5)


def test_sharp_beliefs_are_known_pass_rates() -> None:
    alpha, beta = 3e12, 7e12
    np.testing.assert_allclose(expected_mixed(alpha, beta, 8), mixed_probability(0.3, 8))
    np.testing.assert_allclose(expected_variance(alpha, beta), 0.21)
    np.testing.assert_allclose(expected_deviation(alpha, beta), np.sqrt(0.21))


def test_beliefs_and_sizes_broadcast() -> None:
    size = np.array([[1], [2], [8]])
    together = expected_mixed(np.array([1.0, 2.0]), 3.0, size)
    alone = [[float(expected_mixed(a, 3.0, n)) for a in (1.0, 2.0)] for n in (1, 2, 8)]
    np.testing.assert_allclose(together, alone)
    assert not together[0].any()


@pytest.mark.parametrize("function", [expected_variance, expected_deviation])
@pytest.mark.parametrize("shape", [0.0, -1.0, np.nan, np.inf])
def test_shapes_of_a_belief_are_positive(function: type, shape: float) -> None:
    with pytest.raises(ValueError, match=f"alpha is positive, not {shape:g}"):
        function(shape, 1.0)
    with pytest.raises(ValueError, match=f"beta is positive, not {shape:g}"):
        function(1.0, shape)
    with pytest.raises(ValueError, match=f"beta is positive, not {shape:g}"):
        expected_mixed(1.0, shape, 4)


def test_domains_are_checked() -> None:
    for function in (zero_variance_probability, mixed_probability, rollouts_per_mixed_group):
        with pytest.raises(ValueError, match=r"\[0, 1\], not 1.5"):
            function(1.5, 4)
        with pytest.raises(ValueError, match="at least 1, not 0"):
            function(0.5, 0)
        with pytest.raises(ValueError, match=r"whole number of rollouts.* not 2\.5"):
            function(0.5, 2.5)
    with pytest.raises(ValueError, match="not -1"):
        rollouts_until_mixed(-1.0)
    with pytest.raises(ValueError, match="not 0"):
        expected_mixed(1.0, 1.0, 0)

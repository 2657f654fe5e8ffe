r"""Exact moments: by hand, by enumeration of every outcome, by simulation, and tabulated."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float

from tests.statistical import assert_mean
from tests.theory.enumeration import chances, gradient_moments, reward_vectors
from theory.advantages import Closed, group_advantages
from theory.closed_forms import (
    drgrpo_moments,
    exact_baseline_moments,
    fixed_baseline_moments,
    maxrl_weight,
    optimal_baseline,
    rloo_moments,
    whitened_moments,
)
from theory.moments import (
    Centred,
    Moments,
    gradient_weight,
    maxrl_peak,
    moments,
    signal_mass,
)

CENTRED = get_args(Centred)
rates = st.floats(0.0, 1.0)
noises = st.floats(0.0, 4.0)

TABLE = Path(__file__).with_name("moments.txt").read_text().splitlines()[1:]


def advantage_of(estimator: Centred, rewards: Float[np.ndarray, "S N"]) -> np.ndarray:
    """Advantages of whole groups, the last axis."""
    size = rewards.shape[1]
    if estimator == "grpo_population":
        spread = rewards.std(axis=1, keepdims=True)
        centred = rewards - rewards.mean(axis=1, keepdims=True)
        return np.divide(centred, spread, out=np.zeros_like(rewards), where=spread > 0)
    passes = rewards.sum(axis=1).astype(int)
    up, down = group_advantages(estimator, passes, size)
    return np.where(rewards == 1.0, up[:, None], down[:, None])


@pytest.mark.parametrize("estimator", CENTRED)
@given(size=st.integers(2, 4), rate=rates, D=st.floats(0.0, 2.0), V1=noises, V0=noises)
def test_moments_agree_with_enumeration(
    estimator: Centred, size: int, rate: float, D: float, V1: float, V0: float
) -> None:
    """Of rewards and of scores, through the advantages that the simulator uses."""
    mean, variance = gradient_moments(
        lambda rewards: advantage_of(estimator, rewards), rate, size, D, V1, V0
    )
    exact = moments(estimator, rate, size)
    np.testing.assert_allclose(exact.mean * D, mean, atol=1e-13)
    np.testing.assert_allclose(exact.variance(D**2, V1, V0), variance, atol=1e-12)


@given(size=st.integers(1, 4), rate=rates, b=rates, V1=noises, V0=noises)
def test_baseline_moments_agree_with_enumeration(
    size: int, rate: float, b: float, V1: float, V0: float
) -> None:
    mean, variance = gradient_moments(lambda rewards: rewards - b, rate, size, 1.0, V1, V0)
    exact = fixed_baseline_moments(rate, size, b)
    np.testing.assert_allclose(exact.mean, mean, atol=1e-13)
    np.testing.assert_allclose(exact.variance(1.0, V1, V0), variance, atol=1e-12)


def softmax_bandit(
    logits: Float[np.ndarray, "A"], correct: int, size: int
) -> tuple[Float[np.ndarray, "S N"], Float[np.ndarray, "S N A"], Float[np.ndarray, "S"], float]:
    """Rewards, scores and chances of all outcomes, where the first arms pass; the pass rate."""
    chance = np.exp(logits) / np.exp(logits).sum()
    arms = np.stack(np.meshgrid(*[np.arange(logits.size)] * size), axis=-1).reshape(-1, size)
    scores = np.eye(logits.size)[arms] - chance
    rewards = (arms < correct).astype(float)
    return rewards, scores, chance[arms].prod(axis=1), float(chance[:correct].sum())


@pytest.mark.parametrize("estimator", CENTRED)
def test_moments_hold_for_the_scores_of_a_softmax_policy(estimator: Centred) -> None:
    """Five arms of which two pass, four rollouts: all 625 outcomes."""
    logits = np.array([0.2, -0.7, 0.5, 0.0, -0.3])
    rewards, scores, chance, rate = softmax_bandit(logits, correct=2, size=4)
    estimate = (advantage_of(estimator, rewards)[..., None] * scores).mean(axis=1)
    mean = chance @ estimate
    variance = chance @ ((estimate - mean) ** 2).sum(axis=1)

    arm = np.exp(logits) / np.exp(logits).sum()
    one = np.eye(5) - arm
    mu1, mu0 = (np.average(one[s], axis=0, weights=arm[s]) for s in (slice(2), slice(2, 5)))
    V1, V0 = (
        np.average(((one[s] - mu) ** 2).sum(axis=1), weights=arm[s])
        for s, mu in ((slice(2), mu1), (slice(2, 5), mu0))
    )
    exact, D = moments(estimator, rate, 4), mu1 - mu0
    np.testing.assert_allclose(mean, exact.mean * D, atol=1e-14)
    np.testing.assert_allclose(variance, exact.variance(float(D @ D), float(V1), float(V0)))
    if estimator == "rloo":  # unbiased for the gradient of the pass rate
        slope = arm * (np.arange(5) < 2) - arm * rate
        np.testing.assert_allclose(mean, slope, atol=1e-15)


@pytest.mark.parametrize("row", TABLE)
def test_tabulated_moments(row: str) -> None:
    size, rate, estimator, *expected = row.split()
    assert estimator in CENTRED
    exact = moments(cast("Centred", estimator), float(rate), int(size))
    got = [exact.mean, exact.a_D, exact.a_1, exact.a_0, exact.snr()]
    np.testing.assert_allclose(got, np.array(expected, float), rtol=6e-4)


@pytest.mark.parametrize(
    ("size", "rate", "V1", "V0", "estimator", "mean", "variance"),
    [
        (4, 0.2, 1.3, 0.4, "rloo", 0.1600, 0.07120),
        (4, 0.2, 1.3, 0.4, "drgrpo", 0.1200, 0.04005),
        (4, 0.2, 1.3, 0.4, "grpo", 0.2297, 0.14727),
        (4, 0.2, 1.3, 0.4, "grpo_population", 0.2652, 0.19636),
        (4, 0.2, 1.3, 0.4, "maxrl", 0.3904, 0.48220),
        (8, 0.6, 0.5, 2.0, "rloo", 0.2400, 0.04997),
        (8, 0.6, 0.5, 2.0, "drgrpo", 0.2100, 0.03826),
        (8, 0.6, 0.5, 2.0, "grpo", 0.4225, 0.15470),
        (8, 0.6, 0.5, 2.0, "grpo_population", 0.4516, 0.17680),
        (8, 0.6, 0.5, 2.0, "maxrl", 0.3993, 0.15895),
    ],
)
def test_anchored_moments(
    size: int,
    rate: float,
    V1: float,
    V0: float,
    estimator: Centred,
    mean: float,
    variance: float,
) -> None:
    exact = moments(estimator, rate, size)
    np.testing.assert_allclose(exact.mean, mean, atol=6e-5)
    np.testing.assert_allclose(exact.variance(1.0, V1, V0), variance, atol=6e-6)


def simulated(estimator: Closed, samples: int = 400_000) -> Float[np.ndarray, "S"]:
    """Gradient estimates of groups of 8 at p = 0.6 with D = 1, V1 = 0.5, V0 = 2."""
    rng = np.random.default_rng(0)
    passing = rng.random((samples, 8)) < 0.6
    sign = rng.choice([-1.0, 1.0], size=passing.shape)
    scores = np.where(passing, 0.4 + np.sqrt(0.5) * sign, -0.6 + np.sqrt(2.0) * sign)
    up, down = group_advantages(estimator, passing.sum(axis=1), 8)
    return (np.where(passing, up[:, None], down[:, None]) * scores).mean(axis=1)


# the largest contrast of a group of 8, times the largest distance of class means
REACH = {
    e: c * (1.0 + np.sqrt(0.5) + np.sqrt(2.0))
    for e, c in (
        ("rloo", 16 / 56),
        ("drgrpo", 1 / 4),
        ("grpo", np.sqrt(7 / 32)),
        ("maxrl", 7 / 8),
    )
}


@pytest.mark.parametrize("estimator", ["rloo", "grpo", "maxrl"])
def test_moments_agree_with_simulation(estimator: Literal["rloo", "grpo", "maxrl"]) -> None:
    """Beyond the reach of enumeration: 8 rollouts."""
    exact, reach, estimates = moments(estimator, 0.6, 8), REACH[estimator], simulated(estimator)
    mean, variance = float(exact.mean), float(exact.variance(1.0, 0.5, 2.0))
    assert_mean(estimates, mean, -reach, reach)
    assert_mean(np.square(estimates - mean), variance, 0.0, (reach + mean) ** 2)


def test_the_simulation_notices_a_division_by_n_instead_of_its_predecessor() -> None:
    """The control of the test above: the moments of Dr. GRPO do not pass for RLOO's."""
    exact, reach, estimates = moments("drgrpo", 0.6, 8), REACH["rloo"], simulated("rloo")
    with pytest.raises(AssertionError):
        assert_mean(estimates, float(exact.mean), -reach, reach)
    variance = float(exact.variance(1.0, 0.5, 2.0))
    with pytest.raises(AssertionError):
        assert_mean(np.square(estimates - 0.24), variance, 0.0, (reach + 0.24) ** 2)


@pytest.mark.parametrize(
    ("estimator", "closed"), [("rloo", rloo_moments), ("drgrpo", drgrpo_moments)]
)
@given(rate=rates, size=st.integers(2, 64))
def test_closed_moments_agree_with_the_sum_over_outcomes(
    estimator: Centred, closed: Callable[[float, int], Moments], rate: float, size: int
) -> None:
    one, other = closed(rate, size), moments(estimator, rate, size)
    for field in ("mean", "a_D", "a_1", "a_0"):
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), atol=1e-12)


@given(rate=rates, size=st.integers(2, 64))
def test_dr_grpo_has_the_snr_of_rloo(rate: float, size: int) -> None:
    one, other = rloo_moments(rate, size), drgrpo_moments(rate, size)
    np.testing.assert_allclose(one.snr(1.0, 2.0, 3.0), other.snr(1.0, 2.0, 3.0), atol=1e-12)


@given(rate=rates, size=st.integers(2, 40), V1=noises, V0=noises)
def test_centred_estimators_are_symmetric_except_maxrl(
    rate: float, size: int, V1: float, V0: float
) -> None:
    """Under p <-> 1 - p with V1 and V0 exchanged."""
    for estimator in ("rloo", "drgrpo", "grpo", "grpo_population"):
        here, there = moments(estimator, rate, size), moments(estimator, 1.0 - rate, size)
        one, other = here.variance(1.0, V1, V0), there.variance(1.0, V0, V1)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13)
    assert moments("maxrl", 0.1, 8).mean > 1.1 * moments("maxrl", 0.9, 8).mean


@pytest.mark.parametrize("estimator", CENTRED)
def test_certain_outcomes_have_exactly_no_signal_and_no_noise(estimator: Centred) -> None:
    exact = moments(estimator, np.array([0.0, 1.0]), np.array([[2], [9]]))
    for value in (exact.mean, exact.a_D, exact.a_1, exact.a_0, exact.snr(1.0, 1.0, 1.0)):
        assert value.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_sizes_and_rates_broadcast() -> None:
    """Groups of different sizes in one call, as if asked one by one."""
    rate, size = np.array([0.1, 0.5, 0.9]), np.array([[2], [5], [24]])
    for estimator in CENTRED:
        together = moments(estimator, rate, size).a_1
        alone = [[float(moments(estimator, p, n).a_1) for p in rate] for n in (2, 5, 24)]
        np.testing.assert_allclose(together, alone, rtol=1e-14)
    assert moments("rloo", 0.5, 4).mean.shape == ()


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.05, (0.3325, 0.328, 0.310)),
        (0.1, (0.63, 0.6165, 0.554)),
        (0.25, (1.3125, 1.283, 1.039)),
        (0.5, (1.75, 1.735, 1.451)),
        (0.75, (1.3125, 1.283, 1.233)),
        (0.9, (0.63, 0.6165, 0.618)),
    ],
)
def test_snr_where_noise_dominates(rate: float, expected: tuple[float, ...]) -> None:
    """N = 8, V1 = V0 = V = 10^9 |D|^2; the SNR of RLOO is then 7 v |D|^2/V."""
    got = [
        float(moments(e, rate, 8).snr(1.0, 1e9, 1e9)) * 1e9 for e in ("rloo", "grpo", "maxrl")
    ]
    np.testing.assert_allclose(got, expected, atol=6e-4)


@pytest.mark.parametrize(
    ("size", "weights"),
    [
        (4, (1.500, 1.481, 1.436, 1.400)),
        (8, (2.475, 2.313, 1.971, 1.736)),
        (16, (3.750, 3.163, 2.272, 1.873)),
        (64, (7.875, 4.302, 2.449, 1.969)),
    ],
)
def test_weight_of_grpo_is_nearly_flat_for_small_groups(
    size: int, weights: tuple[float, ...]
) -> None:
    got = gradient_weight("grpo", np.array([0.0, 0.05, 0.2, 0.5]), size)
    np.testing.assert_allclose(got, weights, atol=6e-4)
    np.testing.assert_allclose(got[0], (size - 1) / np.sqrt(size))


def test_weight_of_grpo_approaches_one_over_the_deviation_only_in_large_groups() -> None:
    assert gradient_weight("grpo", 0.5, 4000) == pytest.approx(2.0, rel=1e-3)
    assert gradient_weight("grpo", 0.05, 8) < 0.6 / np.sqrt(0.05 * 0.95)


@given(rate=rates, size=st.integers(2, 64))
def test_weights_in_closed_form(rate: float, size: int) -> None:
    np.testing.assert_allclose(gradient_weight("rloo", rate, size), 1.0, rtol=1e-12)
    np.testing.assert_allclose(gradient_weight("drgrpo", rate, size), (size - 1) / size)
    series = sum((1.0 - rate) ** i for i in range(size - 1))
    np.testing.assert_allclose(maxrl_weight(rate, size), series, rtol=1e-12)
    np.testing.assert_allclose(gradient_weight("maxrl", rate, size), series, rtol=1e-12)
    mean = moments("maxrl", rate, size).mean
    np.testing.assert_allclose(mean, (1.0 - rate) - (1.0 - rate) ** size, atol=1e-13)


@pytest.mark.parametrize("estimator", CENTRED)
@given(size=st.integers(2, 6), rate=rates)
def test_signal_mass_is_the_mean_magnitude(estimator: Centred, size: int, rate: float) -> None:
    rewards = reward_vectors(size)
    magnitude = np.abs(advantage_of(estimator, rewards)).mean(axis=1)
    expected = chances(rewards, rate) @ magnitude
    np.testing.assert_allclose(signal_mass(estimator, rate, size), expected, atol=1e-13)


def test_signal_mass_of_maxrl_peaks_at_low_pass_rates() -> None:
    sizes = np.array([4, 8, 16, 32])
    np.testing.assert_allclose(maxrl_peak(sizes), [0.370, 0.257, 0.169, 0.106], atol=5e-4)
    grid = np.linspace(0.0, 1.0, 2001)
    best = [grid[signal_mass("maxrl", grid, int(n)).argmax()] for n in sizes]
    np.testing.assert_allclose(best, maxrl_peak(sizes), atol=5e-4)


@given(rate=st.floats(0.01, 0.99), V1=noises, V0=noises, shift=st.floats(-1.0, 1.0))
def test_no_baseline_beats_the_optimal_one(
    rate: float, V1: float, V0: float, shift: float
) -> None:
    best = optimal_baseline(rate, 1.0, V1, V0)
    least = fixed_baseline_moments(rate, 3, best).variance(1.0, V1, V0)
    assert 0.0 <= best <= 1.0
    assert fixed_baseline_moments(rate, 3, best + shift).variance(1.0, V1, V0) >= least - 1e-15


def test_optimal_baselines_at_both_ends_of_the_noise() -> None:
    p = np.array([0.0, 0.2, 0.9, 1.0])
    np.testing.assert_allclose(optimal_baseline(p), 1.0 - p)
    assert (fixed_baseline_moments(p, 5, optimal_baseline(p)).variance() < 1e-30).all()
    np.testing.assert_allclose(optimal_baseline(p, 1.0, 1e9, 1e9), p, atol=1e-8)
    assert optimal_baseline(np.array([0.0, 1.0]), 0.0).tolist() == [1.0, 0.0]


def test_the_exact_baseline() -> None:
    """sigma^2/N with sigma^2 = v (q V1 + p V0) + v (1 - 4v) |D|^2; as RLOO when N is large."""
    p, v = 0.3, 0.21
    exact = exact_baseline_moments(p, 5)
    sigma2 = v * (0.7 * 1.5 + 0.3 * 2.5) + v * (1 - 4 * v)
    np.testing.assert_allclose(exact.variance(1.0, 1.5, 2.5), sigma2 / 5)
    large, rloo = exact_baseline_moments(p, 10**6), rloo_moments(p, 10**6)
    np.testing.assert_allclose(large.snr(1.0, 1.5, 2.5), rloo.snr(1.0, 1.5, 2.5), rtol=1e-5)


def test_a_batch_baseline_leaves_noise_on_zero_variance_groups() -> None:
    """V = |D|^2 = 1, b = 1/2: .25 at p = 0 and 1, .2596 at .05 against a signal of .00226."""
    rate = np.array([0.0, 0.05, 1.0])
    noise = fixed_baseline_moments(rate, 1, 0.5).variance(1.0, 1.0, 1.0)
    np.testing.assert_allclose(noise, [0.25, 0.2596, 0.25], atol=6e-5)
    signal = fixed_baseline_moments(rate, 1, 0.5).mean ** 2
    np.testing.assert_allclose(signal, [0.0, 0.00226, 0.0], atol=6e-6)
    assert rloo_moments(rate, 8).variance(1.0, 1.0, 1.0)[[0, 2]].tolist() == [0.0, 0.0]


@given(rate=st.floats(0.001, 0.999), size=st.integers(1, 64), V1=noises)
def test_plain_reinforce(rate: float, size: int, V1: float) -> None:
    """N p / (q + V1/|mu1|^2) with mu1 = q D."""
    got = fixed_baseline_moments(rate, size).snr(1.0, V1, 3.0)
    expected = size * rate / (1.0 - rate + V1 / (1.0 - rate) ** 2)
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_plain_reinforce_vanishes_at_the_easy_end_only_with_noise() -> None:
    nearly = fixed_baseline_moments(1.0 - 1e-6, 8)
    assert nearly.snr() > 1e6
    assert nearly.snr(1.0, 1.0) < 1e-10
    assert fixed_baseline_moments(1.0, 8).snr(1.0, 1.0) == 0.0


def test_snr_without_noise_is_infinite_and_without_signal_zero() -> None:
    """At b = 1 - p every rollout of a two-armed bandit gives the same estimate."""
    exact = fixed_baseline_moments(np.array([0.0, 0.5]), 4, 0.5)
    assert exact.snr().tolist() == [0.0, np.inf]


def test_a_group_of_one_teaches_nothing_or_is_refused() -> None:
    for estimator in ("drgrpo", "grpo_population", "maxrl"):
        exact = moments(estimator, 0.3, 1)
        assert exact.mean == exact.variance(1.0, 1.0, 1.0) == 0.0
    assert drgrpo_moments(0.3, 1).variance(1.0, 1.0, 1.0) == 0.0
    for estimator in ("rloo", "grpo"):
        with pytest.raises(ValueError, match="at least 2, not 1"):
            moments(estimator, 0.3, 1)
    for refused in (rloo_moments, lambda _, n: maxrl_peak(n)):
        with pytest.raises(ValueError, match="at least 2, not 1"):
            refused(0.3, 1)
    assert maxrl_weight(np.array([0.0, 0.3]), 1).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, np.inf])
@pytest.mark.parametrize(
    "function",
    [
        rloo_moments,
        drgrpo_moments,
        fixed_baseline_moments,
        exact_baseline_moments,
        maxrl_weight,
    ],
)
def test_rates_outside_the_unit_interval_are_refused(
    function: Callable[[float, int], object], rate: float
) -> None:
    with pytest.raises(ValueError, match=rf"not {rate:g}"):
        function(rate, 4)
    with pytest.raises(ValueError, match=rf"not {rate:g}"):
        optimal_baseline(rate)


@pytest.mark.parametrize("size", [0, -1, 2.5, np.nan, np.inf])
def test_sizes_that_are_no_size_are_refused(size: float) -> None:
    for estimator in CENTRED:
        with pytest.raises(ValueError, match=rf"not {size:g}"):
            moments(estimator, 0.5, size)


def test_negative_variances_of_scores_are_refused() -> None:
    for scores, name in (((-1.0,), "D"), ((1.0, -1.0), "V1"), ((1.0, 0.0, -1.0), "V0")):
        with pytest.raises(ValueError, match=f"{name}.* not -1"):
            moments("rloo", 0.5, 4).variance(*scores)


def test_whitened_rewards_keep_noise_where_every_group_agrees() -> None:
    """V1 = V0 = |D|^2 = 1 and b = 1/2: .25 per rollout at p = 0 and 1, .2596 at .05."""
    moments = whitened_moments(np.array([0.0, 0.05, 1.0]), 1, 0.5, 1.0)
    np.testing.assert_allclose(moments.variance(1.0, 1.0, 1.0), [0.25, 0.2596, 0.25], atol=5e-5)
    np.testing.assert_array_equal(moments.mean[[0, 2]], 0.0)


@given(st.floats(0.0, 1.0), st.integers(1, 30), st.floats(-1.0, 2.0), st.floats(0.1, 10.0))
def test_a_scale_changes_no_snr(rate: float, size: int, baseline: float, scale: float) -> None:
    plain = fixed_baseline_moments(rate, size, baseline)
    whitened = whitened_moments(rate, size, baseline, scale)
    np.testing.assert_allclose(whitened.mean * scale, plain.mean, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(
        whitened.variance(1.0, 2.0, 3.0) * scale**2,
        plain.variance(1.0, 2.0, 3.0),
        rtol=1e-12,
        atol=1e-300,
    )


def test_a_scale_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="scale"):
        whitened_moments(0.5, 4, 0.5, 0.0)


@pytest.mark.parametrize("baseline", [np.nan, np.inf, -np.inf])
def test_a_baseline_is_finite(baseline: float) -> None:
    with pytest.raises(ValueError, match=f"a baseline is finite, not {baseline:g}"):
        fixed_baseline_moments(0.5, 8, baseline)
    with pytest.raises(ValueError, match="a baseline is finite"):
        whitened_moments(0.5, 8, np.array([0.5, baseline]), 1.0)

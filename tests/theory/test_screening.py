import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from scipy.stats import binom

from tests.statistical import assert_mean
from tests.theory.enumeration import chances, reward_vectors
from theory.advantages import group_advantages
from theory.groups import mixed_probability, rollouts_per_mixed_group
from theory.published import dapo1k_passes
from theory.screening import (
    acceptance,
    estimated_acceptance,
    estimated_weight,
    objective_slope,
    optimal_screening,
    rollouts_per_trained_prompt,
    screened_weight,
)

rates = st.floats(0.0, 1.0)
RATES = np.array([0.01, 0.02, 0.05, 0.1, 0.25, 0.3, 0.5])


def accepted_contrast(rewards: np.ndarray, screening: int, trained: slice) -> np.ndarray:
    """Coefficient of D in the mean of advantage times score, 0 for rejected groups."""
    screen, rest = rewards[:, :screening].sum(axis=1), rewards[:, trained]
    passes = rest.sum(axis=1).astype(int)
    up, _ = group_advantages("rloo", passes, rest.shape[1])
    return np.where((screen > 0) & (screen < screening), passes * up / rest.shape[1], 0.0)


@given(rate=rates, n=st.integers(1, 4), m=st.integers(0, 4))
def test_screened_weight_agrees_with_enumeration(rate: float, n: int, m: int) -> None:
    if n + m < 2:
        return
    rewards = reward_vectors(n + m)
    expected = chances(rewards, rate) @ accepted_contrast(rewards, n, slice(None))
    np.testing.assert_allclose(screened_weight(rate, n, m), expected, atol=1e-14)


@given(rate=rates, n=st.integers(2, 4), m=st.integers(2, 4))
def test_training_on_the_continuation_alone_is_unbiased(rate: float, n: int, m: int) -> None:
    """The gradient is then acceptance times v; trained on everything it is not."""
    rewards = reward_vectors(n + m)
    contrast = accepted_contrast(rewards, n, slice(n, None))
    expected = acceptance(rate, n) * rate * (1 - rate)
    np.testing.assert_allclose(chances(rewards, rate) @ contrast, expected, atol=1e-14)
    assert objective_slope(0.05, n, m) > 1.05 * acceptance(0.05, n)


def simulated_contrast(rate: float, n: int, m: int, samples: int) -> Float[np.ndarray, "S"]:
    """Groups passed through the acceptance rule; contrast of the accepted, 0 of the rest."""
    rng = np.random.default_rng(0)
    screen, rest = rng.binomial(n, rate, samples), rng.binomial(m, rate, samples)
    passes, size = screen + rest, n + m
    contrast = passes * (size - passes) / (size * (size - 1))
    return np.where((screen > 0) & (screen < n), contrast, 0.0)


def test_screened_weight_agrees_with_simulation_at_the_published_sizes() -> None:
    """4 + 20; the control is the weight v that an unbiased estimate would have."""
    contrast = simulated_contrast(0.1, 4, 20, 10**6)
    highest = 12 * 12 / (24 * 23)
    assert_mean(contrast, float(screened_weight(0.1, 4, 20)), 0.0, highest)
    with pytest.raises(AssertionError):
        assert_mean(contrast, 0.09, 0.0, highest)
    with pytest.raises(AssertionError):
        assert_mean(contrast, 0.09 * float(acceptance(0.1, 4)), 0.0, highest)


@pytest.mark.parametrize(
    ("n", "m", "slopes", "accepted"),
    [
        (
            4,
            20,
            (0.198, 0.229, 0.315, 0.442, 0.716, 0.776, 0.878),
            (0.039, 0.078, 0.185, 0.344, 0.680, 0.752, 0.875),
        ),
        (
            6,
            18,
            (0.292, 0.332, 0.441, 0.590, 0.855, 0.901, 0.970),
            (0.059, 0.114, 0.265, 0.469, 0.822, 0.882, 0.969),
        ),
        (
            8,
            16,
            (0.383, 0.429, 0.550, 0.702, 0.925, 0.956, 0.993),
            (0.077, 0.149, 0.337, 0.570, 0.900, 0.942, 0.992),
        ),
    ],
)
def test_tabulated_slopes(
    n: int, m: int, slopes: tuple[float, ...], accepted: tuple[float, ...]
) -> None:
    np.testing.assert_allclose(objective_slope(RATES, n, m), slopes, atol=6e-4)
    np.testing.assert_allclose(acceptance(RATES, n), accepted, atol=6e-4)


@pytest.mark.parametrize(
    ("n", "ratios"),
    [
        (4, (5.03, 2.94, 1.70, 1.29, 1.05, 1.03, 1.00)),
        (6, (4.99, 2.91, 1.66, 1.26, 1.04, 1.02, 1.00)),
        (8, (4.95, 2.87, 1.63, 1.23, 1.03, 1.01, 1.00)),
    ],
)
def test_accepted_groups_weigh_more_at_the_extremes(n: int, ratios: tuple[float, ...]) -> None:
    got = objective_slope(RATES, n, 24 - n) / acceptance(RATES, n)
    np.testing.assert_allclose(got, ratios, atol=6e-3)


@given(rate=rates, n=st.integers(2, 12), m=st.integers(0, 30))
def test_slopes_are_symmetric_and_below_one(rate: float, n: int, m: int) -> None:
    here, there = objective_slope(np.array([rate, 1.0 - rate]), n, m)
    assert here == pytest.approx(there, abs=1e-14)
    assert n / (n + m) - 1e-12 <= here <= 1.0


def test_slopes_at_the_ends() -> None:
    """n/N at p = 0 and 1; no continuation changes nothing; one rollout screens all out."""
    ends = np.array([0.0, 1.0])
    np.testing.assert_allclose(objective_slope(ends, 4, 20), 4 / 24)
    assert screened_weight(ends, 4, 20).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(objective_slope(RATES, 24, 0), 1.0)
    np.testing.assert_allclose(objective_slope(RATES, 1, 23), 0.0, atol=1e-15)


def test_rollouts_per_trained_prompt() -> None:
    """Half the screens of 2 at p = 1/2 are mixed: 4 rollouts, and 6 to continue."""
    assert rollouts_per_trained_prompt(np.full(3, 0.5), 2, 6) == 10.0
    rate = np.array([0.2])
    whole = rollouts_per_mixed_group(rate, 24)[0]
    assert rollouts_per_trained_prompt(rate, 24, 0) == pytest.approx(whole)
    mixed = rollouts_per_trained_prompt(np.array([0.0, 0.5]), 2, 6)
    assert mixed == 14.0  # prompts that nobody can solve double the cost of screening


def test_screening_few_rollouts_saves_most_on_a_hard_population() -> None:
    """Most prompts near 0: 4 of 24 cost less than 2 or 12, and than filtering all 24."""
    population = np.random.default_rng(0).beta(0.2, 0.6, 5000)
    cost = {n: rollouts_per_trained_prompt(population, n, 24 - n) for n in (2, 4, 12, 24)}
    assert cost[4] < min(cost[2], cost[12]) < cost[24]


@given(rate=st.floats(0.0, 1.0), n=st.integers(1, 6))
def test_estimated_acceptance_is_unbiased(rate: float, n: int) -> None:
    """Over all outcomes of 7 rollouts, where inserting the observed pass rate is biased low."""
    rewards = reward_vectors(7)
    passes, weights = rewards.sum(axis=1).astype(int), chances(rewards, rate)
    mean = weights @ estimated_acceptance(passes, 7, n)
    np.testing.assert_allclose(mean, mixed_probability(rate, n), atol=1e-13)
    assert weights @ acceptance(passes / 7, n) <= mean + 1e-13


def test_estimated_acceptance_of_a_handful() -> None:
    """Of 4 rollouts with 1 pass, two drawn agree in 3 of 6 pairs."""
    assert estimated_acceptance(np.array([0, 1, 4]), 4, 2).tolist() == [0.0, 0.5, 0.0]


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2, not 1"):
        objective_slope(0.5, 1, 0)
    with pytest.raises(ValueError, match="at least 0, not -1"):
        objective_slope(0.5, 4, -1)
    with pytest.raises(ValueError, match="not 0"):
        acceptance(0.5, 0)
    with pytest.raises(ValueError, match=r"not 1\.5"):
        screened_weight(1.5, 4, 20)
    with pytest.raises(ValueError, match="can be mixed"):
        rollouts_per_trained_prompt(np.array([0.0, 1.0]), 4, 20)
    with pytest.raises(ValueError, match="cannot be drawn"):
        estimated_acceptance(np.array([1]), 4, 5)
    with pytest.raises(ValueError, match=r"passes lie in \[0, 4\]"):
        estimated_acceptance(np.array([5]), 4, 2)


@pytest.mark.parametrize(("model", "best"), [("1.5B", 3), ("7B", 4)])
def test_three_or_four_rollouts_screen_cheapest(model: str, best: int) -> None:
    """On SPEED's published counts, observed pass rates taken for true ones; groups of 24."""
    rates = dapo1k_passes(model) / 32
    assert optimal_screening(rates, 24) == best
    costs = [rollouts_per_trained_prompt(rates, n, 24 - n) for n in range(2, 24)]
    assert min(costs) == costs[best - 2]


def test_a_group_too_small_to_screen_is_refused() -> None:
    with pytest.raises(ValueError, match="2"):
        optimal_screening(np.array([0.5]), 2)


@given(rate=rates, n=st.integers(1, 5), m=st.integers(0, 5), spare=st.integers(0, 4))
def test_the_estimated_weight_is_unbiased(rate: float, n: int, m: int, spare: int) -> None:
    if n + m < 2:
        return
    R = n + m + spare
    K = np.arange(R + 1)
    mean = binom.pmf(K, R, rate) @ estimated_weight(K, R, n, m)
    np.testing.assert_allclose(mean, screened_weight(rate, n, m), atol=1e-12)


def test_without_continuation_the_estimated_weight_is_the_sample_variance() -> None:
    K = np.arange(33)
    for n in (2, 24, 32):
        np.testing.assert_allclose(
            estimated_weight(K, 32, n, 0), K * (32 - K) / (32 * 31), atol=1e-15
        )


def test_no_more_rollouts_are_drawn_than_there_are() -> None:
    with pytest.raises(ValueError, match="33 of rollouts=32 cannot be drawn"):
        estimated_weight(np.array([3]), 32, 4, 29)
    with pytest.raises(ValueError, match=r"passes lie in \[0, 8\]"):
        estimated_weight(np.array([9]), 8, 4, 2)
    with pytest.raises(ValueError, match="at least 2, not 1"):
        estimated_weight(np.array([3]), 8, 1, 0)


def test_one_screening_rollout_trains_nothing() -> None:
    assert objective_slope(RATES, 1, 23).tolist() == pytest.approx([0.0] * RATES.size)
    assert objective_slope(0.0, 2, 22) == pytest.approx(2 / 24)

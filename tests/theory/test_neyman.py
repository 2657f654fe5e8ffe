"""Allocation for RLOO: the exact optimum, and what published rules lose on it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.statistical import assert_mean
from tests.theory.enumeration import gradient_moments
from theory.closed_forms import rloo_moments
from theory.moments import moments
from theory.neyman import (
    batch_variance,
    deviation_peak,
    flattened_penalty,
    greedy_allocation,
    is_bell_shaped,
    neyman_allocation,
    noise_dominated_allocation,
    rloo_allocation,
    rollout_deviation,
    shares,
    surrogate_variance,
)

rates = st.floats(0.0, 1.0)
noises = st.floats(0.0, 4.0)
GRID = np.linspace(0.0, 1.0, 2001)
POOL = (np.arange(40) + 0.5) / 40
BUDGET = 320


def spent_on(deviations: np.ndarray, budget: int = BUDGET) -> np.ndarray:
    """Whole numbers, 2 or more, that minimize Eq. 19: a rule's rounding at its best."""
    sizes = np.arange(2, budget - 2 * (deviations.size - 1) + 1)
    return greedy_allocation(deviations[:, None] ** 2 / sizes, budget)


@given(rate=rates, V1=noises, V0=noises)
def test_deviation_of_one_rollout_by_enumeration(rate: float, V1: float, V0: float) -> None:
    """The variance of (r - p) s for a single rollout, and in the terms of Eq. 21."""
    _, variance = gradient_moments(lambda rewards: rewards - rate, rate, 1, 1.0, V1, V0)
    got = rollout_deviation(rate, 1.0, V1, V0)
    np.testing.assert_allclose(got**2, variance, atol=1e-14)
    second1, second0 = V1 + (1 - rate) ** 2, V0 + rate**2
    v = rate * (1 - rate)
    classes = v * (1 - rate) * second1 + v * rate * second0 - v**2
    np.testing.assert_allclose(got**2, classes, atol=1e-14)


@given(noise=st.floats(0.0, 3.0))
def test_the_allocation_is_a_bell_only_with_enough_noise(noise: float) -> None:
    sigma = rollout_deviation(GRID, 1.0, noise, noise)
    peak = float(deviation_peak(noise))
    assert sigma.max() == pytest.approx(rollout_deviation(peak, 1.0, noise, noise), abs=1e-5)
    rises = np.diff(sigma[:1001])
    assert is_bell_shaped(noise) == (noise >= 1.0)
    if noise >= 1.0:
        assert peak == 0.5
        assert (rises >= -1e-12).all()
    elif noise < 0.99:
        assert peak < 0.5
        assert rises[-1] < 0.0


def test_humps() -> None:
    """At .146 and .854 without noise, where sigma(1/2) = 0; at 1/4 with half of it."""
    np.testing.assert_allclose(
        deviation_peak(np.array([0.0, 0.5, 1.0])), [0.14645, 0.25, 0.5], atol=1e-5
    )
    assert rollout_deviation(0.5) == 0.0
    assert rollout_deviation(float(deviation_peak(0.0))) == pytest.approx(0.25)
    assert rollout_deviation(np.array([0.0, 1.0]), 1.0, 2.0, 3.0).tolist() == [0.0, 0.0]


def test_unequal_noise_moves_the_bell() -> None:
    """Noise among passing rollouts only, however strong: the peak tends to 1/3."""
    sigma = rollout_deviation(GRID, 1.0, 1e4, 0.0)
    assert GRID[sigma.argmax()] == pytest.approx(1 / 3, abs=1e-3)


@pytest.mark.parametrize("flattened", [False, True])
@given(V1=noises, V0=noises)
def test_batch_variance_by_enumeration(V1: float, V0: float, flattened: bool) -> None:  # noqa: FBT001
    """Two prompts, of 2 and 3 rollouts."""
    p, n = np.array([0.3, 0.8]), np.array([2, 3])

    def rloo(rewards: np.ndarray) -> np.ndarray:
        size = rewards.shape[1]
        return (rewards - rewards.mean(axis=1, keepdims=True)) * size / (size - 1)

    each = [
        gradient_moments(rloo, a, int(b), 1.0, V1, V0)[1] for a, b in zip(p, n, strict=True)
    ]
    weights = n / 5 if flattened else np.full(2, 1 / 2)
    got = batch_variance(p, n, 1.0, V1, V0, flattened=flattened)
    assert got == pytest.approx(float(weights**2 @ each), abs=1e-12)


@pytest.mark.parametrize("scores", [(1.0, 0.0, 0.0), (1.0, 2.0, 0.5), (0.01, 1.0, 1.0)])
def test_no_allocation_beats_the_greedy_one(scores: tuple[float, float, float]) -> None:
    """Brute force over all 1820 ways to share 20 rollouts among 5 prompts."""
    p = np.array([0.02, 0.2, 0.5, 0.7, 1.0])
    best = batch_variance(p, rloo_allocation(p, 20, *scores), *scores)
    ways = (n for n in itertools.product(range(2, 13), repeat=5) if sum(n) == 20)
    least = min(batch_variance(p, np.array(n), *scores) for n in ways)
    assert best == pytest.approx(least, rel=1e-12)


@given(rate=rates, V1=noises, V0=noises)
def test_the_variance_of_rloo_is_convex(rate: float, V1: float, V0: float) -> None:
    """So that one-by-one allocation is optimal."""
    variance = rloo_moments(rate, np.arange(2, 60)).variance(1.0, V1, V0)
    assert (np.diff(variance, n=2) >= -1e-15).all()


def test_the_variance_of_grpo_is_not_convex() -> None:
    """p = .05: it rises to 7 rollouts and then falls, so that greedy never gets over it."""
    losses = moments("grpo", np.array([[0.05], [0.5]]), np.arange(2, 99)).variance()
    assert losses[0].argmax() + 2 == 7
    assert (np.diff(losses[0, :4], n=2) < 0.0).all()
    with pytest.raises(ValueError, match="losses are convex"):
        greedy_allocation(losses, 100)
    n = [2, 2]
    for _ in range(96):
        n[int(np.argmax([losses[i, n[i] - 2] - losses[i, n[i] - 1] for i in (0, 1)]))] += 1
    assert n == [2, 98]
    best = min(losses[0, m - 2] + losses[1, 98 - m] for m in range(2, 99))
    assert losses[0, 0] + losses[1, 96] > 3.0 * best


@pytest.mark.parametrize(
    ("noise", "numbers", "uniform", "eq20", "root"),
    [
        (0.0, [4, 9, 9, 7], 1.032, 2.329, 1.110),
        (1.0, [3, 7, 9, 9], 1.056, 1.000, 1.015),
        (100.0, [3, 7, 9, 10], 1.076, 1.007, 1.007),
    ],
)
def test_what_rules_lose(
    noise: float, numbers: list[int], uniform: float, eq20: float, root: float
) -> None:
    """40 prompts, p uniform, 320 rollouts: the best allocation beats equal numbers by 3-8 %."""
    best = rloo_allocation(POOL, BUDGET, 1.0, noise, noise)
    assert best[[0, 4, 10, 20]].tolist() == numbers
    sigma = rollout_deviation(POOL, 1.0, noise, noise)
    rules = (np.ones(40), sigma, np.sqrt(POOL * (1 - POOL)))
    least = batch_variance(POOL, best, 1.0, noise, noise)
    lost = [batch_variance(POOL, spent_on(w), 1.0, noise, noise) / least for w in rules]
    np.testing.assert_allclose(lost, [uniform, eq20, root], atol=6e-4)


def test_the_released_deviation_loses_less_than_the_published_one() -> None:
    """With norms in place of vectors it is sqrt(v)(1-2v) without noise: half a percent."""
    v = POOL * (1 - POOL)
    lost = batch_variance(POOL, spent_on(np.sqrt(v) * (1 - 2 * v)), 1.0)
    assert lost / batch_variance(POOL, rloo_allocation(POOL, BUDGET)) < 1.006


@settings(max_examples=50)
@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=6), st.integers(0, 10**6))
def test_neyman_minimizes_the_surrogate(sigmas: list[float], seed: int) -> None:
    sigma = np.array(sigmas) + 0.01
    best = surrogate_variance(sigma, neyman_allocation(sigma, 50.0))
    assert best == pytest.approx(sigma.sum() ** 2 / 50 / sigma.size**2)
    for other in np.random.default_rng(seed).dirichlet(np.ones(sigma.size), 20):
        assert surrogate_variance(sigma, 50 * (other + 1e-9)) >= best * (1 - 1e-6)


def test_the_surrogate_is_exact_for_a_known_pass_rate_only() -> None:
    """One prompt at p = 1/2 of 4 rollouts: 0 by Eq. 19, 1/96 for RLOO."""
    assert surrogate_variance(rollout_deviation(np.array([0.5])), np.array([4.0])) == 0.0
    assert batch_variance(np.array([0.5]), np.array([4])) == pytest.approx(1 / 96)


def test_simulated_batches_have_the_surrogate_variance() -> None:
    """(r - p) s averaged per prompt, noise free; the control is RLOO's variance."""
    rng = np.random.default_rng(0)
    p, n = np.array([0.2, 0.6]), np.array([2, 4])
    scale = 1.0
    deviation = np.zeros(200_000)
    for rate, size in zip(p, n, strict=True):
        passes = rng.binomial(size, rate, deviation.size)
        terms = passes * (1 - rate) ** 2 + (size - passes) * rate**2
        deviation += (terms / size - rate * (1 - rate)) / 2
    sigma = rollout_deviation(p)
    assert_mean(deviation**2, surrogate_variance(sigma, n.astype(float)), 0.0, scale)
    with pytest.raises(AssertionError):
        assert_mean(deviation**2, batch_variance(p, n), 0.0, scale)


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=8))
def test_neyman_loses_under_a_flattened_loss(sigmas: list[float]) -> None:
    sigma = np.array(sigmas) + 1e-3
    equal, chosen = np.full(sigma.size, 10.0), neyman_allocation(sigma, 10.0 * sigma.size)

    def flattened(n: np.ndarray) -> float:
        return float((n * sigma**2).sum() / n.sum() ** 2)

    penalty = flattened_penalty(sigma)
    assert penalty >= 1.0 - 1e-12
    assert penalty == pytest.approx(flattened(chosen) / flattened(equal))


def test_the_penalty_of_a_uniform_population() -> None:
    """E v^1.5/E v^.5 = .1875 against E v = .1667."""
    rate = (np.arange(20000) + 0.5) / 20000
    assert flattened_penalty(np.sqrt(rate * (1 - rate))) == pytest.approx(9 / 8, rel=1e-5)
    assert flattened_penalty(np.array([1e-200, 1e-200])) == 1.0


@settings(max_examples=50)
@given(st.lists(st.floats(0.05, 0.95), min_size=2, max_size=6), st.integers(0, 10**6))
def test_the_rule_of_dominating_noise_is_optimal(pass_rates: list[float], seed: int) -> None:
    p = np.array(pass_rates)
    rng = np.random.default_rng(seed)
    V, w = rng.uniform(0.1, 5.0, (2, p.size))
    n = noise_dominated_allocation(p, 8.0 * p.size, V, w)
    assert n.sum() == pytest.approx(8.0 * p.size)

    def loss(counts: np.ndarray) -> float:
        return float((w**2 * p * (1 - p) * V / (counts - 1)).sum())

    for other in rng.dirichlet(np.ones(p.size), 20):
        assert loss(1 + 7 * p.size * (other + 1e-9)) >= loss(n) * (1 - 1e-6)


def test_the_exact_optimum_follows_that_rule_in_noise() -> None:
    exact = rloo_allocation(POOL, BUDGET, 1.0, 1e6, 1e6)
    assert np.abs(exact - noise_dominated_allocation(POOL, float(BUDGET))).max() <= 1.0


def test_objectives_and_their_rules() -> None:
    """sqrt(v) for the mean reward, sqrt((1-p)/p) for log p, equal numbers for GRPO."""
    p = np.array([0.1, 0.4, 0.9])
    v = p * (1 - p)
    np.testing.assert_allclose(noise_dominated_allocation(p, 30.0) - 1, 27 * shares(np.sqrt(v)))
    log = noise_dominated_allocation(p, 30.0, slope=1 / p)
    np.testing.assert_allclose(log - 1, 27 * shares(np.sqrt((1 - p) / p)))
    np.testing.assert_allclose(noise_dominated_allocation(p, 30.0, slope=1 / np.sqrt(v)), 10.0)


def test_prompts_that_teach_nothing() -> None:
    """Share what is left equally if no prompt teaches; get the minimum if another does."""
    ends = np.array([0.0, 1.0])
    assert noise_dominated_allocation(ends, 10.0).tolist() == [5.0, 5.0]
    assert neyman_allocation(rollout_deviation(ends), 10.0).tolist() == [5.0, 5.0]
    assert rloo_allocation(np.array([0.0, 0.5, 1.0]), 12).tolist() == [2, 8, 2]
    assert batch_variance(ends, np.array([2, 2]), 1.0, 1.0, 1.0) == 0.0


def test_each_prompt_may_have_its_own_noise() -> None:
    p = np.full(2, 0.5)
    n = rloo_allocation(p, 20, 1.0, np.array([9.0, 0.1]), np.array([9.0, 0.1]))
    assert n[0] > 2 * n[1]
    assert n.sum() == 20


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2, not 1"):
        batch_variance(np.array([0.5]), np.array([1]))
    with pytest.raises(ValueError, match="budget=3 does not fit 2 prompts"):
        rloo_allocation(np.array([0.2, 0.5]), 3)
    with pytest.raises(ValueError, match=r"budget=2\.0 is not more"):
        noise_dominated_allocation(np.array([0.2, 0.5]), 2.0)
    for budget in (np.inf, np.nan):
        with pytest.raises(ValueError, match=f"budget={budget}"):
            noise_dominated_allocation(np.array([0.2, 0.5]), budget)
    with pytest.raises(ValueError, match="noise is finite and not negative, not -1"):
        deviation_peak(-1.0)
    with pytest.raises(ValueError, match="noise is finite and not negative, not -1"):
        is_bell_shaped(-1.0)
    with pytest.raises(ValueError, match="a weight is finite and not negative, not inf"):
        shares(np.array([1.0, np.inf]))
    with pytest.raises(ValueError, match="budget is positive, not 0"):
        neyman_allocation(np.array([1.0]), 0.0)
    with pytest.raises(ValueError, match="deviations are not all 0"):
        flattened_penalty(np.zeros(2))
    with pytest.raises(ValueError, match="rollouts is positive, not 0"):
        surrogate_variance(np.array([1.0]), np.array([0.0]))

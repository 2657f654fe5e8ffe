"""The criterion that does not reward small gradients, and its exact optimum."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.efficiency import best_allocation, efficiency, efficient_allocation
from theory.gvm import gvm_weight
from theory.moments import Centred, moments
from theory.neyman import greedy_allocation, rloo_allocation, rollout_deviation

POOL = (np.arange(40) + 0.5) / 40
SHOWN = [0, 4, 10, 20, 29, 35, 39]


def spent_on(deviations: np.ndarray) -> np.ndarray:
    return greedy_allocation(deviations[:, None] ** 2 / np.arange(2, 243), 320)


@pytest.mark.parametrize(
    ("noise", "estimator", "flattened", "best", "numbers", "ratios"),
    [
        (0.0, "rloo", False, 0.865, [4, 9, 9, 7, 9, 9, 4], (0.996, 0.848, 0.985, 0.965)),
        (0.0, "rloo", True, 0.895, [2, 5, 10, 11, 10, 5, 2], (0.963, 0.700, 0.995, 0.875)),
        (0.0, "grpo", False, 0.905, [2, 2, 11, 9, 11, 2, 2], (0.965, 0.830, 0.980, 0.939)),
        (0.0, "grpo", True, 0.924, [2, 6, 10, 11, 10, 6, 2], (0.945, 0.595, 0.995, 0.773)),
        (100.0, "rloo", False, 0.0148, [3, 7, 9, 10, 9, 7, 3], (0.930, 0.993, 0.993, 0.764)),
        (100.0, "rloo", True, 0.02545, [2, 2, 2, 39, 2, 2, 2], (0.541, 0.666, 0.666, 0.460)),
        (100.0, "grpo", False, 0.01655, [2, 2, 11, 12, 11, 2, 2], (0.780, 0.889, 0.889, 0.677)),
        (100.0, "grpo", True, 0.0272, [2, 2, 2, 39, 2, 2, 2], (0.475, 0.609, 0.609, 0.374)),
    ],
)
def test_tabulated_optima(
    noise: float,
    estimator: Centred,
    flattened: bool,  # noqa: FBT001
    best: float,
    numbers: list[int],
    ratios: tuple[float, ...],
) -> None:
    """Against equal numbers, Eq. 20, sqrt(v) and GVM: 40 prompts, 320 rollouts."""
    scores = (1.0, noise, noise)
    found = efficient_allocation(estimator, POOL, 320, *scores, flattened=flattened)
    top = efficiency(estimator, POOL, found, *scores, flattened=flattened)
    assert found.sum() == 320
    assert top == pytest.approx(best, rel=2e-3)
    assert found[SHOWN].tolist() == numbers
    root = np.sqrt(POOL * (1 - POOL))
    rules = (np.ones(40), rollout_deviation(POOL, *scores), root, gvm_weight(POOL))
    got = [
        efficiency(estimator, POOL, spent_on(w), *scores, flattened=flattened) for w in rules
    ]
    np.testing.assert_allclose(np.array(got) / top, ratios, atol=4e-3)


@pytest.mark.parametrize("estimator", ["rloo", "grpo", "drgrpo"])
@pytest.mark.parametrize("flattened", [False, True])
@pytest.mark.parametrize("noise", [0.0, 20.0])
def test_no_allocation_of_a_small_batch_is_better(
    estimator: Centred,
    flattened: bool,  # noqa: FBT001
    noise: float,
) -> None:
    """All 455 ways to share 20 rollouts among 4 prompts."""
    p, scores = np.array([0.03, 0.2, 0.5, 0.9]), (1.0, noise, noise)
    found = efficient_allocation(estimator, p, 20, *scores, flattened=flattened)
    ways = (n for n in itertools.product(range(2, 15), repeat=4) if sum(n) == 20)
    best = max(
        efficiency(estimator, p, np.array(n), *scores, flattened=flattened) for n in ways
    )
    got = efficiency(estimator, p, found, *scores, flattened=flattened)
    assert got == pytest.approx(best, rel=1e-12)


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=5), st.floats(0.0, 50.0))
def test_efficiency_lies_between_zero_and_one(pass_rates: list[float], noise: float) -> None:
    p = np.array(pass_rates)
    n = np.arange(2, 2 + p.size)
    for estimator in ("rloo", "grpo", "maxrl"):
        assert 0.0 < efficiency(estimator, p, n, 1.0, noise, noise) <= 1.0 + 1e-12


def test_efficiency_of_one_prompt_is_its_snr() -> None:
    """SNR/(1 + SNR): a single direction, for any estimator and any scale of the scores."""
    for estimator in ("rloo", "drgrpo", "grpo"):
        snr = moments(estimator, 0.3, 6).snr(2.0, 3.0, 1.0)
        got = efficiency(estimator, np.array([0.3]), np.array([6]), 2.0, 3.0, 1.0)
        assert got == pytest.approx(float(snr / (1 + snr)))
        scaled = efficiency(estimator, np.array([0.3]), np.array([6]), 20.0, 30.0, 10.0)
        assert scaled == pytest.approx(got)


def test_efficiency_is_the_cosine_to_the_gradient() -> None:
    """Simulated: orthogonal unit gaps, GRPO without noise, three prompts."""
    p, n = np.array([0.1, 0.4, 0.8]), np.array([3, 5, 8])
    rng = np.random.default_rng(0)
    K = rng.binomial(n, p, (200_000, 3))
    c = np.sqrt((n - 1) / n * K * (n - K)) / n
    v = p * (1 - p)
    expected = (v @ c.mean(axis=0)) ** 2 / ((v @ v) * (c**2).sum(axis=1).mean())
    assert efficiency("grpo", p, n) == pytest.approx(float(expected), rel=3e-3)


def test_minimizing_the_variance_of_drgrpo_learns_nothing() -> None:
    """It prefers the least rollouts everywhere; the efficient allocation is RLOO's kind."""
    variance = moments("drgrpo", 0.3, np.arange(1, 8)).variance(1.0, 5.0, 5.0)
    assert variance.argmin() == 0
    assert variance[0] == 0.0
    assert moments("drgrpo", 0.3, 1).mean == 0.0


@settings(max_examples=50)
@given(st.integers(1, 4), st.integers(0, 8), st.integers(0, 10**6))
def test_dynamic_programming_agrees_with_brute_force(
    prompts: int, extra: int, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(size=(prompts, 9))
    budget = 2 * prompts + extra
    found = best_allocation(values, budget)
    assert found.sum() == budget
    ways = (n for n in itertools.product(range(9), repeat=prompts) if sum(n) == extra)
    best = max(values[np.arange(prompts), list(n)].sum() for n in ways)
    assert values[np.arange(prompts), found - 2].sum() == pytest.approx(best)


def test_dynamic_programming_agrees_with_greedy_where_both_apply() -> None:
    p = POOL[::4]
    greedy = rloo_allocation(p, 60, 1.0, 3.0, 3.0)
    losses = moments("rloo", p[:, None], np.arange(2, 43)).variance(1.0, 3.0, 3.0)
    assert best_allocation(-losses, 60).tolist() == greedy.tolist()


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match=r"some pass rate lies inside \(0, 1\)"):
        efficiency("rloo", np.array([0.0, 1.0]), np.array([4, 4]))
    with pytest.raises(ValueError, match=r"\|D\|\^2 is positive, not 0"):
        efficiency("rloo", np.array([0.5]), np.array([4]), 0.0)
    with pytest.raises(ValueError, match="budget=3 does not fit 2 prompts"):
        best_allocation(np.zeros((2, 5)), 3)
    with pytest.raises(ValueError, match="budget=20 does not fit 2 prompts"):
        best_allocation(np.zeros((2, 5)), 20)

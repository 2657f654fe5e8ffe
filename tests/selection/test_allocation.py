"""Whole rollouts out of a budget, against brute force and the published formulas."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.allocation import allocate, apportion, gvm_weight, neyman_deviation
from selection.protocol import Norms

WEIGHTS = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=12).map(np.array)
RATES = np.array([0.0, 0.1, 0.25, 0.5, 0.8, 1.0])


def logit(rates: np.ndarray) -> Norms:
    """A Bernoulli policy and its logit: s = r - p, so that s1 = 1-p, s0 = -p and |D| = 1."""
    p, q = rates, 1.0 - rates
    return Norms(
        passing=q, failing=p, passing_square=q**2, failing_square=p**2, contrast=np.ones(p.size)
    )


def test_without_norms_the_deviation_is_that_of_the_reward() -> None:
    np.testing.assert_allclose(
        neyman_deviation(RATES), [0.0, 0.3, 0.75**0.5 / 2, 0.5, 0.4, 0.0]
    )


def test_the_paper_and_its_code_differ_in_the_bernoulli_model() -> None:
    """sqrt(v) |1 - 2p| with the vectors of Eq. 21, sqrt(v) (1 - 2v) with norms."""
    v = RATES * (1.0 - RATES)
    paper = neyman_deviation(RATES, logit(RATES))
    code = neyman_deviation(RATES, logit(RATES), vectors=False)
    np.testing.assert_allclose(paper, np.sqrt(v) * np.abs(1.0 - 2.0 * RATES), atol=1e-15)
    np.testing.assert_allclose(code, np.sqrt(v) * (1.0 - 2.0 * v), atol=1e-15)
    assert (paper[3], code[3]) == (0.0, 0.25)


def test_the_code_s_deviation_peaks_at_a_fifth() -> None:
    grid = np.linspace(0.001, 0.5, 500)
    code = neyman_deviation(grid, logit(grid), vectors=False)
    assert round(float(grid[code.argmax()]), 3) == 0.211
    assert round(float(code.max()), 3) == 0.272


@given(st.floats(0.0, 1.0), st.floats(0.0, 3.0), st.floats(0.0, 3.0), st.floats(0.0, 3.0))
def test_the_deviation_is_that_of_a_single_rollout(
    rate: float, passing: float, failing: float, spread: float
) -> None:
    """Var[(r - p) s] by enumeration: two scores of each class, on one line, equally likely."""
    scores = np.array(
        [passing + spread, passing - spread, -failing + spread, -failing - spread]
    )
    chances = np.array([rate, rate, 1.0 - rate, 1.0 - rate]) / 2.0
    terms = np.array([1.0 - rate, 1.0 - rate, -rate, -rate]) * scores
    square = np.array([[passing**2 + spread**2], [failing**2 + spread**2]])
    norms = Norms(
        passing=np.array([passing]),
        failing=np.array([failing]),
        passing_square=square[0],
        failing_square=square[1],
        contrast=np.array([(passing + failing) ** 2]),
    )
    variance = chances @ terms**2 - (chances @ terms) ** 2
    got = neyman_deviation(np.array([rate]), norms)[0] ** 2
    np.testing.assert_allclose(got, variance, atol=1e-12)


def test_gvm_peaks_where_proposition_1_says() -> None:
    """At (alpha (beta - 1))^(1 / beta), .0316 with the published constants."""
    grid = np.arange(1, 2001) / 10_000
    weights = gvm_weight(grid, np.ones(grid.size))
    assert grid[weights.argmax()] == 0.0316
    steep = gvm_weight(grid, np.ones(grid.size), alpha=1e-4, power=4.0)
    assert abs(grid[steep.argmax()] - 3e-4**0.25) < 1e-4


def test_gvm_gives_nothing_to_prompts_that_never_passed() -> None:
    weights = gvm_weight(np.array([0.0, 0.5, 0.5, 1.0]), np.array([1.0, 0.0, 3.0, 2.0]))
    np.testing.assert_allclose(weights, [0, 0, 3 / np.sqrt(0.502), 2 / np.sqrt(1.001)])


def test_rounding_is_settled_where_it_was_furthest_off() -> None:
    assert apportion(np.array([1.0, 1.0, 1.0]), 4).tolist() == [2, 1, 1]
    assert apportion(np.array([0.6, 0.6, 0.8]), 10).tolist() == [3, 3, 4]
    assert apportion(np.array([1.6, 1.7, 0.7]), 4).tolist() == [1, 2, 1]
    assert apportion(np.zeros(4), 6).tolist() == [1, 1, 2, 2], "four times 1.5 rounds to 2"


@given(WEIGHTS, st.integers(0, 1000))
def test_shares_sum_to_the_budget_and_miss_by_less_than_one(
    weights: np.ndarray, budget: int
) -> None:
    counts = apportion(weights, budget)
    total = weights.sum()
    ideal = budget * (weights / total if total else np.full(weights.size, 1 / weights.size))
    assert counts.sum() == budget
    assert (counts >= 0).all()
    assert (np.abs(counts - ideal) < 1.0 + 1e-9).all()


@given(WEIGHTS, st.integers(0, 200), st.integers(0, 5))
def test_an_allocation_keeps_its_minimum_and_its_budget(
    weights: np.ndarray, budget: int, at_least: int
) -> None:
    counts = allocate(weights, budget, at_least)
    assert (counts >= at_least).all()
    assert counts.sum() == max(budget, at_least * weights.size)


@given(WEIGHTS, st.integers(0, 200), st.integers(0, 5), st.integers(-20, 20))
def test_an_allocation_does_not_depend_on_the_unit_of_the_weights(
    weights: np.ndarray, budget: int, at_least: int, power: int
) -> None:
    weights = np.round(weights, 3)
    scaled = allocate(2.0**power * weights, budget, at_least)
    np.testing.assert_array_equal(scaled, allocate(weights, budget, at_least))


@given(st.lists(st.integers(1, 30), min_size=2, max_size=3), st.integers(6, 24))
def test_an_allocation_is_within_a_rollout_of_the_best(
    deviations: list[int], budget: int
) -> None:
    """A rollout more, where it helps most, and it would beat the best by brute force."""
    weights = np.array(deviations, float)
    counts = allocate(weights, budget, 1)
    tuples = product(range(1, budget + 1), repeat=weights.size)
    best = min(float((weights**2 / np.array(n)).sum()) for n in tuples if sum(n) == budget)
    near = [counts + step for step in np.eye(weights.size, dtype=int)]
    floor = min(float((weights**2 / n).sum()) for n in near)
    assert floor <= best * (1.0 + 1e-12) <= float((weights**2 / counts).sum()) * (1.0 + 1e-9)


@pytest.mark.parametrize(
    ("deviations", "budget"), [([1, 2, 3], 12), ([1, 1, 4], 18), ([3, 5], 16), ([2, 2, 1], 10)]
)
def test_whole_shares_are_the_optimum(deviations: list[int], budget: int) -> None:
    """Where Neyman's shares are whole numbers, no other allocation has less variance."""
    weights = np.array(deviations, float)
    tuples = product(range(1, budget + 1), repeat=weights.size)
    whole = [np.array(n) for n in tuples if sum(n) == budget]
    best = min(whole, key=lambda n: float((weights**2 / n).sum()))
    assert allocate(weights, budget).tolist() == best.tolist()


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
def test_a_weight_that_means_nothing_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="must be finite and not negative"):
        apportion(np.array([1.0, weight]), 4)

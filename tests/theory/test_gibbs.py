"""CurES's one-step bound and sampling distribution: where they hold, and counterexamples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, root_scalar
from scipy.special import softmax

from theory.gibbs import (
    averaged_gain,
    bound_fails_below,
    first_order_gain,
    gibbs,
    gibbs_objective,
    gibbs_ratio,
    gibbs_temperature,
    largest_gain,
    separate_gain,
    tightness,
)

rates = st.floats(0.0, 1.0)
divergences = st.floats(1e-4, 2.0)
HARD = np.array([0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])


def divergence(p: float, to: float) -> float:
    return p * np.log(p / to) + (1 - p) * np.log((1 - p) / (1 - to))


@pytest.mark.parametrize(
    ("delta", "ratios"),
    [
        (1e-2, (2.80, 1.50, 1.12, 1.04, 0.995, 0.954, 0.874, 0.598)),
        (1e-3, (1.52, 1.15, 1.04, 1.01, 0.9995, 0.987, 0.960, 0.859)),
        (1e-4, (1.15, 1.05, 1.013, 1.004, 1.000, 0.996, 0.987, 0.954)),
    ],
)
def test_tabulated_ratios_of_exact_gain_to_bound(
    delta: float, ratios: tuple[float, ...]
) -> None:
    got = largest_gain(HARD, delta) / first_order_gain(HARD, delta)
    np.testing.assert_allclose(got, ratios, rtol=5e-3)


@given(rate=st.floats(0.001, 0.9), delta=divergences)
def test_the_largest_gain_spends_the_divergence(rate: float, delta: float) -> None:
    """Against a root found the other way round; no larger gain is allowed."""
    gain = float(largest_gain(rate, delta))
    found = root_scalar(
        lambda to: divergence(rate, to) - delta, bracket=(rate, 1 - 1e-16), xtol=1e-15
    )
    assert gain == pytest.approx(found.root - rate, rel=1e-9, abs=1e-12)
    if rate + gain < 1 - 1e-9:
        assert divergence(rate, rate + gain) == pytest.approx(delta, rel=1e-6)


@given(rate=st.floats(0.5, 1.0), delta=divergences)
def test_the_bound_holds_from_one_half_on(rate: float, delta: float) -> None:
    assert largest_gain(rate, delta) <= first_order_gain(rate, delta) * (1 + 1e-9)
    assert bound_fails_below(rate) == 0.0


@given(rate=st.floats(1e-6, 0.49))
def test_below_one_half_the_bound_fails_for_small_divergences_only(rate: float) -> None:
    edge = float(bound_fails_below(rate))
    for share in (1e-2, 0.5, 0.95):
        assert largest_gain(rate, share * edge) > first_order_gain(rate, share * edge)
    for share in (1.05, 2.0, 10.0):
        assert largest_gain(rate, share * edge) < first_order_gain(rate, share * edge)


def test_committed_counterexamples_to_the_bound() -> None:
    """p = .01 and delta = .01: half as much again as the bound allows; 0 at p = 0."""
    assert largest_gain(0.01, 0.01) > 1.5 * first_order_gain(0.01, 0.01)
    assert bound_fails_below(np.array([0.01, 0.1, 0.3])) == pytest.approx(
        [49.5, 4.4505, 0.63098], rel=1e-4
    )
    assert first_order_gain(0.0, 0.01) == 0.0
    assert largest_gain(0.0, 0.01) == pytest.approx(1 - np.exp(-0.01), rel=1e-12)


def test_the_symmetry_of_the_bound_is_that_of_small_steps() -> None:
    """The gain prefers p to 1 - p at any finite step, by less the smaller the step."""
    low, high = np.array([0.05, 0.3]), np.array([0.95, 0.7])
    previous = np.full(2, np.inf)
    for delta in (1e-2, 1e-4, 1e-6):
        ratio = largest_gain(low, delta) / largest_gain(high, delta)
        assert (ratio > 1.0).all()
        assert (ratio < previous).all()
        previous = ratio
    np.testing.assert_allclose(previous, 1.0, atol=5e-3)


def test_gains_at_the_ends() -> None:
    ends = np.array([0.0, 1.0])
    assert largest_gain(1.0, 0.5) == 0.0
    assert first_order_gain(ends, 0.5).tolist() == [0.0, 0.0]
    assert bound_fails_below(ends).tolist() == [np.inf, 0.0]
    assert tightness(ends, 3.0).tolist() == [0.0, 0.0]


@settings(max_examples=30)
@given(st.lists(rates, min_size=2, max_size=6), st.floats(0.05, 5.0), st.integers(0, 10**6))
def test_no_distribution_beats_gibbs(pass_rates: list[float], alpha: float, seed: int) -> None:
    p = np.array(pass_rates)
    best = gibbs(p, float(gibbs_temperature(0.01, alpha)))
    value = gibbs_objective(best, p, 0.01, alpha)
    rng = np.random.default_rng(seed)
    for other in (*rng.dirichlet(np.ones(p.size), 20), 0.9 * best + 0.1 / p.size):
        assert gibbs_objective(other / other.sum(), p, 0.01, alpha) <= value + 1e-12


def test_numeric_ascent_arrives_at_gibbs() -> None:
    """From equal probabilities, over free logits."""
    p, alpha = np.array([0.0, 0.02, 0.2, 0.5, 0.9]), 0.03

    def loss(logits: np.ndarray) -> float:
        return -gibbs_objective(softmax(logits), p, 0.01, alpha)

    found = minimize(loss, np.zeros(p.size), tol=1e-14)
    expected = gibbs(p, float(gibbs_temperature(0.01, alpha)))
    np.testing.assert_allclose(softmax(found.x), expected, atol=1e-5)


def test_under_the_averaged_constraint_the_optimum_is_gibbs_in_v() -> None:
    """Its logarithm is linear in v; that of the published one in sqrt(v)."""
    p, alpha, delta = np.array([0.0, 0.02, 0.2, 0.35, 0.5, 0.9]), 0.03, 0.01
    v = p * (1 - p)

    def loss(logits: np.ndarray) -> float:
        rho = softmax(logits)
        return -averaged_gain(p, delta, rho) + alpha * float(rho @ np.log(rho))

    log = np.log(softmax(minimize(loss, np.zeros(p.size), tol=1e-14).x))
    assert np.abs(log - np.polyval(np.polyfit(v, log, 1), v)).max() < 1e-4
    assert np.abs(log - np.polyval(np.polyfit(v**0.5, log, 1), v**0.5)).max() > 0.02


def test_gibbs_is_a_point_mass_without_entropy_and_uniform_with_nothing_else() -> None:
    p = np.array([0.0, 0.3, 0.5, 1.0])
    assert gibbs(p, 1e-5).tolist() == [0.0, 0.0, 1.0, 0.0]
    assert gibbs(p, 1e-320).tolist() == [0.0, 0.0, 1.0, 0.0]
    np.testing.assert_allclose(gibbs(p, 1e6), 0.25, rtol=1e-6)


@given(tau=st.floats(0.01, 100.0))
def test_the_weights_differ_by_at_most_the_ratio(tau: float) -> None:
    weights = gibbs(np.array([0.0, 0.1, 0.5, 0.9]), tau)
    np.testing.assert_allclose(weights[2] / weights[0], gibbs_ratio(tau), rtol=1e-9)
    assert weights[1] == pytest.approx(weights[3], rel=1e-12)


@pytest.mark.parametrize(("tau", "ratio"), [(100.0, 1.00501), (1.0, 1.64872), (0.1, 148.413)])
def test_weight_ratios(tau: float, ratio: float) -> None:
    """tau = 100 is the least that ZexuSun/CurES @ eccf298 uses: uniform to half a percent."""
    assert gibbs_ratio(tau) == pytest.approx(ratio, rel=1e-5)
    assert gibbs_ratio(1e-5) == np.inf


def test_the_averaged_constraint_allows_more_than_eq_12() -> None:
    """Beta(1/2, 1/2): .0500 against .0450."""
    p = np.sin(np.pi / 2 * (np.arange(4000) + 0.5) / 4000) ** 2  # its quantiles
    assert averaged_gain(p, 0.01) == pytest.approx(np.sqrt(0.02 / 8), rel=1e-6)
    assert separate_gain(p, 0.01) == pytest.approx(np.sqrt(0.02) / np.pi, rel=1e-6)


@given(st.lists(rates, min_size=1, max_size=8), st.integers(0, 10**6))
def test_averaging_never_gains_less(pass_rates: list[float], seed: int) -> None:
    p = np.array(pass_rates)
    rho = np.random.default_rng(seed).dirichlet(np.ones(p.size))
    assert averaged_gain(p, 0.01, rho) >= separate_gain(p, 0.01, rho) - 1e-15
    same = np.full(p.size, pass_rates[0])
    assert averaged_gain(same, 0.01) == pytest.approx(separate_gain(same, 0.01))


def test_the_averaged_gain_is_reached() -> None:
    """By free pass rates that maximize gain less price times divergence: to first order."""
    p, delta = np.array([0.1, 0.4, 0.5, 0.8]), 1e-6

    def step(price: float) -> np.ndarray:  # 1 = price (t - p)/(t (1 - t)), a quadratic in t
        linear = price - 1.0
        return (-linear + np.sqrt(linear**2 + 4.0 * price * p)) / 2.0

    def spent(price: float) -> float:
        return float(np.mean([divergence(a, b) for a, b in zip(p, step(price), strict=True)]))

    found = root_scalar(lambda x: spent(np.exp(x)) - delta, bracket=(0.0, 12.0))
    gain = float((step(np.exp(found.root)) - p).mean())
    assert gain == pytest.approx(averaged_gain(p, delta), rel=2e-3)
    assert gain > 1.015 * separate_gain(p, delta)


def score_table(features: np.ndarray, passing: np.ndarray) -> tuple[float, float, float]:
    """Of a softmax over answers with linear logits: p, kappa, and grad p F^-1 grad p."""
    chance = softmax(features @ np.array([0.3, -0.2, 0.5])[: features.shape[1]])
    scores = features - chance @ features
    p = float(chance[passing].sum())
    mu1 = chance[passing] @ scores[passing] / p
    mu0 = chance[~passing] @ scores[~passing] / (1 - p)
    fisher = (scores.T * chance) @ scores
    gap, slope = mu1 - mu0, chance[passing] @ scores[passing]
    within = fisher - p * (1 - p) * np.outer(gap, gap)
    kappa = float(gap @ np.linalg.solve(within, gap))
    return p, kappa, float(slope @ np.linalg.solve(fisher, slope))


@pytest.mark.parametrize("seed", range(5))
def test_tightness_of_random_softmax_policies(seed: int) -> None:
    """Twelve answers, three parameters: far from what Eq. 11 allows."""
    rng = np.random.default_rng(seed)
    p, kappa, squared = score_table(rng.normal(size=(12, 3)), rng.random(12) < 0.4)
    share = float(tightness(p, kappa))
    assert squared == pytest.approx(p * (1 - p) * share, rel=1e-9)
    assert share < 0.8


def test_tightness_approaches_one_where_scores_tell_the_reward() -> None:
    """A feature that is the reward itself, blurred less and less."""
    passing = np.arange(12) < 4
    blur = np.random.default_rng(0).normal(size=(12, 1))
    shares = [
        float(tightness(*score_table(passing[:, None] + size * blur, passing)[:2]))
        for size in (1.0, 0.1, 0.01)
    ]
    assert shares[0] < shares[1] < 0.999 < shares[2] < 1.0


def test_what_is_undefined_is_refused() -> None:
    p = np.array([0.2, 0.5])
    with pytest.raises(ValueError, match="temperature is positive, not 0"):
        gibbs(p, 0.0)
    with pytest.raises(ValueError, match=r"\[0, 1\], not 2"):
        gibbs(np.array([0.5, 2.0]), 1.0)
    with pytest.raises(ValueError, match="divergence is positive, not -1"):
        largest_gain(0.5, -1.0)
    with pytest.raises(ValueError, match="entropy is positive, not 0"):
        gibbs_temperature(0.01, 0.0)
    with pytest.raises(ValueError, match=r"sum to 1, not to 1\.5"):
        averaged_gain(p, 0.01, np.array([0.5, 1.0]))
    with pytest.raises(ValueError, match="a probability is finite and not negative"):
        gibbs_objective(np.array([-0.5, 1.5]), p, 0.01, 1.0)
    with pytest.raises(ValueError, match="separation is finite and not negative, not -2"):
        tightness(0.5, -2.0)

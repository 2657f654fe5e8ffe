"""GVM-RAFT's weight, and both sides of the constant in its Remark 1."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.gvm import (
    acceptance_bound,
    acceptance_constant,
    accepted_rollouts,
    gvm_peak,
    gvm_weight,
    log_likelihood_variance,
    regularized_bound,
)
from theory.neyman import shares

alphas, betas = st.floats(1e-5, 0.5), st.floats(1.1, 6.0)
GRID = np.linspace(0.0, 1.0, 4001)


@given(rate=st.floats(0.01, 1.0), alpha=alphas, beta=betas)
def test_the_weight_is_the_published_one(rate: float, alpha: float, beta: float) -> None:
    expected = 3.0 / np.sqrt(rate + alpha / rate ** (beta - 1))
    np.testing.assert_allclose(gvm_weight(rate, 3.0, alpha, beta), expected)


@settings(max_examples=50)
@given(
    st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5), alphas, betas, st.integers(0, 99)
)
def test_proposition_one_minimizes_the_regularized_bound(
    pass_rates: list[float], alpha: float, beta: float, seed: int
) -> None:
    p, rng = np.array(pass_rates), np.random.default_rng(seed)
    G = rng.uniform(0.5, 2.0, p.size)
    best = 40 * shares(gvm_weight(p, G, alpha, beta))
    least = regularized_bound(p, best, G, alpha, beta)
    direct = (G**2 / (best * p * (1 + alpha / p**beta))).sum()
    assert least == pytest.approx(float(direct))
    for other in rng.dirichlet(np.ones(p.size), 20):
        assert regularized_bound(p, 40 * (other + 1e-9), G, alpha, beta) >= least * (1 - 1e-6)


@given(alpha=alphas, beta=betas)
def test_the_weight_peaks_where_stated(alpha: float, beta: float) -> None:
    peak = float(gvm_peak(alpha, beta))
    top = gvm_weight(peak, 1.0, alpha, beta)
    assert (gvm_weight(GRID, 1.0, alpha, beta) <= top * (1 + 1e-12)).all()
    if peak < 1.0:
        scale = (alpha * (beta - 1)) ** (0.5 / beta)
        np.testing.assert_allclose(1 / top, acceptance_constant(beta) * scale)


def test_defaults_peak_at_three_percent() -> None:
    assert gvm_peak() == pytest.approx(0.0316, abs=5e-5)
    assert gvm_peak(0.9, 3.0) == 1.0
    assert gvm_weight(0.0) == 0.0
    assert gvm_weight(np.array([0.01, 0.0316, 0.1])).argmax() == 1


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6), alphas, betas)
def test_the_bound_holds_with_the_right_constant(
    pass_rates: list[float], alpha: float, beta: float
) -> None:
    p = np.array(pass_rates)
    bound = acceptance_bound(p, 1000.0, alpha, beta)
    if p.any():
        assert (accepted_rollouts(p, 1000.0, alpha, beta) >= bound * (1 - 1e-12)).all()


def test_the_printed_constant_fails_for_beta_five() -> None:
    """All prompts at the peak .3314: 33.14 accepted, where sqrt(2) promises 41.92."""
    p = np.full(10, gvm_peak(1e-3, 5.0))
    accepted = accepted_rollouts(p, 1000.0, 1e-3, 5.0)[0]
    assert accepted == pytest.approx(33.14, abs=5e-3)
    assert acceptance_bound(p, 1000.0, 1e-3, 5.0, 2**0.5)[0] == pytest.approx(41.92, abs=5e-3)
    assert acceptance_bound(p, 1000.0, 1e-3, 5.0)[0] == pytest.approx(accepted)


@pytest.mark.parametrize("beta", [2.0, 1.5, 3.5])
def test_the_constants_agree_at_beta_two_only(beta: float) -> None:
    """Below 2 the printed constant is too small: true, and not tight."""
    p = np.full(4, gvm_peak(1e-3, beta))
    accepted = accepted_rollouts(p, 100.0, 1e-3, beta)[0]
    printed = acceptance_bound(p, 100.0, 1e-3, beta, 2**0.5)[0]
    assert np.sign(round(printed / accepted - 1, 9)) == np.sign(beta - 2)


@given(rate=st.floats(0.05, 1.0), mean=st.floats(0.0, 2.0), spread=st.floats(0.0, 2.0))
def test_variance_by_enumeration(rate: float, mean: float, spread: float) -> None:
    """Three rollouts, of which passing ones have the score mean + or - spread."""
    terms = itertools.product((0.0, mean - spread, mean + spread), repeat=3)
    factors = itertools.product((1 - rate, rate / 2, rate / 2), repeat=3)
    value = np.array(list(terms)).sum(axis=1) / (3 * rate)
    chance = np.array(list(factors)).prod(axis=1)
    assert chance @ value == pytest.approx(mean, abs=1e-12)
    square = mean**2 + spread**2
    exact = chance @ (value - mean) ** 2
    np.testing.assert_allclose(
        log_likelihood_variance(rate, 3, square, mean**2), exact, atol=1e-12, rtol=1e-9
    )
    assert log_likelihood_variance(rate, 3, square) >= exact - 1e-12


def test_variance_at_the_ends() -> None:
    ends = np.array([0.0, 1.0])
    assert log_likelihood_variance(ends, 4, 1.0, 1.0).tolist() == [np.inf, 0.0]


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="beta - 1 is positive, not 0"):
        gvm_weight(0.5, 1.0, 1e-3, 1.0)
    with pytest.raises(ValueError, match="alpha is positive, not 0"):
        gvm_peak(0.0)
    with pytest.raises(ValueError, match="norm is finite and not negative, not -1"):
        gvm_weight(0.5, -1.0)
    with pytest.raises(ValueError, match=r"variance of a score is finite .* not -1"):
        log_likelihood_variance(0.5, 4, 1.0, 2.0)
    for count in (0, 2.5, np.inf):
        with pytest.raises(ValueError, match=f"whole number of rollouts.*not {count:g}"):
            log_likelihood_variance(0.5, count, 1.0)
    with pytest.raises(ValueError, match="constant is positive, not 0"):
        acceptance_bound(np.array([0.5]), 10.0, 1e-3, 2.0, 0.0)
    with pytest.raises(ValueError, match="budget is positive, not 0"):
        accepted_rollouts(np.array([0.5]), 0.0)

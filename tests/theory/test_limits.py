"""What choosing prompts can gain at most: the theorem, its edges, and real populations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from tests.statistical import assert_mean
from tests.theory.populations import (
    DAPO_1B,
    DAPO_7B,
    DSR,
    DSR11,
    DSR44,
    OPENR1,
    PASSES_1B,
    UNIFORM,
)
from theory.groups import expected_deviation, expected_mixed, expected_variance
from theory.limits import (
    Beta,
    Population,
    Sample,
    allocation_limit,
    deviation_limit,
    mean_deviation,
    mean_variance,
    mixed_group_cost,
    mixed_share,
    pool_limit,
    selection_limit,
    sequential_cost,
)

parameters = st.floats(0.1, 10.0)
rates = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8)
SIZES = (4, 8, 16, 24, 32)


@pytest.mark.parametrize(
    ("population", "variance", "oracle", "filtered", "neyman", "root", "mixed"),
    [
        (DSR, 0.1136, 2.20, 1.80, 1.32, 1.70, (0.412, 0.555, 0.663, 0.713, 0.743)),
        (DSR11, 0.1060, 2.36, 1.92, 1.37, 1.80, (0.385, 0.521, 0.627, 0.678, 0.709)),
        (DSR44, 0.1015, 2.46, 1.99, 1.40, 1.85, (0.369, 0.502, 0.606, 0.657, 0.689)),
        (OPENR1, 0.0938, 2.67, 2.14, 1.47, 1.98, (0.341, 0.467, 0.569, 0.619, 0.652)),
        (DAPO_1B, 0.0887, 2.82, 2.20, 1.42, 2.00, (0.325, 0.455, 0.569, 0.628, 0.666)),
        (DAPO_7B, 0.1114, 2.24, 1.80, 1.28, 1.69, (0.405, 0.554, 0.673, 0.730, 0.764)),
        (UNIFORM, 0.1667, 1.50, 1.29, 1.08, 1.27, (0.600, 0.778, 0.882, 0.920, 0.939)),
    ],
)
def test_tabulated_populations(
    population: Beta,
    variance: float,
    oracle: float,
    filtered: float,
    neyman: float,
    root: float,
    mixed: tuple[float, ...],
) -> None:
    assert mean_variance(population) == pytest.approx(variance, abs=6e-5)
    got = (
        selection_limit(population),
        allocation_limit(population),
        deviation_limit(population),
    )
    np.testing.assert_allclose(got, (oracle, neyman, root), atol=6e-3)
    assert mixed_group_cost(population, 8) / 8 == pytest.approx(filtered, abs=6e-3)
    np.testing.assert_allclose([mixed_share(population, n) for n in SIZES], mixed, atol=6e-4)


def test_the_top_quarter_of_real_populations() -> None:
    """2.06 to 2.42: close to the limit of any supply."""
    got = [pool_limit(x, 0.25) for x in (DSR, OPENR1, DAPO_1B, DAPO_7B)]
    np.testing.assert_allclose(got, [2.064, 2.396, 2.425, 2.073], atol=1e-3)


@given(a=parameters, b=parameters, n=st.integers(1, 32))
def test_beta_moments_agree_with_those_of_beliefs(a: float, b: float, n: int) -> None:
    population = Beta(a, b)
    assert mean_variance(population) == pytest.approx(float(expected_variance(a, b)))
    assert mean_deviation(population) == pytest.approx(float(expected_deviation(a, b)))
    assert mixed_share(population, n) == pytest.approx(
        float(expected_mixed(a, b, n)), abs=1e-12
    )


@pytest.mark.parametrize("population", [Beta(2.0, 3.0), Beta(0.7, 1.4), Beta(5.0, 0.9)])
def test_beta_moments_by_quadrature(population: Beta) -> None:

    def density(p: float) -> float:
        return float(beta.pdf(p, population.alpha, population.beta))

    for i, j in ((0.0, 0.0), (1.0, 2.0), (0.5, 0.5), (4.0, 0.0)):
        value, _ = quad(lambda p, i=i, j=j: p**i * (1 - p) ** j * density(p), 0, 1, limit=200)
        assert population.moment(i, j) == pytest.approx(value, rel=1e-6)


def test_sampled_populations_agree_with_the_closed_form() -> None:
    """Each mean a bounded one; the control is the population at another visit."""
    p = np.random.default_rng(0).beta(0.349, 0.707, 400_000)
    assert_mean(p * (1 - p), mean_variance(DSR), 0.0, 0.25)
    assert_mean(np.sqrt(p * (1 - p)), mean_deviation(DSR), 0.0, 0.5)
    with pytest.raises(AssertionError):
        assert_mean(p * (1 - p), mean_variance(DSR11), 0.0, 0.25)
    assert pool_limit(Sample(p), 0.25) == pytest.approx(pool_limit(DSR, 0.25), rel=5e-3)


def test_raw_counts_of_the_speed_logs() -> None:
    """Observed rates of 32 as pass rates: biased low against the fit, which corrects it."""
    counts = np.array(PASSES_1B.split(), int)
    sample = Sample(np.repeat(np.arange(33) / 32, counts))
    assert counts.sum() == 1000
    assert mean_variance(sample) == pytest.approx(0.0877, abs=5e-5)
    assert mixed_share(sample, 24) == pytest.approx(0.577, abs=5e-4)
    assert selection_limit(sample) == pytest.approx(2.85, abs=5e-3)


@given(pass_rates=rates, seed=st.integers(0, 10**6))
def test_no_rule_collects_more_than_the_limit(pass_rates: list[float], seed: int) -> None:
    """Any numbers of rollouts on any prompts, for both measures of signal."""
    p = np.array(pass_rates)
    population = Sample(p)
    if mean_variance(population) == 0.0:
        assert selection_limit(population) == deviation_limit(population) == np.inf
        return
    n = np.random.default_rng(seed).dirichlet(np.full(p.size, 0.3))
    v = p * (1 - p)
    assert n @ v / v.mean() <= selection_limit(population) * (1 + 1e-9)
    assert n @ np.sqrt(v) / np.sqrt(v).mean() <= deviation_limit(population) * (1 + 1e-9)
    assert allocation_limit(population) >= 1.0 - 1e-9
    assert pool_limit(population, 0.4) <= selection_limit(population) * (1 + 1e-9)


def test_the_limit_is_approached() -> None:
    """By the share of a pool nearest to 1/2, as that share vanishes."""
    gaps = [selection_limit(DSR) - pool_limit(DSR, share) for share in (1e-1, 1e-2, 1e-3)]
    assert gaps[0] > gaps[1] > gaps[2] > 0.0
    assert gaps[2] < 1e-4


def test_realized_signal_is_not_bounded_by_the_limit() -> None:
    """Counting a group of 2 after choosing those that are mixed: 1/2 per rollout, not 1/4."""
    K, N = 1, 2
    assert K * (N - K) / (N * (N - 1)) == 0.5
    assert 0.5 / mean_variance(UNIFORM) > selection_limit(UNIFORM)


@pytest.mark.parametrize("population", [Beta(0.5, 2.0), Sample(np.array([0.1, 0.2, 0.9, 0.5]))])
def test_the_whole_pool_gains_nothing(population: Population) -> None:
    assert pool_limit(population, 1.0) == pytest.approx(1.0)
    shares = np.linspace(0.05, 1.0, 15)
    assert (np.diff([pool_limit(population, s) for s in shares]) <= 1e-12).all()


def test_a_finite_pool_divides_its_last_prompt() -> None:
    """Of v = .25, .16, .09, .09 the top 3/8: one prompt and half of the next."""
    pool = Sample(np.array([0.1, 0.2, 0.9, 0.5]))
    assert pool.top_variance(0.25) == pytest.approx(0.25)
    assert pool.top_variance(3 / 8) == pytest.approx((0.25 + 0.08) / 1.5)


def test_prompts_never_solved_scale_what_is_learnt() -> None:
    """A quarter of them: E v falls to 3/4, the limit rises by 4/3."""
    solvable, partly = Beta(0.6, 1.2), Beta(0.6, 1.2, 0.25)
    assert selection_limit(partly) == pytest.approx(selection_limit(solvable) * 4 / 3)
    assert mixed_share(partly, 8) == pytest.approx(0.75 * mixed_share(solvable, 8))
    assert partly.moment(0.0, 0.0) == pytest.approx(1.0)
    assert pool_limit(partly, 0.3) == pytest.approx(pool_limit(solvable, 0.4) * 4 / 3)
    assert pool_limit(partly, 0.9) == pytest.approx(1 / 0.9)


def test_rolling_until_mixed_is_unaffordable_on_real_populations() -> None:
    """E 1/v - 1, finite for Beta(2, 3) and infinite where alpha or beta is at most 1."""
    assert sequential_cost(Beta(2.0, 3.0)) == pytest.approx(5.0)
    p = np.random.default_rng(0).beta(4.0, 3.0, 400_000)
    assert sequential_cost(Sample(p)) == pytest.approx(
        sequential_cost(Beta(4.0, 3.0)), rel=0.02
    )
    assert sequential_cost(Sample(np.array([0.0, 0.5]))) == np.inf
    for population in (DSR, OPENR1, DAPO_7B, UNIFORM, Beta(2.0, 3.0, 0.1)):
        assert sequential_cost(population) == np.inf


def test_a_population_that_nobody_can_learn_from() -> None:
    ends = Sample(np.array([0.0, 1.0]))
    assert selection_limit(ends) == deviation_limit(ends) == np.inf
    assert mixed_group_cost(ends, 8) == np.inf
    assert mixed_share(ends, 8) == 0.0


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\], not 1\.5"):
        Sample(np.array([1.5]))
    with pytest.raises(ValueError, match="a population has pass rates"):
        Sample(np.zeros(0))
    with pytest.raises(ValueError, match="alpha is positive, not 0"):
        Beta(0.0, 1.0)
    with pytest.raises(ValueError, match=r"unsolved lies in \[0, 1\), not 1"):
        Beta(1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"a share lies in \(0, 1\], not 0"):
        pool_limit(UNIFORM, 0.0)
    with pytest.raises(ValueError, match=r"a share lies in \(0, 1\], not 2"):
        pool_limit(Sample(np.array([0.5])), 2.0)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        mixed_share(UNIFORM, 0)

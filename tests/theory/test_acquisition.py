import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta as beta_law
from scipy.stats import betabinom

from tests.statistical import assert_mean
from theory.acquisition import (
    draw_probability,
    fail_visits,
    logged_correlation,
    restricted_correlation,
    selection_probability,
)
from theory.tracking import steady_counts

shapes = st.floats(0.3, 20.0)


@pytest.mark.parametrize(
    ("fails", "chance"),
    [(0.0, 0.1), (8.0, 3.85e-3), (16.0, 3.73e-5), (12.0, 3.90e-4)],
)
def test_a_draw_near_one_half_after_nothing_but_failures(fails: float, chance: float) -> None:
    """12 is what remains of 16 at memory .5."""
    assert draw_probability(1.0, 1.0 + fails) == pytest.approx(chance, rel=2e-3)
    assert draw_probability(1.0 + fails, 1.0) == pytest.approx(chance, rel=2e-3)


def test_the_limit_of_failures_at_memory_one_half() -> None:
    """18 counts in the end, as after 16 failures remembered for ever."""
    assert steady_counts(8, 0.5) == 18.0
    assert draw_probability(1.0, 17.0) == pytest.approx(0.55**17 - 0.45**17, rel=1e-12)


@given(a=shapes, b=shapes, width=st.floats(0.0, 1.0), target=st.floats(0.0, 1.0))
def test_draws_near_a_target(a: float, b: float, width: float, target: float) -> None:
    law = beta_law(a, b)
    expected = law.cdf(target + width) - law.cdf(target - width)
    got = draw_probability(a, b, width, target)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_far_draws_keep_their_digits() -> None:
    exact = 0.55**1000 - 0.45**1000
    np.testing.assert_allclose(draw_probability(1.0, 1000.0), exact, rtol=1e-9)
    np.testing.assert_allclose(draw_probability(1000.0, 1.0), exact, rtol=1e-9)


@settings(max_examples=15)
@given(a=shapes, b=shapes, candidates=st.integers(1, 60), data=st.data())
def test_prompts_with_one_belief_are_selected_alike(
    a: float, b: float, candidates: int, data: st.DataObject
) -> None:
    wanted = data.draw(st.integers(1, candidates))
    got = selection_probability(a, b, candidates, wanted, rival_alpha=a, rival_beta=b)
    np.testing.assert_allclose(got, wanted / candidates, atol=1e-4)


def test_selection_agrees_with_simulation() -> None:
    """The control has one rival more."""
    rng = np.random.default_rng(0)
    own = np.abs(rng.beta(2.0, 5.0, 200_000) - 0.5)
    rivals = np.abs(rng.beta(1.0, 2.0, (200_000, 5)) - 0.5)
    selected = ((rivals < own[:, None]).sum(axis=1) < 2).astype(float)

    def chance(candidates: int) -> float:
        got = selection_probability(2.0, 5.0, candidates, 2, rival_alpha=1.0, rival_beta=2.0)
        return float(got)

    assert_mean(selected, chance(6))
    with pytest.raises(AssertionError):
        assert_mean(selected, chance(7))


def test_an_unseen_prompt_is_not_kept_with_certainty() -> None:
    """1 in 16 among its like; 300 times less after 16 failures; all candidates if wanted."""
    assert selection_probability(1.0, 1.0, 4096, 256) == pytest.approx(1 / 16, rel=1e-4)
    failed = selection_probability(1.0, np.array([9.0, 17.0]), 4096, 256)
    np.testing.assert_allclose(failed, [2.28e-3, 1.89e-5], rtol=3e-3)
    assert selection_probability(1.0, 17.0, 7, 7) == 1.0
    assert selection_probability(9.0, 1.0, 2, 1, target=0.0) == pytest.approx(0.1, abs=1e-5)


@given(steps=st.integers(0, 6), wanted=st.integers(1, 4))
def test_visits_of_a_prompt_that_never_passes(steps: int, wanted: int) -> None:
    """Over all sequences of being selected or not."""
    beta, total = 1.0 + 2.0 * np.arange(7), 0.0
    keep = selection_probability(1.0, beta, 4, wanted)
    for chosen in itertools.product((0, 1), repeat=steps):
        chance, visits = 1.0, 0
        for one in chosen:
            chance *= keep[visits] if one else 1.0 - keep[visits]
            visits += one
        total += chance * visits
    assert fail_visits(steps, 2, 1.0, 4, wanted) == pytest.approx(total, abs=1e-12)


def test_failing_prompts_are_given_up() -> None:
    """1.55 visits in 360 steps at memory 1, where uniform choice pays 22.5."""
    assert fail_visits(360, 8, 1.0, 4096, 256) == pytest.approx(1.545, abs=2e-3)
    assert 1.5 < fail_visits(360, 8, 0.5, 4096, 256) < 1.6
    assert 1.7 < fail_visits(360, 8, 0.0, 4096, 256) < 1.9  # all but the last group forgotten


def correlation_by_outcomes(
    n: int, N: int, a: float, b: float, low: float, high: float
) -> tuple[float, float]:
    """Pearson's correlations with the draw, of the observed and of the belief mean's, exactly.

    Given the earlier passes, draw and observation are independent; sums over both counts.
    """
    K, later = np.arange(n + 1), np.arange(N + 1) / N
    prior = betabinom.pmf(K, n, a, b)
    x, w = np.polynomial.legendre.leggauss(200)
    g = (low + high) / 2 + (high - low) / 2 * x
    density = beta_law.pdf(g[:, None], a + K, b + n - K) * w[:, None] * (high - low) / 2 * prior
    density /= density.sum()
    chance = np.array([betabinom.pmf(np.arange(N + 1), N, a + k, b + n - k) for k in K])
    y, square = chance @ later, chance @ later**2
    joint = (density * g[:, None] * y).sum()
    means = (density * g[:, None]).sum(), (density * y).sum()
    spread_g = (density * g[:, None] ** 2).sum() - means[0] ** 2
    spread_y = (density * square).sum() - means[1] ** 2
    cov = joint - means[0] * means[1]
    return float(cov / np.sqrt(spread_g * spread_y)), float(cov / spread_g)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.4, 0.6), (0.3, 0.9)])
@pytest.mark.parametrize(("n", "N", "a", "b"), [(16, 8, 1.0, 1.0), (5, 3, 1.5, 3.0)])
def test_logged_correlations_agree_with_enumeration(
    n: int, N: int, a: float, b: float, low: float, high: float
) -> None:
    """And the slope of the outcome on the draw is n/(n+a+b) whatever is selected."""
    expected, slope = correlation_by_outcomes(n, N, a, b, low, high)
    got = logged_correlation(n, N, a, b, low, high)
    assert got == pytest.approx(expected, abs=1e-6)
    assert slope == pytest.approx(n / (n + a + b), abs=1e-6)


def test_selection_hides_a_good_forecast() -> None:
    """16 rollouts of evidence: .80 over all prompts, .22 where the draw is within .4 to .6."""
    whole = float(logged_correlation(16, 8))
    assert whole == pytest.approx(16 / 18 * np.sqrt(8 / 10))
    assert logged_correlation(16, 8, low=0.4, high=0.6) == pytest.approx(0.219, abs=5e-4)
    assert logged_correlation(0, 8) == 0.0
    assert logged_correlation(10**9, 10**9) == pytest.approx(1.0)


def test_the_correlation_of_a_draw_is_the_square_of_that_of_the_mean() -> None:
    """Of Beta(2, 3) pass rates and 12 rollouts; a draw is the noisier forecast."""
    n, a, b = 12, 2.0, 3.0
    K = np.arange(n + 1)
    chance, mean = betabinom.pmf(K, n, a, b), (a + K) / (a + b + n)
    between = chance @ mean**2 - (chance @ mean) ** 2
    spread = a * b / ((a + b) ** 2 * (a + b + 1))
    of_mean = np.sqrt(between / spread)
    reliability = np.sqrt(8 / (8 + a + b))
    np.testing.assert_allclose(logged_correlation(n, 8, a, b), of_mean**2 * reliability)


def test_range_restriction_by_enumeration() -> None:
    """y = x + noise of one size: x of -2 .. 2, the middle three selected."""
    x, e = (axis.ravel() for axis in np.meshgrid(np.arange(-2.0, 3.0), [-1.5, 1.5]))

    def correlation(where: np.ndarray) -> float:
        return float(np.corrcoef(x[where], (x + e)[where])[0, 1])

    middle = np.abs(x) <= 1
    u = x[middle].std() / x.std()
    got = restricted_correlation(correlation(np.ones(10, bool)), u)
    assert got == pytest.approx(correlation(middle))
    assert restricted_correlation(-0.5, 0.5) == -restricted_correlation(0.5, 0.5)


def test_range_restriction_needs_equal_noise() -> None:
    """Draws of a Beta belief are least certain in the middle: .22, not the formula's .25."""
    whole, u = float(logged_correlation(16, 8)), 0.2
    formula = float(restricted_correlation(whole, u))
    exact = float(logged_correlation(16, 8, low=0.4, high=0.6))
    assert formula == pytest.approx(0.254, abs=2e-3)
    assert exact < formula - 0.02


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted=3 exceeds candidates=2"):
        selection_probability(1.0, 1.0, 2, 3)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        selection_probability(1.0, 1.0, 2, 0)
    with pytest.raises(ValueError, match="alpha is positive, not 0"):
        draw_probability(0.0, 1.0)
    with pytest.raises(ValueError, match="width lies in"):
        draw_probability(1.0, 1.0, -0.1)
    with pytest.raises(ValueError, match="target lies in"):
        draw_probability(1.0, 1.0, 0.1, 1.1)
    with pytest.raises(ValueError, match="steps is a whole number"):
        fail_visits(-1, 8, 0.5, 4, 2)
    with pytest.raises(ValueError, match=r"no draw lies between low=0\.5 and high=0\.5"):
        logged_correlation(8, 8, low=0.5, high=0.5)
    with pytest.raises(ValueError, match="evidence is a whole number"):
        logged_correlation(-1, 8)
    with pytest.raises(ValueError, match=r"correlation lies in \[-1, 1\], not 1\.1"):
        restricted_correlation(1.1, 0.5)
    with pytest.raises(ValueError, match="spread_ratio is positive, not 0"):
        restricted_correlation(0.5, 0.0)

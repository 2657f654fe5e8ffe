import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from theory.consistency import (
    Consistency,
    belief_persistence,
    drifting_consistency,
    implied_shares,
    static_consistency,
    streak_persistence,
)

chances = st.lists(st.floats(0.01, 0.99), min_size=2, max_size=5).map(np.array)

# Figure 3(a) of arXiv:2506.02177, epochs 2 .. 10, read off to .003
PREVIOUS_GIVEN_NOW = np.array([0.546, 0.807, 0.894, 0.931, 0.949, 0.961, 0.970, 0.979, 0.982])
NOW_GIVEN_PREVIOUS = np.array([0.769, 0.798, 0.788, 0.786, 0.788, 0.787, 0.791, 0.788, 0.792])


def by_enumeration(w: np.ndarray) -> tuple[float, float, float]:
    """Over all histories of one prompt: now, any earlier epoch, both."""
    now = before = both = 0.0
    for groups in itertools.product((0, 1), repeat=len(w)):
        chance = np.where(np.array(groups) == 1, w, 1.0 - w).prod()
        now += chance * groups[-1]
        before += chance * max(groups[:-1])
        both += chance * groups[-1] * max(groups[:-1])
    return now, before, both


@given(st.lists(st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4), min_size=1, max_size=3))
def test_drifting_populations_agree_with_enumeration(rows: list[list[float]]) -> None:
    w = np.array(rows).T + 1e-9
    w = np.minimum(w, 1.0)
    got = drifting_consistency(w)
    for epoch in (2, 3, 4):
        expected = np.mean([by_enumeration(w[:epoch, i]) for i in range(w.shape[1])], axis=0)
        np.testing.assert_allclose([field[epoch - 2] for field in got], expected, atol=1e-12)


@given(w=chances)
def test_a_static_population_is_a_drifting_one_that_does_not(w: np.ndarray) -> None:
    weights = np.arange(1.0, w.size + 1)
    got = static_consistency(w, np.arange(1, 5), weights)
    expected = drifting_consistency(np.tile(w, (5, 1)), weights)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-14)


@given(w=chances)
def test_static_curves_rise_and_fall(w: np.ndarray) -> None:
    """And the ratio of P(any previous) to P(now) starts at 1."""
    curves = static_consistency(w, np.arange(1, 20))
    assert (np.diff(curves.previous_given_now()) > -1e-12).all()
    assert (np.diff(curves.now_given_previous()) < 1e-12).all()
    ratio = curves.previous_given_now() / curves.now_given_previous()
    np.testing.assert_allclose(ratio, curves.any_previous / curves.now)
    assert ratio[0] == pytest.approx(1.0)
    assert (np.diff(ratio) > -1e-12).all()


def test_equal_prompts_have_a_flat_curve() -> None:
    curves = static_consistency(np.full(3, 0.4), np.arange(1, 9))
    np.testing.assert_allclose(curves.now_given_previous(), 0.4)
    np.testing.assert_allclose(curves.previous_given_now(), 1 - 0.6 ** np.arange(1, 9))


def test_drift_can_turn_both_curves_round() -> None:
    """The static statements fail outside: one prompt that hardens, one that softens late."""
    curves = drifting_consistency(np.array([[0.1, 0.2], [0.2, 0.2], [0.9, 0.9]]))
    assert np.diff(curves.now_given_previous())[0] > 0.5
    late = drifting_consistency(np.array([[0.9, 0.0], [0.9, 0.0], [0.1, 0.9]]))
    assert np.diff(late.previous_given_now())[0] < -0.5


def test_the_published_curves_are_not_those_of_a_static_population() -> None:
    """They rise where a static one falls, by far more than the figure can be misread."""
    assert NOW_GIVEN_PREVIOUS[1] - NOW_GIVEN_PREVIOUS[0] > 4 * 0.003
    ratio = PREVIOUS_GIVEN_NOW / NOW_GIVEN_PREVIOUS
    expected = [0.71, 1.01, 1.13, 1.18, 1.20, 1.22, 1.23, 1.24, 1.24]
    np.testing.assert_allclose(ratio, expected, atol=6e-3)


def test_shares_implied_by_the_published_curves() -> None:
    """1.41 times the first in epoch 2, 2.04 times in epoch 10; the first is then below .40."""
    shares = implied_shares(PREVIOUS_GIVEN_NOW, NOW_GIVEN_PREVIOUS)
    assert shares[[1, 9]] == pytest.approx([1.41, 2.04], abs=5e-3)
    before = shares[-1] * PREVIOUS_GIVEN_NOW[-1] / NOW_GIVEN_PREVIOUS[-1]
    assert 1 / before == pytest.approx(0.395, abs=1e-3)


@given(
    st.lists(st.lists(st.floats(0.01, 0.99), min_size=3, max_size=3), min_size=2, max_size=6)
)
def test_curves_determine_the_shares(rows: list[list[float]]) -> None:
    curves = drifting_consistency(np.array(rows))
    got = implied_shares(curves.previous_given_now(), curves.now_given_previous())
    expected = np.array(rows).mean(axis=1)
    np.testing.assert_allclose(got, expected / expected[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [(0.349, 0.707, (0.758, 0.194, 0.792, 0.618)), (1e9, 1e9, (2**-7, 2**-7, 2**-8, 2**-8))],
)
def test_persistence_that_heterogeneity_explains(
    alpha: float, beta: float, expected: tuple[float, ...]
) -> None:
    """The Beta of the first visits to 1,209 prompts, and a population of equal prompts."""
    np.testing.assert_allclose(belief_persistence(alpha, beta, 8), expected, atol=6e-4)


@given(a=st.floats(0.1, 9.0), b=st.floats(0.1, 9.0), N=st.integers(2, 9))
def test_persistence_agrees_with_the_outcomes_of_both_groups(
    a: float, b: float, N: int
) -> None:
    """Sums over the passes of two groups; the chance of both is that of one of 2N."""
    joint = np.array([[_both(a, b, N, i, j) for j in range(N + 1)] for i in range(N + 1)])
    assert joint.sum() == pytest.approx(1.0)
    ends, row = [0, N], joint.sum(axis=1)
    expected = (
        joint[np.ix_(ends, ends)].sum() / row[ends].sum(),
        joint[1:N][:, ends].sum() / row[1:N].sum(),
        joint[0, 0] / row[0],
        joint[N, N] / row[N],
    )
    np.testing.assert_allclose(belief_persistence(a, b, N), expected, rtol=1e-9)


def _both(a: float, b: float, N: int, i: int, j: int) -> float:
    first = betabinom.pmf(i, N, a, b)
    return float(first * betabinom.pmf(j, N, a + i, b + N - i))


def test_streaks_of_two_kinds_of_prompt() -> None:
    """After a streak of z the prior odds are multiplied by (.9/.2)^z."""
    w, z = np.array([0.2, 0.9]), np.arange(5)
    odds = (0.1 / 0.8) * (0.9 / 0.2) ** z
    got = streak_persistence(w, z)
    np.testing.assert_allclose(got, (0.2 + 0.9 * odds) / (1 + odds))
    assert (np.diff(got) > 0).all()
    np.testing.assert_allclose(streak_persistence(np.array([0.3, 1.0]), z), 0.3)


def test_certain_prompts() -> None:
    """Never and always zero-variance: any past is also the present."""
    curves = static_consistency(np.array([0.0, 1.0]), 3)
    assert curves == Consistency(*(np.full((), 0.5) for _ in range(3)))
    assert curves.now_given_previous() == 1.0


def test_what_is_undefined_is_refused() -> None:
    none = np.zeros(2)
    with pytest.raises(ValueError, match="0 for every prompt"):
        static_consistency(none, 1)
    with pytest.raises(ValueError, match="0 for every prompt of an epoch"):
        drifting_consistency(np.array([[0.1, 0.1], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="previous is a whole number, at least 1, not 0"):
        static_consistency(np.full(2, 0.1), 0)
    with pytest.raises(ValueError, match=r"zero_variance lies in \[0, 1\], not 1\.2"):
        static_consistency(np.full(2, 1.2), 1)
    with pytest.raises(ValueError, match="no prompt ends a streak"):
        streak_persistence(np.array([0.0, 1.0]), 1)
    with pytest.raises(ValueError, match="at least 2, not 1"):
        belief_persistence(1.0, 1.0, 1)
    with pytest.raises(ValueError, match="previous_given_now is positive"):
        implied_shares(none, none)

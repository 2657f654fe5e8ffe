import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float

from tests.statistical import assert_mean
from theory.skipping import (
    expected_gap,
    expected_visits,
    explore_path,
    ripple,
    skip_probability,
    trained_share,
    visit_distribution,
    visit_rate,
    visits_bound,
)

shares = st.floats(0.0, 1.0)


def test_skip_probability() -> None:
    """1 - .5^z for z = 0 .. 3; the floor of .01 caps it at .99, from a streak of 7 on."""
    assert skip_probability(0.5, np.arange(4)).tolist() == [0.0, 0.5, 0.75, 0.875]
    assert skip_probability(0.5, np.array([6, 7, 99]), 0.01).tolist() == [1 - 2**-6, 0.99, 0.99]
    np.testing.assert_array_equal(skip_probability(0.0, np.array([0, 1])), [0.0, 1.0])
    assert not skip_probability(1.0, np.arange(99)).any()


def test_gaps_between_visits() -> None:
    assert expected_gap(0.5, np.arange(4)).tolist() == [1.0, 2.0, 4.0, 8.0]
    assert expected_gap(0.5, 9, 0.01) == 100.0
    assert expected_gap(0.0, np.array([0, 1])).tolist() == [1.0, np.inf]


def visits_by_enumeration(keep: Float[np.ndarray, "Z"], epochs: int) -> Float[np.ndarray, "V"]:
    """All sequences of keeping and skipping."""
    chances = np.zeros(epochs + 1)
    for kept in itertools.product((0, 1), repeat=epochs):
        before = np.concatenate([[0], np.cumsum(kept)[:-1]]).astype(int)[:epochs]
        each = np.where(np.array(kept) == 1, keep[before], 1.0 - keep[before])
        chances[sum(kept)] += each.prod()
    return chances


@given(keep=st.lists(shares, min_size=6, max_size=6), epochs=st.integers(1, 6))
def test_visits_agree_with_enumeration(keep: list[float], epochs: int) -> None:
    chances = np.array(keep)
    expected = visits_by_enumeration(chances, epochs)
    np.testing.assert_allclose(visit_distribution(chances, epochs), expected, atol=1e-14)


@pytest.mark.parametrize(
    ("explore", "epochs", "visits", "floored", "bound"),
    [
        (0.5, 63, 5.737, 5.744, 6.0),
        (0.5, 1023, 9.727, 15.960, 10.0),
        (0.2, 1000, 4.848, 12.690, 5.154),
    ],
)
def test_visits_to_a_prompt_that_never_teaches(
    explore: float, epochs: int, visits: float, floored: float, bound: float
) -> None:
    """The bound holds for the paper's rule; the floor of the release exceeds it."""
    assert expected_visits(explore, epochs) == pytest.approx(visits, abs=5e-4)
    assert expected_visits(explore, epochs, 0.01) == pytest.approx(floored, abs=5e-4)
    assert visits_bound(explore, epochs) == pytest.approx(bound, abs=5e-4)


@given(explore=shares, epochs=st.integers(0, 40))
def test_visits_never_exceed_the_bound(explore: float, epochs: int) -> None:
    assert expected_visits(explore, epochs) <= visits_bound(explore, epochs) + 1e-9


@given(explore=st.floats(0.1, 0.99), epochs=st.integers(1, 40))
def test_the_bound_is_exact_but_for_jensens_inequality(explore: float, epochs: int) -> None:
    chances = visit_distribution(explore ** np.arange(float(epochs)), epochs)
    mean = chances @ explore ** -np.arange(epochs + 1.0)
    np.testing.assert_allclose(mean, 1.0 + epochs * (1.0 / explore - 1.0), rtol=1e-10)


def test_visits_agree_with_simulation() -> None:
    """The control is the bound in place of the mean."""
    rng, visits = np.random.default_rng(0), np.zeros(60_000)
    for _ in range(63):
        visits += rng.random(visits.size) < 0.5**visits
    assert_mean(visits, float(expected_visits(0.5, 63)), 0.0, 63.0 / 4)
    with pytest.raises(AssertionError):
        assert_mean(visits, float(visits_bound(0.5, 63)), 0.0, 63.0 / 4)


def test_visits_at_the_ends() -> None:
    ends = np.array([0.0, 1.0])
    assert expected_visits(ends, 7).tolist() == [1.0, 7.0]
    assert visits_bound(ends, 7).tolist() == [1.0, 7.0]
    assert visits_bound(ends, 0).tolist() == [0.0, 0.0]
    assert expected_visits(0.5, 0) == 0.0
    np.testing.assert_allclose(visits_bound(1.0 - 1e-12, 7), 7.0)
    assert 1.0 < visits_bound(1e-300, 7) < 1.01


def rate_of_a_long_chain(w: float, explore: float, floor: float, streaks: int) -> float:
    """Stationary distribution of the streak, whose last value stands for all longer ones."""
    keep = np.maximum(explore ** np.arange(float(streaks)), floor)
    move = np.diag(1.0 - keep)
    move[:, 0] += keep * (1.0 - w)
    move[np.arange(streaks), np.minimum(np.arange(1, streaks + 1), streaks - 1)] += keep * w
    balance = move.T - np.eye(streaks)
    balance[0] = 1.0
    return float(np.linalg.solve(balance, np.eye(streaks)[0]) @ keep)


@given(
    w=st.floats(0.0, 0.7), explore=st.floats(0.05, 1.0), floor=st.sampled_from([0.01, 0.1, 0.5])
)
def test_visit_rates_agree_with_the_chain_of_streaks(
    w: float, explore: float, floor: float
) -> None:
    expected = rate_of_a_long_chain(w, explore, floor, 70)
    np.testing.assert_allclose(visit_rate(w, explore, floor), expected, rtol=1e-7)


def test_visit_rates_without_a_floor() -> None:
    """(1 - w/p_e)/(1 - w) below w = p_e, and 0 from there on."""
    assert visit_rate(0.25, 0.5) == pytest.approx(0.5 / 0.75)
    assert rate_of_a_long_chain(0.25, 0.5, 0.0, 40) == pytest.approx(0.5 / 0.75, rel=1e-5)
    assert visit_rate(np.array([0.5, 0.7, 1.0]), 0.5).tolist() == [0.0, 0.0, 0.0]


def share_of_epochs(w: float, explore: float, floor: float, epochs: int) -> float:
    """Visits over the first epochs, exactly, by the distribution of the streak."""
    keep = np.maximum(explore ** np.arange(80.0), floor)
    streak, visits = np.eye(80)[0], 0.0
    for _ in range(epochs):
        kept = streak * keep
        visits += kept.sum()
        streak = streak - kept
        streak[0] += kept.sum() * (1.0 - w)
        streak[1:] += kept[:-1] * w
    return visits / epochs


def test_a_prompt_above_the_exploration_probability_is_lost_without_a_floor() -> None:
    """Though one group in four of it is mixed. Below, or with the floor, it is not."""
    lost = [share_of_epochs(0.75, 0.5, 0.0, epochs) for epochs in (100, 1000, 10_000)]
    assert lost[0] > 1.3 * lost[1] > 1.3**2 * lost[2]
    assert share_of_epochs(0.75, 0.5, 0.01, 10_000) == pytest.approx(
        float(visit_rate(0.75, 0.5, 0.01)), rel=0.03
    )
    assert share_of_epochs(0.2, 0.5, 0.0, 10_000) == pytest.approx(
        float(visit_rate(0.2, 0.5)), rel=0.01
    )


def test_visit_rates_at_the_ends() -> None:
    ends = np.array([0.0, 1.0])
    for floor in (0.0, 0.01, 1.0):
        assert visit_rate(0.0, ends, floor).tolist() == [1.0, 1.0]
        assert visit_rate(1.0, ends, floor).tolist() == [floor, 1.0]
    assert visit_rate(0.3, 0.0, 0.01) == pytest.approx(1 / (0.7 + 30))
    assert visit_rate(0.5, 5e-324, 0.01) == pytest.approx(1 / (0.5 + 50))
    assert visit_rate(0.5, 0.5, 0.25) == pytest.approx(1 / (0.5 * 2 + 0.25 / 0.25))


@given(w=st.lists(shares, min_size=2, max_size=5), explore=shares)
def test_skipping_never_lowers_the_mixed_share(w: list[float], explore: float) -> None:
    """In a static population; at exploration 1 it is dynamic sampling's."""
    chance = np.array(w)
    plain = float(1.0 - chance.mean())
    assert trained_share(chance, 1.0) == pytest.approx(plain)
    assert trained_share(chance, explore, 0.01) >= plain - 1e-12


def test_the_mixed_share_of_two_prompts() -> None:
    """Rates 2/3 and 1 at w = 1/4 and 0; the second weighs twice."""
    got = trained_share(np.array([0.25, 0.0]), 0.5, weights=np.array([1.0, 2.0]))
    assert got == pytest.approx((2 / 3 * 0.75 + 2.0) / (2 / 3 + 2.0))
    with pytest.raises(ValueError, match="no prompt is visited for ever"):
        trained_share(np.array([0.5, 1.0]), 0.5)


def test_the_controller_moves_by_one_step_a_training_step() -> None:
    path = explore_path(0.5, np.array([0.3, 0.1, 0.2, 0.0]), 0.2)
    np.testing.assert_allclose(path, [0.5, 0.49, 0.5, 0.49, 0.5])
    path = explore_path(0.5, np.array([0.3, 0.1]), 0.2, step=0.4, least=0.2, most=0.55)
    np.testing.assert_allclose(path, [0.5, 0.2, 0.55])


def test_the_controller_ends_at_a_bound_under_a_constant_share() -> None:
    """A share that is always 0, as that of hard groups among 0/1 rewards in the release."""
    path = explore_path(0.5, np.zeros(100), 1 / 6)
    assert path[44] < 0.95 - 1e-6
    np.testing.assert_allclose(path[45:], 0.95)
    np.testing.assert_allclose(explore_path(0.5, np.full(60, 0.1), 1 / 12)[45:], 0.05)


def oscillation(response: Callable[[float], float], delay: int) -> Float[np.ndarray, "T"]:
    """Late part of the path of a controller whose share answers `delay` steps late."""
    path = [0.5]
    for _ in range(400):
        share = response(path[max(len(path) - 1 - delay, 0)])
        path.append(float(explore_path(path[-1], np.array([share]), 0.2)[-1]))
    return np.array(path[200:])


@pytest.mark.parametrize("delay", [0, 1, 2, 5])
def test_the_ripple_of_the_controller(delay: int) -> None:
    late = oscillation(lambda e: 0.3 * e + 0.0801, delay)  # the target is passed at .3997
    np.testing.assert_allclose(np.ptp(late), ripple(0.01, delay))
    assert abs(late - 0.3997).max() <= ripple(0.01, delay) / 2 + 0.005


def test_there_is_no_ripple_where_the_target_is_out_of_reach() -> None:
    """The other side of its condition, and a target passed too near a bound."""
    assert np.ptp(oscillation(lambda e: 0.3 * e + 0.2, 2)) == 0.0
    assert 0.0 < np.ptp(oscillation(lambda e: float(e > 0.945), 2)) < ripple(0.01, 2) - 1e-6


def test_domains_are_checked() -> None:
    with pytest.raises(ValueError, match=r"explore lies in \[0, 1\], not 1\.5"):
        skip_probability(1.5, 1)
    with pytest.raises(ValueError, match="streak is a whole number, at least 0, not -1"):
        expected_gap(0.5, -1)
    with pytest.raises(ValueError, match=r"streak is a whole number.*not 0\.5"):
        skip_probability(0.5, 0.5)
    with pytest.raises(ValueError, match=r"floor lies in \[0, 1\], not -0\.1"):
        expected_visits(0.5, 3, -0.1)
    with pytest.raises(ValueError, match="epochs is a whole number, at least 0, not -1"):
        visits_bound(0.5, -1)
    with pytest.raises(ValueError, match="as many chances"):
        visit_distribution(np.ones(2), 3)
    with pytest.raises(ValueError, match="keep lies in"):
        visit_distribution(np.array([2.0]), 1)
    with pytest.raises(ValueError, match=r"zero_variance lies in.*not nan"):
        visit_rate(np.nan, 0.5)
    with pytest.raises(ValueError, match=r"explore lies in \[0\.05, 0\.95\], not 1"):
        explore_path(1.0, np.zeros(1), 0.2)
    with pytest.raises(ValueError, match="step is positive, not 0"):
        ripple(0.0)
    with pytest.raises(ValueError, match="delay is a whole number"):
        ripple(0.1, -1)
    for weights in (np.zeros(2), np.array([2.0, -1.0]), np.array([np.nan, 1.0])):
        with pytest.raises(ValueError, match="2 prompts need weights"):
            trained_share(np.array([0.1, 0.2]), 0.5, weights=weights)

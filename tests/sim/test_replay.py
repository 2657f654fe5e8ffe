"""The replayed pass rates against the log they come from.

Standard errors of the log's own figures, over its 1,209 prompts (bootstrap): mean pass rate
.011, mixed share .015, persistence .007 to .012, drift .0003 up to 5 visits, .0008 at 20 and
.0024 at 40. The tolerances below are one to two of them.
"""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaincinv

from selection.driver import Segments
from sim.populations import load_visits, population
from sim.replay import KNOT, Replay, Trajectory, posterior, prior, smooth
from tests.statistical import assert_mean, samples_to_detect
from theory.groups import zero_variance_probability

VISITS = 44  # every prompt has that many
MARKS = np.array([1, 6, 11, 21, 31, 44]) - 1
LAGS = (1, 2, 5, 10, 20, 40)


def replayed(world: Replay, seed: int = 0) -> np.ndarray:
    """Pass rates of all prompts at the first 44 visits, one training step apart."""
    policy = world.begin(np.random.default_rng(seed))
    rates = np.empty((world.prompts, VISITS))
    for visit in range(VISITS):
        rates[:, visit] = policy.pass_rates(np.arange(world.prompts))
        policy.learn(Segments.none())
    return rates


@cache
def stacked(bandwidth: float = Replay().bandwidth) -> np.ndarray:
    """Every trajectory four times, each time with other quantiles."""
    world = Replay(steps_per_visit=1.0, bandwidth=bandwidth)
    return np.concatenate([replayed(world, seed) for seed in range(4)])


def log() -> np.ndarray:
    return load_visits()[:, :VISITS]


def repeats(now: np.ndarray, following: np.ndarray) -> float:
    """P(following | now) over all neighbouring visits."""
    return float((now * following).sum() / now.sum())


def persistence(failed: np.ndarray, passed: np.ndarray) -> list[float]:
    """P(zv -> zv), P(mixed -> zv), P(all-fail -> all-fail), P(all-pass -> all-pass)."""
    zero = failed + passed
    pairs = ((zero, zero), (1.0 - zero, zero), (failed, failed), (passed, passed))
    return [repeats(now[:, :-1], following[:, 1:]) for now, following in pairs]


def drift(observed: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Mean squared change of the pass rate over each of the lags, less the noise."""
    moves = [
        (observed[:, lag:] - observed[:, :-lag]) ** 2 - noise[:, lag:] - noise[:, :-lag]
        for lag in LAGS
    ]
    return np.array([move.mean() for move in moves])


def logged_drift() -> np.ndarray:
    share = log() / 8
    return drift(share, share * (1.0 - share) / 7)


def drift_errors(rates: np.ndarray) -> np.ndarray:
    """Distance from the log's drift in units of what is tolerated: .0003 and 12 %."""
    drifted = drift(rates, np.zeros_like(rates))
    return np.abs(drifted - logged_drift()) / (3e-4 + 0.12 * logged_drift())


def test_the_log_has_the_statistics_that_were_published_of_it() -> None:
    passes = log()
    mixed = ((passes > 0) & (passes < 8)).mean(axis=0)
    np.testing.assert_allclose(
        passes.mean(axis=0)[MARKS] / 8, [0.335, 0.365, 0.378, 0.411, 0.437, 0.470], atol=6e-4
    )
    np.testing.assert_allclose(
        mixed[MARKS], [0.561, 0.532, 0.524, 0.519, 0.512, 0.503], atol=6e-4
    )
    stay = persistence((passes == 0).astype(float), (passes == 8).astype(float))
    np.testing.assert_allclose(stay, [0.767, 0.221, 0.787, 0.730], atol=6e-4)
    published = [1.3e-4, 4.4e-4, 8.9e-4, 3.0e-3, 9.7e-3, 3.3e-2]
    np.testing.assert_allclose(logged_drift(), published, rtol=0.03)


def test_pass_rates_improve_as_in_the_log() -> None:
    means = stacked().mean(axis=0)
    np.testing.assert_allclose(means, log().mean(axis=0) / 8, atol=0.016)
    np.testing.assert_allclose(means[MARKS], log().mean(axis=0)[MARKS] / 8, atol=0.008)


def test_groups_are_mixed_as_often_as_in_the_log() -> None:
    mixed = 1.0 - zero_variance_probability(stacked(), 8).mean(axis=0)
    logged = ((log() > 0) & (log() < 8)).mean(axis=0)
    np.testing.assert_allclose(mixed[MARKS], logged[MARKS], atol=0.02)
    assert abs(mixed.mean() - logged.mean()) < 0.005


def test_zero_variance_groups_persist_as_in_the_log() -> None:
    stay = persistence((1.0 - stacked()) ** 8, stacked() ** 8)
    np.testing.assert_allclose(stay, [0.767, 0.221, 0.787, 0.730], atol=0.012)


def test_rolled_out_visits_persist_as_the_rates_say() -> None:
    """The same by simulation: visits of 8 rollouts, drawn."""
    passes = np.random.default_rng(0).binomial(8, stacked())
    stay = persistence((passes == 0).astype(float), (passes == 8).astype(float))
    np.testing.assert_allclose(stay, [0.767, 0.221, 0.787, 0.730], atol=0.02)


def test_pass_rates_drift_as_in_the_log() -> None:
    assert (drift_errors(stacked()) < 1.0).all()


def test_some_prompts_are_never_solved() -> None:
    """Of the log 15.5 % after 10 visits and 8.5 % after 44, standard errors 1.0 and .7 %."""
    failed = (1.0 - stacked()) ** 8
    assert abs(failed[:, :10].prod(axis=1).mean() - 0.155) < 0.015
    assert abs(failed.prod(axis=1).mean() - 0.085) < 0.015


def test_what_was_once_zero_variance_is_so_ever_less_often() -> None:
    """P(zero-variance at visit 44 | at any before) is .53 in the log, .74 at visit 2."""
    zero = zero_variance_probability(stacked(), 8)
    ever = 1.0 - np.cumprod(1.0 - zero, axis=1)
    again = (zero[:, 1:] * ever[:, :-1]).sum(axis=0) / ever[:, :-1].sum(axis=0)
    np.testing.assert_allclose(again[[0, -1]], [0.74, 0.53], atol=0.02)


def test_a_short_bandwidth_is_told_apart() -> None:
    """A control: following the noise of the log doubles the drift over 5 visits."""
    assert drift_errors(stacked(3.0))[2] > 2.0


def test_a_long_bandwidth_is_told_apart() -> None:
    """A control: a nearly straight line loses drift over 10 visits."""
    assert drift_errors(stacked(40.0))[3] > 1.0


def test_fresh_quantiles_at_every_visit_are_told_apart() -> None:
    """A control: the quantile is drawn once per prompt for this reason."""
    alpha, beta = posterior(8.0)
    fresh = betaincinv(alpha, beta, np.random.default_rng(0).uniform(size=alpha.shape)).T
    moves = (fresh[:, 1:] - fresh[:, :-1]) ** 2
    assert moves.mean() > 2.0 * logged_drift()[LAGS.index(2)]


def test_a_static_population_is_told_apart() -> None:
    """A control: all-pass groups persist for .62, not .73, if nothing improves."""
    still = population("dsr-sub-1.5b").draw(20_000, np.random.default_rng(0))
    stay = persistence(
        np.tile((1.0 - still[:, None]) ** 8, (1, 2)), np.tile(still[:, None] ** 8, (1, 2))
    )
    assert abs(stay[3] - 0.617) < 0.02


def test_the_population_keeps_its_spread() -> None:
    """p(1 - p) at the first visit; eight rollouts estimate it without bias as below."""
    share = log()[:, 0] / 8
    unbiased = (share * (1.0 - share)).mean() * 8 / 7
    rates = stacked()[:, 0]
    assert abs((rates * (1.0 - rates)).mean() - unbiased) < 0.005


def test_trajectories_are_smooth() -> None:
    """From visit to visit no prompt moves by more than a fifth, and hardly one by a tenth."""
    moves = np.abs(np.diff(stacked(), axis=1))
    assert moves.max() < 0.2
    assert (moves > 0.1).mean() < 1e-3


def line(start: float, slope: float, visits: int) -> np.ndarray:
    return (start + slope * np.arange(visits))[None, :]


@given(st.integers(0, 3), st.integers(0, 1), st.floats(1.0, 20.0))
def test_a_straight_rise_is_smoothed_to_itself(
    start: int, slope: int, bandwidth: float
) -> None:
    """To the first and last visit: a weighted mean would bend the ends of a line."""
    passes = line(start, slope, 6).astype(int)
    mean, _ = smooth(passes, bandwidth)
    np.testing.assert_allclose(mean[:, 0], passes[0] / 8, atol=1e-9)


def test_evidence_grows_with_the_bandwidth_up_to_all_rollouts() -> None:
    passes = line(4, 0, 21).astype(int)
    middle = [float(smooth(passes, bandwidth)[1][10, 0]) for bandwidth in (1.0, 4.0, 100.0)]
    assert middle == sorted(middle)
    np.testing.assert_allclose(middle[0], 8 * 2 * np.sqrt(np.pi), rtol=0.01)
    np.testing.assert_allclose(middle[2], 8 * 21, rtol=0.01)


def test_nothing_is_known_beyond_the_last_visit() -> None:
    seen = np.array([[1, 3, 2, 4, -1, -1], [1, 3, 2, 4, 0, 8]])
    mean, evidence = smooth(seen, 2.0)
    alone, rollouts = smooth(seen[:1, :4], 2.0)
    np.testing.assert_allclose(mean[:4, 0], alone[:, 0])
    np.testing.assert_array_equal(mean[4:, 0], mean[3, 0])
    np.testing.assert_allclose(evidence[4:, 0], rollouts[3, 0])


def test_the_path_is_straight_between_rows_and_flat_after_the_last() -> None:
    path = Trajectory(np.array([[0.0, 0.2], [1.0, 0.2], [0.5, 0.6]]), spacing=4.0)
    seen = [path(steps).tolist() for steps in (0, 1, 4, 6, 8, 9, 1000)]
    expected = [
        [0, 0.2],
        [0.25, 0.2],
        [1, 0.2],
        [0.75, 0.4],
        [0.5, 0.6],
        [0.5, 0.6],
        [0.5, 0.6],
    ]
    np.testing.assert_allclose(seen, expected, atol=1e-12)


def test_every_second_visit_tabulated_is_enough() -> None:
    """The median trajectory, interpolated at odd visits, against its own formula there."""
    mean, evidence = smooth(load_visits(), 8.0)
    a, b = prior(len(mean))
    exact = betaincinv(a + evidence * mean, b + evidence * (1.0 - mean), 0.5)
    path = Trajectory(betaincinv(*posterior(8.0), 0.5), float(KNOT))
    for visit in (1, 21, 55):
        off = np.abs(path(visit) - exact[visit])
        assert off.max() < 0.02
        assert off.mean() < 0.0005


def test_a_visit_takes_as_many_training_steps_as_asked() -> None:
    slow, fast = (Replay(prompts=5, steps_per_visit=gap) for gap in (10.0, 1.0))
    one, other = (world.begin(np.random.default_rng(2)) for world in (slow, fast))
    for step in range(61):
        if step % 10 == 0:
            np.testing.assert_allclose(
                one.pass_rates(np.arange(5)), other.pass_rates(np.arange(5))
            )
            other.learn(Segments.none())
        one.learn(Segments.none())


def test_few_prompts_are_distinct_trajectories() -> None:
    """All 1,209 are used once; with equal quantiles two would coincide only if logs did."""
    rates = replayed(Replay())[:, 0]
    assert len(np.unique(rates)) == 1209


def test_many_prompts_follow_resampled_trajectories() -> None:
    """Their mean is that of the 1,209, within one hundredth at the stated error rates."""
    policy = Replay(prompts=samples_to_detect(gap=0.03)).begin(np.random.default_rng(0))
    assert_mean(policy.pass_rates(np.arange(len(policy.path(0)))), 0.340)


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"steps_per_visit": 0.0}, "steps_per_visit=0.0 must be positive"),
        ({"steps_per_visit": float("inf")}, "steps_per_visit=inf must be positive"),
        ({"bandwidth": 0.5}, r"bandwidth=0.5 must lie in \[1, 100\]"),
        ({"bandwidth": float("nan")}, "bandwidth=nan must lie in"),
    ],
)
def test_a_bad_knob_is_refused(knobs: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Replay(**knobs)  # pyright: ignore[reportArgumentType]

"""MoPPS: its beliefs, what it chooses, and its closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from selection import Mopps, Verdict
from selection.beliefs import Beliefs
from selection.mopps import Prediction, Rule
from tests.selection.orders import told
from tests.statistical import assert_mean, samples_to_detect

EIGHT = Mopps(rollouts=8)
RATES = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
SHARP = Beliefs(1e9 * RATES, 1e9 * (1.0 - RATES))  # predicts its own mean to four digits


def after(mopps: Mopps, passes: list[int]) -> tuple[float, float]:
    """Both counts of one prompt after groups with these passes."""
    state = mopps.init(1)
    for count in passes:
        state, verdicts = told(mopps, state, [0], [count], mopps.rollouts)
        assert verdicts == [Verdict.TRAIN]
    return float(state.beliefs.alpha[0]), float(state.beliefs.beta[0])


def test_beliefs_follow_the_recursion() -> None:
    """1, 1; then 3 of 8 pass; then, with half of the evidence kept, 8 of 8."""
    assert after(EIGHT, [3, 8]) == (12.0, 6.0)
    assert after(replace(EIGHT, memory=0.5), [3, 8]) == (10.5, 3.5)
    assert after(replace(EIGHT, learns=False), [3, 8]) == (1.0, 1.0)


@pytest.mark.parametrize(("memory", "counts"), [(0.3, 13.43), (0.5, 18.0), (0.9, 82.0)])
def test_counts_settle_where_forgetting_balances_evidence(memory: float, counts: float) -> None:
    """n_0 + N / (1 - lambda), with n_0 = 2 and N = 8; the mean (1 + N p / (1 - lambda)) / n."""
    alpha, failures = after(replace(EIGHT, memory=memory), [2] * 400)
    assert round(alpha + failures, 2) == counts
    np.testing.assert_allclose(alpha, 1.0 + 2.0 / (1.0 - memory))


@pytest.mark.parametrize(
    ("memory", "passes", "chance"),
    [
        (1.0, [], 0.1),
        (1.0, [0], 3.85e-3),
        (1.0, [0, 0], 3.73e-5),
        (0.5, [0, 0], 3.9e-4),
        (0.5, [0] * 60, 3.73e-5),
    ],
)
def test_a_prompt_that_failed_is_practically_never_near_a_half_again(
    memory: float, passes: list[int], chance: float
) -> None:
    """P(|draw - 1/2| < .05) under the belief."""
    belief = after(replace(EIGHT, memory=memory), passes)
    low, high = beta.cdf((0.45, 0.55), *belief)
    np.testing.assert_allclose(high - low, chance, rtol=0.015)


def test_the_release_ends_single_rollouts_at_eight() -> None:
    assert after(Mopps.released(rollouts=1), [1]) == (8.0, 8.0)
    assert after(Mopps.released(rollouts=1), [1, 0, 0]) == (8.0, 8.0)
    assert after(Mopps.paper(rollouts=1), [1, 1]) == (3.0, 1.0)
    assert after(Mopps.released(rollouts=2), [1]) == (2.0, 2.0)


def test_the_warm_start_counts_three_times_and_trains_on_nothing() -> None:
    warm = Mopps(rollouts=4, warm_rollouts=2)
    state, order = warm.ask(warm.init(3), 2, np.random.default_rng(0))
    assert (order.prompts.tolist(), order.rollouts.tolist()) == ([0, 1, 2], [2, 2, 2])
    state, verdicts = told(warm, state, [0, 1, 2], [0, 1, 2], 2)
    assert verdicts == [Verdict.DROP] * 3
    assert state.beliefs.alpha.tolist() == [1.0, 4.0, 7.0]
    assert state.beliefs.beta.tolist() == [7.0, 4.0, 1.0]
    _, order = warm.ask(state, 2, np.random.default_rng(0))
    assert order.rollouts.tolist() == [4, 4]


def test_a_weighted_warm_start() -> None:
    warm = Mopps(warm_rollouts=2, warm_weight=0.5, prior=(2.0, 1.0))
    state, _ = told(warm, warm.init(1), [0], [2], 2)
    assert (state.beliefs.alpha[0], state.beliefs.beta[0]) == (3.0, 1.0)


@pytest.mark.parametrize(
    ("target", "chosen"),
    [(0.5, [2, 1, 3]), (0.79, [3, 4, 2]), (0.0, [0, 1, 2]), (1.0, [4, 3, 2])],
)
def test_the_prompts_nearest_the_target_are_chosen(target: float, chosen: list[int]) -> None:
    mopps = replace(EIGHT, target=target)
    _, order = mopps.ask(Prediction(SHARP, EIGHT.init(5).epochs, warm=True), 3, generator())
    assert set(order.prompts.tolist()) == set(chosen)
    assert order.prompts[0] == chosen[0], "nearest first"


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def positions(rule: Rule, wanted: int, low: float, high: float) -> list[int]:
    """Prompts chosen under sharp beliefs."""
    mopps = Mopps(rule=rule, low=low, high=high)
    return mopps.choose(SHARP, np.arange(5), wanted, generator()).tolist()


def test_the_threshold_rule_takes_from_the_window_first() -> None:
    assert set(positions("threshold", 2, 0.25, 0.75)) < {1, 2, 3}
    assert sorted(positions("threshold", 3, 0.25, 0.75)) == [1, 2, 3]
    assert sorted(positions("threshold", 4, 0.28, 0.75)) == [1, 2, 3, 4]
    assert sorted(positions("threshold", 4, 0.25, 0.72)) == [0, 1, 2, 3]
    assert sorted(positions("threshold", 9, 0.95, 1.0)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("rule", "share"), [("threshold", 1 / 3), ("uniform", 1 / 5)])
def test_what_may_be_chosen_is_chosen_equally_often(rule: Rule, share: float) -> None:
    """Any of the three prompts inside the window, or any of five."""
    mopps, rng = Mopps(rule=rule, low=0.25, high=0.75), generator()
    calls = [
        mopps.choose(SHARP, np.arange(5), 1, rng)[0] for _ in range(samples_to_detect(0.1))
    ]
    assert_mean((np.array(calls) == 1).astype(float), expected=share)


@given(st.integers(1, 9), st.sampled_from(["nearest", "threshold", "uniform"]))
def test_choices_are_distinct_candidates(wanted: int, rule: Rule) -> None:
    pool = np.array([4, 0, 3])
    chosen = Mopps(rule=rule).choose(SHARP, pool, wanted, generator())
    assert len(set(chosen.tolist())) == chosen.size == min(wanted, 3)
    assert set(chosen.tolist()) <= {0, 1, 2}


@given(
    num_prompts=st.integers(1, 30),
    ratio=st.integers(1, 6),
    wanted=st.integers(1, 6),
    disjoint=st.booleans(),
)
def test_an_order_has_the_groups_wanted_or_the_whole_data_set(
    *, num_prompts: int, ratio: int, wanted: int, disjoint: bool
) -> None:
    mopps = Mopps(ratio=ratio, disjoint=disjoint)
    _, order = mopps.ask(mopps.init(num_prompts), wanted, generator())
    assert np.unique(order.prompts).size == order.prompts.size == min(wanted, num_prompts)


def test_disjoint_candidates_meet_every_prompt_once_a_pass() -> None:
    mopps, rng = Mopps(ratio=1, disjoint=True), generator()
    state, met = mopps.init(12), []
    for _ in range(3):
        state, order = mopps.ask(state, 4, rng)
        met += order.prompts.tolist()
    assert sorted(met) == list(range(12))


def chosen(mopps: Mopps, beliefs: Beliefs, wanted: int) -> np.ndarray:
    """Whether prompt 0 is chosen, in enough independent asks to see a share off by .07."""
    state, rng = (
        Prediction(beliefs, mopps.init(beliefs.alpha.size).epochs, warm=True),
        generator(),
    )
    asks = samples_to_detect(gap=0.07)
    orders = [mopps.ask(state, wanted, rng)[1] for _ in range(asks)]
    return np.array([float(0 in order.prompts) for order in orders])


@pytest.mark.parametrize("rule", ["nearest", "threshold", "uniform"])
def test_equal_beliefs_are_chosen_equally_often(rule: Rule) -> None:
    """Four candidates of eight prompts, two of which are chosen."""
    share = chosen(Mopps(ratio=2, rule=rule), Beliefs.prior(8, (1.0, 1.0)), wanted=2)
    assert_mean(share, expected=2 / 8)


def test_a_draw_decides_rather_than_the_mean() -> None:
    """Beta(1, 9) against Beta(1, 1): 1 - 2 E|draw - 1/2| = 1/5 - 1/2560, never the mean's 0."""
    share = chosen(Mopps(ratio=2), Beliefs(np.array([1.0, 1.0]), np.array([9.0, 1.0])), 1)
    excess = 2.0 * 0.5**10 / 10.0  # E max(draw - 1/2, 0), twice
    assert_mean(share, expected=1.0 - 2.0 * (0.5 - 0.1 + excess))


def test_mirrored_beliefs_are_chosen_equally_often() -> None:
    mirrored = Beliefs(np.array([9.0, 2.0]), np.array([2.0, 9.0]))
    assert_mean(chosen(Mopps(ratio=2), mirrored, wanted=1), expected=1 / 2)


def test_the_assertion_notices_a_target_off_by_a_tenth() -> None:
    """The control of the test above: it would not pass for just any code."""
    mirrored = Beliefs(np.array([9.0, 2.0]), np.array([2.0, 9.0]))
    with pytest.raises(AssertionError):
        assert_mean(chosen(Mopps(ratio=2, target=0.6), mirrored, wanted=1), expected=1 / 2)


def test_the_published_variants() -> None:
    assert Mopps.released() == Mopps(rollouts=8, ratio=16, disjoint=True, single=8.0)
    assert Mopps.paper(memory=0.5) == Mopps(memory=0.5, prior=(1.0, 1.0), target=0.5)

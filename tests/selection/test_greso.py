"""GRESO: streaks, and what they make it skip."""

from dataclasses import replace

import numpy as np
import pytest

from selection import Greso, Outcome, Verdict
from selection.greso import History, Streaks
from tests.selection.orders import order, passed, told
from tests.statistical import assert_mean, samples_to_detect

DROP, TRAIN = Verdict.DROP, Verdict.TRAIN
PAPER = Greso.paper(rollouts=4)
RELEASED = Greso.released(rollouts=8)
ONE = np.array([0])


def history(greso: Greso, passes: list[int], wanted: int = 99) -> History:
    """What is remembered of one prompt after groups with these passes."""
    state = replace(greso.init(1), missing=wanted, first=wanted)
    for count in passes:
        state, _ = told(greso, state, [0], [count], greso.rollouts)
    return state


def streaks(state: History) -> tuple[int, int, int]:
    runs = state.streaks
    return int(runs.zero_variance[0]), int(runs.easy[0]), int(runs.hard[0])


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        ([], (0, 0, 0)),
        ([4, 4], (2, 2, 0)),
        ([4, 4, 0], (3, 0, 1)),
        ([0, 4, 4, 1], (0, 0, 0)),
        ([1, 0], (1, 0, 1)),
    ],
)
def test_streaks_are_the_latest_runs(passes: list[int], expected: tuple[int, int, int]) -> None:
    state = history(PAPER, passes)
    assert streaks(state) == expected
    assert state.streaks.visits.tolist() == [len(passes)]


def test_mixed_groups_are_trained_on_and_all_are_remembered() -> None:
    state = replace(PAPER.init(3), missing=2, first=3)
    state, verdicts = told(PAPER, state, [2, 0, 1], [0, 1, 4], 4)
    assert verdicts == [DROP, TRAIN, DROP]
    assert state.streaks.zero_variance.tolist() == [0, 1, 1]
    assert state.streaks.hard.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("greso", "passes", "skip"),
    [
        (PAPER, [], 0.0),
        (PAPER, [0], 1 - 0.4),
        (PAPER, [0] * 3, 1 - 0.4**3),
        (PAPER, [4] * 3, 1 - 0.7**3),
        (PAPER, [4, 0], 1 - 0.4**2),
        (PAPER, [0, 4], 1 - 0.7**2),
        (PAPER, [4, 4, 2], 0.0),
        (PAPER, [0] * 40, 1 - 0.4**40),
        (RELEASED, [8, 0], 1 - 0.4),
        (RELEASED, [0, 8], 1 - 0.7),
        (RELEASED, [0] * 40, 0.99),
    ],
)
def test_a_streak_of_z_is_skipped_with_probability_one_minus_p_to_the_z(
    greso: Greso, passes: list[int], skip: float
) -> None:
    """p_easy = .7 after a pass, p_hard = .4 after a failure; the release keeps a floor."""
    greso = replace(greso, share_block=None)
    state = replace(history(greso, passes), explore_easy=0.7, explore_hard=0.4)
    np.testing.assert_allclose(greso.skip_probability(state, ONE), [skip])


@pytest.mark.parametrize(
    ("rewards", "easy", "hard"),
    [
        ([1.0] * 8, 1, 0),
        ([1.0] * 7 + [0.9], 1, 0),
        ([1.0] * 7 + [0.0], 0, 0),
        ([0.1] * 8, 0, 1),
        ([0.1] * 4 + [0.0] * 4, 0, 1),
        ([0.8] + [0.0] * 7, 0, 1),
        ([1.0] + [0.0] * 7, 0, 0),
    ],
)
def test_the_release_goes_by_the_mean_reward(
    rewards: list[float], easy: int, hard: int
) -> None:
    """Easy from .98, hard up to .11, mixed or not."""
    outcome = passed([rewards.count(1.0)], rewards)
    state, _ = RELEASED.tell(RELEASED.init(1), order([0], 8), outcome)
    assert (state.streaks.easy[0], state.streaks.hard[0]) == (easy, hard)


def test_keeping_draws_once_per_prompt_seen_before() -> None:
    state = replace(history(PAPER, [0] * 3), explore_hard=0.5)
    runs = Streaks(*(np.append(run, 0) for run in vars(state.streaks).values()))
    state, rng = replace(state, streaks=runs), np.random.default_rng(0)
    kept = PAPER.keep(state, np.array([1, 0, 1]), rng)
    twin = np.random.default_rng(0)
    assert kept.tolist() == [True, twin.random() >= 1 - 0.5**3, True]
    assert rng.random() == twin.random()


def test_prompts_are_kept_at_the_stated_rate() -> None:
    size = samples_to_detect(gap=0.05)
    seen = replace(PAPER.init(size), explore_hard=0.6, explore_easy=0.9)
    runs = Streaks(*(np.full(size, run) for run in (2, 2, 0, 2)))
    rng = np.random.default_rng(0)
    kept = PAPER.keep(replace(seen, streaks=runs), np.arange(size), rng).astype(float)
    assert_mean(kept, expected=0.6**2)
    with pytest.raises(AssertionError):
        assert_mean(kept, expected=0.6)


def visits(explore: float, passes_over: int, dead: int) -> np.ndarray:
    """Visits of prompts that never pass, the first beside them always mixed."""
    greso = Greso(rollouts=2, explore=explore, step=0.0, prompts=dead + 1)
    state, rng = greso.init(dead + 1), np.random.default_rng(0)
    for _ in range(passes_over):
        state, asked = greso.ask(state, 1, rng)
        outcome = Outcome(passes=(asked.prompts == 0).astype(int))
        state, _ = greso.tell(state, asked, outcome)
    assert state.streaks.visits[0] == passes_over
    return state.streaks.visits[1:]


def expected_visits(explore: float, passes_over: int, cap: int) -> float:
    """E[min(visits, cap)], from the chain that a streak of z goes on with explore^z."""
    chance = np.zeros(passes_over + 2)
    chance[0] = 1.0
    keep = explore ** np.arange(chance.size)
    for _ in range(passes_over):
        moved = chance * keep
        chance = chance - moved + np.append(0.0, moved[:-1])
    return float(chance @ np.minimum(np.arange(chance.size), cap))


def test_visits_of_a_hopeless_prompt_grow_with_the_logarithm_of_the_passes() -> None:
    """5.74 visits in 63 passes at p = 1/2, about log_{1/p}(T (1/p - 1) + 1) = 6."""
    assert round(expected_visits(0.5, 63, cap=63), 2) == 5.74
    assert round(expected_visits(0.5, 1023, cap=1023), 2) == 9.73
    seen = np.minimum(visits(0.5, 63, dead=20_000), 12).astype(float)
    assert_mean(seen, expected_visits(0.5, 63, cap=12), low=1.0, high=12.0)
    with pytest.raises(AssertionError):
        assert_mean(seen, expected_visits(0.6, 63, cap=12), low=1.0, high=12.0)

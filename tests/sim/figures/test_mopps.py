"""MoPPS's figures, each made at a small fraction, and what is exact in them."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import spearmanr

from selection.mopps import Mopps
from sim.figures.entry import Drawn
from sim.figures.mopps import FIGURES
from sim.figures.mopps_batches import STARTS, STRATEGIES, by_rollouts
from sim.figures.mopps_beliefs import MEMORIES, bounds, violations
from sim.figures.mopps_prediction import p_value, rank_correlation, readings
from sim.figures.mopps_rollouts import orders_in_print, share_behind, times
from sim.figures.mopps_runs import SETTINGS, Lesson, mixed, runs, watch, windowed

MADE = [key for key, entry in FIGURES.items() if entry.make]
TASTE = SETTINGS["Countdown"].shortened(0.02)


@cache
def drawn(key: str) -> Drawn:
    make = FIGURES[key].make
    assert make is not None
    return make(0.02)


@pytest.mark.parametrize("key", [key for key in FIGURES if key not in MADE])
def test_what_cannot_be_made_says_why(key: str) -> None:
    assert len(FIGURES[key].missing) > 20


def test_sizes_are_those_of_the_scripts() -> None:
    found = {name: each.sizes for name, each in SETTINGS.items()}
    assert [(s.prompts, s.groups, s.rollouts) for s in found.values()] == [
        (7500, 256, 8),
        (2000, 256, 8),
        (2101, 512, 8),
    ]
    assert [each.memory for each in SETTINGS.values()] == [1.0, 0.5, 0.5]
    assert found["MATH"].steps * 2048 == pytest.approx(737e3, rel=0.001)
    assert TASTE.sizes.steps == 6
    assert SETTINGS["MATH"].shortened(1.0) == SETTINGS["MATH"]


def test_watching_changes_nothing_and_sees_the_draws_that_chose() -> None:
    selector = watch(TASTE, 0)
    made = runs(TASTE, f"mopps:memory={TASTE.memory}", 1)
    assert len(selector.choices) == len(selector.lessons) == TASTE.sizes.steps
    for choice in selector.choices:
        nearest = np.argsort(np.abs(choice.drawn - 0.5), kind="stable")
        assert choice.chosen.tolist() == nearest[: TASTE.sizes.groups].tolist()
    passes = np.concatenate([lesson.observed for lesson in selector.lessons])
    whole = ((passes > 0.0) & (passes < 1.0)).mean()
    assert whole == pytest.approx(made["mixed"][0, -1])


def test_beliefs_before_and_after_follow_the_update() -> None:
    lessons = watch(TASTE, 1).lessons
    for lesson in lessons:
        alpha, keep = lesson.before * lesson.counts, TASTE.memory
        after = keep * alpha + (1.0 - keep) + 8 * lesson.observed
        total = keep * lesson.counts + 2.0 * (1.0 - keep) + 8
        np.testing.assert_allclose(lesson.after, after / total)
    assert set(lessons[0].counts) == {2.0}


def test_rank_correlation_is_scipys_and_knows_when_it_is_none() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 60) / 8, rng.normal(size=60)
    rho, chance = spearmanr(x, y)
    assert rank_correlation(x, y) == pytest.approx(rho)
    assert p_value(rank_correlation(x, y), 60) == pytest.approx(chance)
    assert rank_correlation(y, -(y**3)) == pytest.approx(-1.0)
    assert np.isnan(rank_correlation(np.ones(60), y))


def test_readings_are_of_the_prompts_they_name() -> None:
    selector = watch(TASTE, 2)
    found = readings(selector)
    choice, lesson = selector.choices[3], selector.lessons[3]
    expected = [
        spearmanr(choice.drawn[choice.chosen], lesson.observed)[0],
        spearmanr(choice.believed[choice.chosen], lesson.observed)[0],
        spearmanr(choice.drawn, choice.rates)[0],
        spearmanr(choice.believed, choice.rates)[0],
    ]
    np.testing.assert_allclose(found[:, 1], np.array(expected, float))
    assert (choice.rates[choice.chosen] == lesson.rates).all()


def test_selection_narrows_what_the_logged_correlation_sees() -> None:
    """After a third of the run at a fifth of the size, in every reading of the table."""
    numbers = drawn("mopps-1").numbers
    late = numbers[(numbers["sizes"] == "Geometry3k") & (numbers["step"] >= 4)]
    found = {name: np.mean(rows["correlation"]) for name, rows in late.groupby("definition")}
    assert found["a"] < found["e"]
    assert found["d"] == max(found.values())
    assert 0.0 <= min(numbers["p_value"]) <= max(numbers["p_value"]) <= 1.0
    assert {value.published for value in drawn("mopps-1").values} == {0.75}


def test_mixed_shares_are_those_of_single_steps() -> None:
    made = runs(TASTE, "uniform", 2)
    shares = mixed(TASTE, "uniform", 2)
    assert ((shares >= 0.0) & (shares <= 1.0)).all()
    np.testing.assert_allclose(shares.mean(axis=1), made["mixed"][:, -1])
    groups = shares * TASTE.sizes.groups
    np.testing.assert_allclose(groups, groups.round(), atol=1e-6)


def test_windows_cover_every_step_once() -> None:
    samples = np.arange(12.0)[None] + 1.0
    steps, means = windowed(samples, 4)
    assert steps.tolist() == [2.0, 5.0, 8.0, 11.0]
    assert means.tolist() == [[2.0, 5.0, 8.0, 11.0]]


def test_offline_selection_is_uniform_and_nearest_draws_are_not() -> None:
    numbers = drawn("mopps-mixed").numbers
    late = numbers[(numbers["sizes"] == "Countdown") & (numbers["step"] >= 4)]
    found = {name: np.mean(rows["mixed"]) for name, rows in late.groupby("strategy")}
    assert set(found) == set(STRATEGIES)
    assert abs(found["offline"] - found["uniform"]) < 0.15
    assert found["nearest draws"] > found["uniform"]


def test_a_warm_start_pays_for_every_prompt_eight_times() -> None:
    setting = SETTINGS["MATH"].shortened(0.02)
    cold, warm = (
        by_rollouts(setting, STARTS[name][0].format(memory=1.0), 2)[0]
        for name in ("cold start", "warm start")
    )
    np.testing.assert_allclose(warm[1:] - cold[1:], 8 * setting.sizes.prompts)
    numbers = drawn("mopps-warm-start").numbers
    rows = [row for row in numbers.to_dict("records") if row["step"] == 1.0]
    first = {row["strategy"]: row["mixed"] for row in rows}
    assert first["warm start"] > first["cold start"] + 0.1


def test_orders_in_print_and_the_share_that_takes_them() -> None:
    assert orders_in_print("1.5B") == pytest.approx(2933 / 737)
    assert orders_in_print("7B") == pytest.approx(1147 / 287)
    assert 0.25 < share_behind(3.98) < 1 / 3
    shown = drawn("mopps-rollouts").numbers.dropna(subset=["orders"])
    names = ("mixed_share", "orders", "orders_uncapped")
    share, orders, uncapped = (np.array(shown[name]) for name in names)
    assert (np.diff(orders) <= 1e-9).all()
    assert orders[[0, -1]].tolist() == pytest.approx([4.0, 1.0])
    assert (uncapped[share < 0.2] > 4.5).all()


def test_times_are_rollouts_at_the_target() -> None:
    found = times("MoPPS", 2)
    assert not found.censored.any()
    assert (found.reached % (64 * 8) == 0).all()
    assert (found.reached < found.spent).all()
    numbers = drawn("mopps-rollouts").numbers
    for _, rows in numbers.dropna(subset=["accuracy"]).groupby("of"):
        assert np.array(rows["accuracy"])[-1] > np.array(rows["accuracy"])[0]


def test_closed_form_of_the_memory_at_its_ends() -> None:
    numbers = drawn("mopps-memory").numbers
    still = numbers[(numbers["of"] == "closed form") & (numbers["drift"] == 0.0)]
    error = np.array(still["error"])
    assert error[0] == pytest.approx(np.sqrt(8 * 0.25) / 10)  # one group, N = 8
    assert (np.diff(error) < 0.0).all()
    made = numbers[numbers["of"] == "MATH"]
    assert list(made["memory"]) == list(MEMORIES)
    assert 0.0 < min(made["mixed"]) <= max(made["mixed"]) < 1.0


def test_bounds_of_two_updates_by_hand() -> None:
    """Memory 1/2 from Beta(1, 1): 4 of 8, then 8 of 8 as the pass rate moves from .6 to .7."""
    order = np.array([1, 0])
    earlier = Lesson(order, *(np.full(2, x) for x in (2.0, 0.5, 5.0 / 10.0, 0.6, 0.5)))
    second = Mopps(rollouts=8, memory=0.5)
    assert second.prior == (1.0, 1.0)
    after = (0.5 * 5.0 + 0.5 + 8.0) / (5.0 + 1.0 + 8.0)
    later = Lesson(order[::-1], *(np.full(2, x) for x in (10.0, 0.5, after, 0.7, 1.0)))
    found = {name: float(values[0]) for name, values in bounds(earlier, later, 0.5).items()}
    assert found["error"] == pytest.approx(after - 0.7)
    tight = (5.0 * (0.1 + 0.1) + 1.0 * 0.2 + 8.0 * 0.3) / 14.0
    assert found["tight bound"] == pytest.approx(tight)
    assert found["loose bound"] == pytest.approx(0.5 * 0.2 + 0.25 + 0.3)


def test_bounds_align_prompts_that_come_in_another_order() -> None:
    parts = (np.array([2.0, 2.0]), np.array([0.5, 0.5]), np.array([0.2, 0.9]))
    earlier = Lesson(np.array([3, 7]), *parts, np.array([0.1, 0.8]), np.array([0.0, 1.0]))
    flipped = (np.array([10.0, 10.0]), np.array([0.9, 0.2]), np.array([0.9, 0.2]))
    later = Lesson(np.array([7, 3]), *flipped, np.array([0.8, 0.1]), np.array([1.0, 0.0]))
    found = bounds(earlier, later, 0.5)
    np.testing.assert_allclose(found["error"], [0.1, 0.1])
    np.testing.assert_allclose(found["loose bound"], 0.5 * 0.1 + 0.25 + 0.3)
    tight = [(0.5 + 0.4 + 8 * 0.1) / 14, (0.5 + 0.3 + 8 * 0.2) / 14]
    np.testing.assert_allclose(found["tight bound"], tight)


def test_the_tight_bound_always_holds() -> None:
    for memory in (0.5, 0.9):
        tight, loose = violations(memory, 0.02)
        assert tight == 0.0
        assert loose < 0.47
    numbers = drawn("mopps-bound").numbers
    for _, rows in numbers.groupby("memory"):
        mean = {name: np.mean(some["mean"]) for name, some in rows.groupby("of")}
        assert mean["error"] < mean["tight bound"] < mean["loose bound"]

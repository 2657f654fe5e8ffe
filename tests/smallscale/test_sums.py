"""Column addition by hand, slips that change the sum as stated, and how often they come."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smallscale.problems import Problem
from smallscale.sums import Sums, worked
from tests.statistical import assert_mean, samples_to_detect

EQUALLY_LONG = st.integers(1, 6).flatmap(
    lambda digits: st.lists(
        st.integers(10 ** (digits - 1), 10**digits - 1).map(str), min_size=2, max_size=9
    )
)


def test_an_addition_by_hand() -> None:
    assert worked(["348", "725", "961"], "=") == "0,8,13,14;1,5,7,13;1,4,11,20=2034"


def test_a_slip_by_hand() -> None:
    """The second total of the tens is one too high: 8 for 7, and the sum 10 too much."""
    slipped = worked(["348", "725", "961"], "=", slip=(4, 1))
    assert slipped == "0,8,13,14;1,5,8,14;1,4,11,20=2044"


@given(EQUALLY_LONG)
def test_without_a_slip_the_sum_is_right(terms: list[str]) -> None:
    assert worked(terms, "=").rpartition("=")[2] == str(sum(map(int, terms)))


@given(EQUALLY_LONG, st.data())
def test_a_slip_changes_the_sum_by_a_power_of_ten(
    terms: list[str], data: st.DataObject
) -> None:
    column = data.draw(st.integers(0, len(terms[0]) - 1))
    row, off = data.draw(st.integers(0, len(terms) - 1)), data.draw(st.sampled_from((-1, 1)))
    slipped = worked(terms, "=", slip=(column * len(terms) + row, off))
    wrong = int(slipped.rpartition("=")[2]) - sum(map(int, terms))
    nothing_to_take = wrong == 10**column and row == 0 and terms[0][-1 - column] == "0"
    assert wrong == off * 10**column or nothing_to_take


def test_a_total_never_falls_below_nothing() -> None:
    assert worked(["10", "10"], "=", slip=(0, -1)) == "0,1,1;0,1,2=21"


def test_chance_by_hand() -> None:
    """Families 1x2, 2x2, so π is .9 and .2; digits 3, 4, 8, 9 have the mean 6."""
    task = Sums(digits=(1, 2), terms=(2, 2), easiest=0.9, hardest=0.2, slope=0.8)
    assert task.families == ("1x2", "2x2")
    odds = 0.25 * math.exp(-0.8 * 1.5)
    assert task.chance(Problem("34+89:", "123", "2x2")) == pytest.approx(odds / (1 + odds))
    odds = 9 * math.exp(0.8 * 0.5)
    assert task.chance(Problem("3+5:", "8", "1x2")) == pytest.approx(odds / (1 + odds))


def test_longer_families_are_right_less_often() -> None:
    task = Sums(slope=0.0)
    rng = np.random.default_rng(0)
    chances = [task.chance(task.draw(family, rng)) for family in task.families]
    assert chances == sorted(chances, reverse=True)
    assert (chances[0], chances[-1]) == (pytest.approx(0.97), pytest.approx(0.01))
    lengths = [int(f[0]) * (int(f[2]) + 1) for f in task.families]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("text", ["91+28:", "13+25:", "99+99:"])
def test_demonstrations_are_right_as_often_as_stated(text: str) -> None:
    task, rng = Sums(digits=(2, 2), terms=(2, 2), easiest=0.4), np.random.default_rng(0)
    answer = str(sum(map(int, text.rstrip(":").split("+"))))
    problem = Problem(text, answer, "2x2")
    shown = [task.demonstration(problem, rng) for _ in range(samples_to_detect(0.05))]
    right = np.array([each.rpartition("=")[2] == answer for each in shown], float)
    assert_mean(right, task.chance(problem))
    slipped = {each for each in shown if each.rpartition("=")[2] != answer}
    assert len(slipped) == 8  # four totals, up or down


def test_problems_have_the_form_of_their_family() -> None:
    task, rng = Sums(), np.random.default_rng(0)
    for family in task.families:
        problem = task.draw(family, rng)
        terms = problem.text.removesuffix(":").split("+")
        assert family == f"{len(terms[0])}x{len(terms)}"
        assert len(set(map(len, terms))) == 1
        assert problem.answer == str(sum(map(int, terms)))
        assert problem.family == family


def test_rollouts_have_fifty_to_two_hundred_tokens() -> None:
    task, rng = Sums(), np.random.default_rng(0)
    assert 50 <= task.max_tokens <= 200
    for family in task.families:
        shown = [task.demonstration(task.draw(family, rng), rng) for _ in range(20)]
        assert all(50 <= len(text) + 1 <= task.max_tokens for text in shown)
        assert set("".join(shown)) <= set(task.characters)


@pytest.mark.parametrize("slip", [(-1, 0), (0, 1), (6 * 6, 1)])
def test_the_longest_rollout_fits(slip: tuple[int, int]) -> None:
    """All nines; only the first carry and the first totals of it are shorter than allowed."""
    task = Sums()
    length = len(worked(["9999999"] * 6, task.mark, slip=slip)) + 1
    assert task.max_tokens - 8 <= length <= task.max_tokens


def test_shares_and_what_a_warm_start_is_shown() -> None:
    task = Sums(digits=(4, 5), terms=(4, 6))
    assert task.shares == dict.fromkeys(("4x4", "4x5", "5x4", "4x6", "5x5", "5x6"), 1 / 6)
    assert task.lesson() == task
    assert not task.exact


@pytest.mark.parametrize(
    ("knobs", "name"),
    [
        ({"digits": (0, 2)}, "digits"),
        ({"digits": (3, 2)}, "digits"),
        ({"digits": (4, 10)}, "digits"),
        ({"terms": (1, 4)}, "terms"),
        ({"terms": (2, 10)}, "terms"),
        ({"easiest": 1.0}, "easiest"),
        ({"hardest": 0.0}, "hardest"),
        ({"slope": math.nan}, "slope"),
    ],
)
def test_bad_knobs_are_refused_by_name(knobs: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Sums(**knobs)  # pyright: ignore[reportArgumentType]

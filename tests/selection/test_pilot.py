"""Pilot rounds."""

from dataclasses import replace

import numpy as np
import pytest

from selection import Norms, Outcome
from selection.pilot import Iteration, Pilot

PILOT = Pilot(rollouts=4, subsets=3, orders=2)


def begun(num_prompts: int = 10) -> Iteration:
    """An iteration whose pilot is out."""
    rng = np.random.default_rng(0)
    return PILOT.begin(Iteration.before(num_prompts), rng)[0]


def norms(value: float, size: int = 4) -> Norms:
    """Norms that differ from field to field and from prompt to prompt."""
    first, step = value + np.arange(size), np.ones(size)
    return Norms(
        passing=first,
        failing=first + 10 * step,
        passing_square=first + 20 * step,
        failing_square=first + 30 * step,
        contrast=first + 40 * step,
    )


def test_a_pilot_is_due_at_first_and_after_some_orders() -> None:
    assert PILOT.due(Iteration.before(5))
    assert [PILOT.due(replace(begun(), orders=orders)) for orders in (0, 1, 2)] == [0, 0, 1]


def test_subsets_are_parts_of_a_pass() -> None:
    """10 prompts in 3 parts: 4, 4, and 2 together with 2 of the next pass."""
    iteration, rng, met = Iteration.before(10), np.random.default_rng(0), []
    for _ in range(3):
        iteration, order = PILOT.begin(iteration, rng)
        assert order.rollouts.tolist() == [4] * 4
        assert order.prompts.tolist() == iteration.members.tolist()
        assert iteration.orders == -1
        met += order.prompts.tolist()
    assert sorted(met[:10]) == list(range(10))


def test_rates_are_those_observed() -> None:
    recorded = PILOT.record(begun(), Outcome(passes=np.array([0, 1, 3, 4])))
    assert recorded.orders == 0
    assert PILOT.rates(recorded).tolist() == [0.0, 0.25, 0.75, 1.0]
    assert recorded.told_norms(np.arange(4)) is None


def test_norms_come_back_as_they_were_told() -> None:
    passes = np.zeros(4, int)
    recorded = PILOT.record(begun(), Outcome(passes=passes, norms=norms(1.0)))
    told = recorded.told_norms(np.array([2, 0]))
    assert told is not None
    for name, expected in vars(norms(1.0)).items():
        assert getattr(told, name).tolist() == expected[[2, 0]].tolist()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_a_norm_that_means_nothing_is_refused(wrong: float) -> None:
    outcome = Outcome(passes=np.zeros(4, int), norms=norms(wrong))
    with pytest.raises(ValueError, match="norms must be finite and not negative"):
        PILOT.record(begun(), outcome)


def test_members_are_found_by_their_position() -> None:
    iteration = begun()
    assert iteration.positions(iteration.members[[3, 0, 2]]).tolist() == [3, 0, 2]

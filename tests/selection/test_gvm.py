"""GVM's allocation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection import Gvm, Outcome, Verdict
from selection.allocation import allocate, gvm_weight
from selection.gvm import Allocated
from tests.selection.test_pilot import norms

GVM = Gvm(rollouts=8, pilot=8, subsets=1, steps=3)


def piloted(gvm: Gvm, passes: list[int], *, normed: bool = False) -> Allocated:
    """The state after a pilot in which the members, in order, passed so often."""
    state, order = gvm.ask(gvm.init(len(passes)), 1, np.random.default_rng(0))
    told = norms(1.0, len(passes)) if normed else None
    state, verdicts = gvm.tell(state, order, Outcome(passes=np.array(passes), norms=told))
    assert set(verdicts.tolist()) == {Verdict.DROP}
    return state


def test_hard_prompts_get_most_and_hopeless_ones_none() -> None:
    """Weights of about p^-1/2: sqrt 8, 2 and 1, shares of a budget of 24."""
    state = piloted(GVM, [1, 0, 2, 8])
    assert state.rollouts.tolist() == [12, 0, 8, 4]


def test_score_norms_scale_the_allocation() -> None:
    """Mean squares of 21, 23 and 24 beside them, the second prompt's left out with it."""
    rates = np.array([1, 2, 8]) / 8
    weights = gvm_weight(rates, np.sqrt([21.0, 23.0, 24.0]))
    state = piloted(GVM, [1, 0, 2, 8], normed=True)
    assert state.rollouts[[0, 2, 3]].tolist() == allocate(weights, 24, 2).tolist()


@given(st.lists(st.integers(0, 8), min_size=1, max_size=9))
def test_the_budget_counts_prompts_that_get_rollouts(passes: list[int]) -> None:
    rollouts = piloted(GVM, passes).rollouts
    assert ((rollouts > 0) == (np.array(passes) > 0)).all()
    assert rollouts.sum() == 8 * np.count_nonzero(passes)
    assert (rollouts[rollouts > 0] >= 2).all()


def test_orders_pass_through_the_useful_members_in_turn() -> None:
    state, rng, met = piloted(GVM, [1, 0, 2, 8, 0]), np.random.default_rng(0), []
    useful = state.iteration.members[[0, 2, 3]]
    share = dict(zip(useful.tolist(), state.rollouts[[0, 2, 3]].tolist(), strict=True))
    for size in (2, 1):
        state, order = GVM.ask(state, size, rng)
        assert order.rollouts.tolist() == [share[prompt] for prompt in order.prompts.tolist()]
        state, verdicts = GVM.tell(state, order, Outcome(passes=0 * order.prompts))
        assert verdicts.tolist() == [Verdict.TRAIN] * size
        met += order.prompts.tolist()
    assert sorted(met) == sorted(useful)


def test_a_pilot_follows_the_last_step_or_a_pilot_that_nothing_passed() -> None:
    state, rng = piloted(GVM, [1, 2]), np.random.default_rng(0)
    _, order = GVM.ask(replace(state, iteration=replace(state.iteration, orders=3)), 1, rng)
    assert order.rollouts.tolist() == [8, 8]
    _, order = GVM.ask(piloted(GVM, [0, 0]), 1, rng)
    assert order.rollouts.tolist() == [8, 8]


def test_steps_are_counted_between_pilots() -> None:
    state, rng, sizes = GVM.init(4), np.random.default_rng(0), []
    for _ in range(8):
        state, order = GVM.ask(state, 1, rng)
        sizes.append(order.prompts.size)
        state, _ = GVM.tell(state, order, Outcome(passes=order.rollouts))
    assert sizes == [4, 1, 1, 1, 4, 1, 1, 1]


def test_no_group_is_smaller_than_the_minimum() -> None:
    """By weight alone, 4 rollouts would be shared 3 to 1."""
    assert piloted(replace(GVM, rollouts=2), [1, 8]).rollouts.tolist() == [2, 2]
    free = piloted(replace(GVM, rollouts=2, at_least=1), [1, 8])
    assert free.rollouts.tolist() == [3, 1]


def test_training_rollouts_do_not_change_the_allocation() -> None:
    state, order = GVM.ask(piloted(GVM, [1, 4]), 2, np.random.default_rng(0))
    after, _ = GVM.tell(state, order, Outcome(passes=order.rollouts))
    assert after.rollouts.tolist() == state.rollouts.tolist()


def test_prompts_that_are_too_easy_get_nothing() -> None:
    rollouts = piloted(replace(GVM, easiest=0.5), [1, 4, 5, 8]).rollouts
    assert np.flatnonzero(rollouts).tolist() == [0, 1]


def test_prompts_that_would_hardly_pass_get_nothing() -> None:
    """Of 16 rollouts 12 and 4, of which 1.5 and 4 are expected to pass."""
    state = piloted(replace(GVM, least_passes=1.6), [1, 8])
    assert state.rollouts.tolist() == [0, 8]
    assert piloted(replace(GVM, least_passes=1.4), [1, 8]).rollouts.tolist() == [12, 4]


def test_the_published_constants() -> None:
    paper = Gvm.paper()
    assert (paper.alpha, paper.power, paper.pilot) == (1e-3, 2.0, 8)
    with pytest.raises(ValueError, match="alpha=0"):
        Gvm(alpha=0.0)

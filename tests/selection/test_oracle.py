"""The oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection import Oracle, Verdict
from tests.selection.orders import told


def chosen(rates: list[float], wanted: int) -> list[int]:
    """Prompts of one order, and that asking leaves the generator alone."""
    table, rng = np.array(rates), np.random.default_rng(0)
    oracle = Oracle(pass_rates=lambda prompts: table[prompts], rollouts=2)
    _, order = oracle.ask(oracle.init(len(rates)), wanted, rng)
    assert rng.random() == np.random.default_rng(0).random()
    assert (order.rollouts == 2).all()
    return order.prompts.tolist()


def test_the_prompts_nearest_a_half_are_chosen() -> None:
    assert sorted(chosen([0.0, 0.45, 0.9, 0.52, 0.1, 0.7], 3)) == [1, 3, 5]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9), st.integers(1, 12))
def test_no_prompt_left_out_has_more_variance(rates: list[float], wanted: int) -> None:
    prompts = chosen(rates, wanted)
    assert len(set(prompts)) == len(prompts) == min(wanted, len(rates))
    left = set(range(len(rates))) - set(prompts)
    worst = max(abs(rates[prompt] - 0.5) for prompt in prompts)
    assert all(abs(rates[prompt] - 0.5) >= worst for prompt in left)


def test_the_rates_are_those_of_now() -> None:
    """The policy moves between two orders, and the oracle with it."""
    rates = np.array([0.5, 0.0])
    oracle = Oracle(pass_rates=lambda prompts: rates[prompts])
    state = oracle.init(2)
    for expected in (0, 1):
        _, order = oracle.ask(state, 1, np.random.default_rng(0))
        assert order.prompts.tolist() == [expected]
        rates[:] = rates[::-1].copy()


@pytest.mark.parametrize("passes", [0, 1, 2])
def test_every_group_is_trained_on(passes: int) -> None:
    oracle = Oracle(pass_rates=lambda prompts: prompts / 4.0, rollouts=2)
    assert told(oracle, oracle.init(3), [1], [passes], 2)[1] == [Verdict.TRAIN]

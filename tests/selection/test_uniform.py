"""Uniform sampling."""

import numpy as np

from selection import Uniform, Verdict
from tests.selection.orders import told

UNIFORM = Uniform(rollouts=3)


def test_every_group_is_trained_on() -> None:
    _, verdicts = told(UNIFORM, UNIFORM.init(4), [2, 0, 1], [0, 2, 3], 3)
    assert verdicts == [Verdict.TRAIN] * 3


def test_a_pass_meets_every_prompt_once() -> None:
    state, rng, met = UNIFORM.init(10), np.random.default_rng(0), []
    for _ in range(5):
        state, order = UNIFORM.ask(state, 4, rng)
        assert order.rollouts.tolist() == [3, 3, 3, 3]
        met += order.prompts.tolist()
    assert sorted(met[:10]) == sorted(met[10:]) == list(range(10))


def test_an_order_is_never_larger_than_the_data_set() -> None:
    _, order = UNIFORM.ask(UNIFORM.init(3), 7, np.random.default_rng(0))
    assert sorted(order.prompts) == [0, 1, 2]

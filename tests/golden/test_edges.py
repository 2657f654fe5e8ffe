"""Ties of the released rules that no recorded trace happens to meet."""

from dataclasses import replace

import numpy as np
import pytest

from selection.allocation import gvm_useful
from selection.beliefs import Beliefs
from selection.dynamic import DynamicSampling
from selection.greso import Greso, History
from selection.mopps import Mopps
from selection.protocol import Order, Outcome, Verdict
from tests.golden.tape import Tape

RELEASED = Greso.released(rollouts=8, share_block=None)


def told(strategy: Greso, passes: list[int], *, first: int, epoch: int) -> History:
    """History once an order with these passes is told."""
    state = strategy.init(len(passes))
    state = replace(state, first=first, epochs=replace(state.epochs, epoch=epoch), missing=12)
    outcome = Outcome(passes=np.array(passes), rewards=None)
    return strategy.tell(state, Order.equal(np.arange(len(passes)), 8), outcome)[0]


@pytest.mark.parametrize(("first", "last"), [(26, False), (27, True)])
def test_an_estimate_of_just_the_first_order_closes_the_batch(
    *, first: int, last: bool
) -> None:
    """11 groups are missing at a mixed share of 1/2: int(11 / 0.5 * 1.25) = 27."""
    assert told(RELEASED, [8, 4], first=first, epoch=0).last == last


def test_a_share_at_its_target_lowers_exploration() -> None:
    strategy = replace(RELEASED, target=0.75, hard_reward=0.0)
    state = replace(strategy.init(1), generated=4.0, easy=1.0, hard=2.0)
    state = strategy.adapt(replace(state, epochs=replace(state.epochs, epoch=1)))
    assert (state.explore_easy, state.explore_hard) == (0.49, 0.49)


def test_the_release_rounds_shares_to_single_precision() -> None:
    order, outcome = Order.equal(np.arange(3), 8), Outcome(passes=np.array([8, 4, 4]))
    easy = [s.shares(order, outcome).easy for s in (Greso.paper(rollouts=8), RELEASED)]
    assert easy == [1 / 3, float(np.float32(1 / 3))]
    assert easy[0] != easy[1]


@pytest.mark.parametrize(
    ("drawn", "permutations", "chosen"),
    [
        ([0.1, 0.5, 0.3, 0.7], [], [1, 2, 3]),  # the window is closed, and filled to the last
        ([0.1, 0.5, 0.2, 0.7], [], [1, 3, 2]),  # one too few: the nearest fills up
        ([0.6, 0.5, 0.3, 0.7], [[3, 1, 2, 0]], [3, 1, 2]),
    ],
)
def test_the_window_of_mopps_is_closed(
    drawn: list[float], permutations: list[list[int]], chosen: list[int]
) -> None:
    strategy = replace(Mopps.released(), rule="threshold", low=0.3, high=0.7)
    inside = [i for i, rate in enumerate(drawn) if 0.3 <= rate <= 0.7]
    shuffles = permutations or ([inside] if len(inside) >= 3 else [])
    tape = Tape("window", betas=drawn, permutations=shuffles)
    got = strategy.choose(Beliefs.prior(4, (1.0, 1.0)), np.arange(4), 3, tape)
    assert got.tolist() == chosen
    tape.spent()


def test_a_band_of_mean_rewards_takes_constant_groups_inside_it() -> None:
    strategy = DynamicSampling(rollouts=8, low=0.125, high=1.0, mixed=False)
    order, outcome = Order.equal(np.arange(3), 8), Outcome(passes=np.array([0, 1, 8]))
    verdicts = strategy.tell(strategy.init(3), order, outcome)[1]
    assert verdicts.tolist() == [Verdict.DROP, Verdict.TRAIN, Verdict.TRAIN]


def test_the_bounds_of_gvm_are_inclusive() -> None:
    weights, rates = np.array([1.0, 1.0, 2.0]), np.array([0.25, 0.5, 0.75])
    got = gvm_useful(weights, rates, 8, easiest=0.5, least_passes=1.0)
    assert got.tolist() == [0.0, 1.0, 0.0]  # half a pass; just one; too easy

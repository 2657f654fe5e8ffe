"""Dynamic sampling."""

import numpy as np
import pytest

from selection import DynamicSampling, Order, Outcome, Verdict, collect
from tests.selection.orders import order, passed, told
from tests.selection.waiting import assert_failures
from tests.selection.worlds import World

DROP, TRAIN = Verdict.DROP, Verdict.TRAIN
FOUR = DynamicSampling.paper(rollouts=4)


def test_mixed_groups_are_trained_on_and_the_others_dropped() -> None:
    _, verdicts = told(FOUR, FOUR.init(3), [0, 1, 2], [0, 1, 4], 4)
    assert verdicts == [DROP, TRAIN, DROP]


def test_a_group_with_partial_rewards_is_mixed() -> None:
    outcome = passed([0, 0], [0.0, 0.1, 0.0, 0.0] + [0.1] * 4)
    _, verdicts = FOUR.tell(FOUR.init(2), order([0, 1], 4), outcome)
    assert verdicts.tolist() == [TRAIN, DROP]


def test_a_band_of_pass_rates() -> None:
    band = DynamicSampling(rollouts=4, low=0.5, high=1.0, mixed=False)
    _, verdicts = told(band, band.init(4), [0, 1, 2, 3], [1, 2, 3, 4], 4)
    assert verdicts == [DROP, TRAIN, TRAIN, TRAIN]


@pytest.mark.parametrize(("prompts", "size"), [(None, 3), (6, 6), (40, 20)])
def test_an_order_has_as_many_prompts_as_are_missing_or_a_fixed_number(
    prompts: int | None, size: int
) -> None:
    dynamic = DynamicSampling(rollouts=4, prompts=prompts)
    _, asked = dynamic.ask(dynamic.init(20), 3, np.random.default_rng(0))
    assert asked.prompts.size == size


def rounds_of(dynamic: DynamicSampling, mixed: list[int]) -> list[int]:
    """Prompts of each order of batches of 4, where so many groups of each order are mixed."""
    state, rng, sizes, ready = dynamic.init(50), np.random.default_rng(0), [], 0
    for num_mixed in mixed:
        state, asked = dynamic.ask(state, 4 - ready, rng)
        sizes.append(asked.prompts.size)
        if not asked.prompts.size:
            ready = 0
            continue
        passes = np.arange(asked.prompts.size) < num_mixed
        state, verdicts = dynamic.tell(state, asked, Outcome(passes=passes.astype(int)))
        ready = (ready + int((verdicts == TRAIN).sum())) % 4
    return sizes


def test_a_batch_closes_at_the_limit_of_rounds() -> None:
    """The count starts anew with the next batch, whether this one closed short or full."""
    capped = DynamicSampling(rollouts=4, rounds=2)
    assert rounds_of(capped, [1, 1, 0, 2, 2, 0, 0, 0]) == [4, 3, 0, 4, 2, 4, 4, 0]


def test_without_a_limit_no_batch_closes_short() -> None:
    assert rounds_of(FOUR, [1, 1, 0, 0, 0, 1, 0, 1]) == [4, 3, 2, 2, 2, 2, 1, 1]


def rolled_out(dynamic: DynamicSampling, rate: float, groups: int) -> int:
    """Groups rolled out to fill one training batch."""
    nature, choice = np.random.default_rng(5).spawn(2)
    world, sizes = World(rates=np.full(1000, rate)), []

    def roll(order: Order) -> Outcome:
        sizes.append(order.prompts.size)
        return world.roll(order, nature)

    state = dynamic.init(1000)
    batch = collect(dynamic, state, roll, groups, choice, max_orders=1000)[2]
    assert ((batch.passes > 0) & (batch.passes < batch.rollouts)).all()
    assert batch.prompts.size == groups
    return sum(sizes)


def test_a_trained_group_costs_one_over_the_mixed_share() -> None:
    """N / M_N rollouts, with M_N = 1 - p^N - (1-p)^N; the ideal refill has no surplus."""
    mixed, groups = 1.0 - 0.1**4 - 0.9**4, 4000
    assert round(4 / mixed, 2) == 11.63
    wasted = rolled_out(FOUR, rate=0.1, groups=groups) - groups
    assert_failures(wasted, groups, mixed)
    with pytest.raises(AssertionError):
        assert_failures(wasted, groups, 1.0 - 0.1**3 - 0.9**3)


def test_fixed_rounds_pay_for_a_surplus() -> None:
    """600 prompts a round: a batch of 100 mixed groups costs a whole round."""
    released = DynamicSampling.released(rollouts=4, prompts=600)
    assert rolled_out(released, rate=0.5, groups=100) == 600

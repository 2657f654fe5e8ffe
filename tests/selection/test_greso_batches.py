"""GRESO: the controller of the exploration probabilities, and the orders of a batch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection import Greso, Order, Outcome, collect
from selection.epochs import Epochs
from selection.greso import History, Streaks
from tests.selection.orders import order, passed, told

PAPER = Greso.paper(rollouts=4)
RELEASED = Greso.released(rollouts=8)


def batch_of(greso: Greso, passes: list[int], explore: float = 0.5) -> tuple[float, float]:
    """Exploration probabilities (easy, hard) after a batch closed by groups of 4."""
    state = replace(greso.init(12), explore_easy=explore, explore_hard=explore, first=12)
    state = replace(state, missing=1, epochs=Epochs(np.arange(12), 0, 0))
    state, _ = told(greso, state, list(range(len(passes))), passes, 4)
    return round(state.explore_easy, 4), round(state.explore_hard, 4)


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        ([1] * 12, (0.51, 0.51)),
        ([4] + [1] * 11, (0.49, 0.51)),
        ([0, 0] + [1] * 10, (0.51, 0.49)),
        ([0, 4] + [1] * 10, (0.49, 0.51)),
        ([0] * 2 + [4] + [1] * 9, (0.49, 0.49)),
    ],
)
def test_the_controller_moves_by_a_step_towards_its_targets(
    passes: list[int], expected: tuple[float, float]
) -> None:
    """Targets of a quarter: 1/12 easy and 2/12 hard, reached by one and by two groups of 12."""
    assert batch_of(PAPER, passes) == expected


@pytest.mark.parametrize(("explore", "passes", "bound"), [(0.05, 0, 0.05), (0.95, 1, 0.95)])
def test_exploration_stays_within_its_bounds(explore: float, passes: int, bound: float) -> None:
    easy_and_hard = [passes] * 6 + [4 if passes == 0 else 1] * 5 + [1]
    assert batch_of(PAPER, easy_and_hard, explore) == (bound, bound)


def test_the_release_does_not_adapt_in_the_first_pass() -> None:
    later = replace(PAPER, adapt_from=1)
    assert batch_of(later, [1] * 12) == (0.5, 0.5)


def test_shares_are_weighed_over_all_orders_of_a_batch() -> None:
    """6 of 8, then 0 of 4 groups hard: half of them, above the target of a sixth."""
    state = replace(PAPER.init(12), missing=6, first=9, epochs=Epochs(np.arange(12), 0, 0))
    state, _ = told(PAPER, state, list(range(8)), [0] * 6 + [1] * 2, 4)
    assert (state.generated, state.hard, state.easy) == (8.0, 6.0, 0.0)
    state, _ = told(PAPER, replace(state, missing=4), [8, 9, 10, 11], [1] * 4, 4)
    assert (state.explore_easy, state.explore_hard) == (0.51, 0.49)
    assert (state.generated, state.hard, state.first, state.size) == (0.0, 0.0, 0, 0)


def test_the_release_counts_as_hard_only_rewards_of_a_tenth() -> None:
    rewards = [0.1] * 8 + [0.0] * 8 + [1.0] * 8 + [0.1] * 7 + [0.0]
    four = order([0, 1, 2, 3], 8)
    shares = RELEASED.shares(four, passed([0, 0, 8, 0], rewards))
    assert shares == (0.75, 0.25, 0.25)
    shares = replace(RELEASED, hard_reward=None).shares(four, passed([0, 0, 8, 0], rewards))
    assert shares == (0.75, 0.25, 0.5)


def test_the_release_rounds_its_shares_to_single_precision() -> None:
    three = order([0, 1, 2], 8)
    outcome = passed([8, 1, 1], [1.0] * 8 + ([1.0] + [0.0] * 7) * 2)
    assert RELEASED.shares(three, outcome).easy == float(np.float32(1 / 3))
    assert replace(PAPER, rollouts=8).shares(three, outcome).easy == 1 / 3


def test_the_release_cuts_rewards_into_blocks_of_eight() -> None:
    """Two zero-variance groups of 4 make one block that is not."""
    four = replace(RELEASED, rollouts=4)
    outcome = passed([4, 0], [1.0] * 4 + [0.0] * 4)
    assert four.shares(order([0, 1], 4), outcome) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="share_block=8 cuts groups of 4 rollouts apart"):
        four.shares(order([0, 1], 4), passed([4, 0]))


@pytest.mark.parametrize("greso", [PAPER, replace(RELEASED, rollouts=4, share_block=None)])
@given(passes=st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_shares_of_binary_groups_need_no_rewards(greso: Greso, passes: list[int]) -> None:
    groups = order(list(range(len(passes))), 4)
    rewards = [float(index < count) for count in passes for index in range(4)]
    assert greso.shares(groups, passed(passes)) == greso.shares(groups, passed(passes, rewards))


@pytest.mark.parametrize(
    ("greso", "missing", "share", "size", "last"),
    [
        (PAPER, 60, 0.3, 107, False),  # 60 / 0.7 * 1.25 = 107.1
        (PAPER, 250, 0.5, 384, False),
        (PAPER, 10, 1.0, 384, False),
        (RELEASED, 60, 0.3, 107, True),
        (RELEASED, 10, 0.3, 64, True),
        (RELEASED, 250, 0.5, 384, False),
    ],
)
def test_the_size_of_a_further_order(
    greso: Greso, missing: int, share: float, *, size: int, last: bool
) -> None:
    """beta * missing / (1 - share), at most the first order and at least the smallest."""
    state = greso.resize(replace(greso.init(1), first=384), missing, share)
    assert (state.size, state.last) == (size, last)


@pytest.mark.parametrize(("prompts", "size"), [(None, 6), (3, 3)])
def test_the_first_order_has_half_again_as_many_prompts_as_groups_are_wanted(
    prompts: int | None, size: int
) -> None:
    greso = Greso(rollouts=4, prompts=prompts)
    _, asked = greso.ask(greso.init(50), 4, np.random.default_rng(0))
    assert asked.prompts.size == size


def test_an_order_ends_with_a_whole_chunk() -> None:
    greso = Greso(rollouts=4, prompts=7, chunk=5)
    _, asked = greso.ask(greso.init(50), 4, np.random.default_rng(0))
    assert asked.prompts.size == 10


def skipping(greso: Greso, mixed: list[int], num_prompts: int) -> History:
    """A state that practically always skips every prompt but some."""
    runs = np.full(num_prompts, 60)
    runs[mixed] = 0
    return replace(
        greso.init(num_prompts),
        streaks=Streaks(np.full(num_prompts, 60), runs, np.zeros(num_prompts, int), runs),
    )


def test_one_order_looks_at_no_prompt_twice() -> None:
    """Where all others are skipped, it holds the few prompts that are left."""
    _, asked = PAPER.ask(skipping(PAPER, [3, 7], 40), 8, np.random.default_rng(0))
    assert sorted(asked.prompts) == [3, 7]


def test_a_pass_that_would_keep_nothing_is_rolled_out_as_it_comes() -> None:
    state, asked = PAPER.ask(skipping(PAPER, [], 40), 8, np.random.default_rng(0))
    assert asked.prompts.tolist() == state.epochs.sequence[:12].tolist()


def closing(greso: Greso, mixed_at_first: int) -> tuple[list[int], int]:
    """Sizes of the orders of a batch of 4, mixed at first only, and of the batch."""
    sizes: list[int] = []

    def roll(order: Order) -> Outcome:
        mixed = np.arange(order.prompts.size) < (mixed_at_first if not sizes else 0)
        sizes.append(order.prompts.size)
        return Outcome(passes=mixed.astype(int))

    rng = np.random.default_rng(0)
    batch = collect(greso, greso.init(400), roll, 4, rng, max_orders=20)[2]
    return sizes, batch.starts.size


def test_the_release_closes_a_batch_that_its_last_order_left_short() -> None:
    """6 prompts with 3 mixed: one group is missing, int(1 / (1/2) * 1.25) = 2 prompts more."""
    short = replace(RELEASED, rollouts=4, share_block=None, chunk=1, smallest=2)
    assert closing(short, mixed_at_first=3) == ([6, 2], 3)


def test_the_published_constants() -> None:
    assert (PAPER.explore, PAPER.target, PAPER.step, PAPER.safety) == (0.5, 0.25, 0.01, 1.25)
    assert (RELEASED.easy_at, RELEASED.hard_at, RELEASED.keep_floor) == (0.98, 0.11, 0.01)
    assert (RELEASED.chunk, RELEASED.smallest, RELEASED.share_block) == (32, 64, 8)

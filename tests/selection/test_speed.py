"""SPEED: screening, continuation, and what they cost."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection import Buffer, Order, Outcome, Segments, Speed, Verdict, collect
from selection.epochs import Epochs
from selection.speed import Screening
from tests.selection.orders import order, passed, told
from tests.selection.waiting import assert_failures
from tests.selection.worlds import World
from tests.statistical import assert_mean, samples_to_detect

DROP, HOLD, TRAIN = Verdict.DROP, Verdict.HOLD, Verdict.TRAIN
PAPER = Speed.paper(screen=4, extend=20)
FUSED = Speed.released(screen=4, extend=20, fresh=3)


def holding(speed: Speed, held: list[int], num_prompts: int = 8) -> Screening:
    """A state that holds some prompts, with a fresh pass ahead."""
    assert speed.init(num_prompts).held.size == 0
    return Screening(Epochs(np.arange(num_prompts), 0, 0), np.array(held, int))


def asked(speed: Speed, state: Screening, wanted: int) -> tuple[Screening, Order]:
    return speed.ask(state, wanted, np.random.default_rng(0))


def test_prompts_that_disagree_are_held() -> None:
    state, verdicts = told(PAPER, PAPER.init(8), [5, 6, 7], [0, 4, 2], 4)
    assert verdicts == [DROP, DROP, HOLD]
    assert state.held.tolist() == [7]


def test_thresholds_narrow_what_is_held() -> None:
    """A screening is judged by its pass rate, bounds included; at 0 and 1 it never teaches."""
    narrow = Speed(screen=4, extend=4, low=0.5, high=1.0)
    _, verdicts = told(narrow, narrow.init(8), [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], 4)
    assert verdicts == [DROP, DROP, HOLD, HOLD, DROP]


def test_a_continued_group_is_trained_on_whatever_comes() -> None:
    both = order([1, 7, 4, 2], [4, 20, 4, 20])
    state, verdicts = PAPER.tell(holding(PAPER, [7, 3, 2]), both, passed([1, 0, 4, 20]))
    assert verdicts.tolist() == [HOLD, TRAIN, DROP, TRAIN]
    assert state.held.tolist() == [3, 1], "oldest first"


def test_phases_are_told_apart_when_their_sizes_agree() -> None:
    equal = Speed.paper(screen=4, extend=4)
    _, verdicts = told(equal, holding(equal, [7]), [7, 1], [4, 4], 4)
    assert verdicts == [TRAIN, DROP]


def test_the_paper_screens_what_is_missing_and_then_continues() -> None:
    _, screening = asked(PAPER, holding(PAPER, [3]), wanted=4)
    assert screening.rollouts.tolist() == [4, 4, 4]
    assert 3 not in screening.prompts
    _, continuation = asked(PAPER, holding(PAPER, [3, 1, 6]), wanted=2)
    assert continuation.prompts.tolist() == [3, 1]
    assert continuation.rollouts.tolist() == [20, 20]


def test_the_end_of_a_pass_continues_what_it_held() -> None:
    state, _ = asked(PAPER, PAPER.init(3), wanted=5)
    assert state.epochs.left == 0
    state, _ = told(PAPER, state, [0, 1, 2], [1, 0, 2], 4)
    _, continuation = asked(PAPER, state, wanted=5)
    assert (continuation.prompts.tolist(), continuation.rollouts.tolist()) == ([0, 2], [20, 20])


def test_the_release_screens_and_continues_in_one_order() -> None:
    state, both = asked(FUSED, holding(FUSED, [5, 2]), wanted=1)
    assert both.rollouts.tolist() == [4] * (both.prompts.size - 2) + [20, 20]
    assert both.prompts[-2:].tolist() == [5, 2]
    assert state.held.tolist() == [5, 2]


@given(
    num_prompts=st.integers(1, 9),
    fresh=st.integers(1, 9),
    fused=st.booleans(),
    data=st.data(),
)
def test_whatever_is_held_an_order_is_distinct_and_never_empty(
    *, num_prompts: int, fresh: int, fused: bool, data: st.DataObject
) -> None:
    """Also across the end of a pass, where held prompts come up again."""
    speed = Speed(screen=2, extend=2, fresh=fresh, fused=fused)
    state, rng = speed.init(num_prompts), np.random.default_rng(0)
    for _ in range(6):
        state, asked_for = speed.ask(state, 4, rng)
        assert np.unique(asked_for.prompts).size == asked_for.prompts.size > 0
        mixed = data.draw(st.sampled_from([0, 1]))
        passes = np.full(asked_for.prompts.size, mixed)
        state, _ = speed.tell(state, asked_for, Outcome(passes=passes))


def test_where_all_that_comes_is_held_it_is_continued() -> None:
    """An order of no prompts would close the batch. Screens: 2, the third, then none."""
    blocks, rng = Speed(screen=2, extend=3, fresh=2), np.random.default_rng(0)
    state, rollouts = blocks.init(3), []
    for _ in range(3):
        state, order = blocks.ask(state, 9, rng)
        state, _ = blocks.tell(state, order, Outcome(passes=np.ones(order.prompts.size, int)))
        rollouts.append(order.rollouts.tolist())
    assert rollouts == [[2, 2], [2], [3, 3, 3]]


class Cost(NamedTuple):
    """What a training batch took."""

    screened: int
    rollouts: int
    batch: Segments
    buffer: Buffer


def cost(speed: Speed, passes_at: np.ndarray, wanted: int) -> Cost:
    """Cost of a batch where a prompt passes a fixed number of its rollouts in any order."""
    orders: list[Order] = []

    def roll(order: Order) -> Outcome:
        orders.append(order)
        return Outcome(passes=passes_at[order.prompts])

    rng = np.random.default_rng(0)
    state = speed.init(passes_at.size)
    _, buffer, batch = collect(speed, state, roll, wanted, rng)
    rollouts = np.concatenate([order.rollouts for order in orders])
    screened = int((rollouts == speed.screen).sum())
    return Cost(screened, int(rollouts.sum()), batch, buffer)


def sequential(passes_at: np.ndarray, screen: int, extend: int, wanted: int) -> tuple[int, int]:
    """Prompts screened and rollouts of Algorithm 1, one prompt at a time."""
    sequence, held, screened = np.random.default_rng(0).permutation(passes_at.size), 0, 0
    for prompt in sequence:
        screened += 1
        held += int(0 < passes_at[prompt] < screen)
        if held == wanted:
            break
    return screened, screened * screen + wanted * extend


@given(st.integers(0, 2**32), st.integers(1, 5), st.floats(0.1, 0.9))
def test_the_paper_costs_what_the_sequential_algorithm_costs(
    seed: int, wanted: int, share: float
) -> None:
    """To the rollout, for the same luck, and it trains on the same prompts without surplus."""
    passes_at = np.random.default_rng(seed).binomial(1, share, 60)
    passes_at[:5] = 1
    paper = cost(Speed.paper(screen=2, extend=3), passes_at, wanted)
    assert (paper.screened, paper.rollouts) == sequential(passes_at, 2, 3, wanted)
    assert paper.batch.rollouts.tolist() == [2, 3] * wanted
    assert paper.buffer.num_ready == paper.buffer.held.group.size == 0


def acceptance(rate: float, screen: int) -> float:
    return 1.0 - rate**screen - (1.0 - rate) ** screen


def test_a_prompt_is_held_with_the_probability_that_its_screening_is_mixed() -> None:
    rates = np.full(samples_to_detect(gap=0.04), 0.1)
    order = Order.equal(np.arange(rates.size), 4)
    outcome = World(rates=rates).roll(order, np.random.default_rng(0))
    _, verdicts = PAPER.tell(PAPER.init(rates.size), order, outcome)
    held = (verdicts == HOLD).astype(float)
    assert_mean(held, expected=acceptance(0.1, 4))
    with pytest.raises(AssertionError):
        assert_mean(held, expected=acceptance(0.1, 3))


def test_a_trained_prompt_costs_its_screenings_and_one_continuation() -> None:
    """N_init / acceptance + N_cont rollouts: 31.63 for 4 + 20 at a pass rate of 0.1."""
    nature, choice, groups, spent = *np.random.default_rng(1).spawn(2), 3000, []
    world = World(rates=np.full(1000, 0.1))

    def roll(order: Order) -> Outcome:
        spent.append(int(order.rollouts.sum()))
        return world.roll(order, nature)

    state = PAPER.init(1000)
    collect(PAPER, state, roll, groups, choice, max_orders=1000)
    failures = (sum(spent) - groups * 24) // 4
    assert_failures(failures, groups, acceptance(0.1, 4))
    assert round(4 / acceptance(0.1, 4) + 20, 2) == 31.63
    with pytest.raises(AssertionError):
        assert_failures(failures, groups, acceptance(0.1, 3))


def batches(speed: Speed, count: int) -> list[Segments]:
    """Training batches of 2 groups, each rollout stamped with the step it was generated in."""
    rng, state, buffer, taken = np.random.default_rng(0), speed.init(30), Buffer.empty(), []
    for version in range(count):

        def roll(order: Order, version: int = version) -> Outcome:
            return Outcome(passes=np.ones(order.prompts.size, int), version=version)

        state, buffer, batch = collect(speed, state, roll, 2, rng, buffer=buffer)
        taken.append(batch)
    return taken


def ages(batch: Segments, step: int, rollouts: int) -> list[int]:
    """Age in training steps of the screening or continuation segments of a batch."""
    return (step - batch.versions[batch.rollouts == rollouts]).tolist()


def test_the_paper_trains_on_rollouts_of_the_current_policy() -> None:
    for step, batch in enumerate(batches(PAPER, 4)):
        assert (batch.versions == step).all()
        assert batch.rollouts.tolist() == [4, 20, 4, 20]


def test_fused_orders_age_while_they_wait() -> None:
    """Three prompts are held per order and two trained on per step.

    Step 0 screens a1 a2 a3, then completes them and screens b1 b2 b3; it trains on a1 a2. Step
    1 completes the b and screens c1 c2 c3; it trains on a3 b1. Step 2 has b2 b3 left and needs
    no order. Step 3 completes the c.
    """
    taken = batches(FUSED, 4)
    assert [ages(batch, step, 4) for step, batch in enumerate(taken)] == [
        [0, 0],
        [1, 1],
        [2, 2],
        [2, 2],
    ]
    assert [ages(batch, step, 20) for step, batch in enumerate(taken)] == [
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 0],
    ]
    assert all(batch.rollouts.tolist() == [4, 20, 4, 20] for batch in taken)


def test_the_published_sizes() -> None:
    assert Speed.paper() == Speed(screen=4, extend=20, fresh=None, fused=False)
    assert Speed.released() == Speed(screen=4, extend=20, fresh=64, fused=True)

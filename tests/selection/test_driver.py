"""The loop and its buffer, against hand-made orders and a naive book-keeper."""

from dataclasses import replace
from inspect import unwrap
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection import Buffer, Order, Outcome, Segments, StarvedError, Uniform, Verdict, collect
from tests.selection.orders import order, passed

DROP, HOLD, TRAIN = Verdict.DROP, Verdict.HOLD, Verdict.TRAIN
RNG = np.random.default_rng(0)


class Script:
    """A strategy that gives fixed orders and verdicts; its state counts the orders."""

    def __init__(self, *lines: tuple[list[int], list[Verdict]]) -> None:
        self.lines = lines
        self.wanted: list[int] = []

    def init(self, num_prompts: int) -> int:
        del num_prompts
        return 0

    def ask(self, state: int, wanted: int, rng: np.random.Generator) -> tuple[int, Order]:
        del rng
        self.wanted.append(wanted)
        return state + 1, order(self.lines[state][0], 4)

    def tell(self, state: int, order: Order, outcome: Outcome) -> tuple[int, np.ndarray]:
        del order, outcome
        return state, np.array(self.lines[state - 1][1], int)


def all_pass(order: Order) -> Outcome:
    return Outcome(passes=order.rollouts)


def settled(
    buffer: Buffer, prompts: list[int], rollouts: list[int], verdicts: list[Verdict]
) -> Buffer:
    """The buffer after an order in which nothing passed."""
    outcome = passed([0] * len(prompts))
    return buffer.settle(order(prompts, rollouts), outcome, np.array(verdicts, int))


def rows(segments: Segments) -> list[tuple[int, int, int]]:
    """Serial number, prompt and rollouts of each segment."""
    columns = (segments.group, segments.prompts, segments.rollouts)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_groups_get_serial_numbers_in_the_order_of_the_order() -> None:
    buffer = settled(Buffer.empty(), [3, 1, 2], [4, 4, 4], [HOLD, DROP, TRAIN])
    assert rows(buffer.held) == [(0, 3, 4)]
    assert rows(buffer.ready) == [(2, 2, 4)]
    assert (buffer.groups, buffer.num_ready) == (3, 1)


def test_a_continued_group_has_its_segments_oldest_first() -> None:
    buffer = settled(Buffer.empty(), [3, 1], [4, 5], [HOLD, HOLD])
    buffer = settled(buffer, [7, 3], [4, 6], [TRAIN, HOLD])
    assert rows(buffer.held) == [(0, 3, 4), (1, 1, 5), (0, 3, 6)]
    buffer = settled(buffer, [1, 3], [20, 30], [TRAIN, TRAIN])
    complete = [(2, 7, 4), (1, 1, 5), (1, 1, 20), (0, 3, 4), (0, 3, 6), (0, 3, 30)]
    assert rows(buffer.ready) == complete
    assert (buffer.held.group.size, buffer.groups, buffer.num_ready) == (0, 3, 3)


def test_a_dropped_group_loses_its_earlier_segments() -> None:
    buffer = settled(Buffer.empty(), [3, 1], [4, 4], [HOLD, HOLD])
    buffer = settled(buffer, [3], [20], [DROP])
    assert rows(buffer.held) == [(1, 1, 4)]
    assert buffer.num_ready == 0


def test_a_prompt_met_again_opens_a_new_group() -> None:
    buffer = settled(Buffer.empty(), [3], [4], [TRAIN])
    buffer = settled(buffer, [3], [4], [HOLD])
    assert (rows(buffer.ready), rows(buffer.held)) == ([(0, 3, 4)], [(1, 3, 4)])


def test_segments_carry_passes_version_and_payload() -> None:
    buffer = Buffer.empty()
    for version, verdict in ((5, HOLD), (6, TRAIN)):
        outcome = replace(passed([1, 2], version=version), payload=np.array([10, 20]) + version)
        buffer = buffer.settle(order([8, 9], 4), outcome, np.array([verdict, verdict]))
    assert buffer.ready.passes.tolist() == [1, 1, 2, 2]
    assert buffer.ready.versions.tolist() == [5, 6, 5, 6]
    assert buffer.ready.payload.tolist() == [15, 16, 25, 26]


def test_the_oldest_complete_groups_are_taken_first() -> None:
    buffer = settled(Buffer.empty(), [3, 1, 2], [4, 4, 4], [TRAIN, TRAIN, TRAIN])
    kept, batch = buffer.take(2, "keep")
    assert (rows(batch), rows(kept.ready)) == ([(0, 3, 4), (1, 1, 4)], [(2, 2, 4)])
    dropped, batch = buffer.take(2, "drop")
    assert (rows(batch), rows(dropped.ready)) == ([(0, 3, 4), (1, 1, 4)], [])
    everything, batch = buffer.take(4, "keep")
    assert (rows(batch), everything.num_ready) == (rows(buffer.ready), 0)


def test_dropping_the_surplus_keeps_open_groups() -> None:
    buffer = settled(Buffer.empty(), [3, 1, 2], [4, 4, 4], [HOLD, TRAIN, TRAIN])
    assert rows(buffer.take(1, "drop")[0].held) == [(0, 3, 4)]


Event = list[tuple[int, Verdict]]
EVENTS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(list(Verdict))),
        max_size=6,
        unique_by=lambda event: event[0],
    ),
    max_size=8,
)


class Book(NamedTuple):
    """Groups kept by a naive book-keeper."""

    held: dict[int, list[tuple[int, int, int]]]
    ready: list[tuple[int, int, int]]


def kept_by_hand(events: list[Event]) -> Book:
    book, groups = Book({}, []), 0
    for rollouts, event in enumerate(events, start=1):
        for prompt, verdict in event:
            if prompt not in book.held:
                book.held[prompt], groups = [(groups, prompt, -1)], groups + 1
            serial = book.held[prompt][0][0]
            group = [*book.held.pop(prompt), (serial, prompt, rollouts)]
            if verdict == HOLD:
                book.held[prompt] = group
            elif verdict == TRAIN:
                book.ready.extend(segment for segment in group if segment[2] > 0)
    return book


@given(EVENTS)
def test_the_buffer_agrees_with_a_naive_book_keeper(events: list[Event]) -> None:
    buffer = Buffer.empty()
    for rollouts, event in enumerate(events, start=1):
        prompts, verdicts = [prompt for prompt, _ in event], [verdict for _, verdict in event]
        buffer = settled(buffer, prompts, [rollouts] * len(event), verdicts)
    book = kept_by_hand(events)
    open_segments = {row for group in book.held.values() for row in group if row[2] > 0}
    assert rows(buffer.ready) == book.ready
    assert set(rows(buffer.held)) == open_segments
    assert buffer.held.group.size == len(open_segments)
    assert all(a[2] <= b[2] for a, b in pairwise(rows(buffer.held)))


def test_collect_asks_for_what_is_missing_and_keeps_the_rest() -> None:
    script = Script(([0, 1], [TRAIN, DROP]), ([2, 3, 4], [TRAIN, TRAIN, TRAIN]))
    state, buffer, batch = collect(script, 0, all_pass, 3, RNG)
    assert (state, script.wanted) == (2, [3, 2])
    assert (batch.prompts.tolist(), buffer.ready.prompts.tolist()) == ([0, 2, 3], [4])
    state, buffer, batch = collect(script, state, all_pass, 1, RNG, buffer=buffer)
    assert (state, batch.prompts.tolist()) == (2, [4]), "a full buffer needs no order"


def test_collect_may_throw_the_surplus_away() -> None:
    script = Script(([0, 1, 2], [TRAIN, HOLD, TRAIN]))
    _, buffer, batch = collect(script, 0, all_pass, 1, RNG, surplus="drop")
    assert (batch.prompts.tolist(), buffer.num_ready) == ([0], 0)
    assert buffer.held.prompts.tolist() == [1]


def test_an_empty_order_closes_the_batch() -> None:
    script = Script(([0], [TRAIN]), ([], []), ([1], [TRAIN]))
    state, buffer, batch = collect(script, 0, all_pass, 3, RNG)
    assert (state, batch.prompts.tolist(), buffer.num_ready) == (2, [0], 0)


def test_an_empty_order_closes_nothing_before_a_group_is_ready() -> None:
    script = Script(([0], [DROP]), ([], []), ([1], [TRAIN]))
    assert collect(script, 0, all_pass, 1, RNG)[2].prompts.tolist() == [1]


def test_collect_gives_up_after_the_orders_allowed() -> None:
    script = Script(*[([0, 1], [TRAIN, DROP])] * 3)
    message = "2 of 3 groups ready after 2 orders and 16 rollouts of .*Script"
    with pytest.raises(StarvedError, match=message):
        collect(script, 0, all_pass, 3, RNG, max_orders=2)
    assert collect(script, 0, all_pass, 3, RNG, max_orders=3)[2].starts.size == 3


@pytest.mark.parametrize(
    ("wanted", "max_orders", "message"),
    [(0, 9, "wanted=0"), (-1, 9, "wanted=-1"), (2, 0, "max_orders=0")],
)
def test_a_meaningless_number_is_refused(wanted: int, max_orders: int, message: str) -> None:
    uniform = Uniform(rollouts=4)
    with pytest.raises(ValueError, match=message):
        collect(uniform, uniform.init(4), all_pass, wanted, RNG, max_orders=max_orders)


def test_an_unknown_surplus_is_refused_rather_than_dropped() -> None:
    bare: Any = unwrap(collect)  # without the type checks of a test run
    with pytest.raises(ValueError, match=r"surplus='burn' must be one of \('keep', 'drop'\)"):
        bare(Script(([0], [TRAIN])), 0, all_pass, 1, RNG, surplus="burn")
    assert bare(Script(([0], [TRAIN])), 0, all_pass, 1, RNG, surplus="drop")[0] == 1


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (passed([1]), "passes of 1 groups for 2 prompts"),
        (passed([1, 3]), "between 0 and rollouts"),
        (passed([-1, 0]), "between 0 and rollouts"),
        (passed([1, 1], [0.0, 1.0, 1.0]), "3 rewards for 4 rollouts"),
        (passed([1, 1], [0.0, 1.0, 1.0, -0.5]), r"must lie in \[0, 1\]"),
        (passed([1, 1], [0.0, 1.0, 1.0, np.nan]), r"must lie in \[0, 1\]"),
    ],
)
def test_an_outcome_of_another_order_is_refused(outcome: Outcome, message: str) -> None:
    uniform = Uniform(rollouts=2)
    with pytest.raises(ValueError, match=message):
        collect(uniform, uniform.init(4), lambda _: outcome, 2, RNG)


@pytest.mark.parametrize(
    "passes", [[0.5, 1.0], [np.nan, 1.0], [1.0, 1.0], [True, False]], ids=str
)
def test_passes_are_whole_numbers(passes: list[float]) -> None:
    """A fraction lies between 0 and N, and NaN is on neither side of anything."""
    uniform, outcome = Uniform(rollouts=2), passed([1, 1])
    object.__setattr__(outcome, "passes", np.array(passes))  # past the types of a test run
    with pytest.raises(ValueError, match=r"^passes=\[.*\] must be whole numbers$"):
        collect(uniform, uniform.init(4), lambda _: outcome, 2, RNG)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64])
def test_passes_are_whole_numbers_of_any_width(kind: type) -> None:
    uniform, outcome = Uniform(rollouts=2), Outcome(passes=np.array([0, 2], kind))
    _, _, batch = collect(uniform, uniform.init(4), lambda _: outcome, 2, RNG)
    assert batch.passes.tolist() == [0, 2]

"""Passes over the data set."""

from collections import Counter
from inspect import unwrap
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.epochs import Epochs
from tests.statistical import assert_mean, samples_to_detect


def drawn(num_prompts: int, sizes: list[int], seed: int = 0) -> tuple[Epochs, list[list[int]]]:
    """The place after draws of some sizes, and what they drew."""
    rng, epochs, draws = np.random.default_rng(seed), Epochs.before(num_prompts), []
    for size in sizes:
        epochs, prompts = epochs.draw(size, rng)
        draws.append(prompts.tolist())
    return epochs, draws


def test_nothing_is_drawn_before_the_first_draw() -> None:
    before = Epochs.before(5)
    assert (before.epoch, before.left) == (-1, 0)


@pytest.mark.parametrize("num_prompts", [-1, -5, 2.5, 3.0, np.nan, True, "3", None])
def test_a_data_set_has_a_whole_number_of_prompts(num_prompts: object) -> None:
    before: Any = vars(Epochs)["before"].__func__
    message = f"num_prompts={num_prompts} must be a whole number of at least 0"
    with pytest.raises(ValueError, match=message):
        unwrap(before)(Epochs, num_prompts)  # without the type checks of a test run


def test_a_data_set_may_be_empty() -> None:
    epochs, prompts = drawn(0, [0])
    assert (epochs.left, prompts) == (0, [[]])


def test_the_place_counts_passes_and_what_is_left() -> None:
    places = [drawn(5, [2] * times)[0] for times in (1, 2, 3, 5)]
    assert [(place.epoch, place.left) for place in places] == [(0, 3), (0, 1), (1, 4), (1, 0)]


def test_a_pass_that_ends_with_a_draw_is_not_over_yet() -> None:
    assert drawn(4, [4])[0].epoch == 0
    assert drawn(4, [4, 1])[0].epoch == 1


@given(st.integers(1, 8), st.lists(st.integers(0, 12), min_size=1, max_size=12))
def test_every_prompt_is_drawn_once_a_pass(num_prompts: int, sizes: list[int]) -> None:
    """The draws, put together and cut into passes, are permutations."""
    sequence = list(chain(*drawn(num_prompts, sizes)[1]))
    for start in range(0, len(sequence) - num_prompts + 1, num_prompts):
        assert sorted(sequence[start : start + num_prompts]) == list(range(num_prompts))
    assert max(Counter(sequence).values(), default=0) <= -(-len(sequence) // num_prompts)


@given(st.integers(1, 8), st.lists(st.integers(0, 12), min_size=1, max_size=12))
def test_a_draw_is_distinct_and_at_most_the_data_set(
    num_prompts: int, sizes: list[int]
) -> None:
    """Also where it runs over the end of a pass."""
    for size, prompts in zip(sizes, drawn(num_prompts, sizes)[1], strict=True):
        assert len(set(prompts)) == len(prompts) == min(size, num_prompts)


@given(st.integers(1, 8), st.integers(0, 8), st.integers(0, 8), st.data())
def test_other_prompts_move_to_the_end_of_the_next_pass(
    num_prompts: int, first: int, second: int, data: st.DataObject
) -> None:
    """They are drawn only where nothing else is left, and what is drawn stays distinct."""
    others = st.lists(st.integers(0, num_prompts - 1), unique=True)
    besides = np.array(data.draw(others), int)
    rng = np.random.default_rng(0)
    epochs, taken = Epochs.before(num_prompts).draw(first, rng)
    left, rest = epochs.left, set(epochs.sequence[epochs.cursor :].tolist())
    epochs, prompts = epochs.draw(second, rng, besides=besides)
    assert np.unique(prompts).size == prompts.size == min(second, num_prompts)
    after = prompts[left:].tolist() if prompts.size > left else []
    free = num_prompts - len(rest | set(besides.tolist()))
    assert not set(after[:free]) & set(besides.tolist())
    assert taken.size == min(first, num_prompts)


def first_of_pass(num_prompts: int, draws: int) -> np.ndarray:
    """Whether a pass begins with prompt 0, over many passes."""
    _, sequences = drawn(num_prompts, [num_prompts] * draws)
    return np.array([float(sequence[0] == 0) for sequence in sequences])


def test_passes_begin_anywhere_equally_often() -> None:
    starts = first_of_pass(4, samples_to_detect(gap=0.05))
    assert_mean(starts, expected=1 / 4)
    with pytest.raises(AssertionError):
        assert_mean(starts, expected=1 / 4 + 0.1)

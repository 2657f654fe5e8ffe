"""States as named arrays."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from selection import Buffer, Mopps, Speed, Uniform, flatten, unflatten
from selection.speed import Screening


@dataclass(frozen=True)
class Inner:
    values: np.ndarray
    flag: bool


@dataclass(frozen=True)
class Outer:
    number: int
    inner: Inner
    share: float


TEMPLATE = Outer(0, Inner(np.zeros(0), flag=False), 0.0)


def test_nested_fields_are_joined_by_dots() -> None:
    flat = flatten(Outer(3, Inner(np.arange(2), flag=True), 0.5))
    assert list(flat) == ["number", "inner.values", "inner.flag", "share"]
    assert all(isinstance(array, np.ndarray) for array in flat.values())


def test_prefixes_keep_two_states_apart() -> None:
    state, buffer = Uniform().init(3), Buffer.empty()
    both = flatten(state, "state") | flatten(buffer, "buffer")
    assert set(both) >= {"state.sequence", "state.cursor", "buffer.held.group", "buffer.groups"}
    assert unflatten(Uniform().init(3), both, "state").cursor == 3
    assert unflatten(Buffer.empty(), both, "buffer").num_ready == 0


@given(
    number=st.integers(-(2**62), 2**62),
    share=st.floats(allow_nan=False),
    flag=st.booleans(),
    values=st.sampled_from([np.int64, np.float64, np.float32, np.bool_]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_side=0, max_dims=2, max_side=3))
    ),
)
def test_what_was_flattened_comes_back_with_its_types(
    *, number: int, share: float, flag: bool, values: np.ndarray
) -> None:
    state = unflatten(TEMPLATE, flatten(Outer(number, Inner(values, flag), share)))
    assert (state.number, state.share, state.inner.flag) == (number, share, flag)
    assert (type(state.number), type(state.share)) == (int, float)
    assert type(state.inner.flag) is bool
    assert state.inner.values.dtype == values.dtype
    np.testing.assert_array_equal(state.inner.values, values)


@pytest.mark.parametrize("value", ["text", None, [1, "a"], {1: 2}, np.array([None])])
def test_what_could_not_be_restored_is_refused(value: object) -> None:
    @dataclass(frozen=True)
    class State:
        field: object

    with pytest.raises(TypeError, match=r"^field=.* is not an array, number or dataclass"):
        flatten(State(value))


def test_a_bare_array_has_no_name() -> None:
    with pytest.raises(TypeError, match="state="):
        flatten(np.zeros(3))


def test_the_checkpoint_of_another_strategy_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no 'beliefs\.alpha' in the checkpoint"):
        unflatten(Mopps().init(3), flatten(Uniform().init(3)))


@pytest.mark.parametrize("others", [2, 4, 0])
def test_the_checkpoint_of_another_number_of_prompts_is_refused(others: int) -> None:
    message = r"^'state\.sequence' in the checkpoint is of another number of prompts$"
    with pytest.raises(ValueError, match=message):
        unflatten(Uniform().init(3), flatten(Uniform().init(others), "state"), "state")
    with pytest.raises(ValueError, match=r"'beliefs\.alpha' in the checkpoint is of another"):
        unflatten(Mopps().init(3), flatten(Mopps().init(others)))


def test_what_grows_during_a_run_comes_back_from_an_empty_template() -> None:
    """An array that is empty in the template may be of any size."""
    speed = Speed(screen=2, extend=2)
    held = Screening(speed.init(5).epochs, np.array([4, 1]))
    assert unflatten(speed.init(5), flatten(held)).held.tolist() == [4, 1]

"""Prompts: columns of equal length, and keys that tell prompts apart."""

from dataclasses import replace

import numpy as np
import pytest

from smallscale.prompts import Prompts

TWO = Prompts(
    keys=("a", "b"),
    texts=("1+1=", "2+2="),
    tokens=(np.array([1, 2]), np.array([3])),
    answers=("2", "4"),
    families=("sum", "sum"),
)


def test_prompts_are_counted() -> None:
    assert len(TWO) == 2
    assert TWO.left_out == {}


@pytest.mark.parametrize("column", ["texts", "tokens", "answers", "families"])
def test_columns_of_unequal_length_are_refused(column: str) -> None:
    with pytest.raises(ValueError, match="for 2 prompts"):
        replace(TWO, **{column: getattr(TWO, column)[:1]})


def test_a_key_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="same key"):
        replace(TWO, keys=("a", "a"))

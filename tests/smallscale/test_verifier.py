"""The verifier by exact comparison."""

import pytest

from smallscale.verifier import ExactMatch


def test_what_follows_the_last_mark_must_equal_the_answer() -> None:
    rollouts = ["3+4=7", "3+4=8=7", "3+4= 7 ", "7", "3+4=77", "7=", ""]
    with ExactMatch() as verifier:
        scores = verifier.score(rollouts, ["7"] * len(rollouts))
    assert scores.passed.tolist() == [True, True, True, True, False, False, False]
    assert scores.passed.dtype == bool
    assert not scores.faults


def test_another_mark() -> None:
    assert ExactMatch("answer:").score(["a=1 answer: 2"], ["2"]).passed.tolist() == [True]


def test_nothing_to_score() -> None:
    assert ExactMatch().score([], []).passed.shape == (0,)


def test_uneven_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        ExactMatch().score(["1", "2"], ["1"])

"""Work in several processes: the same results, and Ctrl-C answered by the caller alone."""

import signal

import pytest

from report.parallel import unordered


def square(number: int, add: int) -> int:
    return number * number + add


def hears_ctrl_c(_: int) -> bool:
    return signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_piece_is_worked_once(jobs: int) -> None:
    pieces = [(number, 1) for number in range(5)]
    assert sorted(unordered(square, pieces, jobs)) == [1, 2, 5, 10, 17]


def test_nothing_comes_of_nothing() -> None:
    assert list(unordered(square, [], 2)) == []


def test_workers_are_deaf_and_the_caller_is_not() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert not any(unordered(hears_ctrl_c, [(0,), (1,)], 2))
    assert signal.getsignal(signal.SIGINT) is before

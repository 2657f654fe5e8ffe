"""No test of a strategy may hang: an endless loop becomes a failure."""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

SECONDS = 30


def give_up(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise TimeoutError(f"no end after {SECONDS} s")


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    previous = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)

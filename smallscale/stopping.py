"""Stopping a run from outside: SIGTERM asks for a checkpoint and a clean end."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import current_thread, main_thread


class StoppedError(RuntimeError):
    """A training step was broken off because the run was asked to stop."""


@dataclass
class Stop:
    """Whether the run was asked to stop."""

    asked: bool = False

    def check(self) -> None:
        """Break off the training step if the run was asked to stop."""
        if self.asked:
            raise StoppedError


@contextmanager
def on_sigterm() -> Generator[Stop]:
    """A context in which SIGTERM asks a run to stop instead of killing it."""
    stop = Stop()
    if current_thread() is not main_thread():  # signals reach the main thread alone
        yield stop
        return

    def ask(*_: object) -> None:
        stop.asked = True
        signal.signal(signal.SIGTERM, before)  # who asks twice will not wait

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)

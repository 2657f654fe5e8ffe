"""Seconds by phase of a training step."""

import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

import torch


class Clock:
    """Wall-clock seconds of each phase; what a phase contains is not counted twice."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = 0.0

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """A context whose time counts for a phase, apart from the phases within it."""
        outer, self._inner = self._inner, 0.0
        start = _now()
        try:
            yield
        finally:
            spent = _now() - start
            self.seconds[name] += spent - self._inner
            self._inner = outer + spent


def _now() -> float:
    """Now, once the GPU has done what was asked of it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()

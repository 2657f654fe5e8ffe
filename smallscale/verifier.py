"""Verifiers: whether the answer of a rollout is right.

Model output is compared, never evaluated.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool


@dataclass(frozen=True)
class Scores:
    """Verdicts on R rollouts, and what kept any from being judged, counted by reason."""

    passed: Bool[np.ndarray, "R"]
    faults: Counter[str] = field(default_factory=Counter[str])


@runtime_checkable
class Verifier(Protocol):
    """Judges rollouts; a context manager, because some hold processes."""

    def score(self, rollouts: Sequence[str], answers: Sequence[str]) -> Scores:
        """Whether each rollout, as decoded text, reaches the answer expected of it."""
        ...

    def __enter__(self) -> "Verifier": ...  # noqa: PYI034 - beartype refuses Self here

    def __exit__(self, *_: object) -> None: ...


class ExactMatch:
    """For tasks whose answer is the end of the rollout: everything after the last mark.

    A rollout without the mark is compared as a whole; surrounding white space is ignored.
    """

    def __init__(self, mark: str = "=") -> None:
        self.mark = mark

    def score(self, rollouts: Sequence[str], answers: Sequence[str]) -> Scores:
        """See `Verifier`."""
        pairs = zip(rollouts, answers, strict=True)
        same = [text.rpartition(self.mark)[2].strip() == answer for text, answer in pairs]
        return Scores(np.array(same, bool))

    def __enter__(self) -> "ExactMatch":  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        pass

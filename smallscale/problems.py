"""What a built-in task is: problems, and demonstrations right with a known probability."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Problem:
    """A prompt's text, the one answer that is right, and the family it belongs to."""

    text: str
    answer: str
    family: str


@runtime_checkable
class Task(Protocol):
    """Problems that need no download; a frozen dataclass whose fields are its knobs."""

    @property
    def characters(self) -> str:
        """Every character of its prompts and rollouts, each once."""
        ...

    @property
    def shares(self) -> Mapping[str, float]:
        """Family -> its share of a pool of prompts; the shares sum to 1."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens that hold any rollout of the demonstrations, its end included."""
        ...

    @property
    def mark(self) -> str:
        """What stands before the answer in a rollout that has more than the answer."""
        ...

    @property
    def free(self) -> str:
        """Characters that say nothing of the answer; none where every token matters."""
        ...

    @property
    def exact(self) -> bool:
        """Whether one single rollout passes, so that scoring it gives the exact pass rate."""
        ...

    def draw(self, family: str, rng: np.random.Generator) -> Problem:
        """A problem of one family; draws may repeat."""
        ...

    def chance(self, problem: Problem) -> float:
        """Probability that a demonstration of the problem reaches the right answer."""
        ...

    def demonstration(self, problem: Problem, rng: np.random.Generator) -> str:
        """The text of one rollout as the warm start shows it, without its end."""
        ...

    def lesson(self) -> "Task":
        """The task whose demonstrations make the warm start, every family alike."""
        ...

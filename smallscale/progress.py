"""All that changes in the course of a run, apart from the model and its optimizer.

A training step works on a copy and returns it, so that a step that is broken off leaves what
was there before it.
"""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from report.totals import Totals
from selection import Buffer
from smallscale.rollouts import Rollouts


@dataclass(frozen=True)
class Judged:
    """The rollouts of one segment, and which of them passed."""

    rollouts: Rollouts
    passed: Bool[np.ndarray, "R"]


@dataclass(kw_only=True)
class Progress:
    """A run between two training steps.

    Attributes:
        prompts: Digest of the prompts that states and buffer name by their places.
        selection: The strategy's state.
        buffer: Groups held open, and complete ones not yet trained on; the payload of a segment
            is its key in `store`.
        store: The rollouts of those segments.
        segments: Segments stored so far: the next key.
        totals: What was spent.
        nature: Serves generation and training.
        choice: Serves the strategy.
        step: Training steps completed.
        rows: Rows of the record.
    """

    prompts: str
    selection: Any
    buffer: Buffer
    nature: np.random.Generator
    choice: np.random.Generator
    store: dict[int, Judged] = field(default_factory=dict[int, Judged])
    segments: int = 0
    totals: Totals = field(default_factory=Totals)
    step: int = 0
    rows: list[dict[str, float]] = field(default_factory=list[dict[str, float]])

    @classmethod
    def start(cls, selection: Any, seed: int, prompts: str = "") -> "Progress":  # noqa: ANN401
        """A run before its first training step."""
        nature, choice = np.random.default_rng(seed).spawn(2)
        return cls(
            prompts=prompts,
            selection=selection,
            buffer=Buffer.empty(),
            nature=nature,
            choice=choice,
        )

    def copy(self) -> "Progress":
        """A copy that shares nothing that changes."""
        return replace(
            self,
            store=dict(self.store),
            totals=replace(self.totals),
            nature=deepcopy(self.nature),
            choice=deepcopy(self.choice),
            rows=list(self.rows),
        )

    def keep(self, pieces: list[Judged]) -> Int[np.ndarray, "K"]:
        """Store the rollouts of new segments; their keys are returned."""
        keys = self.segments + np.arange(len(pieces))
        self.store |= dict(zip(keys.tolist(), pieces, strict=True))
        self.segments += len(pieces)
        return keys

    def tidy(self) -> None:
        """Forget rollouts that are neither held nor ready."""
        live = (*self.buffer.held.payload, *self.buffer.ready.payload)
        self.store = {int(key): self.store[int(key)] for key in live}

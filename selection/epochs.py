"""Passes over the data set in shuffled order, each prompt once a pass."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from selection.checks import counts
from selection.membership import among


@dataclass(frozen=True)
class Epochs:
    """A place in the current pass over M prompts."""

    sequence: Int[np.ndarray, "M"]  # this pass's order
    cursor: int  # prompts of this pass already drawn
    epoch: int  # passes completed before this one; -1 before the first draw

    @classmethod
    def before(cls, num_prompts: int) -> "Epochs":
        """The place before the first draw, where no order has been shuffled yet."""
        counts(0, num_prompts=num_prompts)
        return cls(np.arange(num_prompts), num_prompts, -1)

    @property
    def left(self) -> int:
        """Prompts of the current pass that are still to come."""
        return self.sequence.size - self.cursor

    def draw(
        self,
        wanted: int,
        rng: np.random.Generator,
        besides: Int[np.ndarray, "B"] | None = None,
    ) -> tuple["Epochs", Int[np.ndarray, "K"]]:
        """The next place, and the next `wanted` distinct prompts, at most all M.

        A draw that runs over the end of a pass takes the rest of it and goes on with the
        next, at whose end the prompts `besides` and then those it has just taken come.
        """
        wanted = min(wanted, self.sequence.size)
        stop = self.cursor + wanted
        drawn = self.sequence[self.cursor : stop]
        if drawn.size == wanted:
            return Epochs(self.sequence, stop, self.epoch), drawn
        shuffled = rng.permutation(self.sequence.size)
        late = 2 * among(shuffled, drawn)
        if besides is not None:
            late = np.maximum(late, among(shuffled, besides))
        sequence = shuffled[np.argsort(late, kind="stable")]
        rest = wanted - drawn.size
        both = np.concatenate((drawn, sequence[:rest]))
        return Epochs(sequence, rest, self.epoch + 1), both

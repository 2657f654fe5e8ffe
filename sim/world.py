"""What a world must offer: prompts whose pass rates are known, and how training moves them.

A `World` is a frozen dataclass of knobs; `begin` draws its prompts and returns a `Policy`,
the one mutable thing of a simulation. Exogenous worlds (static, replay, drifting) move with
the number of training steps alone, whatever is trained; in them the progress of a run is the
learning signal it has collected. The coupled world learns from its batches; its progress is
the mean pass rate of held-out prompts.

Axis legend: M prompts in the data set, K prompts asked about.
"""

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from selection.driver import Segments
from selection.protocol import Norms

Progress = Literal["accuracy", "signal_realised"]


@runtime_checkable
class Policy(Protocol):
    """A policy in training, seen through the pass rates of its prompts."""

    def pass_rates(self, prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        """True pass rate of each prompt now."""
        ...

    def norms(self, prompts: Int[np.ndarray, "K"]) -> Norms | None:
        """True score norms of each prompt now; None where the world models none."""
        ...

    def learn(self, batch: Segments) -> int:
        """Consume one training batch; the number of optimizer updates that took."""
        ...

    def accuracy(self) -> float:
        """Mean true pass rate of the held-out prompts, or of all where none are held out."""
        ...


@runtime_checkable
class World(Protocol):
    """Knobs of a world.

    Attributes:
        prompts: Prompts in the data set, M.
    """

    @property
    def prompts(self) -> int: ...

    @property
    def progress(self) -> Progress:
        """The column of a run's record that measures its progress."""
        ...

    def begin(self, rng: np.random.Generator) -> Policy:
        """A policy before its first training step; `rng` draws the prompts and any noise."""
        ...

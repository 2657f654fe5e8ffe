"""Pilot rounds: a part of the data set is rolled out first, then trained on for some steps.

CurES and GVM split the data set into subsets. At the start of an iteration every prompt of
the next subset gets a few pilot rollouts, which are not trained on; the following training
steps draw from that subset and allocate their rollouts by what the pilot showed.

References: CurES, arXiv 2510.01037, Algorithm 1; GVM-RAFT, arXiv 2505.02391.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float, Int

from selection.checks import counts
from selection.epochs import Epochs
from selection.protocol import Norms, Order, Outcome

NORMS = tuple(field.name for field in fields(Norms))


@dataclass(frozen=True)
class Iteration:
    """The current subset and what its pilot showed; K prompts of M."""

    epochs: Epochs
    members: Int[np.ndarray, "K"]  # none before the first pilot
    orders: int  # orders since the pilot; -1 while it is out
    passes: Int[np.ndarray, "K"]
    norms: Float[np.ndarray, "5 K"]  # the five fields of `Norms`; all NaN where not told

    @classmethod
    def before(cls, num_prompts: int) -> "Iteration":
        """Before the first pilot."""
        none = np.zeros(0, int)
        return cls(Epochs.before(num_prompts), none, 0, none, np.zeros((5, 0)))

    @property
    def piloting(self) -> bool:
        """Whether the pilot is out: ordered, and not yet told."""
        return self.orders < 0

    def told_norms(self, among: Int[np.ndarray, "k"]) -> Norms | None:
        """Score norms that the pilot of the members at these positions saw, if it told any."""
        if np.isnan(self.norms).any():
            return None
        return Norms(**dict(zip(NORMS, self.norms[:, among], strict=True)))

    def positions(self, prompts: Int[np.ndarray, "k"]) -> Int[np.ndarray, "k"]:
        """Position of each of these prompts, all of them members, among the members."""
        place = np.argsort(self.members)
        return place[np.searchsorted(self.members, prompts, sorter=place)]


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """When a pilot is due, and what it orders.

    Attributes:
        rollouts: Pilot rollouts per prompt.
        subsets: Parts into which a pass over the data set is split.
        orders: Orders between two pilots; one is a training step unless the batch is larger
            than the subset.
    """

    rollouts: int = 4
    subsets: int = 15
    orders: int = 10

    def __post_init__(self) -> None:
        counts(pilot=self.rollouts, subsets=self.subsets, orders=self.orders)

    def due(self, iteration: Iteration) -> bool:
        """Whether the next order is a pilot."""
        return not iteration.members.size or iteration.orders >= self.orders

    def begin(self, iteration: Iteration, rng: np.random.Generator) -> tuple[Iteration, Order]:
        """The next subset, and its pilot."""
        size = -(-iteration.epochs.sequence.size // self.subsets)
        epochs, members = iteration.epochs.draw(size, rng)
        passes = np.zeros(members.size, int)
        iteration = Iteration(epochs, members, -1, passes, np.zeros((5, members.size)))
        return iteration, Order.equal(members, self.rollouts)

    def record(self, iteration: Iteration, outcome: Outcome) -> Iteration:
        """The iteration once its pilot is in.

        Raises:
            ValueError: A norm is negative or not finite.
        """
        told, norms = outcome.norms, np.full(iteration.norms.shape, np.nan)
        if told is not None:
            norms = np.stack([getattr(told, name) for name in NORMS])
            if not ((norms >= 0.0) & (norms < np.inf)).all():
                raise ValueError("norms must be finite and not negative; no rollouts count 0")
        return replace(iteration, orders=0, passes=outcome.passes, norms=norms)

    def rates(self, iteration: Iteration) -> Float[np.ndarray, "K"]:
        """Pass rates observed in the pilot."""
        return iteration.passes / self.rollouts

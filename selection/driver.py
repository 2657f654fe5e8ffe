"""The one loop that drives a strategy: ask, roll, tell, until a training batch is full.

Between training steps the driver carries a `Buffer`: groups that a strategy holds open, and
complete groups in excess of what the last batches needed. The buffer is data like a
strategy's state, so a run can be stopped between two training steps and continued.

Axis legend: S segments, K prompts in an order, G groups.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

import numpy as np
from jaxtyping import Int, Shaped

from selection.checks import counts
from selection.membership import among
from selection.protocol import HOLD, TRAIN, Order, Outcome, Selector

State = TypeVar("State")
Surplus = Literal["keep", "drop"]


@dataclass(frozen=True)
class Segments:
    """Rollouts by segment: those of one prompt in one order. A group has one or more."""

    group: Int[np.ndarray, "S"]  # serial number of the group
    prompts: Int[np.ndarray, "S"]
    rollouts: Int[np.ndarray, "S"]
    passes: Int[np.ndarray, "S"]
    versions: Int[np.ndarray, "S"]  # training steps completed when the segment was generated
    payload: Shaped[np.ndarray, "S"]

    @classmethod
    def none(cls) -> "Segments":
        """No segments."""
        none = np.zeros(0, int)
        return cls(none, none, none, none, none, np.zeros(0))

    @property
    def columns(self) -> tuple[Shaped[np.ndarray, "S"], ...]:
        """The six arrays, in the order of the fields."""
        return (
            self.group,
            self.prompts,
            self.rollouts,
            self.passes,
            self.versions,
            self.payload,
        )

    def take(self, index: Shaped[np.ndarray, "T"] | slice) -> "Segments":
        """The segments at an array of positions, under a mask, or in a slice."""
        return Segments(*(column[index] for column in self.columns))

    def then(self, other: "Segments") -> "Segments":
        """These segments followed by others."""
        if not (self.group.size and other.group.size):
            return other if other.group.size else self
        pairs = zip(self.columns, other.columns, strict=True)
        return Segments(*(np.concatenate(pair) for pair in pairs))

    @property
    def starts(self) -> Int[np.ndarray, "G"]:
        """Position of the first segment of each group, where groups lie together."""
        if not self.group.size:
            return np.zeros(0, int)
        return np.flatnonzero(np.diff(self.group, prepend=self.group[0] - 1))


@dataclass(frozen=True)
class Buffer:
    """Groups held open and complete groups not yet trained on, oldest first."""

    held: Segments
    ready: Segments
    groups: int  # groups opened so far: the next serial number

    @classmethod
    def empty(cls) -> "Buffer":
        """A buffer before the first order."""
        return cls(Segments.none(), Segments.none(), 0)

    @property
    def num_ready(self) -> int:
        """Number of complete groups."""
        return self.ready.starts.size

    def settle(
        self, order: Order, outcome: Outcome, verdicts: Int[np.ndarray, "K"]
    ) -> "Buffer":
        """The buffer once every group of an order has its verdict.

        Complete groups are appended in the order's order, each with its segments oldest
        first; a group that is dropped loses its earlier segments as well.
        """
        serial = self._serials(order.prompts)
        payload = np.zeros(serial.size) if outcome.payload is None else outcome.payload
        fresh = Segments(
            serial,
            order.prompts,
            order.rollouts,
            outcome.passes,
            np.full(serial.size, outcome.version),
            payload,
        )
        opened = int(np.count_nonzero(serial >= self.groups))
        hold, train = verdicts == HOLD, verdicts == TRAIN
        if opened == serial.size:
            held = self.held.then(fresh.take(hold))
            ready = self.ready.then(fresh.take(train))
        else:
            pieces = self.held.then(fresh)
            untouched = ~among(pieces.group, serial)
            held = pieces.take(untouched | among(pieces.group, serial[hold]))
            ready = self.ready.then(_gather(pieces, serial[train]))
        return Buffer(held, ready, self.groups + opened)

    def take(self, wanted: int, surplus: Surplus) -> tuple["Buffer", Segments]:
        """The buffer without its `wanted` oldest complete groups, and those groups."""
        starts = self.ready.starts
        cut = int(starts[wanted]) if wanted < starts.size else self.ready.group.size
        batch, rest = self.ready.take(slice(cut)), self.ready.take(slice(cut, None))
        return replace(self, ready=rest if surplus == "keep" else Segments.none()), batch

    def _serials(self, prompts: Int[np.ndarray, "K"]) -> Int[np.ndarray, "K"]:
        """Serial number of each prompt's open group; a new number where it has none."""
        known = among(prompts, self.held.prompts)
        if not known.any():
            return self.groups + np.arange(prompts.size)
        serial = self.groups - 1 + np.cumsum(~known)
        place = np.argsort(self.held.prompts)
        found = np.searchsorted(self.held.prompts, prompts[known], sorter=place)
        serial[known] = self.held.group[place[found]]
        return serial


def _gather(pieces: Segments, serial: Int[np.ndarray, "G"]) -> Segments:
    """The segments of the listed groups, group after group in the listed order."""
    chosen = pieces.take(among(pieces.group, serial))
    place = np.argsort(serial)
    rank = place[np.searchsorted(serial, chosen.group, sorter=place)]
    return chosen.take(np.argsort(rank, kind="stable"))


class StarvedError(RuntimeError):
    """No training batch could be filled within the orders allowed."""


def collect(
    selector: Selector[State],
    state: State,
    roll: Callable[[Order], Outcome],
    wanted: int,
    rng: np.random.Generator,
    *,
    buffer: Buffer | None = None,
    surplus: Surplus = "keep",
    max_orders: int = 100,
) -> tuple[State, Buffer, Segments]:
    """Next state and buffer, and a training batch of `wanted` groups.

    The batch is smaller only where the strategy closes it with an order of no prompts.

    Args:
        selector: The strategy.
        state: Its state.
        roll: Generates the rollouts of an order.
        wanted: Groups in the training batch.
        rng: Serves the strategy's choices.
        buffer: What the last call left over. None starts empty, right only for a state that
            holds no group open: their first rollouts would be missing.
        surplus: Whether complete groups beyond `wanted` wait for the next batch (SPEED) or
            are thrown away (DAPO as released in verl).
        max_orders: Orders after which to give up.

    Raises:
        StarvedError: `max_orders` orders did not fill the batch.
        ValueError: An argument is out of range, or an outcome does not fit its order.
    """
    counts(wanted=wanted, max_orders=max_orders)
    if surplus not in get_args(Surplus):
        raise ValueError(f"surplus={surplus!r} must be one of {get_args(Surplus)}")
    kept = Buffer.empty() if buffer is None else buffer
    spent = 0
    for _ in range(max_orders):
        if kept.num_ready >= wanted:
            break
        state, order = selector.ask(state, wanted - kept.num_ready, rng)
        if not order.prompts.size:
            if kept.num_ready:
                break
            continue
        outcome = roll(order)
        outcome.check(order)
        state, verdicts = selector.tell(state, order, outcome)
        kept = kept.settle(order, outcome, verdicts)
        spent += int(order.rollouts.sum())
    else:
        if kept.num_ready < wanted:
            raise StarvedError(
                f"{kept.num_ready} of {wanted} groups ready after {max_orders} orders"
                f" and {spent} rollouts of {selector}: are all groups"
                " zero-variance, or is the batch too large for so many orders?"
            )
    return state, *kept.take(wanted, surplus)

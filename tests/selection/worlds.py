"""A small world of fixed pass rates that answers orders, and a run of it event by event."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from selection import Buffer, Norms, Order, Outcome, Selector


@dataclass(frozen=True, kw_only=True)
class World:
    """Independent rollouts that pass at fixed rates.

    Where it is graded, rewards are told: 1 for a pass, 0.1 for a failure at an odd prompt.
    """

    rates: Float[np.ndarray, "M"]
    graded: bool = False
    normed: bool = False

    def roll(self, order: Order, rng: np.random.Generator) -> Outcome:
        rollouts, prompts = order.rollouts, np.repeat(order.prompts, order.rollouts)
        passed = rng.random(prompts.size) < self.rates[prompts]
        passes = np.add.reduceat(passed.astype(int), np.cumsum(rollouts) - rollouts)
        rewards = np.where(passed, 1.0, 0.1 * (prompts % 2)) if self.graded else None
        norms = draw_norms(order, passes, rng) if self.normed else None
        return Outcome(passes=passes, rewards=rewards, norms=norms)


def draw_norms(
    order: Order, passes: np.ndarray[Any, np.dtype[np.int_]], rng: np.random.Generator
) -> Norms:
    """Random score norms; those of a class without rollouts are 0."""
    passing = rng.uniform(1.0, 2.0, passes.size) * (passes > 0)
    failing = rng.uniform(1.0, 2.0, passes.size) * (passes < order.rollouts)
    return Norms(
        passing=passing,
        failing=failing,
        passing_square=1.2 * passing**2,
        failing_square=1.2 * failing**2,
        contrast=0.1 * passing * failing,
    )


@dataclass(frozen=True)
class Point:
    """Where a run stands: before an order is asked for, or while one is out."""

    state: Any
    buffer: Buffer
    order: Order
    out: bool

    @classmethod
    def start(cls, selector: Selector[Any], num_prompts: int) -> "Point":
        return cls(selector.init(num_prompts), Buffer.empty(), Order.nothing(), out=False)


def advance(
    point: Point,
    selector: Selector[Any],
    world: World,
    wanted: int,
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> Point:
    """The run one event on, as `collect` would drive it: an order goes out or comes back."""
    nature, choice = rngs
    if not point.out:
        state, order = selector.ask(point.state, wanted - point.buffer.num_ready, choice)
        return Point(state, point.buffer, order, out=True)
    state, buffer, full = point.state, point.buffer, not point.order.prompts.size
    if not full:
        outcome = world.roll(point.order, nature)
        state, verdicts = selector.tell(state, point.order, outcome)
        buffer = buffer.settle(point.order, outcome, verdicts)
    if full or buffer.num_ready >= wanted:
        buffer, _ = buffer.take(wanted, "keep")
    return Point(state, buffer, Order.nothing(), out=False)


def freeze(value: object) -> None:
    """Make every array within a value refuse to be written to."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif is_dataclass(value):
        for field in fields(value):
            freeze(getattr(value, field.name))

"""Short ways to write orders and outcomes down."""

from typing import TypeVar

import numpy as np

from selection import Order, Outcome, Selector

State = TypeVar("State")


def order(prompts: list[int], rollouts: int | list[int]) -> Order:
    """An order; one number of rollouts stands for all."""
    return Order(np.array(prompts, int), np.broadcast_to(rollouts, len(prompts)).astype(int))


def passed(passes: list[int], rewards: list[float] | None = None, version: int = 0) -> Outcome:
    """An outcome by passes, and by rewards if given."""
    told = None if rewards is None else np.array(rewards)
    return Outcome(passes=np.array(passes, int), rewards=told, version=version)


def told(
    selector: Selector[State],
    state: State,
    prompts: list[int],
    passes: list[int],
    rollouts: int,
) -> tuple[State, list[int]]:
    """State and verdicts after equal groups of some prompts."""
    state, verdicts = selector.tell(state, order(prompts, rollouts), passed(passes))
    return state, verdicts.tolist()

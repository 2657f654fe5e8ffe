"""Prompts whose pass rates never move: the simplest of the exogenous worlds.

In an exogenous world pass rates follow a path fixed from the start, whatever is trained:
nothing is learned, and a run's progress is the learning signal it has collected. `Exogenous`
is the policy of all such worlds; they differ in the path alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from selection.checks import counts
from selection.driver import Segments
from sim.populations import population
from sim.world import Progress


@dataclass
class Exogenous:
    """A policy whose pass rates depend on the number of training steps taken, on nothing else.

    Attributes:
        path: Pass rates after a number of training steps; asked for 0, 1, 2 and so on.
        updates: Optimizer updates that one training step takes.
        steps: Training steps taken.
    """

    path: Callable[[int], Float[np.ndarray, "M"]]
    updates: int
    steps: int = 0
    _rates: Float[np.ndarray, "M"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rates = self.path(self.steps)

    def pass_rates(self, prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        """True pass rate of each prompt now."""
        return self._rates[prompts]

    def norms(self, prompts: Int[np.ndarray, "K"]) -> None:  # noqa: ARG002
        """None: no gradient is modelled."""
        return

    def learn(self, batch: Segments) -> int:  # noqa: ARG002
        """Let one training step pass, whatever the batch."""
        self.steps += 1
        self._rates = self.path(self.steps)
        return self.updates

    def accuracy(self) -> float:
        """Mean true pass rate of all prompts."""
        return float(self._rates.mean())


@dataclass(frozen=True)
class Still:
    """The path of pass rates that never move."""

    rates: Float[np.ndarray, "M"]

    def __call__(self, steps: int) -> Float[np.ndarray, "M"]:  # noqa: ARG002
        return self.rates


@dataclass(frozen=True, kw_only=True)
class Static:
    """Prompts drawn from a population, with pass rates that never move.

    Attributes:
        population: Where pass rates come from: a name or a file, see `sim.populations`.
        prompts: Prompts in the data set, M.
        updates: Optimizer updates per training step, as reported to the run.
    """

    population: str = "dapo17k-1.5b"
    prompts: int = 1000
    updates: int = 1

    def __post_init__(self) -> None:
        counts(prompts=self.prompts, updates=self.updates)
        population(self.population)

    @property
    def progress(self) -> Progress:
        """The learning signal collected so far."""
        return "signal_realised"

    def begin(self, rng: np.random.Generator) -> Exogenous:
        """A policy over freshly drawn prompts."""
        rates = population(self.population).draw(self.prompts, rng)
        return Exogenous(Still(rates), self.updates)

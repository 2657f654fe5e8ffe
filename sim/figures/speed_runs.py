"""Simulated runs whose training batches are kept, as SPEED's figures need them.

Axis legend: S segments, R rollouts, T training steps.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from selection.driver import Segments
from selection.groups import group_totals
from selection.protocol import Norms
from selection.strategies import Sizes, strategy
from sim.catalogue import place, plan
from sim.costs import Costs
from sim.run import train
from sim.world import Policy
from theory.advantages import group_advantages

Phase = Literal["screening", "continuation"]


@dataclass
class Watched:
    """A policy that remembers the batches it learned from."""

    policy: Policy
    batches: list[Segments] = field(default_factory=list)

    def pass_rates(self, prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        """Those of the policy."""
        return self.policy.pass_rates(prompts)

    def norms(self, prompts: Int[np.ndarray, "K"]) -> Norms | None:
        """Those of the policy."""
        return self.policy.norms(prompts)

    def learn(self, batch: Segments) -> int:
        """Remember the batch, and learn from it."""
        self.batches.append(batch)
        return self.policy.learn(batch)

    def accuracy(self) -> float:
        """That of the policy."""
        return self.policy.accuracy()


@dataclass(frozen=True)
class Run:
    """Columns of a run's record, and its batches."""

    columns: dict[str, Float[np.ndarray, "T"]]
    batches: list[Segments]


def run(
    world: str,
    setting: str,
    sizes: Sizes,
    seed: int,
    *,
    costs: str = "speed-7b",
    enough: float = np.inf,
) -> Run:
    """A run of a strategy in a world, under the streams of luck of `sim.run.simulate`.

    Raises:
        SettingError: A setting is unknown or wrong.
    """
    where = place(world, sizes)
    planned = replace(
        plan(where, strategy(setting, sizes), sizes), costs=Costs.preset(costs), enough=enough
    )
    nature, choice = np.random.default_rng(seed).spawn(2)
    prompts, outcomes = nature.spawn(2)
    watched = Watched(planned.world.begin(prompts))
    return Run(train(planned, watched, outcomes, choice), watched.batches)


def ages(of: Run, phase: Phase) -> Int[np.ndarray, "R"]:
    """Training steps between the generation of each rollout of a phase and its training."""
    return np.concatenate([_ages(batch, step, phase) for step, batch in enumerate(of.batches)])


def _ages(batch: Segments, step: int, phase: Phase) -> Int[np.ndarray, "R"]:
    """Of one batch, whose groups have their screening first."""
    first = np.zeros(batch.group.size, bool)
    first[batch.starts] = True
    chosen = first if phase == "screening" else ~first
    return np.repeat(step - batch.versions[chosen], batch.rollouts[chosen])


def training_accuracy(of: Run) -> Float[np.ndarray, "T"]:
    """Share of passes in each training batch."""
    return np.array([batch.passes.sum() / batch.rollouts.sum() for batch in of.batches])


def noise_norm(of: Run, mini_batches: int) -> Float[np.ndarray, "T"]:
    r"""Root mean square norm of a mini-batch's gradient if scores were noise alone.

    In units of the noise of one rollout's score: $\sqrt{E A^2 / n}$ with RLOO's advantages A
    over a batch, and n rollouts per mini-batch.
    """
    return np.array([_norm(batch, mini_batches) for batch in of.batches])


def _norm(batch: Segments, mini_batches: int) -> float:
    _, passes, rollouts = group_totals(batch)
    up, down = group_advantages("rloo", passes, rollouts)
    total = int(rollouts.sum())
    square = float((passes * up**2 + (rollouts - passes) * down**2).sum()) / total
    return float(np.sqrt(square * mini_batches / total))

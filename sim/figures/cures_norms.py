"""Figure 7 of CurES: the norm of the gradient while training.

The paper (arXiv 2510.01037) takes longer gradients than its baseline's for a sign of better
prompts. Its curves cannot be read; by eye they lie above the baseline's in three of four
panels. Here: the norm of one update's gradient, recovered from the second moment of the
world's Adam, which is told all of the noise (felt=1), one update per training step. The
control is `dynamic`, which drops zero-variance groups and does nothing else.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from report.style import looks
from selection.driver import Segments
from selection.protocol import Norms
from sim.coupled import Logits
from sim.figures.across_draw import band, column, legend
from sim.figures.cures_curves import curve_table
from sim.figures.cures_runs import CASES, CURES, GRPO, RELEASED, Contender, planned, steps_of
from sim.figures.cures_speedups import looks_of
from sim.figures.entry import Drawn, Entry, Value, share
from sim.run import train

SEEDS = 5
NORM_STEPS, BIN = 75, 5  # training steps, and how many of them make a point
DYNAMIC = "dynamic"
GAUGED = tuple(
    replace(one, updates="updates=1")
    for one in (GRPO, Contender(DYNAMIC, "dynamic"), CURES, RELEASED)
)
HIGHER = 3.0  # panels of four in which the paper's curve lies above its baseline's
ABOVE = 1.02  # what counts as above


@dataclass
class Gauged:
    """A policy whose gradients are measured as it learns, one update per training step."""

    policy: Logits
    squares: list[float]

    def pass_rates(self, prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        return self.policy.pass_rates(prompts)

    def norms(self, prompts: Int[np.ndarray, "K"]) -> Norms:
        return self.policy.norms(prompts)

    def accuracy(self) -> float:
        return self.policy.accuracy()

    def learn(self, batch: Segments) -> int:
        """The squared norm is what moved Adam's second moment."""
        before, kept = self.policy.memory.square, self.policy.world.learner.betas[1]
        updates = self.policy.learn(batch)
        self.squares.append((self.policy.memory.square - kept * before) / (1.0 - kept))
        return updates


def gradient_norms(
    contender: Contender, case: tuple[str, str], seed: int, steps: int = NORM_STEPS
) -> Float[np.ndarray, "T"]:
    """Norm of the gradient of each training step, in units of |D|.

    A run that starves before its last step has NaN from there on.
    """
    nature, choice = np.random.default_rng(seed).spawn(2)
    prompts, outcomes = nature.spawn(2)
    plan = replace(planned(contender, *case, extra=",felt=1.0"), steps=steps)
    world = plan.world
    gauged = Gauged(world.begin(prompts), [])  # pyright: ignore[reportArgumentType] - coupled
    train(plan, gauged, outcomes, choice)
    norms = np.full(steps, np.nan)
    norms[: len(gauged.squares)] = np.sqrt(gauged.squares)
    return norms


def norms(fraction: float) -> Drawn:
    """CurES's Figure 7: gradient norm against training steps."""
    seeds, frames = share(fraction, SEEDS), []
    steps = steps_of(fraction, NORM_STEPS // BIN, least=3) * BIN
    points, known = np.arange(0, steps, BIN), looks_of(GAUGED) | looks([DYNAMIC])
    with column(4.6) as figure:
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for panel, case in zip(panels.flat, CASES, strict=True):
            for one in GAUGED:
                runs = [gradient_norms(one, case, seed, steps) for seed in range(seeds)]
                samples = np.stack([each.reshape(-1, BIN).mean(axis=1) for each in runs])
                band(panel, points + BIN / 2, samples, known[one.label], one.label)
                frames.append(curve_table(case, "matched", one.label, points, samples))
            panel.set_title(" ".join(case))
            panel.set_ylim(0.0)
        for panel in panels[-1]:
            panel.set_xlabel("training steps")
        figure.supylabel("norm of a step's gradient (units of |D|)", fontsize=7)
        legend(figure, panels.flat, 2)
    numbers = pd.concat(frames, ignore_index=True).rename(columns={"value": "norm"})
    return Drawn(
        figure=figure, numbers=numbers, values=[_higher(numbers)], remarks=_filtered(numbers)
    )


def _means(numbers: pd.DataFrame, label: str) -> Float[np.ndarray, "C"]:
    """Mean norm over steps in each of the C settings."""
    norm: Any = numbers[numbers["contender"] == label].groupby("case", sort=False)["norm"]
    return norm.mean().to_numpy()


def _higher(numbers: pd.DataFrame) -> Value:
    """In how many settings CurES's gradients are the longer ones."""
    ours, theirs = _means(numbers, CURES.label), _means(numbers, GRPO.label)
    return Value(
        what="panels of 4 in which CurES's mean gradient norm is above its baseline's by 2 %",
        published=HIGHER,
        here=float((ours > ABOVE * theirs).sum()),
        tolerance=0.5,
        note="Figure 7 by eye: all but 7B GRPO, whose curves lie on each other; a whole number",
    )


def _filtered(numbers: pd.DataFrame) -> str:
    base = _means(numbers, GRPO.label)
    said = [
        f"{label} {(_means(numbers, label) / base).mean():.2f}"
        for label in (DYNAMIC, CURES.label, RELEASED.label)
    ]
    return (
        f"Mean norm over that of uniform selection: {', '.join(said)}. Dynamic sampling does "
        "nothing but drop zero-variance groups: a longer gradient is no sign of better prompts."
    )


FIGURES: dict[str, Entry] = {
    "cures-7": Entry(
        paper="CurES",
        title="Gradient norm while training, with the control of dropping zero-variance groups",
        source="Figure 7, arXiv 2510.01037 (curves without readable values)",
        how="simulation",
        seconds=3.0,
        make=norms,
    ),
}

r"""The non-myopic index: what to train first when training moves the pass rates.

In the fluid model of `theory.fluid`, $dp/dt = u v^a$ with effort u, training the prompt of
largest $v^a$ now is myopic: below 1/2 a prompt speeds up as it is learnt. The index $I(p)$ is
the best average rate that a prompt can still reach, and serving prompts by it gains as much
as any policy can, for a budget that leaves none on its way. All is deterministic, with known
pass rates and no transfer between prompts. The power a depends on the optimizer: 1/2 a
divergence constrained per prompt, 1 on average, 3/2 a normalized policy gradient, 2 a plain
one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.style import FURTHER_HUES, FURTHER_LINES, Look, looks
from sim.figures.across_draw import column, legend, line
from sim.figures.entry import Drawn, Entry, share
from theory.fluid import (
    Policy,
    curriculum,
    highest,
    index,
    largest_total_gain,
    proportional,
    rate,
)
from theory.gibbs import gibbs
from theory.groups import mixed_probability

RATES = np.arange(0.002, 1.0, 0.002)
POWERS = (0.5, 1.0, 1.5, 2.0)
PROMPTS, SERVED = 200, 8  # in the data set, and at a time by the rules that rank
SPENT, STEPS = 20.0, 800  # effort per prompt, and steps in which it is spent
RUN_POWER = 2.0
LOW = 0.1  # a hard prompt, of which the remark speaks
BUDGETS = np.linspace(0.05, 1.0, 20)
RANKED, BOUNDED = "largest index", "bound on any rule"
INDEX = Look(FURTHER_HUES[0], "h", "-")
BOUND = Look("#000000", "", (0, (1, 1)))


def policies(power: float) -> Mapping[str, tuple[Policy, Look]]:
    """The rules compared, with how they are drawn."""
    known = looks(["uniform", "speed", "cures", "oracle"])
    return MappingProxyType(
        {
            "uniform": (proportional(np.ones_like), known["uniform"]),
            "∝ M₄ (SPEED)": (proportional(lambda p: mixed_probability(p, 4)), known["speed"]),
            "Gibbs, τ = .1 (CurES)": (lambda p: gibbs(p, 0.1), known["cures"]),
            "largest v now (oracle)": (
                highest(lambda p: rate(p, power), SERVED),
                known["oracle"],
            ),
            RANKED: (highest(lambda p: index(p, power), SERVED), INDEX),
        }
    )


def starts() -> Float[np.ndarray, "M"]:
    """Pass rates before training, those of `FITTED` being mostly near 0: Beta(.6, .9)."""
    rates = np.random.default_rng(0).beta(0.6, 0.9, PROMPTS)
    return np.clip(rates, 0.005, 0.995)


def indices(fraction: float) -> Drawn:
    """The index by pass rate, and what following it gains."""
    steps = share(fraction, STEPS, least=400)
    frames: list[pd.DataFrame] = []
    with column(4.8) as figure:
        upper, lower = figure.subplots(2, 1)
        for power, dashes in zip(POWERS, ("-", *FURTHER_LINES), strict=False):
            worth, now = index(RATES, power), rate(RATES, power)
            line(upper, RATES, worth / now, Look(INDEX.color, "", dashes), f"a = {power:g}")
            frames.append(
                pd.DataFrame(
                    {"part": "index", "curve": f"a={power:g}", "x": RATES, "y": worth / now}
                )
            )
        upper.set_title("index over the rate now, I(p) / vᵃ")
        upper.set_yscale("log")
        upper.set_xlabel("pass rate p")
        upper.set_ylabel("ratio (log scale)")
        upper.set_xlim(0.0, 1.0)
        upper.legend(loc="upper right")
        frames += _races(lower, steps)
        legend(figure, [lower], 2)
    numbers = pd.concat(frames, ignore_index=True)
    return Drawn(figure=figure, numbers=numbers, remarks=_moral(numbers))


def _races(panel: Axes, steps: int) -> list[pd.DataFrame]:
    """Mean pass rate over effort spent, each rule a curve, and what none exceeds."""
    p, effort = starts(), np.linspace(0.0, SPENT, steps + 1)
    frames: list[pd.DataFrame] = []
    for name, (policy, look) in policies(RUN_POWER).items():
        path = curriculum(p, policy, SPENT * PROMPTS, steps, RUN_POWER).mean(axis=1)
        line(panel, effort, path, look, name)
        frames.append(pd.DataFrame({"part": "run", "curve": name, "x": effort, "y": path}))
    budgets = BUDGETS * SPENT
    most = [largest_total_gain(p, PROMPTS * each, RUN_POWER) / PROMPTS for each in budgets]
    line(panel, budgets, p.mean() + np.array(most), BOUND, BOUNDED)
    frames.append(
        pd.DataFrame({"part": "run", "curve": BOUNDED, "x": budgets, "y": p.mean() + most})
    )
    panel.set_title(f"{PROMPTS} prompts, a = {RUN_POWER:g}")
    panel.set_xlabel("effort per prompt (a unit moves p by vᵃ)")
    panel.set_ylabel("mean pass rate")
    return frames


def _moral(numbers: pd.DataFrame) -> str:
    run: Any = numbers[numbers["part"] == "run"]
    curves = {
        str(name): part["y"].to_numpy() for name, part in run.groupby("curve", sort=False)
    }
    last = {name: float(curve[-1]) for name, curve in curves.items()}
    area = {name: float(curve.mean()) for name, curve in curves.items() if name != BOUNDED}
    best = max(value for name, value in area.items() if name != RANKED)
    gain = float(index(LOW, RUN_POWER) / rate(LOW, RUN_POWER))
    return (
        f"Mean over the run: {', '.join(f'{k} {v:.3f}' for k, v in area.items())}. The index "
        f"leads the best other rule by {100 * (area[RANKED] / best - 1):.0f} % and ends "
        f"{last[BOUNDED] - last[RANKED]:.3f} below the bound ({last[BOUNDED]:.3f}). At p = "
        f"{LOW:g} it is {gain:.1f} times the rate now, at {1 - LOW:g} no more: equal v, unlike "
        "worth."
    )


FIGURES: dict[str, Entry] = {
    "across-index": Entry(
        paper="across",
        title="The non-myopic index, and what following it gains",
        source="theorem of theory/fluid.py; no paper has it",
        how="exact formula",
        seconds=1.0,
        make=indices,
    ),
}

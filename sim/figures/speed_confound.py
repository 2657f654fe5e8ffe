"""How much of SPEED's speedup is its optimizer updates: the control that was never run.

The released scripts make one optimizer update per training step without SPEED and six with it,
because they multiply the mini-batch by N_init where the baselines' is multiplied by N
(Zanette-Labs/speed-rl @ 80e47b5, `verl/workers/fsdp_workers.py`). Both rules of selection are
run here at one and at six, at the release's sizes, in two coupled worlds of the catalogue.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from report.aggregate import Estimate, Times, paired_ratio
from report.currencies import time_to_target
from report.style import looks
from selection.strategies import Sizes
from sim.figures.entry import Drawn, Entry, Value, share
from sim.figures.layout import PAGE, curve, grid, legend_below, level, upright
from sim.figures.speed_logs import crossings
from sim.figures.speed_runs import Run, run

SEEDS = 30
TARGET = 0.3  # that of Table 1 for 1.5B on DAPO-1k
MARGIN = 0.05  # how far past it a run goes on
SIZES = Sizes(groups=16, rollouts=24, prompts=4000, steps=600)
WORLDS = {"coupled": "coupled world", "coupled-long": "noise-dominated world"}
CURRENCIES = {"step": "steps", "updates": "updates", "rollouts": "rollouts", "seconds": "time"}
SETTING = "1.5B DAPO-17k RLOO"  # row of Table 1


@dataclass(frozen=True)
class Arm:
    """A rule of selection at some optimizer updates per training step."""

    setting: str
    updates: int

    @property
    def name(self) -> str:
        """As the legend has it."""
        who = "RLOO" if self.setting == "uniform" else "SPEED"
        return f"{who}, {self.updates} update{'s' if self.updates > 1 else ''}"


BASE, BASE_SIX = Arm("uniform", 1), Arm("uniform", 6)
SPEED_ONE, SPEED_SIX = Arm("speed-released", 1), Arm("speed-released", 6)
PAIRS = {
    "as released, 6 : 1": (BASE, SPEED_SIX),
    "matched, 1 : 1": (BASE, SPEED_ONE),
    "matched, 6 : 6": (BASE_SIX, SPEED_SIX),
}


@cache
def runs(world: str, arm: Arm, seeds: int) -> tuple[Run, ...]:
    """Runs until a little past the target, by seed."""
    setting = f"{world}:updates={arm.updates}"
    return tuple(
        run(setting, arm.setting, SIZES, seed, costs="speed-1.5b", enough=TARGET + MARGIN)
        for seed in range(seeds)
    )


def times(world: str, arm: Arm, seeds: int, currency: str) -> Times:
    """What each seed paid to reach the target, and all that it paid."""
    columns = [one.columns for one in runs(world, arm, seeds)]
    return Times(
        np.array([time_to_target(c["accuracy"], c[currency], TARGET) for c in columns]),
        np.array([c[currency][-1] for c in columns]),
    )


def saving(world: str, base: Arm, arm: Arm, seeds: int, currency: str = "seconds") -> Estimate:
    """How many times less an arm pays than another, paired by seed."""
    return paired_ratio(times(world, base, seeds, currency), times(world, arm, seeds, currency))


def confound(fraction: float) -> Drawn:
    """Accuracy by training step and by optimizer update, and the savings in each currency."""
    seeds = share(fraction, SEEDS)
    drawing, ((steps, updates, savings),) = grid(PAGE, 3.0, columns=3)
    frames = [_accuracy(steps, "step", seeds), _accuracy(updates, "updates", seeds)]
    rows = list(_savings(seeds))
    _draw_savings(savings, rows)
    steps.set(xlabel="training steps", ylabel="held-out accuracy")
    updates.set(xlabel="optimizer updates")
    legend_below(drawing, [steps], columns=3)
    return Drawn(
        figure=drawing,
        numbers=pd.concat([*frames, pd.DataFrame(rows)], ignore_index=True),
        values=list(_values(seeds)),
        remarks=_said(seeds),
    )


def _said(seeds: int) -> str:
    released, one, six = (saving("coupled", *pair, seeds).value for pair in PAIRS.values())
    alone = saving("coupled", BASE, BASE_SIX, seeds).value
    return (
        f"In the coupled world SPEED at 6 updates reaches {TARGET} in {released:.2f} times less"
        f" time than RLOO at 1; at matched updates in {one:.2f} (1 each) and {six:.2f} times"
        f" (6 each). RLOO alone gains {alone:.2f} by taking 6. A simulation: no language model"
        " was trained for it."
    )


def _values(seeds: int) -> Iterator[Value]:
    """The printed speedup beside the simulated, as released and at matched updates."""
    hours = [one.printed_speedup for one in crossings() if one.setting == SETTING]
    for name, (base, arm) in PAIRS.items():
        for world, where in WORLDS.items():
            found = saving(world, base, arm, seeds)
            yield Value(
                what=f"speedup in hours, {name}, {where}",
                published=float(np.nanmean(hours)),
                here=found.value,
                tolerance=0.15,
                against="ratio",
                note=f"mean of the printed speedups of {SETTING} (Table 1), released at 6 : 1;"
                f" here 95 % [{found.low:.2f}, {found.high:.2f}] over {seeds} seeds, and the"
                " world was within 12-15 % of a small model's ratios at 1 : 1",
            )


def _accuracy(panel: Axes, currency: str, seeds: int) -> pd.DataFrame:
    """Draws the curves of the four arms; the numbers drawn."""
    frames: list[pd.DataFrame] = []
    for arm in (BASE, BASE_SIX, SPEED_ONE, SPEED_SIX):
        columns = [one.columns for one in runs("coupled", arm, seeds)]
        cost = np.linspace(0.0, min(c[currency][-1] for c in columns), 80)
        samples = np.stack([np.interp(cost, c[currency], c["accuracy"]) for c in columns])
        system = "uniform" if arm.setting == "uniform" else "speed"
        color, line = looks((system,))[system].color, "-" if arm.updates == 1 else (0, (5, 2))
        middle, low, high = curve(panel, cost, samples, color=color, line=line, label=arm.name)
        band = {"cost": cost, "accuracy": middle, "low": low, "high": high}
        frames.append(pd.DataFrame({"arm": arm.name, "currency": currency, **band}))
    level(panel, TARGET, label="target")
    panel.set_ylim(top=TARGET + 1.2 * MARGIN)
    panel.set_xlim(left=0.0)
    return pd.concat(frames, ignore_index=True)


def _savings(seeds: int) -> Iterator[dict[str, str | float]]:
    """SPEED's saving in each currency and world, as released and at matched updates."""
    for world in WORLDS:
        for name, (base, arm) in PAIRS.items():
            for currency in CURRENCIES:
                found = saving(world, base, arm, seeds, currency)
                ends = {"saving": found.value, "low": found.low, "high": found.high}
                yield {"world": world, "arm": name, "currency": currency, **ends}


def _draw_savings(panel: Axes, rows: list[dict[str, str | float]]) -> None:
    """Markers by pair of arms, in the coupled world."""
    fills = (looks(("speed",))["speed"].color, "white", "white")
    for place, (name, marker, fill) in enumerate(zip(PAIRS, "Dos", fills, strict=True)):
        part = [r for r in rows if r["world"] == "coupled" and r["arm"] == name]
        middle, low, high = (
            np.array([float(r[key]) for r in part]) for key in ("saving", "low", "high")
        )
        panel.errorbar(
            middle,
            np.arange(len(part)) + 0.22 * (place - 1),
            xerr=np.stack([middle - low, high - middle]),
            fmt=marker,
            color=fills[0] if place == 0 else "#333333",
            markersize=4.5,
            markerfacecolor=fill,
            capsize=1.5,
            label=name,
        )
    upright(panel, 1.0)
    panel.set_yticks(range(len(CURRENCIES)), list(CURRENCIES.values()))
    panel.set_ylim(len(CURRENCIES) - 0.5, -1.9)
    panel.set_xlim(left=0.0)
    panel.set(xlabel="RLOO's cost / SPEED's")
    panel.grid(visible=False, axis="y")
    panel.legend(loc="upper right", fontsize=7.5, handletextpad=0.2, borderaxespad=0.1)


FIGURES: dict[str, Entry] = {
    "speed-confound": Entry(
        paper="SPEED",
        title="The optimizer-update confound: RLOO and SPEED, each at 1 and 6 updates per step",
        source="no figure in print; Table 1 of SPEED, arXiv 2506.09016 (withdrawn), compares"
        " SPEED at 6 with baselines at 1",
        how="simulation",
        seconds=15.0,
        make=confound,
    ),
}

"""Figures 5 and 9 of CurES: pilot rollouts N' by rollouts n of a step.

The paper (arXiv 2510.01037) shows MATH500 over training steps, without readable values, and so
leaves out what the sweep costs: here it is counted in rollouts too, the pilot's among them. The
world is that of `sim.figures.cures_runs`, 4 updates per training step for all.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from report.aggregate import Estimate, Times, geometric_mean
from report.currencies import time_to_target
from report.style import looks
from sim.figures.across_draw import column, columns_of, legend
from sim.figures.cures_runs import PATIENCE, SIZES, Contender, run
from sim.figures.entry import Drawn, Entry, share

SEEDS = 5
PILOTS, SIZES_SWEPT = (2, 4, 8, 16), (4, 8, 16, 32)
CASE, TARGET, TASTE = ("7B", "GRPO"), 0.5, 0.25  # pass rates
UNITS = {"step": "training steps", "rollouts": "rollouts, pilot's included (1,000)"}
THOUSANDS = {"step": 1.0, "rollouts": 1000.0}

Costs = dict[tuple[int, int], dict[str, Estimate]]  # by pilot and n, by currency


def sweep(fraction: float) -> Drawn:
    """Cost of one mean pass rate for every N' and n."""
    seeds = share(fraction, SEEDS)
    target = TARGET if fraction >= 0.2 else TASTE
    found = {(N, n): costs(N, n, seeds, target) for N in PILOTS for n in SIZES_SWEPT}
    with column(4.6) as figure:
        panels = figure.subplots(2, 1, sharex=True)
        for panel, unit in zip(panels, UNITS, strict=True):
            _panel(panel, found, unit)
        panels[0].set_title(f"to a mean pass rate of {target:g}, {' '.join(CASE)}")
        panels[1].set_xlabel("mean rollouts per prompt of a step, n")
        legend(figure, panels, 4)
    rows = [
        {"pilot": N, "rollouts_per_prompt": n, "currency": unit, **columns_of(estimate)}
        for (N, n), both in found.items()
        for unit, estimate in both.items()
    ]
    return Drawn(figure=figure, numbers=pd.DataFrame(rows), remarks=_moral(found))


def costs(pilot: int, rollouts: int, seeds: int, target: float = TARGET) -> dict[str, Estimate]:
    """Cost of the target in steps and in rollouts: geometric means over seeds."""
    one = Contender("", f"cures:pilot={pilot},rollouts={rollouts}")
    limit = PATIENCE * SIZES.steps
    runs = [run(one, CASE, seed, enough=target, steps=limit) for seed in range(seeds)]
    found: dict[str, Estimate] = {}
    for unit in UNITS:
        reached = [time_to_target(each["accuracy"], each[unit], target) for each in runs]
        spent = [each[unit][-1] for each in runs]
        found[unit] = geometric_mean(Times(np.array(reached), np.array(spent)))
    return found


def _panel(panel: Axes, found: Costs, unit: str) -> None:
    """A curve over n for each N', with intervals."""
    known = looks([f"cures:pilot={N}" for N in PILOTS])
    for N in PILOTS:
        look, scale = known[f"cures:pilot={N}"], THOUSANDS[unit]
        ends = np.array(
            [(e.value, e.low, e.high) for e in (found[N, n][unit] for n in SIZES_SWEPT)]
        )
        value, low, high = ends.T / scale
        panel.errorbar(
            SIZES_SWEPT,
            value,
            yerr=np.array([value - low, high - value]),
            color=look.color,
            marker=look.marker,
            markersize=4,
            linestyle=look.line,
            label=f"N' = {N}",
        )
    panel.set_xscale("log", base=2)
    panel.set_xticks(SIZES_SWEPT, [str(n) for n in SIZES_SWEPT])
    panel.set_ylim(0.0)
    panel.set_ylabel(UNITS[unit])


def _moral(found: Costs) -> str:
    best = {unit: min(found, key=lambda key: found[key][unit].value) for unit in UNITS}
    step, rollouts = best["step"], best["rollouts"]
    ratio = found[4, 16]["rollouts"].value / found[rollouts]["rollouts"].value
    return (
        f"Fewest steps with N' = {step[0]}, n = {step[1]}; fewest rollouts with N' = "
        f"{rollouts[0]}, n = {rollouts[1]}. The paper calls N' = 4, n = 16 good at 7B, by "
        "curves "
        f"over steps: it costs {ratio:.1f} times the fewest rollouts."
    )


FIGURES: dict[str, Entry] = {
    "cures-5": Entry(
        paper="CurES",
        title="Pilot rollouts by rollouts per prompt: steps and rollouts to one accuracy",
        source="Figures 5 and 9, arXiv 2510.01037 (curves without readable values)",
        how="simulation",
        seconds=2.0,
        make=sweep,
    ),
}

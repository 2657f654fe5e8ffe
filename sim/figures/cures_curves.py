"""Figure 2 of CurES: learning curves of CurES, GVM and their baseline.

Curves cannot be read off the paper's image (arXiv 2510.01037), where CurES lies above GVM in
all four panels. World and accountings are those of `sim.figures.cures_runs`: *stated* and
*scripts*.
"""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from report.aggregate import mean_band
from sim.figures.across_draw import band, column, legend
from sim.figures.cures_runs import (
    CASES,
    CURES,
    GRPO,
    GVM,
    GVM_SCRIPTS,
    RELEASED,
    SCRIPTS,
    Columns,
    Contender,
    run,
    steps_of,
)
from sim.figures.cures_speedups import looks_of
from sim.figures.entry import Drawn, Entry, share

SEEDS = 6
EVERY = 5  # training steps from point to point
EARLY = 30  # training steps in which the scripts learn most that there is
SOLVED = 0.98  # a run is not continued beyond
STATED, RUN = (GRPO, GVM, CURES, RELEASED), (GRPO, GVM_SCRIPTS, SCRIPTS)


def at(columns: Columns, points: Int[np.ndarray, "G"]) -> Float[np.ndarray, "G"]:
    """Accuracy after these numbers of steps; a run that ended stays where it was."""
    return np.interp(points, columns["step"], columns["accuracy"])


def curves(fraction: float) -> Drawn:
    """CurES's Figure 2, under both accountings."""
    seeds, frames = share(fraction, SEEDS), []
    points = np.arange(0, steps_of(fraction) + 1, EVERY)
    early = np.arange(0, steps_of(fraction, EARLY, 8) + 1)
    with column(6.4) as figure:
        panels = figure.subplots(len(CASES), 2, sharex="col", sharey="col")
        for (left, right), case in zip(panels, CASES, strict=True):
            stated = {one.label: _accuracies(one, case, seeds, points) for one in STATED}
            scripts = {one.label: _accuracies(one, case, seeds, early) for one in RUN}
            gains = {name: 100 * (each - stated[GRPO.label]) for name, each in stated.items()}
            _curves(left, points, gains)
            _curves(right, early, scripts)
            left.set_title(" ".join(case))
            frames += [
                curve_table(case, accounting, name, at_steps, samples)
                for accounting, at_steps, both in (
                    ("stated", points, stated),
                    ("scripts", early, scripts),
                )
                for name, samples in both.items()
            ]
        panels[0, 0].set_title(f"stated: {CASES[0][0]} {CASES[0][1]}")
        panels[0, 1].set_title("scripts")
        panels[0, 1].set_ylim(0.0, 1.04)
        for row in panels:
            row[0].set_ylabel("points over uniform")
            row[1].set_ylabel("mean pass rate")
        for panel in panels[-1]:
            panel.set_xlabel("training steps")
        legend(figure, panels.flat, 2)
    numbers = pd.concat(frames, ignore_index=True)
    return Drawn(figure=figure, numbers=numbers, remarks=_order(numbers))


def _accuracies(
    one: Contender, case: tuple[str, str], seeds: int, points: Int[np.ndarray, "G"]
) -> Float[np.ndarray, "S G"]:
    """Accuracy of each seed's run; one past `SOLVED` is not continued."""
    runs = [run(one, case, seed, steps=int(points[-1]), enough=SOLVED) for seed in range(seeds)]
    return np.stack([at(columns, points) for columns in runs])


def _curves(
    panel: Axes, points: Int[np.ndarray, "G"], samples: dict[str, Float[np.ndarray, "S G"]]
) -> None:
    known = looks_of((*STATED, *RUN))
    for name, each in samples.items():
        band(panel, points.astype(float), each, known[name], name)


def curve_table(
    case: tuple[str, str],
    accounting: str,
    label: str,
    points: Int[np.ndarray, "G"],
    samples: Float[np.ndarray, "S G"],
) -> pd.DataFrame:
    """A curve's points: mean over seeds, and its interval."""
    middle, low, high = mean_band(samples)
    return pd.DataFrame(
        {
            "case": " ".join(case),
            "accounting": accounting,
            "contender": label,
            "step": points,
            "value": middle,
            "low": low,
            "high": high,
        }
    )


def _order(numbers: pd.DataFrame) -> str:
    """In how many settings CurES leads GVM on the way, under each accounting."""
    said = (
        _lead(numbers, "stated", CURES.label, GVM.label),
        _lead(numbers, "scripts", SCRIPTS.label, GVM_SCRIPTS.label),
    )
    return (
        "CurES less GVM in the four settings, points of the pass rate: as stated "
        f"{said[0]}; as the scripts run {said[1]}. On the left, gains over uniform "
        "selection of "
        "the same seed are drawn, which a curve of pass rates would hide."
    )


def _lead(numbers: pd.DataFrame, accounting: str, ours: str, theirs: str) -> str:
    """CurES's lead half way."""
    curves: Any = numbers[numbers["accounting"] == accounting]
    steps = sorted(set(curves["step"]))
    step = steps[len(steps) // 2]
    part = curves[curves["step"] == step]
    value = part.set_index(["case", "contender"])["value"]
    leads = [
        100 * (value[" ".join(case), ours] - value[" ".join(case), theirs]) for case in CASES
    ]
    return f"{min(leads):+.1f} to {max(leads):+.1f} after {step} steps"


FIGURES: dict[str, Entry] = {
    "cures-2": Entry(
        paper="CurES",
        title="Learning curves of CurES, GVM and their baseline, as stated and as run",
        source="Figure 2, arXiv 2510.01037 (curves without readable values)",
        how="simulation",
        seconds=9.0,
        make=curves,
    ),
}

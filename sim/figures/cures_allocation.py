"""Figures 4 and 8 of CurES: rollouts against pass rate.

The paper (arXiv 2510.01037) shows a bell that sharpens with the iterations, without values
that can be read. The shape follows from Eqs. 20-21 alone, and is no bell in general: for
score noise V below |D|^2 it has two humps with a dip at 1/2. The released code's sigma
differs from Eq. 21 in its last term. Below the formulas, runs of the world of
`sim.figures.cures_runs`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.style import FURTHER_LINES, HUES, LINES, Look
from selection.allocation import neyman_deviation
from selection.protocol import Norms
from sim.figures.across_draw import column, line
from sim.figures.cures_runs import CURES, RELEASED, Contender
from sim.figures.cures_watch import Seen, watch
from sim.figures.entry import Drawn, Entry, share
from theory.neyman import is_bell_shaped, rollout_deviation

SEEDS = 3
SHOWN = (1, 5, 10, 15)  # iterations whose allocation is drawn
MARKERS = "oDs^"
EDGES = np.linspace(0.0, 1.0, 11)
FEWEST = 10  # prompts behind a point
RATES = np.arange(0.005, 1.0, 0.005)
NOISES = (0.0, 0.5, 1.0, 100.0)  # V / |D|^2
COLOR = HUES["cures"][0]


def deviations() -> dict[str, Float[np.ndarray, "P"]]:
    """Sigma of Eq. 21 for several noises, and the released code's without noise."""
    curves = {f"V/|D|² = {x:g}": rollout_deviation(RATES, 1.0, x, x) for x in NOISES}
    p, q = RATES, 1.0 - RATES
    bare = Norms(
        passing=q, failing=p, passing_square=q**2, failing_square=p**2, contrast=1.0 + 0 * p
    )
    curves["code, V = 0"] = neyman_deviation(RATES, bare, vectors=False)
    return curves


def allocation(fraction: float) -> Drawn:
    """CurES's Figures 4 and 8: rollouts against pass rate, by formula and by run."""
    seeds = share(fraction, SEEDS, least=1)
    curves = {name: sigma / sigma.mean() for name, sigma in deviations().items()}
    frames = [
        pd.DataFrame({"part": "formula", "curve": name, "pass_rate": RATES, "rollouts": curve})
        for name, curve in curves.items()
    ]
    with column(6.0) as figure:
        panels = figure.subplots(3, 1)
        _formulas(panels[0], curves)
        for panel, one in zip(panels[1:], (CURES, RELEASED), strict=True):
            runs = [watch(one, seed) for seed in range(seeds)]
            frames.append(_allocated(panel, one, runs))
            panel.set_title(f"{one.label}: a run, by iteration")
            panel.set_ylabel("mean rollouts")
            panel.legend(ncols=2, title="iteration", title_fontsize=6.5)
        panels[-1].set_xlabel("true pass rate p")
        for panel in panels:
            panel.set_xlim(0.0, 1.0)
    numbers = pd.concat(frames, ignore_index=True)
    return Drawn(
        figure=figure,
        numbers=numbers,
        remarks="Eq. 21 is a bell for V/|D|² of "
        + ", ".join(f"{x:g}" for x in NOISES if is_bell_shaped(x))
        + " and dips at p = 1/2 for "
        + ", ".join(f"{x:g}" for x in NOISES if not is_bell_shaped(x))
        + f". {_sharpness(numbers)}",
    )


def _sharpness(numbers: pd.DataFrame) -> str:
    """Rollouts at p = .45 over those at .05, by formula and in the paper's run."""
    part: Any = numbers[numbers["part"] == CURES.label]
    run = part.set_index(["curve", "pass_rate"])["rollouts"]
    low, middle = (EDGES[[0, 4]] + EDGES[[1, 5]]) / 2.0
    ratios = [run[f"iteration {t}", middle] / run[f"iteration {t}", low] for t in SHOWN]
    said = [f"{x:.2f}" if np.isfinite(x) else "–" for x in ratios]  # – : too few prompts
    known = float(np.sqrt(middle * (1.0 - middle) / (low * (1.0 - low))))
    return (
        f"Rollouts at p = {middle:.2f} over those at {low:.2f}: {known:.2f} if p is known and "
        "noise dominates; in the run of the paper's rule "
        f"{', '.join(said)} "
        f"in iterations {', '.join(map(str, SHOWN))}, for p is known from few rollouts."
    )


def _formulas(panel: Axes, curves: Mapping[str, Float[np.ndarray, "P"]]) -> None:
    for (name, curve), dashes in zip(curves.items(), ("-", *FURTHER_LINES), strict=False):
        code = name.startswith("code")
        look = Look("#000000" if code else COLOR, "", LINES["released"] if code else dashes)
        line(panel, RATES, curve, look, name)
    panel.set_title("Eqs. 20-21, relative to their mean")
    panel.set_ylabel("rollouts, relative")
    panel.set_ylim(0.0, 2.1)
    panel.legend(ncols=3, loc="upper center", columnspacing=0.8)


def _allocated(panel: Axes, one: Contender, runs: Sequence[Seen]) -> pd.DataFrame:
    """Mean rollouts by bins of the true pass rate, an iteration per curve."""
    frames: list[pd.DataFrame] = []
    centres = (EDGES[1:] + EDGES[:-1]) / 2.0
    for place, iteration in enumerate(SHOWN):
        orders = [one for run in runs for one in run.allocated if one.iteration == iteration]
        rates = np.concatenate([one.rates for one in orders])
        rollouts = np.concatenate([one.rollouts for one in orders])
        which = np.clip(np.digitize(rates, EDGES) - 1, 0, centres.size - 1)
        total = np.bincount(which, rollouts, centres.size)
        counted = np.bincount(which, minlength=centres.size)
        means = np.divide(
            total, counted, out=np.full(centres.size, np.nan), where=counted >= FEWEST
        )
        shade = 0.25 + 0.75 * place / (len(SHOWN) - 1)
        panel.plot(
            centres,
            means,
            color=COLOR,
            alpha=shade,
            marker=MARKERS[place],
            ms=3.5,
            label=str(iteration),
        )
        frames.append(
            pd.DataFrame(
                {
                    "part": one.label,
                    "curve": f"iteration {iteration}",
                    "pass_rate": centres,
                    "rollouts": means,
                }
            )
        )
    panel.set_ylim(0.0)
    return pd.concat(frames, ignore_index=True)


FIGURES: dict[str, Entry] = {
    "cures-4": Entry(
        paper="CurES",
        title="Allocation of rollouts against pass rate, by formula and in a run",
        source="Figures 4 and 8, arXiv 2510.01037 (points without readable values)",
        how="simulation",
        seconds=1.0,
        make=allocation,
    ),
}

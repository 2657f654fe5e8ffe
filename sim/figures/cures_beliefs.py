"""Figure 3 of CurES: what it believes about pass rates.

The paper (arXiv 2510.01037) shows violins of estimated pass rates over 15 iterations,
"bimodal, drifting to 1", without values that can be read. Here runs of the world of
`sim.figures.cures_runs` are watched, and the true pass rates stand beside. Each iteration has
prompts of its own, and its beliefs start from a pilot of 4 rollouts.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from report.style import HUES
from sim.figures.across_draw import column
from sim.figures.cures_runs import CURES
from sim.figures.cures_watch import watch
from sim.figures.entry import Drawn, Entry, share

SEEDS = 3
ITERATIONS = 15
COLOR, TRUE = HUES["cures"][0], HUES["uniform"][0]


def violins(fraction: float) -> Drawn:
    """CurES's Figure 3: beliefs at the end of each iteration, beside the truth."""
    seeds = share(fraction, SEEDS, least=1)
    runs = [watch(CURES, seed) for seed in range(seeds)]
    places = np.arange(1, ITERATIONS + 1)
    believed = [np.concatenate([run.beliefs[t] for run in runs]) for t in range(ITERATIONS)]
    true = [np.concatenate([run.rates[t] for run in runs]) for t in range(ITERATIONS)]
    with column(2.9) as figure:
        panel = figure.subplots()
        _half(panel, believed, places, COLOR, "high")
        _half(panel, true, places, TRUE, "low")
        panel.set_xticks(places[::2])
        panel.set_xlabel("iteration (10 training steps each)")
        panel.set_ylabel("pass rate")
        panel.set_ylim(0.0, 1.0)
        panel.legend(
            handles=[
                Patch(color=TRUE, alpha=0.6, label="true (left half)"),
                Patch(color=COLOR, alpha=0.8, label="believed by CurES (right half)"),
            ],
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=2,
        )
    numbers = pd.concat(
        [
            _deciles(int(t), kind, values)
            for kind, each in (("believed", believed), ("true", true))
            for t, values in zip(places, each, strict=True)
        ],
        ignore_index=True,
    )
    return Drawn(figure=figure, numbers=numbers, remarks=_drift(believed, true))


def _half(
    panel: Axes,
    samples: Sequence[Float[np.ndarray, "K"]],
    places: Int[np.ndarray, "T"],
    color: str,
    side: Literal["low", "high"],
) -> None:
    """Half violins; a line marks the median."""
    parts: Any = panel.violinplot(
        samples, places, widths=0.9, showextrema=False, side=side, bw_method=0.15
    )
    for body in parts["bodies"]:
        body.set(facecolor=color, alpha=0.6 if side == "low" else 0.8, edgecolor="none")
    sign = -1 if side == "low" else 1
    middles = [float(np.median(each)) for each in samples]
    panel.hlines(middles, places, places + 0.3 * sign, color="#000000", linewidth=0.8)


def _deciles(iteration: int, kind: str, values: Float[np.ndarray, "K"]) -> pd.DataFrame:
    """Deciles and mean of one violin."""
    shares = np.arange(0.0, 1.01, 0.1).round(1)
    return pd.DataFrame(
        {
            "iteration": iteration,
            "kind": kind,
            "quantile": shares,
            "pass_rate": np.quantile(values, shares),
            "mean": values.mean(),
            "outer_share": ((values < 0.25) | (values > 0.75)).mean(),
        }
    )


def _drift(
    believed: Sequence[Float[np.ndarray, "K"]], true: Sequence[Float[np.ndarray, "K"]]
) -> str:
    last = len(believed) - 1
    lag = [float((b - t).mean()) for b, t in zip(believed, true, strict=True)]
    return (
        f"Mean belief {believed[0].mean():.2f} in the first iteration and "
        f"{believed[last].mean():.2f} in the last; mean pass rate {true[0].mean():.2f} and "
        f"{true[last].mean():.2f}. Beliefs are off by {min(lag):+.2f} to {max(lag):+.2f} on "
        "average. Shares outside 1/4 to 3/4, believed and true, in the first iteration: "
        f"{_outer(believed[0]):.2f} and {_outer(true[0]):.2f}."
    )


def _outer(rates: Float[np.ndarray, "K"]) -> float:
    return float(((rates < 0.25) | (rates > 0.75)).mean())


FIGURES: dict[str, Entry] = {
    "cures-3": Entry(
        paper="CurES",
        title="Beliefs about pass rates over iterations, beside the true ones",
        source="Figure 3, arXiv 2510.01037 (violins without readable values)",
        how="simulation",
        seconds=1.0,
        make=violins,
    ),
}

"""GRESO's Figure 2: rollouts up to a training step, and the share of mixed groups behind them.

The slope of dynamic sampling's curve tells how many groups it generated for each that it
trained on. That share is a lower bound on the share of mixed groups, for whole orders are paid
for; it is taken the same way from the figure's points and from the simulated runs.
"""

import csv
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.aggregate import mean
from sim.figures.entry import Drawn, Value
from sim.figures.greso_marks import PRINTED, at_pace
from sim.figures.greso_runs import (
    DS,
    GRESO,
    GROUPS,
    GRPO,
    LABELS,
    LOOKS,
    MILLION,
    PACES,
    ROLLOUTS,
    STEPS,
    Setting,
    open_to,
    runs,
    spent,
)
from sim.figures.layout import PAGE, band, grid, legend_below
from sim.populations import DATA
from theory.published import column


@cache
def printed_curve(run: str) -> Float[np.ndarray, "P 2"]:
    """Training steps and millions of rollouts read off Figure 2, of GRPO or DS."""
    text = (DATA / "greso_fig2.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["run"] == run]
    return np.array([[float(row["step"]), float(row["rollouts_millions"])] for row in rows])


def at_steps(
    setting: Setting, who: str, pace: int, steps: Float[np.ndarray, "P"]
) -> Float[np.ndarray, "S P"]:
    """Millions of rollouts after training steps of the full run, per seed."""
    scale = STEPS / setting.sizes.steps
    made = runs(setting, who, pace)
    return np.stack(
        [
            np.interp(steps, scale * step, scale * rollouts / MILLION)
            for step, rollouts in zip(made["step"], made["rollouts"], strict=True)
        ]
    )


def implied_mixed(
    steps: Float[np.ndarray, "P"], millions: Float[np.ndarray, "*S P"]
) -> Float[np.ndarray, "*S P"]:
    """Trained over generated groups between points of a cumulative curve that starts at 0."""
    groups = np.diff(millions * MILLION / ROLLOUTS, prepend=0.0, axis=-1)
    return np.asarray(GROUPS * np.diff(steps, prepend=0.0) / groups)


def figure_2(fraction: float) -> Drawn:
    """Cumulative rollouts of GRPO, DS and GRESO, and the mixed share that DS's imply."""
    setting, points = Setting(fraction=fraction), printed_curve("DS")
    figure, axes = grid(PAGE, 3.7, 1, 2)
    steps = np.linspace(0.0, STEPS, 51)
    parts = [_cumulative(axes[0][0], setting, who, steps) for who in (GRPO, DS, GRESO)]
    for run in ("GRPO", "DS"):
        name = "published" if run == "DS" else ""
        axes[0][0].plot(*printed_curve(run).T, label=name, **PRINTED)
        parts.append(_points(f"{run}, published", *printed_curve(run).T))
    axes[0][0].set(xlabel="training step", ylabel="rollouts (millions)", title="cumulative")
    _mixed_panel(axes[0][1], setting, points)
    legend_below(figure, axes[0], 4)
    end = {pace: spent(setting, DS, pace).mean() for pace in PACES}
    share, seen = implied_mixed(*points.T), column("greso_fig3a", "previous_given_now")[-1]
    least = 1.0 - column("greso_fig3a", "now_given_previous")[-1] / seen
    return Drawn(
        figure=figure,
        numbers=pd.concat(parts),
        values=_figure_2_values(setting),
        remarks=f"Dynamic sampling takes {end[1]:.1f} M rollouts where pass rates move as in"
        f" the GRPO run of Figure 3(a) and {end[3]:.1f} M at three times the pace; the figure's"
        f" run took about 20 M. By its slope {share[0]:.2f} of the groups were trained on at"
        f" first and {share[-1]:.3f} in the end; Figure 3(a) leaves at least {least:.2f} mixed"
        " in epoch 10. Pass rates moved further here than there.",
    )


def _cumulative(
    panel: Axes, setting: Setting, who: str, steps: Float[np.ndarray, "P"]
) -> pd.DataFrame:
    """A strategy's curves at both paces; GRPO has one."""
    parts: list[pd.DataFrame] = []
    for pace in PACES[: 1 if who == GRPO else None]:
        name = LABELS[who] if pace == 1 else f"{LABELS[who]}, pace {pace}"
        millions = at_steps(setting, who, pace, steps)
        lines = band(panel, steps, millions, at_pace(LOOKS[who], pace), name)
        parts.append(_points(name, steps, *lines))
    return pd.concat(parts)


def _points(
    name: str,
    steps: Float[np.ndarray, "P"],
    millions: Float[np.ndarray, "P"],
    low: Float[np.ndarray, "P"] | float = np.nan,
    high: Float[np.ndarray, "P"] | float = np.nan,
) -> pd.DataFrame:
    of = {"of": name, "step": steps, "rollouts_millions": millions}
    return pd.DataFrame(of | {"low": low, "high": high})


def _mixed_panel(panel: Axes, setting: Setting, points: Float[np.ndarray, "P 2"]) -> None:
    """Trained over generated groups, from the slopes of Figure 2 and of the simulated runs."""
    steps = points[:, 0]
    middles = (steps + np.append(0.0, steps[:-1])) / 2.0
    for pace in PACES:
        shares = implied_mixed(steps, at_steps(setting, DS, pace, steps))
        band(panel, middles, shares, at_pace(LOOKS[DS], pace), f"pace {pace}")
    panel.plot(middles, implied_mixed(*points.T), **PRINTED)
    panel.set(
        xlabel="training step",
        ylabel="trained / generated groups",
        title="share trained, by the slope of DS",
    )
    panel.set_ylim(0.0)


def _figure_2_values(setting: Setting) -> list[Value]:
    """Points of both curves."""
    grpo = [
        Value(
            what=f"rollouts of GRPO in {step:.0f} steps (millions)",
            published=float(point),
            here=float(at_steps(setting, GRPO, 1, np.array([step]))[0, 0]),
            tolerance=0.02,
            note="8 x 256 a step; read off the image to .02",
        )
        for step, point in printed_curve("GRPO")
    ]
    return grpo + [_ds_value(setting, *point) for point in printed_curve("DS")[[0, 7, -1]]]


def _ds_value(setting: Setting, step: float, point: float) -> Value:
    """A point of DS beside the simulated one."""
    slow, fast = (at_steps(setting, DS, pace, np.array([step]))[:, 0] for pace in PACES)
    return Value(
        what=f"rollouts of DS in {step:.0f} steps (millions)",
        published=point,
        here=float(slow.mean()),
        tolerance=open_to(mean(slow), float(fast.mean()), 0.02),
        against="ratio",
        note="pace of Fig. 3(a), and what three times that changes; that run is not this one",
    )

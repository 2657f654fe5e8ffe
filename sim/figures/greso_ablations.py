"""GRESO's ablations, in rollouts: skipping without sized orders and back, and other targets.

The published values of these figures could not be read; what is shown is what the strategies do
in the population of Figure 3(a).
"""

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes

from report.aggregate import mean
from sim.figures.entry import Drawn
from sim.figures.greso_marks import BROKEN, rows_down
from sim.figures.greso_runs import (
    DS,
    FEW,
    FILLED,
    GRESO,
    LABELS,
    LOOKS,
    MILLION,
    ORDER,
    PACES,
    RELEASED,
    ROLLOUTS,
    SIZED,
    STEPS,
    WHOLE,
    Setting,
    saving,
    spent,
)
from sim.figures.layout import COLUMN, grid, legend_below

ADAPTIVE = (DS, SIZED, WHOLE, GRESO, RELEASED)
TARGETS: Mapping[str, float] = MappingProxyType(
    {f"{GRESO},target=0": 0.0, GRESO: 0.25, f"{GRESO},target=0.5": 0.5}
)


def adaptive_batch(fraction: float) -> Drawn:
    """Rollouts with and without skipping, with and without sized orders."""
    setting = Setting(fraction=fraction, drawn=FEW)
    figure, ((panel,),) = grid(COLUMN, 3.4)
    records = [_bars(panel, setting, who, place) for place, who in enumerate(ADAPTIVE)]
    rows_down(panel, [LABELS[who] for who in ADAPTIVE])
    panel.set(xlabel="rollouts in 1,000 steps (millions)", xlim=0.0)
    legend_below(figure, [panel], 2)
    alone = [saving(setting, pace, SIZED).value for pace in PACES]
    skip = [saving(setting, pace, WHOLE).value for pace in PACES]
    both = [saving(setting, pace).value for pace in PACES]
    return Drawn(
        figure=figure,
        numbers=pd.concat(records),
        remarks=f"At the two paces, sized orders alone save a factor of {alone[0]:.2f} and"
        f" {alone[1]:.2f}, skipping alone {skip[0]:.2f} and {skip[1]:.2f}, both together"
        f" {both[0]:.2f} and {both[1]:.2f}.",
    )


def _bars(panel: Axes, setting: Setting, who: str, place: int) -> pd.DataFrame:
    """A strategy's rollouts at both paces, with intervals."""
    records: list[dict[str, object]] = []
    for pace in PACES:
        found = mean(spent(setting, who, pace))
        panel.barh(
            place + (-0.2 if pace == 1 else 0.2),
            found.value,
            height=0.36,
            color=LOOKS[who].color if FILLED[pace] else "white",
            edgecolor=LOOKS[who].color,
            hatch="" if FILLED[pace] else "////",
            xerr=(found.high - found.low) / 2.0,
            error_kw={"linewidth": 1.0},
            label=f"pace {pace}" if place == 0 else "",
        )
        records.append(
            {
                "of": LABELS[who],
                "pace": pace,
                "rollouts_millions": found.value,
                "low": found.low,
                "high": found.high,
            }
        )
    return pd.DataFrame(records)


def target(fraction: float) -> Drawn:
    """GRESO's rollouts by the share of zero-variance groups that it aims at."""
    setting = Setting(fraction=fraction, drawn=FEW)
    figure, ((panel,),) = grid(COLUMN, 3.0)
    records: list[dict[str, float]] = []
    for pace in PACES:
        found = [mean(spent(setting, who, pace)) for who in TARGETS]
        records += [
            {
                "target": goal,
                "pace": pace,
                "rollouts_millions": e.value,
                "low": e.low,
                "high": e.high,
            }
            for goal, e in zip(TARGETS.values(), found, strict=True)
        ]
        look, goals = LOOKS[GRESO], [100.0 * goal for goal in TARGETS.values()]
        panel.errorbar(
            goals,
            [e.value for e in found],
            yerr=[(e.high - e.low) / 2.0 for e in found],
            color=look.color,
            marker=look.marker,
            markerfacecolor=look.color if FILLED[pace] else "white",
            linestyle="-" if pace == 1 else BROKEN,
            capsize=3,
            label=f"pace {pace}",
        )
    panel.set(xlabel="target share of zero-variance groups (%)", xticks=[0, 25, 50])
    panel.set(ylabel="rollouts in 1,000 steps (M)", ylim=(0.0, 4.2))
    panel.axhline(
        ORDER * ROLLOUTS * STEPS / MILLION,
        color="#555555",
        linewidth=1.0,
        linestyle=(0, (1, 2)),
        label="one order of 384 a step",
    )
    legend_below(figure, [panel], 2)
    numbers = pd.DataFrame(records)
    change = numbers.groupby("pace")["rollouts_millions"].agg(lambda x: x.max() / x.min() - 1.0)
    return Drawn(
        figure=figure,
        numbers=numbers,
        remarks=f"Between targets of 0 and 50 % rollouts change by {100 * change[1]:.1f} % at"
        f" the pace of Figure 3(a) and by {100 * change[3]:.1f} % at three times that: the"
        " cost of one order a step hides the target.",
    )

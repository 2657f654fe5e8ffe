r"""GRESO's Table 2: hours of rollout, training and the rest, through the cost model.

The rollouts of Table 1, generated in full rounds of a whole order, at the prices that
`sim.costs` fitted to this very table: *one* number per model for the hours of both runs.
Their geometric mean is therefore no prediction; their ratio is, as the model knows nothing of a
run but its rollouts. Training is that of 1,000 steps, the same for both.

Pass rates are not published; 4 of 10 rollouts pass, as the prices assume.
"""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from report.style import looks
from sim.costs import Costs
from sim.figures.entry import Drawn, Value
from sim.figures.greso_runs import DS, GRESO, GROUPS, PACES, ROLLOUTS, STEPS, Setting, runs
from sim.figures.greso_table1 import BATCHES, rows_of_table_1
from sim.figures.layout import PAGE, grid, legend_below
from theory.published import table

PRESETS = {
    "Qwen2.5-Math-1.5B": "greso-1.5b",
    "R1-Distill-Qwen-1.5B": "greso-r1-1.5b",
    "Qwen2.5-Math-7B": "greso-7b",
}
PASSING = 0.4
PER_UPDATE = 64  # groups of an optimizer update
RUNS = ("DS", "GRESO")
ROUNDED = 0.05  # millions of rollouts, and ratios, in print


class Hours(NamedTuple):
    """Hours of a run."""

    rollout: float
    training: float
    other: float

    @property
    def total(self) -> float:
        """All hours."""
        return sum(self)


def modelled(model: str, millions: float) -> Hours:
    """Hours of 1,000 training steps with so many rollouts."""
    costs = Costs.preset(PRESETS[model])
    groups = BATCHES.get(model, GROUPS)
    order, trained = 3 * groups // 2 * ROLLOUTS, groups * ROLLOUTS
    a_round = costs.generation_seconds(order, round(PASSING * order))
    updates = groups // PER_UPDATE
    a_step = costs.training_seconds(trained, round(PASSING * trained), updates)
    training = (a_step - costs.other_seconds) * STEPS
    rollout = millions * 1e6 / order * a_round
    return Hours(
        *(seconds / 3600 for seconds in (rollout, training, costs.other_seconds * STEPS))
    )


def printed(model: str, run: str) -> Hours:
    """Hours in print, by their parts."""
    row = _row(model, run)
    return Hours(*(float(row[f"{part}_hours"]) for part in Hours._fields))


def _row(model: str, run: str) -> dict[str, str]:
    rows = table("greso_table2")
    return next(row for row in rows if (row["model"], row["run"]) == (model, run))


def _printed_ratio(model: str, part: str) -> float:
    """Hours of DS over those of GRESO, of a part or in total."""
    hours = [float(_row(model, run)[f"{part}_hours"]) for run in RUNS]
    return hours[0] / hours[1]


def spent(model: str) -> tuple[float, float]:
    """Rollouts in print of DS and of GRESO on DAPO+MATH, in millions."""
    return next(row[2:4] for row in rows_of_table_1() if row[:2] == (model, "DAPO+MATH"))


def both(model: str) -> dict[str, Hours]:
    """Modelled hours of DS and of GRESO on DAPO+MATH."""
    pairs = zip(RUNS, spent(model), strict=True)
    return {run: modelled(model, millions) for run, millions in pairs}


def table_2(fraction: float) -> Drawn:
    """Stacked hours in print and through the cost model."""
    figure, axes = grid(PAGE, 3.4, 1, 3)
    records: list[dict[str, object]] = []
    for panel, model in zip(axes[0], PRESETS, strict=True):
        made = both(model)
        bars = {
            f"{run}\n{of}": hours
            for run in RUNS
            for of, hours in (("print", printed(model, run)), ("model", made[run]))
        }
        _stack(panel, bars)
        panel.set_title(model.replace("Qwen2.5-", ""))
        records += [
            _record(model, *bar.split("\n"), hours=hours) for bar, hours in bars.items()
        ]
    axes[0][0].set_ylabel("hours")
    legend_below(figure, axes[0][:1], 3)
    values = [value for model in PRESETS for value in values_of(model)]
    return Drawn(
        figure=figure,
        numbers=pd.DataFrame(records),
        values=[*values, _simulated(Setting(fraction=fraction))],
        remarks=_remarks(),
    )


def _record(model: str, run: str, of: str, hours: Hours) -> dict[str, object]:
    return {"model": model, "run": run, "of": of, **hours._asdict(), "total": hours.total}


def _stack(panel: Axes, bars: dict[str, Hours]) -> None:
    """Bars of one model, in the colour of their run, parts told apart by hatching."""
    named = looks(["dynamic", "greso"])
    colors = {"DS": named["dynamic"].color, "GRESO": named["greso"].color}
    for place, (bar, hours) in enumerate(bars.items()):
        bottom = 0.0
        for part, hatch, alpha in (
            ("rollout", "", 1.0),
            ("training", "////", 0.5),
            ("other", "....", 0.25),
        ):
            height = getattr(hours, part)
            panel.bar(
                place + 0.15 * (place % 2 == 0),
                height,
                bottom=bottom,
                width=0.75,
                color=colors[bar.split("\n")[0]],
                alpha=alpha,
                hatch=hatch,
                edgecolor="white",
                label=part if place == 0 else "",
            )
            bottom += height
    panel.set_xticks(
        [place + 0.15 * (place % 2 == 0) for place in range(len(bars))], bars, fontsize=7.5
    )
    panel.grid(visible=False, axis="x")


def values_of(model: str) -> list[Value]:
    """Ratios of the two runs, which are predicted, and hours, which were fitted."""
    made = both(model)
    said = {part: _printed_ratio(model, part) for part in ("rollout", "total")}
    rounding = sum(ROUNDED / millions for millions in spent(model))
    ratios = [
        Value(
            what=f"hours of DS over GRESO's, {part}, {model}",
            published=said[part],
            here=getattr(made["DS"], part) / getattr(made["GRESO"], part),
            tolerance=rounding + 0.01,
            against="ratio",
            note="rollouts in print are rounded to .1 M, hours to .1",
        )
        for part in ("rollout", "total")
    ]
    hours = [
        Value(
            what=f"total hours of {run}, {model}",
            published=float(_row(model, run)["total_hours"]),
            here=made[run].total,
            tolerance=0.1,
            against="ratio",
            note="one price fitted to both runs; a tenth allowed",
        )
        for run in RUNS
    ]
    return ratios + hours


def _simulated(setting: Setting) -> Value:
    """The ratio of total hours of simulated runs, whose rounds have the sizes they had."""
    hours = {
        (who, pace): runs(setting, who, pace)["seconds"][:, -1].mean()
        for who in (DS, GRESO)
        for pace in PACES
    }
    slow, fast = (hours[DS, pace] / hours[GRESO, pace] for pace in PACES)
    return Value(
        what="total hours of DS over GRESO's, Qwen2.5-Math-7B, simulated runs",
        published=_printed_ratio("Qwen2.5-Math-7B", "total"),
        here=float(slow),
        tolerance=abs(float(fast / slow) - 1.0),
        against="ratio",
        note="rollouts, rounds and passes of simulated runs at the 7B's prices, and what three"
        " times the pace changes",
    )


def _remarks() -> str:
    """Where the ratios of the model and of the table part."""
    parts: list[str] = []
    for model in PRESETS:
        made, theirs = both(model), _printed_ratio(model, "rollout")
        mine = made["DS"].rollout / made["GRESO"].rollout
        parts.append(f"{mine:.2f} for {theirs:.2f} ({model})")
    return (
        "Rollout hours of DS over GRESO's, modelled for printed: "
        + ", ".join(parts)
        + ". Where"
        " the two differ, rollouts of the two runs did not take the same time each; no model"
        " that counts them can follow."
    )

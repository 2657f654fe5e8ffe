"""GRESO's Table 1, in rollouts: what dynamic sampling spent over what GRESO spent.

Every row at the sizes of its run (batches of 128 groups for R1-Distill, 30,000 prompts of
Open-R1), all in the population of Figure 3(a), the one that is known. Rows of the table are for
the checkpoint with the best average of either run, whose training step is not stated.
"""

import numpy as np
import pandas as pd

from report.aggregate import Estimate, mean
from sim.figures.entry import Drawn, Value
from sim.figures.greso_marks import PRINTED, dot, rows_down
from sim.figures.greso_runs import (
    CHUNK,
    FEW,
    GRESO,
    GROUPS,
    MILLION,
    ORDER,
    PACES,
    ROLLOUTS,
    STEPS,
    Setting,
    open_to,
    saving,
    spent,
)
from sim.figures.layout import PAGE, grid, legend_below
from theory.published import table

PROMPTS = {"DAPO+MATH": 25417, "Open-R1": 30000}
BATCHES = {"R1-Distill-Qwen-1.5B": 128}  # groups per training batch; 256 for the others


def rows_of_table_1() -> list[tuple[str, str, float, float, float]]:
    """Model, data, rollouts in millions of DS and of GRESO, and their ratio in print."""
    rows = table("greso_table1")
    return [
        (
            one["model"],
            one["data"],
            float(one["rollouts_millions"]),
            float(other["rollouts_millions"]),
            float(one["printed_ratio"]),
        )
        for one, other in zip(rows[::2], rows[1::2], strict=True)
    ]


def setting_of(model: str, data: str, fraction: float) -> Setting:
    """Sizes of a row of Table 1."""
    groups, prompts = BATCHES.get(model, GROUPS), PROMPTS[data]
    return Setting(groups=groups, prompts=prompts, fraction=fraction, drawn=FEW)


def table_1(fraction: float) -> Drawn:
    """Rollouts of DS over GRESO's, and GRESO's beside what one order a step comes to."""
    figure, axes = grid(PAGE, 3.6, 1, 2, sharey="all")
    ratios, millions = axes[0]
    printed = rows_of_table_1()
    names = [f"{model.removeprefix('Qwen2.5-')}\n{data}" for model, data, *_ in printed]
    records: list[dict[str, object]] = []
    for place, (model, data, *_, theirs, said) in enumerate(printed):
        setting = setting_of(model, data, fraction)
        for pace in PACES:
            found, own = saving(setting, pace), mean(spent(setting, GRESO, pace))
            dot(ratios, found, place, pace)
            dot(millions, own, place, pace)
            records.append(_record(model, data, pace, found, own))
        ratios.plot(said, place, label="" if place else "published", **PRINTED)
        millions.plot(theirs, place, **PRINTED)
        floor = np.array([ORDER, ORDER + CHUNK - 1]) * ROLLOUTS * STEPS / MILLION
        floor *= setting.groups / GROUPS
        millions.fill_betweenx([place - 0.4, place + 0.4], *floor, color="#dddddd", linewidth=0)
        records.append(
            {"model": model, "data": data, "of": "published", "ratio": said, "greso": theirs}
        )
    rows_down(ratios, names)
    ratios.axvline(1.0, color="#555555", linewidth=1.0)
    ratios.set(xlabel="rollouts of DS over GRESO's", title="ratio")
    millions.set(xlabel="rollouts (millions)", title="GRESO; grey: one order a step", xlim=0.0)
    legend_below(figure, [ratios], 3)
    numbers = pd.DataFrame(records)
    return Drawn(
        figure=figure,
        numbers=numbers,
        values=_table_1_values(fraction),
        remarks=_table_1_remarks(numbers),
    )


def _record(
    model: str, data: str, pace: int, found: Estimate, own: Estimate
) -> dict[str, object]:
    return {
        "model": model,
        "data": data,
        "of": f"simulated, pace {pace}",
        "ratio": found.value,
        "low": found.low,
        "high": found.high,
        "greso": own.value,
        "greso_low": own.low,
        "greso_high": own.high,
    }


def _table_1_values(fraction: float) -> list[Value]:
    """Ratios of all rows, and GRESO's rollouts where a checkpoint near the end was the best."""
    values: list[Value] = []
    for model, data, _, theirs, said in rows_of_table_1():
        setting, where = setting_of(model, data, fraction), f"{model} on {data}"
        found = saving(setting, 1)
        values.append(
            Value(
                what=f"rollouts of DS over GRESO's, {where}",
                published=said,
                here=found.value,
                tolerance=open_to(found, saving(setting, 3).value, 0.05),
                against="ratio",
                note="in print at the best checkpoint of either run, here after 1,000 steps;"
                " the population is that of Fig. 3(a), whatever the model",
            )
        )
        if data == "DAPO+MATH":
            own, fast = mean(spent(setting, GRESO, 1)), spent(setting, GRESO, 3).mean()
            values.append(
                Value(
                    what=f"rollouts of GRESO, {where} (millions)",
                    published=theirs,
                    here=own.value,
                    tolerance=open_to(own, float(fast), 0.05),
                    against="ratio",
                    note="here after 1,000 steps; the step of the best checkpoint is not told",
                )
            )
    return [*values, _pace_of_figure_1(Setting(fraction=fraction))]


def _pace_of_figure_1(setting: Setting) -> Value:
    """Rollouts of GRESO per training step, from the points 50 steps apart of Figure 1."""
    runs = [
        row for row in table("greso_fig1") if (row["model"], row["run"]) == ("1.5B", "greso")
    ]
    points = [float(row["rollouts_millions"]) for row in runs]
    steps = 50 * (len(points) - 1)
    own, fast = (mean(spent(setting, GRESO, pace)) for pace in PACES)
    return Value(
        what="rollouts of GRESO a training step, Qwen2.5-Math-1.5B on DAPO+MATH, by Fig. 1",
        published=MILLION * (points[-1] - points[0]) / steps,
        here=MILLION * own.value / STEPS,
        tolerance=open_to(own, fast.value, 2 * 0.02 * STEPS / steps),
        against="ratio",
        note=f"{len(points)} points 50 steps apart, read off the image to .02 M; the table's"
        " 3.3 M is the last of them",
    )


def _table_1_remarks(numbers: pd.DataFrame) -> str:
    """What the table's ratios have in common."""
    made = numbers[numbers["of"] != "published"]
    low, high = made["ratio"].min(), made["ratio"].max()
    wide = made[made["model"] != "R1-Distill-Qwen-1.5B"]["greso"]
    return (
        f"Simulated ratios lie between {low:.2f} and {high:.2f} and depend on how fast prompts"
        " become zero-variance, which the table does not tell. GRESO's own rollouts hardly"
        f" do: {wide.min():.2f} to {wide.max():.2f} M at batches of 256 groups, about one"
        " order a step, which is the least. The published 3.3 M and 1.6 M on DAPO+MATH are"
        " that floor; 6.3 M of the 7B are about two orders a step."
    )

r"""Table 1 of CurES: what can be recomputed from its 144 accuracies without any model.

The accuracies themselves need the runs (arXiv 2510.01037, 150 training steps of
Qwen2.5-Math-1.5B and -7B on 8 GPUs). From print alone:

- the average of each row;
- how much luck an average holds. Each benchmark's accuracy has a standard error of about
  $\sqrt{a(1-a)/P}$ for its P prompts, whatever the number of runs over them;
- whether an accuracy can have been counted: P prompts in R runs give multiples of 1/(PR).

The numbers of prompts are the benchmarks' own; that nearly all accuracies are multiples of
1/(PR) confirms them: by luck, one in 20 would be for AIME.
"""

from collections.abc import Mapping
from math import sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from report.aggregate import Estimate
from report.style import looks
from sim.figures.across_draw import column, dot, legend, rows
from sim.figures.entry import Drawn, Entry, Value
from theory.published import table

PROMPTS: Mapping[str, tuple[int, int]] = MappingProxyType(  # prompts and runs over them
    {
        "MATH500": (500, 1),
        "GSM8K": (1319, 1),
        "GAO23": (385, 1),
        "Minerva": (272, 1),
        "Olympiad": (675, 1),
        "AIME24": (30, 16),
        "AIME25": (30, 16),
        "AMC23": (40, 16),
    }
)
METHODS = tuple(
    f"{who}{kind}" for who in ("", "SPEED-", "GVM-", "CurES-") for kind in ("GRPO", "RPP")
)
SYSTEMS = {"SPEED": "speed", "GVM": "gvm", "CurES": "cures"}


def countable(printed: float, prompts: int, runs: int) -> bool:
    """Whether some number of passes gives this percentage, printed with two decimals."""
    total = prompts * runs
    nearest = round(printed / 100.0 * total)
    return abs(100.0 * nearest / total - printed) <= 0.005 + 1e-9


def average_error(accuracies: Mapping[str, float]) -> float:
    """Standard error of a row's average over benchmarks of such prompts, in points."""
    squares = [
        a / 100.0 * (1.0 - a / 100.0) / PROMPTS[name][0] for name, a in accuracies.items()
    ]
    return 100.0 * sqrt(sum(squares)) / len(squares)


def table1(fraction: float) -> Drawn:
    """CurES's Table 1: averages recomputed, with the luck they hold."""
    del fraction
    found = pd.DataFrame([_row(row) for row in table("cures_table1")])
    lines: list[dict[str, Any]] = found.to_dict("records")
    with column(3.9) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for panel, model in zip(panels, ("1.5B", "7B"), strict=True):
            rows(panel, METHODS)
            for line in lines:
                if (line["model"], line["method"]) not in {(model, name) for name in METHODS}:
                    continue
                name, reach = str(line["method"]), float(ndtri(0.975)) * line["error"]
                system = SYSTEMS.get(name.split("-", maxsplit=1)[0], "uniform")
                mean = line["recomputed"]
                estimate = Estimate(mean, mean - reach, mean + reach)
                hollow = name.endswith("RPP")
                kind = "REINFORCE++ (RPP)" if hollow else "GRPO"
                look = looks([system])[system]
                label = kind if system == "uniform" else ""
                dot(panel, estimate, float(METHODS.index(name)), look, label, hollow=hollow)
            panel.set_title(f"Qwen2.5-Math-{model}")
            panel.set_xlabel("mean accuracy (%)")
        legend(figure, panels, 2)
    values = [
        Value(
            what=f"{line['model']} {line['method']}: mean of eight accuracies, %",
            published=line["printed"],
            here=line["recomputed"],
            tolerance=0.005,
            note="rounding of the printed mean",
        )
        for line in lines
    ]
    return Drawn(figure=figure, numbers=found, values=values, remarks=_moral(found))


def _row(row: Mapping[str, str]) -> dict[str, object]:
    accuracies = {name: float(row[name]) for name in PROMPTS}
    odd = [name for name, a in accuracies.items() if not countable(a, *PROMPTS[name])]
    return {
        "model": row["model"],
        "method": row["method"],
        "printed": float(row["average"]),
        "recomputed": float(np.mean(list(accuracies.values()))),
        "error": average_error(accuracies),
        "not_countable": " ".join(odd),
    }


def _moral(found: pd.DataFrame) -> str:
    by = found.set_index(["model", "method"])
    gains = [
        f"{model} {kind} {by.loc[(model, f'CurES-{kind}'), 'recomputed'] - best:+.2f}"
        for model in ("1.5B", "7B")
        for kind in ("GRPO", "RPP")
        for best in [
            max(by.loc[(model, f"{who}{kind}"), "recomputed"] for who in ("", "SPEED-", "GVM-"))
        ]
    ]
    odd = " ".join(found["not_countable"]).split()
    error = found["error"].max()
    return (
        f"CurES less the best other run of its model and estimator: {', '.join(gains)} points. "
        "Intervals are for new prompts of the same kind (standard error up to "
        f"{error:.1f} points;"
        " methods meet the same prompts, so differences have less), one training seed each. "
        f"{len(odd)} of {len(found) * len(PROMPTS)} accuracies are no whole number of "
        "passes of "
        "the benchmark's prompts and runs."
    )


FIGURES: dict[str, Entry] = {
    "cures-table1": Entry(
        paper="CurES",
        title="Accuracies of eight benchmarks: averages recomputed, and the luck in them",
        source="Table 1, arXiv 2510.01037",
        how="published data",
        seconds=0.3,
        make=table1,
    ),
    "cures-accuracies": Entry(
        paper="CurES",
        title="The accuracies of Table 1, and MATH500 over training steps",
        source="Table 1 and Figures 2, 5, 6, 9 and 10, arXiv 2510.01037",
        how=None,
        missing="needs the runs of Qwen2.5-Math-1.5B and -7B: 150 training steps each on "
        "8 GPUs; "
        "the curves' values cannot be read. cures-2, cures-5 and cures-6 simulate what the "
        "curves are used for.",
    ),
    "cures-gvm-table1": Entry(
        paper="CurES",
        title="GVM's accuracies on five benchmarks",
        source="Table 1, arXiv 2505.02391 (GVM-RAFT)",
        how=None,
        missing="needs the runs of Qwen2.5-Math-1.5B and -7B; the accuracies of the five "
        "benchmarks "
        "are not at hand to recompute their averages",
    ),
}

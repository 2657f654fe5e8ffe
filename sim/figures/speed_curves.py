"""SPEED's accuracy curves from the authors' logs: main figure, appendix figure, teaser."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.style import Look, looks
from sim.figures.entry import Drawn, Entry, Value
from sim.figures.layout import COLUMN, PAGE, grid, legend_below, level
from sim.figures.speed_logs import target
from theory.checks.speed_logs import as_logged, averaged
from theory.published import BENCHMARKS, speed_curve, speed_pairs

PAPER = "SPEED, arXiv 2506.09016 (withdrawn)"
LOGS = "logs of Zanette-Labs/speed-rl @ cc3de63"
READ = 0.01  # error of reading a value off a figure
TEASER = {"start": 0.248, "SPEED": 0.553, "base": 0.524}  # mean accuracy, at 0 h and at 10 h
Pair = tuple[str, str, str]
UNTIL = {("1.5B", "NuminaMath", "RLOO"): 10.0}  # hours shown where the rest have 12 or 24
Rows = list[dict[str, str | float]]


def styles(algo: str) -> dict[str, Look]:
    """The baseline's colour is that of its rule of selection; SPEED's is its own."""
    named = looks(("speed", "uniform", "dynamic"))
    base = named["dynamic" if algo == "DAPO" else "uniform"]
    return {"base": base, "SPEED": named["speed"]}


def _pair(panel: Axes, pair: Pair, benchmark: str, *, smooth: bool, until: float) -> Rows:
    """Draws both curves of a setting on a benchmark, up to some hours; the points drawn."""
    rows: Rows = []
    for variant, look in styles(pair[2]).items():
        hours, values = _read((*pair, variant), benchmark, smooth=smooth, until=until)
        panel.plot(
            hours,
            values,
            color=look.color,
            marker=look.marker,
            markersize=2.6,
            markevery=max(1, hours.size // 8),
            linewidth=1.2,
            label=pair[2] if variant == "base" else "with SPEED",
        )
        same = {"setting": " ".join(pair), "variant": variant, "benchmark": benchmark}
        points = zip(hours.tolist(), values.tolist(), strict=True)
        rows += [same | {"hours": hour, "accuracy": value} for hour, value in points]
    level(panel, target(pair[0], benchmark), label="target")
    panel.set_xlim(0.0, until)
    return rows


def _read(
    run: tuple[str, str, str, str], benchmark: str, *, smooth: bool, until: float
) -> tuple[Float[np.ndarray, "E"], Float[np.ndarray, "E"]]:
    """Hours and accuracy of a run, up to some hours."""
    logged = speed_curve(run)
    values = logged[:, 2 + BENCHMARKS.index(benchmark)]
    shown = logged[:, 1] <= until
    read = averaged if smooth else as_logged
    return logged[shown, 1], read(logged[:, 1], values)[shown]


def main(_: float) -> Drawn:
    """Four benchmarks of 7B on DeepScaleR, RLOO above and DAPO below, as logged."""
    drawing, panels = grid(PAGE, 3.6, rows=2, columns=4, sharex="all", sharey="col")
    rows: Rows = []
    for line, algo in zip(panels, ("RLOO", "DAPO"), strict=True):
        for panel, benchmark in zip(line, BENCHMARKS, strict=True):
            pair = ("7B", "DeepScaleR", algo)
            rows += _pair(panel, pair, benchmark, smooth=False, until=10.0)
            panel.set_title(f"{benchmark}, {algo}")
    for panel in panels[-1]:
        panel.set_xlabel("hours")
    drawing.supylabel("accuracy", fontsize=9)
    legend_below(drawing, (panels[0][0], panels[1][0]), columns=4)
    ahead, total = _ahead(rows)
    return Drawn(
        figure=drawing,
        numbers=pd.DataFrame(rows),
        remarks=f"At the last evaluation within 10 h SPEED is ahead in {ahead} of {total}"
        " panels. One seed per run; SPEED made six optimizer updates per training step, its"
        " baseline one.",
    )


def _ahead(rows: Rows) -> tuple[int, int]:
    """In how many panels SPEED's last point is above its baseline's, and of how many."""
    last = {(r["setting"], r["benchmark"], r["variant"]): float(r["accuracy"]) for r in rows}
    panels = {key[:2] for key in last}
    return sum(last[*p, "SPEED"] > last[*p, "base"] for p in panels), len(panels)


def appendix(_: float) -> Drawn:
    """All seven settings by four benchmarks, smoothed as in the paper."""
    pairs = list(speed_pairs())
    drawing, panels = grid(PAGE, 8.8, rows=len(pairs), columns=4, sharex="row")
    rows: Rows = []
    for line, pair in zip(panels, pairs, strict=True):
        until = UNTIL.get(pair, 12.0 if pair[0] == "1.5B" else 24.0)
        for panel, benchmark in zip(line, BENCHMARKS, strict=True):
            rows += _pair(panel, pair, benchmark, smooth=True, until=until)
            panel.tick_params(labelsize=7)
            panel.set_xticks(np.linspace(0.0, until, 3))
        line[0].set_ylabel(f"{pair[0]} {pair[2]}\n{pair[1]}", fontsize=8)
    for top, bottom, benchmark in zip(panels[0], panels[-1], BENCHMARKS, strict=True):
        top.set_title(benchmark)
        bottom.set_xlabel("hours")
    drawing.supylabel("accuracy, exponential average (.6 replaced per hour)", fontsize=9)
    legend_below(drawing, (panels[0][0], panels[1][0]), columns=4)
    where, change = largest_loss()
    said = f"{change:+.3f}".replace("-", "−")
    return Drawn(
        figure=drawing,
        numbers=pd.DataFrame(rows),
        remarks="Mean of the last three evaluations at equal hours, SPEED less its baseline: at"
        f" worst {said} ({where}), which Table 1 cannot show.",
    )


def largest_loss() -> tuple[str, float]:
    """Where SPEED ends lowest below its baseline, and by how much."""
    losses = {
        f"{' '.join(pair)}, {benchmark}": float(change)
        for pair in speed_pairs()
        for benchmark, change in zip(BENCHMARKS, late_change(pair), strict=True)
    }
    worst = min(losses, key=lambda name: losses[name])
    return worst, losses[worst]


def late_change(pair: Pair) -> Float[np.ndarray, "4"]:
    """SPEED less base: mean of the last three evaluations both runs had the hours for."""
    runs = [speed_curve((*pair, variant)) for variant in ("base", "SPEED")]
    end = min(run[-1, 1] for run in runs)
    base, speed = (run[run[:, 1] <= end][-3:, 2:].mean(axis=0) for run in runs)
    return speed - base


def teaser(_: float) -> Drawn:
    """Mean accuracy of the four 7B settings over four benchmarks, against hours."""
    hours = np.linspace(0.0, 10.0, 401)
    base, speed = (mean_7b(hours, variant) for variant in ("base", "SPEED"))
    drawing, ((panel,),) = grid(COLUMN, 2.5)
    named = styles("RLOO")
    panel.plot(hours, base, color=named["base"].color, label="RLOO and DAPO")
    panel.plot(hours, speed, color=named["SPEED"].color, label="with SPEED")
    ends = (("start", 0.0, "SPEED"), ("SPEED", 10.0, "SPEED"), ("base", 10.0, "base"))
    for name, hour, variant in ends:
        _printed(panel, hour, TEASER[name], named[variant], label="" if hour else "printed")
    panel.set(xlabel="training time (h)", ylabel="mean accuracy", xlim=(-0.25, 10.3))
    panel.legend(loc="lower right")
    needed = float(hours[(speed >= base[-1]).argmax()])
    return Drawn(
        figure=drawing,
        numbers=pd.DataFrame({"hours": hours, "base": base, "SPEED": speed}),
        values=_teaser_values(base, speed, 10.0 / needed),
        remarks=f"SPEED is at the baselines' level of 10 h after {needed:.1f} h. The level"
        " itself is lower than printed throughout: the printed mean is weighted otherwise.",
    )


def _printed(panel: Axes, hour: float, accuracy: float, look: Look, *, label: str) -> None:
    panel.plot(
        hour, accuracy, look.marker, color=look.color, markerfacecolor="white", label=label
    )


def mean_7b(hours: Float[np.ndarray, "T"], variant: str) -> Float[np.ndarray, "T"]:
    """Mean accuracy of the 7B runs over benchmarks, all weighing the same."""
    runs = [speed_curve((*pair, variant)) for pair in speed_pairs() if pair[0] == "7B"]
    curves = [np.interp(hours, run[:, 1], run[:, j]) for run in runs for j in range(2, 6)]
    return np.mean(curves, axis=0)


def _teaser_values(
    base: Float[np.ndarray, "T"], speed: Float[np.ndarray, "T"], ratio: float
) -> list[Value]:
    note = f"{PAPER}, project page, read off the image; its weighting is not stated"
    here = {"start": speed[0], "SPEED": speed[-1], "base": base[-1]}
    what = {"start": "at the start", "SPEED": "at 10 h, SPEED", "base": "at 10 h, baselines"}
    return [
        Value(
            what="hours of the baseline per hour of SPEED, at the level of 10 h",
            published=4.0,
            here=ratio,
            tolerance=0.5,
            note=f"{PAPER}, project page: about 4 times; rounding",
        ),
        *(
            Value(
                what=f"mean accuracy {what[name]}",
                published=printed,
                here=float(here[name]),
                tolerance=READ,
                note=note,
            )
            for name, printed in TEASER.items()
        ),
    ]


FIGURES: dict[str, Entry] = {
    "speed-main": Entry(
        paper="SPEED",
        title="Accuracy against hours, 7B on DeepScaleR, four benchmarks",
        source=f"{PAPER}, main results figure; {LOGS}",
        how="published data",
        make=main,
    ),
    "speed-appendix": Entry(
        paper="SPEED",
        title="Accuracy against hours, all seven settings, smoothed",
        source=f"{PAPER}, appendix figure; {LOGS}",
        how="published data",
        seconds=3.0,
        make=appendix,
    ),
    "speed-teaser": Entry(
        paper="SPEED",
        title="Mean accuracy of four 7B settings against hours",
        source=f"{PAPER}, project page; {LOGS}",
        how="published data",
        make=teaser,
    ),
}

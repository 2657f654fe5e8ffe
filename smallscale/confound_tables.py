"""What the update confound leaves in its folder: tables, plots and the environment.

| file | what |
|---|---|
| `runs.csv` | what every run paid for every target |
| `summary.csv` | every arm's costs, and ratios to uniform selection, with intervals |
| `shares.csv` | how much of a speedup a control has as well |
| `tables.md` | the same for a reader |
| `curves-SETTING.png`, `ratios.png`, `tuning.png` | the same in pictures |
| `environment.json` | versions, commit, device |
| `start.json` | pass counts before training, for the simulator; written where runs are made |
"""

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

import pandas as pd

from report import atomic, outputs, plots
from report.record import Record, load
from report.summary import write_csv
from selection.settings import SettingError, parse
from smallscale.confound import BASE, SETTINGS, TARGETS, Arm
from smallscale.confound_costs import SIMULATED, costs, shares, summary
from smallscale.confound_plots import curves, ratios, tuning
from smallscale.run_directory import environment

NOISY = 10.0  # |D|^2 of within-class variance from which a world stands for long rollouts
HEADS = {"step": "steps", "rollouts": "rollouts", "updates": "updates", "modelled": "seconds"}
Runs = Sequence[tuple[str, Arm, Record]]


def simulated(folder: Path) -> Iterator[tuple[str, Arm, Record]]:
    """The runs of a comparison in coupled worlds, each with the setting it stands for.

    Raises:
        SettingError: The folder holds no such comparison.
        CorruptRecord: A record is damaged.
    """
    files = sorted(folder.glob("cells/*/*/*.json"))
    if not files:
        raise SettingError(f"simulated={str(folder)!r} holds no comparison: no cells in it")
    for file in files:
        record = load(file)
        knobs = parse(record.world)[1]
        arm = Arm(strategy=record.strategy, updates=int(knobs.get("updates", "1")))
        yield _stands_for(knobs) + SIMULATED, arm, record


def write(network: Runs, coupled: Runs, out: Path) -> pd.DataFrame:
    """Write everything; the shares are returned.

    Raises:
        ValueError: The folder cannot be written.
    """
    outputs.prepare(out)
    runs = costs([*network, *coupled])
    compared, explained = summary(runs), shares(runs)
    for name, table in (("runs", runs), ("summary", compared), ("shares", explained)):
        write_csv(table, out / f"{name}.csv")
    atomic.write(out / "tables.md", markdown(compared, explained))
    atomic.write(out / "environment.json", json.dumps(environment(), indent=1) + "\n")
    for setting in dict.fromkeys(where for where, _, _ in network):
        atomic.write(out / f"curves-{setting}.png", plots.png(curves(network, setting)))
    atomic.write(out / "ratios.png", plots.png(ratios(runs)))
    if "adam" in set(runs["setting"]):
        atomic.write(out / "tuning.png", plots.png(tuning(runs)))
    return explained


def markdown(compared: pd.DataFrame, explained: pd.DataFrame) -> str:
    """The tables for a reader: costs, ratios at matched updates, shares."""
    parts: list[str] = []
    for setting in dict.fromkeys(compared["setting"]):
        here = compared.loc[compared["setting"] == setting, :]
        name = setting.removesuffix(SIMULATED)
        where = ", coupled world" if setting.endswith(SIMULATED) else ""
        title = f"{SETTINGS[name].told}{where}"
        for column, told in (
            ("cost", "cost"),
            ("apparent", f"relative to {BASE}"),
            ("matched", "relative to uniform at as many updates"),
        ):
            parts.append(f"### {title}: {told}\n\n{_table(here, column)}")
    lines = [
        "| setting | control | arm | target | seeds | share |",
        "|---|---|---|---|---|---|",
    ]
    for row in explained.to_dict("records"):
        share = _cell(row["share"], row["share_low"], row["share_high"])
        keys = ("setting", "control", "arm", "target", "seeds")
        lines.append("| " + " | ".join(str(row[key]) for key in keys) + f" | {share} |")
    parts.append("### Share of a speedup in steps that a control has\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _table(here: pd.DataFrame, column: str) -> str:
    """Arms down, currencies and targets across."""
    heads = [f"{name} to {target}" for name in HEADS.values() for target in TARGETS]
    lines = ["| arm | seeds | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
    for arm in dict.fromkeys(here["arm"]):
        part = here.loc[here["arm"] == arm, :].set_index(["currency", "target"])
        cells = [
            _cell(row[column], row[f"{column}_low"], row[f"{column}_high"])
            for row in (part.loc[(name, target), :] for name in HEADS for target in TARGETS)
        ]
        seeds = int(part["seeds"].max())
        lines.append(f"| {arm} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: float, low: float, high: float) -> str:
    """A number with its interval, if it has one."""
    if not isfinite(value):
        return "–"
    shown = [f"{x:,.0f}" if value >= 100 else f"{x:.3g}" for x in (value, low, high)]
    return shown[0] + (f" [{shown[1]}, {shown[2]}]" if isfinite(low) else "")


def _stands_for(knobs: dict[str, str]) -> str:
    """The setting of the network that a coupled world stands for."""
    if knobs.get("optimizer") == "sgd":
        return "sgd"
    if knobs.get("estimator") == "grpo":
        return "grpo"
    return "long" if float(knobs.get("pass_noise", "0")) >= NOISY else "adam"

"""What the update confound leaves in its folder: tables, plots and the environment.

| file | what |
|---|---|
| `runs.csv` | what every run paid for every target |
| `summary.csv` | every arm's costs, and ratios to uniform selection, with intervals |
| `shares.csv` | how much of a speedup a control has as well |
| `tables.md` | the same for a reader |
| `verdicts.md`, `verdicts.csv` | hypotheses of the log, and what became of them |
| `curves-SETTING.png`, `ratios.png`, `tuning.png` | the same in pictures |
| `environment.json` | versions, commit, device |
| `start.json` | pass counts before training, for the simulator; where they are exact |
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from report import atomic, outputs, plots
from report.record import Record, load
from report.summary import write_csv
from selection.settings import SettingError, parse
from smallscale.confound import Arm
from smallscale.confound_costs import SIMULATED, costs, shares, summary
from smallscale.confound_hypotheses import CLAIMS
from smallscale.confound_markdown import ruling, tables
from smallscale.confound_plots import curves, ratios, tuning
from smallscale.confound_verdicts import verdicts
from smallscale.run_directory import environment

NOISY = 10.0  # |D|^2 of within-class variance from which a world stands for long rollouts
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
    """Write everything; the verdicts are returned, a row per claim and target.

    Raises:
        ValueError: The folder cannot be written.
    """
    outputs.prepare(out)
    runs = costs([*network, *coupled])
    judged = verdicts(runs, CLAIMS)
    frames = {
        "runs": runs,
        "summary": summary(runs),
        "shares": shares(runs),
        "verdicts": judged,
    }
    for name, frame in frames.items():
        write_csv(frame, out / f"{name}.csv")
    atomic.write(out / "tables.md", tables(runs))
    atomic.write(out / "verdicts.md", ruling(judged))
    atomic.write(out / "environment.json", json.dumps(environment(), indent=1) + "\n")
    for setting in dict.fromkeys(where for where, _, _ in network):
        atomic.write(out / f"curves-{setting}.png", plots.png(curves(network, setting)))
    atomic.write(out / "ratios.png", plots.png(ratios(runs)))
    if "adam" in set(runs["setting"]):
        atomic.write(out / "tuning.png", plots.png(tuning(runs)))
    return judged


def _stands_for(knobs: dict[str, str]) -> str:
    """The setting of the network that a coupled world stands for."""
    if knobs.get("optimizer") == "sgd":
        return "sgd"
    if knobs.get("estimator") == "grpo":
        return "grpo"
    if float(knobs.get("pass_noise", "0")) >= NOISY:
        return "long"
    return "unclipped" if knobs.get("updates") == "6" and "clip" not in knobs else "adam"

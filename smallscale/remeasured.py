"""The constants of a run measured again while uniform selection trains it.

A simulated world is told what is measured before training and takes it for constant, or for a
function of pass rates. Here is what becomes of it: `measurement.summary` at chosen training
steps, with Adam's metric as uniform batches make it there. The same prompts are rolled out each
time, but only those with two passes and two failures tell of D, so that late in training a
family is told of by the prompts that have not been learned (`prompts` counts them).

Measuring changes nothing: the training steps are those of a run that is not measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report import atomic
from report.plots import png
from report.style import SHAPES, house
from report.summary import write_csv
from selection.checks import counts
from smallscale.assembly import assembled
from smallscale.config import Config
from smallscale.measurement import Measurement, summary
from smallscale.run_directory import RunDirectory
from smallscale.survey import survey
from smallscale.train import Trainer

COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#555555",
    "#882255",
)
WIDTH = 9.6  # inches


def remeasured(
    config: Config, steps: Sequence[int], cache: Path | None, **effort: int
) -> Iterator[tuple[int, Measurement]]:
    """The measurement before training and after each of some training steps, in their order.

    Args:
        config: The run.
        steps: Training steps.
        cache: Folder of warm-started models.
        effort: `seed`, `prompts`, `rollouts` and `batches` of `survey.survey`.

    Raises:
        ValueError: A number is wrong, the run ends before a step, or hardly any prompt both
            passes and fails.
    """
    for step in steps:
        counts(0, step=step)
    with assembled(config, cache=cache) as parts, TemporaryDirectory() as folder:
        place = RunDirectory(Path(folder))
        place.begin(config)
        trainer = Trainer.begin(parts, place)
        for step in sorted(set(steps) | {0}):
            said = trainer.run(until=step)
            if trainer.progress.step < step:
                raise ValueError(f"step={step} is never reached: the run {said}")
            yield step, summary(survey(parts, **effort))


def write(found: Sequence[tuple[int, Measurement]], out: Path) -> None:
    """Write remeasured.csv and remeasured.png.

    Raises:
        UnwritableError: One cannot be written.
    """
    rows = table(found)
    write_csv(rows, out / "remeasured.csv")
    with house():
        atomic.write(out / "remeasured.png", png(picture(rows)))


def table(found: Sequence[tuple[int, Measurement]]) -> pd.DataFrame:
    """A row per training step and family: what is measured of the family and of all."""
    rows = [
        {"step": step, "family": family["name"], **_numbers(whole), **_numbers(family)}
        for step, whole in ((step, asdict(one)) for step, one in found)
        for family in whole["families"]
    ]
    told = pd.DataFrame(rows)
    return told.astype(dict.fromkeys(told.columns.drop(["step", "family"]), float))


def _numbers(told: Mapping[str, Any]) -> dict[str, float | None]:
    """What was measured, without what was asked for; a family's numbers keep their names."""
    of_all = ("felt", "felt_low", "felt_high", "kept", "batch_snr", "cosine_within")
    of_one = ("share", "pass_rate", "log_odds", "prompts", "contrast", "fail_noise")
    of_one = (*of_one, "common", "transfer")
    return {name: told[name] for name in (of_one if "name" in told else of_all)}


def picture(rows: pd.DataFrame) -> Figure:
    """What prompts of a family share of D as its failures vanish, and noise along the way."""
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for i, (name, part) in enumerate(rows.groupby("family")):
        _family(left, str(name), part.dropna(subset="transfer"), COLORS[i % 8], SHAPES[i % 8])
    left.set(
        xlabel="1 / (1 - pass rate of the family)",
        ylabel="root of lr DᵢPDⱼ, two prompts of a family",
        ylim=(0.0, None),
    )
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    _noise(right, rows.groupby("step").first())
    return figure


def _family(place: Axes, name: str, part: pd.DataFrame, color: str, marker: str) -> None:
    """One family from its start, filled, along its training."""
    at = 1.0 / (1.0 - part["pass_rate"].to_numpy())
    height = np.sqrt(np.maximum(part["transfer"].to_numpy(), 0.0))
    place.plot(at, height, marker + "-", color=color, mfc="white", lw=0.8, ms=4, label=name)
    place.plot(at[:1], height[:1], marker, color=color, ms=6)


def _noise(place: Axes, rows: pd.DataFrame) -> None:
    """Batch SNR and chi over training steps."""
    place.plot(rows.index, rows["batch_snr"], "o-", color=COLORS[0], label="SNR of a batch")
    ends = rows["felt_low"], rows["felt_high"]
    reach = [rows["felt"] - ends[0], ends[1] - rows["felt"]]
    told: Mapping[str, Any] = {"fmt": "D-", "color": COLORS[1], "capsize": 3}
    place.errorbar(rows.index, rows["felt"], reach, label="χ, 95% interval", **told)
    place.set(xlabel="training step", yscale="log")
    place.legend()

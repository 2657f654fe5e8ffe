"""The command that predicts real runs from what was measured before them."""

import shlex
import sys
from dataclasses import dataclass, replace
from math import isinf
from pathlib import Path

import pandas as pd
import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from report import outputs
from report.currencies import CURRENCIES
from selection.settings import check_fraction
from sim import measurement, predict
from sim.learner import Learner
from sim.measured import Measured

STRATEGIES = ("uniform", "dynamic", "speed-released", "greso", "mopps", "cures")
HEADINGS = {currency.column: currency.heading for currency in CURRENCIES}


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Predict what strategies will cost in real runs, from a measurement made before them.

    Example: `passband predict measured.json --out docs/results/prediction/strings`.

    Attributes:
        measurement: JSON file of a measurement (see `sim.measurement`).
        strategies: Settings of strategies; uniform selection is what they are compared with.
        targets: Held-out pass rates to reach.
        groups: Groups per training batch, B.
        rollouts: Rollouts per group, N.
        prompts: Prompts in the data set, M.
        held_out: Held-out prompts.
        updates: Optimizer updates per training step.
        clip: How far importance ratios may leave 1, to the policy that generated a rollout as
            real runs have them; inf for no clipping.
        seeds: Simulated seeds.
        runs: Seeds of the real runs, which the intervals are meant for.
        doubt: Standard deviation of the world's own error, in logs.
        no_ceiling: Whether shared skill can bring every pass rate to 1, unlike `sim.ceiling`.
        fraction: Share of the seeds, for a quick look.
        out: Folder for predictions.csv and prediction.json.
    """

    measurement: tyro.conf.Positional[Path]
    strategies: tuple[str, ...] = STRATEGIES
    targets: tuple[float, ...] = (0.6, 0.7, 0.8)
    groups: int = 16
    rollouts: int = 16
    prompts: int = 2000
    held_out: int = 256
    updates: int = 1
    clip: float = 0.2
    seeds: int = 20
    runs: int = 5
    doubt: float = 0.1
    no_ceiling: bool = False
    fraction: float = 1.0
    out: Path = Path("out/predict")

    def run(self) -> None:
        """Simulate, print and write the predictions."""
        what = self.what()
        outputs.prepare(self.out)
        total = what.seeds * len(what.contestants)
        bar = tqdm(
            predict.simulated(what), total=total, unit="run", desc="predicting", disable=None
        )
        records = list(bar)
        command = shlex.join(("passband", *sys.argv[1:]))
        told = {"command": command, "measurement": measurement.digest(self.measurement)}
        Console(highlight=False).print(table(predict.write(records, what, self.out, told)))

    def what(self) -> predict.Prediction:
        """What is to be predicted.

        Raises:
            ValueError: An option is wrong, or the measurement cannot be read.
        """
        check_fraction(self.fraction)
        batch = {"groups": self.groups, "rollouts": self.rollouts}
        known = measurement.load(self.measurement, **batch)
        if self.no_ceiling:
            known = replace(known, ceiling=1.0)
        learner = Learner(
            groups=self.groups,
            rollouts=self.rollouts,
            updates=self.updates,
            ratio="behaviour",
            clip=None if isinf(self.clip) else (self.clip, self.clip),
        )
        world = Measured(
            constants=known, prompts=self.prompts, held_out=self.held_out, learner=learner
        )
        return predict.Prediction(
            world=world,
            name=f"measured: {self.measurement.stem}",
            strategies=self.strategies,
            targets=self.targets,
            seeds=max(2, round(self.fraction * self.seeds)),
            runs=self.runs,
            doubt=self.doubt,
        )


def table(found: pd.DataFrame) -> Table:
    """Predicted ratios for a terminal: strategies down, currencies across."""
    names = list(dict.fromkeys(str(name) for name in found["currency"]))
    title = "Predicted cost relative to uniform selection (95 % intervals)"
    heads = ("target", "strategy", *(HEADINGS[name] for name in names))
    shown = Table(*heads, title=title, box=box.SIMPLE_HEAD)
    cells: dict[tuple[float, str], dict[str, str]] = {}
    for row in found.to_dict("records"):
        text = f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
        cells.setdefault((row["target"], row["strategy"]), {})[row["currency"]] = text
    for (target, strategy), texts in cells.items():
        shown.add_row(f"{target:g}", strategy, *(texts[name] for name in names))
    return shown

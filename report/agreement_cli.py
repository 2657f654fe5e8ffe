"""The command that holds predictions against runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from report import agreement, atomic
from report.agreement_plot import agreement_plot
from report.currencies import CURRENCIES
from report.plots import png
from report.record import Record, load
from report.summary import write_csv

KINDS = ("predicted", "measured")
HEADINGS = {currency.column: currency.heading for currency in CURRENCIES}


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Hold predictions made before runs against the runs.

    Example: `passband judge docs/results/prediction/strings runs/strings`.

    Attributes:
        predicted: Folder with the `predictions.csv` of `passband predict`, or such a file.
        runs: Folders of runs, or folders of such folders.
        baseline: The strategy that ratios refer to.
        out: Folder for agreement, ranking, verdict and runs (all .csv) and agreement.png.
    """

    predicted: tyro.conf.Positional[Path]
    runs: tyro.conf.Positional[tuple[Path, ...]]
    baseline: str = "uniform"
    out: Path = Path("out/judge")

    def run(self) -> None:
        """Print how the prediction did, and write tables and picture."""
        predictions = agreement.load(predictions_file(self.predicted))
        targets = [float(x) for x in dict.fromkeys(predictions["target"])]
        runs = records(self.runs)
        found = agreement.measured(runs, targets, baseline=self.baseline)
        table = agreement.agreement(predictions, found)
        pairs = agreement.rankings(table, baseline=self.baseline)
        summary = agreement.verdicts(table, pairs)
        atomic.folder(self.out)
        tables = {"agreement": table, "ranking": pairs, "verdict": summary}
        for name, frame in (tables | {"runs": agreement.costs(runs, targets)}).items():
            write_csv(frame, self.out / f"{name}.csv")
        if "exact" in list(table["bound"]):
            atomic.write(self.out / "agreement.png", png(agreement_plot(table)))
        console = Console(highlight=False)
        console.print(side_by_side(table))
        console.print(how_it_did(summary))


def predictions_file(path: Path) -> Path:
    """The file of predictions that a folder or file stands for."""
    return path / "predictions.csv" if path.is_dir() else path


def records(folders: Iterable[Path]) -> list[Record]:
    """The records of runs in these folders, however deep.

    Raises:
        ValueError: A folder holds none.
    """
    found: list[Record] = []
    for folder in folders:
        files = sorted(folder.rglob("record.json"))
        if not files:
            raise ValueError(f"{folder} holds no run with an evaluation: no record.json")
        found += [load(file) for file in files]
    return found


def side_by_side(table: pd.DataFrame) -> Table:
    """Predicted beside measured ratios for a terminal."""
    heads = ("strategy", "currency", "target", *KINDS, "error", "inside")
    title = "Cost relative to the baseline: predicted before the runs, and measured"
    shown = Table(*heads, title=title, box=box.SIMPLE_HEAD)
    for row in table.to_dict("records"):
        two = [_ratio(row[k], row[f"{k}_low"], row[f"{k}_high"]) for k in KINDS]
        known = row["bound"] == "exact"
        error = f"{np.expm1(row['error']):+.0%}" if known else row["bound"]
        inside = ("yes" if row["inside"] else "no") if known else ""
        names = (row["strategy"], HEADINGS[row["currency"]], f"{row['target']:g}")
        shown.add_row(*names, *two, error, inside)
    return shown


def _ratio(value: float, low: float, high: float) -> str:
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def how_it_did(summary: pd.DataFrame) -> Table:
    """The verdicts for a terminal."""
    title = f"How the prediction did: close is within {agreement.CLOSE:.0%}"
    heads = ("currency", "rms error", "worst", "close", "inside", "pairs ranked right")
    shown = Table(*heads, title=title, box=box.SIMPLE_HEAD)
    for row in summary.to_dict("records"):
        shown.add_row(
            HEADINGS.get(row["currency"], row["currency"]),
            f"{row['rms']:.3f}",
            f"{row['worst']:+.3f}",
            f"{row['close']} of {row['ratios']}",
            f"{row['inside']} of {row['ratios']}",
            f"{row['agree']} of {row['pairs']}",
        )
    return shown

"""The commands of the simulator. Each is a dataclass of options with a `run` method."""

import os
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from report import outputs
from report.currencies import Definition
from report.record import Record
from report.summary import tidy, write_csv
from report.tables import table
from selection.checks import counts
from selection.driver import StarvedError
from selection.settings import SettingError, parse
from selection.strategies import Sizes, strategy
from sim import compare, descriptions
from sim.bench import table as bench_table
from sim.catalogue import WORLDS

DEFAULT_STRATEGIES = (
    "uniform",
    "dynamic",
    "dynamic-released",
    "speed",
    "speed-released",
    "greso",
    "greso-released",
    "mopps",
    "cures",
    "gvm",
    "oracle",
)
SWEEP_WORLDS = ("static-1.5b", "coupled", "coupled-sgd")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every comparison takes.

    Attributes:
        seeds: Seeds per strategy and world.
        steps: Training steps at most.
        groups: Groups per training batch, B.
        rollouts: Rollouts per group, N.
        prompts: Prompts in the data set, M.
        costs: Prices that turn rollouts into seconds: speed-7b, speed-1.5b, greso-7b, ...
        definition: What counts as reaching a target, in tables, pictures and report;
            summary.csv has all.
        jobs: Cells that run at a time.
        out: Folder for results; cells found there are not run again.
    """

    seeds: int = 5
    steps: int = Sizes.steps
    groups: int = Sizes.groups
    rollouts: int = Sizes.rollouts
    prompts: int = Sizes.prompts
    costs: str = "speed-7b"
    definition: Definition = "first"
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    out: Path = Path("out/compare")

    @property
    def sizes(self) -> Sizes:
        """The sizes of every run."""
        return Sizes(
            groups=self.groups, rollouts=self.rollouts, prompts=self.prompts, steps=self.steps
        )

    def execute(self, worlds: tuple[str, ...], strategies: tuple[str, ...]) -> None:
        """Run a comparison, print its tables and write its outputs."""
        comparison = compare.Comparison(
            worlds=worlds,
            strategies=strategies,
            seeds=self.seeds,
            sizes=self.sizes,
            costs=self.costs,
        )
        counts(jobs=self.jobs)
        outputs.prepare(self.out)
        records = self._run(comparison)
        command = shlex.join(("passband", *sys.argv[1:]))
        story = descriptions.story(comparison, command)
        summary = outputs.write(
            records, self.out, story, baseline=compare.BASELINE, definition=self.definition
        )
        console = Console(highlight=False)
        for world in worlds:
            console.print(table(summary, world, width=console.width))
        print(f"\nReport: {self.out / 'report.html'}")

    def _run(self, comparison: compare.Comparison) -> list[Record]:
        """Every record; what is finished when interrupted stays on disk and is tabulated."""
        records: list[Record] = []
        found = 0
        total = len(comparison.cells)
        try:  # no bar where stderr is a file: it would fill it
            with tqdm(total=total, unit="run", desc="comparing", disable=None) as bar:
                for record, was_there in compare.run(comparison, self.out, self.jobs):
                    if not was_there and found == len(records):
                        outputs.clear(self.out)
                    records.append(record)
                    found += was_there
                    bar.update()
        except KeyboardInterrupt:
            self._save_unfinished(records, total)
            raise
        if found:
            print(f"{found} of {len(records)} runs found in {self.out}, not run again")
        return records

    def _save_unfinished(self, records: list[Record], num_cells: int) -> None:
        outputs.clear(self.out)
        if records:
            write_csv(tidy(records), self.out / "comparison.csv")
        print(
            f"{len(records)} of {num_cells} runs are in {self.out}:"
            " the same command goes on from there",
            file=sys.stderr,
        )


@dataclass(frozen=True, kw_only=True)
class Compare(Options):
    """Compare strategies in simulated worlds, currency by currency.

    A setting may change knobs: `speed:screen=8,extend=16`, `coupled:updates=6,target=0.4`.

    Attributes:
        worlds: Settings of worlds (see `passband worlds`).
        strategies: Settings of strategies (see `passband strategies`).
    """

    worlds: tuple[str, ...] = tuple(WORLDS)
    strategies: tuple[str, ...] = DEFAULT_STRATEGIES

    def run(self) -> None:
        """Run the comparison."""
        self.execute(self.worlds, self.strategies)


@dataclass(frozen=True, kw_only=True)
class Sweep(Options):
    """Compare one strategy with itself over a grid of its hyperparameters.

    Example: `passband sweep speed screen=2,4,8 extend=20,16`.

    Attributes:
        strategy: The strategy.
        grid: Values of each hyperparameter, key=value,value,...
        worlds: Settings of worlds.
    """

    strategy: tyro.conf.Positional[str]
    grid: Annotated[tuple[str, ...], tyro.conf.Positional]
    worlds: tuple[str, ...] = SWEEP_WORLDS
    out: Path = Path("out/sweep")

    def run(self) -> None:
        """Run every point of the grid, beside uniform selection and the oracle."""
        points = tuple(grid_points(self.strategy, self.grid))
        for point in points:
            strategy(point, self.sizes)
        self.execute(self.worlds, ("uniform", *points, "oracle"))


def grid_points(name: str, grid: Iterable[str]) -> Iterable[str]:
    """Settings of all combinations of the values of a grid.

    Raises:
        SettingError: An axis is not of the form key=value,value,...
    """
    axes: list[list[str]] = []
    for axis in grid:
        key, equals, values = axis.partition("=")
        if not (key and equals and all(values.split(","))):
            raise SettingError(f"{axis!r} must be key=value,value,...")
        axes.append([f"{key}={value}" for value in values.split(",")])
    if not axes:
        raise SettingError(f"no grid for {name!r}: name its axes, such as screen=2,4,8")
    base, changes = parse(name)
    fixed = [f"{key}={value}" for key, value in changes.items()]
    return (f"{base}:{','.join((*fixed, *point))}" for point in product(*axes))


@dataclass(frozen=True, kw_only=True)
class Strategies:
    """List the strategies: what they do, where they are from, their knobs."""

    def run(self) -> None:
        """Print them."""
        listing("strategy", descriptions.strategies_text())


@dataclass(frozen=True, kw_only=True)
class Worlds:
    """List the worlds: what they are, where their pass rates are from, their knobs."""

    def run(self) -> None:
        """Print them."""
        listing("world", descriptions.worlds_text())


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure how fast the simulator is, as a ratio to what no simulator can avoid.

    Attributes:
        steps: Training steps per strategy and world.
        groups: Groups per training batch, B.
        prompts: Prompts in the data set, M.
    """

    steps: int = 1000
    groups: int = 64
    prompts: int = 17_000

    def run(self) -> None:
        """Print the measurements."""
        sizes = Sizes(groups=self.groups, prompts=self.prompts, steps=self.steps)
        try:
            Console().print(bench_table(sizes))
        except StarvedError as error:
            raise SettingError(str(error)) from error


def listing(kind: str, rows: Iterable[tuple[str, str, str, str]]) -> None:
    """Print a catalogue."""
    grid = Table(kind, "what, where from, knobs", show_lines=True)
    for name, summary, source, knobs in rows:
        grid.add_row(f"[bold]{name}", f"{summary}\n[dim]{source}[/dim]\n{knobs}")
    Console(highlight=False).print(grid)

"""The command of the figures: a dataclass of options with a `run` method."""

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from report import atomic
from report.outputs import prepare
from selection.checks import counts
from sim.figures import index, verdicts
from sim.figures.entry import Entry
from sim.figures.make import Made, checked, earlier, make_all
from sim.figures.registry import FIGURES, figure

NARROW = 110  # columns below which figures are listed one below the other


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Make the papers' figures and tables again, with a verdict on each published value.

    Without a key it lists them. Example: `passband figures speed-table1 speed-snr`.

    Attributes:
        keys: Figures to make; without any, all are listed.
        all: Make all of them.
        fraction: Share of the seeds and draws of simulated figures, in (0, 1].
        jobs: Figures made at a time.
        out: Folder for pictures, numbers, verdicts and index.html.
    """

    keys: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    all: bool = False
    fraction: float = 1.0
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    out: Path = Path("out/figures")

    def run(self) -> None:
        """List the figures, or make them.

        Raises:
            ValueError: A key is unknown, or an option is wrong.
        """
        wanted = tuple(FIGURES) if self.all else tuple(dict.fromkeys(self.keys))
        checked(self.fraction)
        counts(jobs=self.jobs)
        entries = {key: figure(key) for key in wanted}
        if not entries:
            listing(Console(highlight=False))
            return
        prepare(self.out)
        made = self._made([key for key, entry in entries.items() if entry.make is not None])
        for key, entry in entries.items():
            if key in made:
                show(made[key])
            else:
                Console(highlight=False).print(
                    Text(f"\n{key}: cannot be made: {entry.missing}")
                )
        print(f"\nAll of them, with their verdicts: {self.out / 'index.html'}")

    def _made(self, keys: list[str]) -> dict[str, Made]:
        """The figures made, with the page of them all; the page is written if interrupted."""
        made: dict[str, Made] = {}
        try:  # no bar where stderr is a file: it would fill it
            with tqdm(total=len(keys), unit="figure", desc="making", disable=None) as bar:
                for one in make_all(keys, self.fraction, self.out, self.jobs):
                    made[one.key] = one
                    bar.update()
        finally:
            command = shlex.join(("passband", *sys.argv[1:]))
            html = index.page(earlier(self.out) | made, command=command)
            atomic.write(self.out / "index.html", html)
        return made


def listing(console: Console) -> None:
    """Print key, paper, what it shows, how it is made and how long that takes, of each."""
    if console.width < NARROW:
        for key, entry in FIGURES.items():
            console.print(Text(f"{key}  ({entry.paper}; {_made_by(entry)})", style="bold"))
            console.print(Padding(Text(_shown(entry)), (0, 0, 0, 2)))
        return
    grid = Table("key", "paper", "shows", "made here by, seconds")
    for column in (grid.columns[0], grid.columns[1], grid.columns[3]):
        column.no_wrap = True
    for key, entry in FIGURES.items():
        grid.add_row(key, *map(Text, (entry.paper, _shown(entry), _made_by(entry))))
    console.print(grid)


def _shown(entry: Entry) -> str:
    """What an entry shows, and why it is not made if so."""
    return f"{entry.title}\nnot made: {entry.missing}" if entry.missing else entry.title


def _made_by(entry: Entry) -> str:
    return "not made" if entry.make is None else f"{entry.how}, {entry.seconds:.0f} s"


def show(made: Made) -> None:
    """Print the verdicts on a figure's published values."""
    console = Console(highlight=False)
    entry = FIGURES[made.key]
    console.print(Text(f"\n{made.key}: {entry.title}", style="bold"))
    if made.remarks:
        console.print(Text(made.remarks))
    if not made.compared:
        console.print(Text(verdicts.summary(made.compared), style="dim"))
        return
    grid = Table("value", "published", "here", "deviation", "tolerance", "reproduced?", "note")
    for value in made.compared:
        verdict = Text("yes", "green") if value.reproduced else Text("no", "red")
        grid.add_row(
            Text(value.what),
            verdicts.number(value.published),
            verdicts.number(value.here),
            verdicts.deviation(value),
            verdicts.tolerance(value),
            verdict,
            Text(value.note),
        )
    console.print(grid)

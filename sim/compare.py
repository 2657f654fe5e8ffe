"""Comparisons: every strategy in every world under the same seeds, cell by cell.

A cell is one run of a strategy in a world under a seed. Each is written to its own file when it
ends, so that an interrupted comparison goes on where it stopped, and cells are independent, so
that results do not depend on how many run at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from itertools import product
from pathlib import Path

import selection
import sim
from report import atomic, totals
from report.parallel import unordered
from report.record import Record, load
from selection.checks import counts
from selection.driver import StarvedError
from selection.settings import SettingError, nearest
from selection.strategies import Runnable, Sizes, strategy
from sim.catalogue import Place, log_digest, place, plan
from sim.costs import PRESETS, Costs
from sim.run import simulate
from theory import advantages

BASELINE = "uniform"
MOST_SEEDS = 10**5


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: settings as text, so that it can be sent to another process."""

    world: str
    strategy: str
    seed: int
    sizes: Sizes
    costs: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Strategies to compare, worlds to compare them in, and how often.

    Attributes:
        worlds: Settings of worlds (see `sim.catalogue`).
        strategies: Settings of strategies; the baseline is added if it is not among them.
        seeds: Seeds per strategy and world: 0, 1, ...
        sizes: Sizes of every run.
        costs: Price preset (see `sim.costs`).

    Raises:
        SettingError: A setting is unknown or wrong.
        ValueError: A size is not a positive whole number.
    """

    worlds: tuple[str, ...]
    strategies: tuple[str, ...]
    seeds: int = 5
    sizes: Sizes = field(default_factory=Sizes)
    costs: str = "speed-7b"

    def __post_init__(self) -> None:
        counts(seeds=self.seeds)
        if self.seeds > MOST_SEEDS:
            raise ValueError(f"seeds={self.seeds} must be at most {MOST_SEEDS:,}")
        if not self.worlds:
            raise SettingError("worlds: name at least one (`passband worlds` lists them)")
        if not self.strategies:
            raise SettingError(
                "strategies: name at least one (`passband strategies` lists them)"
            )
        for kind, settings in (("world", self.worlds), ("strategy", self.strategies)):
            if len(set(settings)) < len(settings):
                raise SettingError(f"{kind} named twice among {', '.join(settings)}")
        if self.costs not in PRESETS:
            raise nearest(self.costs, list(PRESETS), "costs")
        for world in self.worlds:
            place(world, self.sizes)
        for name in self.strategies:
            strategy(name, self.sizes)

    @property
    def contestants(self) -> tuple[str, ...]:
        """The strategies, and the baseline before them if it was left out."""
        named = self.strategies
        return named if BASELINE in named else (BASELINE, *named)

    @property
    def cells(self) -> list[Cell]:
        """Every run of the comparison, seeds last so that early results cover all."""
        return [
            Cell(world=w, strategy=s, seed=seed, sizes=self.sizes, costs=self.costs)
            for seed, w, s in product(range(self.seeds), self.worlds, self.contestants)
        ]


def run(comparison: Comparison, out: Path, jobs: int) -> Iterator[tuple[Record, bool]]:
    """The record of each cell as it is ready, and whether it was found on disk.

    Raises:
        CorruptRecord: A cell's file is damaged.
        SettingError: A strategy cannot fill its first training batch.
        ValueError: `jobs` is not a positive whole number.
    """
    counts(jobs=jobs)
    todo: list[Cell] = []
    for cell in comparison.cells:
        found = finished(cell, out)
        if found is None:
            todo.append(cell)
        else:
            yield found, True
    for record in unordered(run_cell, ((cell, out) for cell in todo), jobs):
        yield record, False


def run_cell(cell: Cell, out: Path) -> Record:
    """The record of one cell, run and written to its file.

    Raises:
        SettingError: The strategy cannot fill its first training batch.
    """
    where, who = place(cell.world, cell.sizes), strategy(cell.strategy, cell.sizes)
    planned = replace(
        plan(where, who, cell.sizes), costs=Costs.preset(cell.costs), enough=where.enough
    )
    try:
        columns = simulate(planned, cell.seed)
    except StarvedError as error:
        run_of = f"{cell.strategy} in {cell.world}, seed {cell.seed}"
        raise SettingError(f"{run_of}: {error}") from error
    record = Record(
        setting=_setting(cell, where, who),
        columns=columns,
        progress=planned.world.progress,
        target=where.target,
    )
    file = path(cell, out)
    file.parent.mkdir(parents=True, exist_ok=True)
    record.save(file)
    return record


def finished(cell: Cell, out: Path) -> Record | None:
    """The record of a cell on disk, if there is one of the very same setting.

    Raises:
        CorruptRecord: The file is damaged.
    """
    file = path(cell, out)
    if not file.exists():
        return None
    record = load(file)
    where, who = place(cell.world, cell.sizes), strategy(cell.strategy, cell.sizes)
    return record if record.setting == _setting(cell, where, who) else None


def path(cell: Cell, out: Path) -> Path:
    """Where a cell's record lies."""
    return (
        out
        / "cells"
        / atomic.slug(cell.world)
        / atomic.slug(cell.strategy)
        / f"{cell.seed}.json"
    )


def _setting(cell: Cell, where: Place, who: Runnable) -> dict[str, str | int | float | bool]:
    """What tells a run from others: everything that its numbers depend on."""
    return {
        "world": cell.world,
        "strategy": cell.strategy,
        "seed": cell.seed,
        "groups": cell.sizes.groups,
        "rollouts": cell.sizes.rollouts,
        "prompts": cell.sizes.prompts,
        "steps": where.steps,
        "accounting": where.entry.accounting,
        "world_knobs": repr(where.world),
        "log": log_digest(getattr(where.world, "population", "")),
        "strategy_knobs": who.knobs(cell.sizes),
        "costs": repr(Costs.preset(cell.costs)),
        "target": where.target,
        "enough": where.enough,
        "code": code_digest(),
    }


@cache
def code_digest() -> str:
    """What tells this code and its data from any other: cells of other code are run again.

    Of the other rooms a simulation needs the advantages and the totals alone.
    """
    digest = sha256()
    for module in (advantages, totals):
        digest.update(Path(str(module.__file__)).read_bytes())
    for room in (selection, sim):
        folder = Path(str(room.__file__)).parent
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".json", ".csv"):
                digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]

"""The commands of a prediction before runs: what is measured first, and the runs it is held to.

The order is warm start, `passband measure`, `passband predict`, a commit that freezes the
prediction, `passband study`, `passband judge` (docs/prediction.md). Measurement and runs have
one configuration, so that they cannot differ in what the measurement depends on.
"""

import json
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from report import atomic
from selection.checks import counts
from selection.settings import check_fraction
from smallscale.cli import changes
from smallscale.config import Config, configure

STRATEGIES = ("uniform", "dynamic", "speed-released", "greso", "mopps", "cures")
EVERY_STEP = {"evaluate_every": 1, "checkpoint_every": 50, "show_every": 1000}
ENOUGH = 0.82  # past the last target, so that no crossing is at the end of a run


@dataclass(frozen=True, kw_only=True)
class Run:
    """What measurement and runs share.

    Attributes:
        model: A built-in size, or a folder (`passband warm-start` makes one).
        prompts: A built-in task.
        preset: Where all else comes from.
        seed: Of the measurement; the first seed of runs.
        set: Changes of the preset, key=value.
        cache: Folder of warm-started models.
    """

    model: str = "tiny"
    prompts: str = "strings"
    preset: str = "tiny-cpu"
    seed: int = 0
    set: tuple[str, ...] = ()
    cache: Path | None = None

    def config(self, strategy: str = "uniform", later: int = 0) -> Config:
        """The configuration of a strategy under the seed that comes so much `later`."""
        given = {"model": self.model, "prompts": self.prompts, "strategy": strategy}
        known = configure(self.preset, changes(self.set, given))
        return replace(known, seed=self.seed + later)


@dataclass(frozen=True, kw_only=True)
class Measure(Run):
    """Measure what a simulated world needs to know of a run, before any training.

    Example: `passband measure --prompts letters --out letters.json`.

    Attributes:
        scored: Training prompts whose scores are taken.
        rollouts: Rollouts scored for each.
        batches: Uniform batches that Adam's metric is made of, and batches of each family.
        fraction: Share of all three, for a quick look.
        out: JSON file.
    """

    scored: int = 72
    rollouts: int = 64
    batches: int = 60
    fraction: float = 1.0
    out: Path = Path("out/measured.json")

    def run(self) -> None:
        """Write the measurement."""
        scored, rollouts, batches = self.effort()
        assembled = import_module("smallscale.assembly").assembled
        with assembled(self.config(), cache=self.cache) as parts:
            found = import_module("smallscale.survey").survey(
                parts, seed=self.seed, prompts=scored, rollouts=rollouts, batches=batches
            )
            matrix = import_module("smallscale.overlap").overlap(
                found, seed=self.seed, batches=batches
            )
            told = asdict(import_module("smallscale.measurement").summary(found)) | {
                "overlap": np.round(matrix, 6).tolist()
            }
        atomic.folder(self.out.parent)
        atomic.write(self.out, json.dumps(told, indent=1, allow_nan=False) + "\n")
        Console(highlight=False).print(f"measured {self.model} on {self.prompts}: {self.out}")

    def effort(self) -> tuple[int, int, int]:
        """Prompts, rollouts and batches; a share of them is enough for an estimate.

        Raises:
            SettingError: The share is not in (0, 1].
        """
        check_fraction(self.fraction)
        import_module("torch").set_num_threads(1)
        asked = self.scored, self.rollouts, self.batches
        if self.fraction == 1.0:
            return asked
        sizes = zip((16, 8, 10), asked, strict=True)
        first, second, third = (max(least, round(self.fraction * n)) for least, n in sizes)
        return first, second, third


@dataclass(frozen=True, kw_only=True)
class Remeasure(Measure):
    """Measure a model again and again while uniform selection trains it.

    Example: `passband remeasure --prompts letters --steps 5 15 40 80 130 --out out/letters`.

    Attributes:
        steps: Training steps after which it is measured; before training in any case.
        out: Folder for remeasured.csv and remeasured.png.
    """

    steps: tuple[int, ...] = (5, 15, 40, 80, 130)
    out: Path = Path("out/remeasured")

    def run(self) -> None:
        """Train, measure and write."""
        counts(steps=min(self.steps, default=1))
        effort = dict(zip(("prompts", "rollouts", "batches"), self.effort(), strict=True))
        remeasured = import_module("smallscale.remeasured")
        config = replace(self.config(), steps=max(self.steps, default=1), **EVERY_STEP)
        atomic.folder(self.out)
        found: list[tuple[int, Any]] = []
        told = {"seed": self.seed, **effort}
        for one in remeasured.remeasured(config, self.steps, self.cache, **told):
            found.append(one)
            remeasured.write(found, self.out)  # a later one may fail
        Console(highlight=False).print(f"measured {len(found)} times: {self.out}")


@dataclass(frozen=True, kw_only=True)
class Study(Run):
    """Train a model under every strategy and seed, up to a held-out pass rate.

    Example: `passband study --prompts letters --out runs/letters`.

    Attributes:
        strategies: Settings of strategies.
        seeds: Seeds of each: `seed`, `seed` + 1, ...
        steps: Training steps at most.
        enough: Held-out pass rate at which a run ends.
        jobs: Runs at a time.
        fraction: Share of the seeds, for a quick look.
        out: Folder; runs found in it are not run again.
    """

    strategies: tuple[str, ...] = STRATEGIES
    seeds: int = 5
    steps: int = 250
    enough: float = ENOUGH
    jobs: int = 1
    fraction: float = 1.0
    out: Path = Path("out/study")

    def run(self) -> None:
        """Run them."""
        counts(seeds=self.seeds, steps=self.steps)
        check_fraction(self.fraction)
        study = import_module("smallscale.study").study
        found = study(
            self.configs(), self.out, jobs=self.jobs, cache=self.cache, enough=self.enough
        )
        Console(highlight=False).print(f"{len(found)} runs in {self.out}")

    def configs(self) -> list[Config]:
        """The runs, seeds outermost."""
        seeds = max(1, round(self.fraction * self.seeds))
        return [
            replace(self.config(name, seed), steps=self.steps, **EVERY_STEP)
            for seed in range(seeds)
            for name in self.strategies
        ]


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """Make the base model of a built-in task in another width.

    Example: `passband warm-start --prompts letters --hidden 64`.

    Attributes:
        prompts: A built-in task.
        like: The built-in size that all else is taken from.
        hidden: Width of the residual stream.
        intermediate: Width of the feed-forward part; 0 keeps its proportion.
        updates: Optimizer updates; 0 for as many as the built-in size gets.
        cache: Folder of warm-started models.
    """

    prompts: str = "letters"
    like: str = "tiny"
    hidden: int = 64
    intermediate: int = 0
    updates: int = 0
    cache: Path | None = None

    def run(self) -> None:
        """Train it unless it is there, and print its folder."""
        counts(hidden=self.hidden)
        counts(0, intermediate=self.intermediate, updates=self.updates)
        warm, tasks = (import_module(f"smallscale.{x}") for x in ("warm_start", "tasks"))
        import_module("torch").set_num_threads(1)
        known = warm.sized(self.like, tasks.task(self.prompts))
        wide = self.intermediate or round(
            known.shape.intermediate * self.hidden / known.shape.hidden
        )
        shape = replace(known.shape, hidden=self.hidden, intermediate=wide)
        config = replace(known, shape=shape, updates=self.updates or known.updates)
        cache = self.cache or import_module("smallscale.assembly").CACHE.expanduser()
        Console(highlight=False, soft_wrap=True).print(str(warm.warm_start(config, cache)))

"""The commands that run a language model. Each is a dataclass of options with a `run` method.

What needs torch is imported when a command runs, so that help and dry runs are quick.
"""

import shlex
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import tyro
from rich.console import Console

from report import atomic, outputs
from report.currencies import Definition
from report.tables import table
from selection.checks import counts
from selection.settings import SettingError
from smallscale.comparison import BASELINE, records, story
from smallscale.config import Config, changes, configure


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a language model on prompts that a strategy chooses.

    Example: `passband train --preset tiny-cpu --strategy speed --seed 1 --out runs/speed-1`.

    Attributes:
        preset: test, tiny-cpu, small-gpu or qwen2.5-math-1.5b.
        strategy: A strategy setting (see `passband strategies`).
        estimator: rloo, grpo, drgrpo, reinforce, rpp, rpp-baseline, dapo, ...
        seed: Of the luck of the run.
        set: Changes of the preset, key=value; --dry-run shows the keys.
        out: Folder of the run.
        resume: Go on from the newest checkpoint in it.
        dry_run: Print what would run and the memory it needs, and load nothing.
        track: tensorboard, wandb.
        cache: Folder of warm-started models.
    """

    preset: str = "tiny-cpu"
    strategy: str | None = None
    estimator: str | None = None
    seed: int | None = None
    set: tuple[str, ...] = ()
    out: Path | None = None
    resume: bool = False
    dry_run: bool = False
    track: tuple[str, ...] = ()
    cache: Path | None = None

    def run(self) -> None:
        """Run it."""
        config = self.config()
        if self.dry_run:
            Console(highlight=False).print(import_module("smallscale.memory").plan(config))
            return
        out = self.out or Path("out/train") / atomic.slug(
            f"{config.preset}-{config.name}-{config.seed}"
        )
        running = import_module("smallscale.running")
        print(
            running.train(config, out, resume=self.resume, track=self.track, cache=self.cache)
        )

    def config(self) -> Config:
        """The preset as changed."""
        named = {"strategy": self.strategy, "estimator": self.estimator, "seed": self.seed}
        given = {key: value for key, value in named.items() if value is not None}
        return configure(self.preset, changes(self.set, given))


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure the pass rate of a model on prompts.

    Example: `passband evaluate --model runs/speed-1 --prompts math500 --rollouts 8
    --preset qwen2.5-math-1.5b`.

    Attributes:
        model: A run's folder, for its newest checkpoint; a model's folder; or a hub id.
        prompts: A built-in task (its held-out prompts), a file, or a data set by name.
        rollouts: Rollouts per prompt.
        num_prompts: Prompts at most.
        seed: Of the rollouts.
        preset: Where engine, template, limits and device come from.
        set: Changes of the preset, key=value.
        out: JSON file for the pass rate of every prompt.
    """

    model: str
    prompts: str
    rollouts: int = 8
    num_prompts: int = 500
    seed: int = 0
    preset: str = "tiny-cpu"
    set: tuple[str, ...] = ()
    out: Path | None = None

    def run(self) -> None:
        """Print pass rates with intervals, over all prompts and by family."""
        counts(rollouts=self.rollouts, num_prompts=self.num_prompts)
        given = {
            "model": self.model,
            "prompts": self.prompts,
            "held_out": self.prompts,
            "num_held_out": self.num_prompts,
            "evaluation_rollouts": self.rollouts,
            "seed": self.seed,
        }
        config = configure(self.preset, changes(self.set, given))
        running = import_module("smallscale.running")
        Console(highlight=False).print(running.measure(config, self.out))


@dataclass(frozen=True, kw_only=True)
class CompareRuns:
    """Compare runs of a language model, as `passband compare` does simulated ones.

    Example: `passband compare-runs runs/* --out out/runs`.

    Attributes:
        folders: Folders of runs.
        baseline: The run, by strategy or label, that the others are compared with.
        definition: What counts as reaching a target.
        out: Folder for tables, pictures and report.
    """

    folders: tyro.conf.Positional[tuple[Path, ...]]
    baseline: str = BASELINE
    definition: Definition = "first"
    out: Path = Path("out/runs")

    def run(self) -> None:
        """Print the tables and write the report."""
        if not self.folders:
            raise SettingError("no folders: name the folders of at least two runs")
        found = records(self.folders)
        command = shlex.join(("passband", *sys.argv[1:]))
        told = story(found, command)
        outputs.prepare(self.out)
        summary = outputs.write(
            found, self.out, told, baseline=self.baseline, definition=self.definition
        )
        console = Console(highlight=False)
        for world in told.descriptions:
            console.print(table(summary, world, width=console.width))
        print(f"\nReport: {self.out / 'report.html'}")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure how fast a training step is, as a ratio to TRL's GRPOTrainer.

    Attributes:
        steps: Training steps per turn.
        turns: Turns of each.
        cache: Folder of warm-started models.
    """

    steps: int = 10
    turns: int = 3
    cache: Path | None = None

    def run(self) -> None:
        """Print the measurements."""
        counts(steps=self.steps, turns=self.turns)
        bench = import_module("smallscale.bench")
        Console().print(bench.table(self.steps, self.turns, self.cache))

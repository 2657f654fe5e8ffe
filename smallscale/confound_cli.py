"""The command of the update confound."""

import json
from dataclasses import dataclass
from importlib import import_module
from math import ceil
from pathlib import Path

from rich.console import Console

from report import atomic, outputs
from selection.checks import counts
from selection.settings import SettingError, check_fraction
from smallscale.config import changes


@dataclass(frozen=True, kw_only=True)
class Confound:
    """Measure how much of a speedup is optimizer updates, on a tiny language model.

    Runs that are finished are not run again: a study can be widened, and gone on with.
    Example: `passband confound --settings adam sgd --seeds 10 --fraction .3`.

    Attributes:
        seeds: Runs per arm of every setting.
        seed: The first seed: `seed`, `seed` + 1, ...
        fraction: Share of those seeds that is run.
        settings: adam, sgd, grpo, long, unclipped.
        jobs: Processes, each with one thread.
        read: Run nothing: report the runs that are finished.
        simulated: Folder of a `passband compare` in coupled worlds, to put beside.
        out: Folder for runs.
        results: Folder for tables and plots; that of the runs if left out.
        cache: Folder of warm-started models.
        preset: Preset that every run starts from.
        set: Changes of the preset, key=value.
    """

    seeds: int = 10
    seed: int = 0
    fraction: float = 1.0
    settings: tuple[str, ...] = ("adam", "sgd", "grpo", "long", "unclipped")
    jobs: int = 2
    read: bool = False
    simulated: Path | None = None
    out: Path = Path("out/confound")
    results: Path | None = None
    cache: Path | None = None
    preset: str = "tiny-cpu"
    set: tuple[str, ...] = ()

    def run(self) -> None:
        """Run what is missing, and write tables and plots."""
        counts(seeds=self.seeds, jobs=self.jobs)
        check_fraction(self.fraction)
        if not self.settings:
            raise SettingError("no settings: name adam, sgd, grpo, long or unclipped")
        confound = import_module("smallscale.confound")
        study = import_module("smallscale.study")
        tables = import_module("smallscale.confound_tables")
        seeds = max(1, ceil(self.fraction * self.seeds))
        sizes = {**confound.SIZES, **changes(self.set, {})}
        trials = confound.grid(self.settings, seeds, self.preset, sizes, first=self.seed)
        coupled = list(tables.simulated(self.simulated)) if self.simulated else []
        enough = confound.ENOUGH
        results = self.results or self.out
        if not self.read:
            outputs.prepare(results)
            configs = [trial.config for trial in trials]
            study.study(configs, self.out, jobs=self.jobs, cache=self.cache, enough=enough)
        found = [
            (trial.setting, trial.arm, record)
            for trial in trials
            if (record := study.finished(trial.config, self.out, enough)) is not None
        ]
        if not found:
            raise SettingError(f"out={str(self.out)!r} holds no finished run: leave out --read")
        if not self.read and (began := confound.start(self.preset, self.cache, sizes)):
            atomic.write(results / "start.json", json.dumps(began) + "\n")
        judged = tables.write(found, coupled, results)
        console = Console(highlight=False)
        console.print(f"{len(found)} of {len(trials)} runs")
        wholes = import_module("smallscale.confound_verdicts").wholes
        for hypothesis, verdict in wholes(judged).items():
            console.print(f"Hypothesis {hypothesis}: {verdict}")
        console.print(f"Tables and plots: {results}")

"""What one GPU does, in one command: `python -m smallscale.gpu_check --out DIR`.

Two parts, either of them alone by `--only`: the throughput of a model of Qwen2.5-Math-1.5B's
shape with random weights, beside the bounds that this device sets; and runs of `small-gpu`
under each strategy at matched optimizer updates, compared in every currency. Nothing is
downloaded, and what a bare image with torch and transformers lacks (vLLM, math-verify, tyro) is
not needed. A run that exceeds its share of `--minutes` ends early and says so.

`--dry` does the same at sizes that a CPU takes a minute for: it proves the script, and its
figures mean nothing.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from report import atomic, outputs, plots
from report.style import house
from selection.checks import counts, positive
from selection.settings import SettingError
from smallscale.assembly import assembled, chosen, task_of
from smallscale.comparison import BASELINE, records, story
from smallscale.config import Config, changes, configure
from smallscale.models import SHAPES
from smallscale.run_directory import RunDirectory, environment
from smallscale.stopping import Stop
from smallscale.throughput import Sizes, measure
from smallscale.train import Trainer

STRATEGIES = ("uniform", "dynamic", "speed-released", "greso", "mopps", "cures")
DRY_CHANGES: Mapping[str, str | int] = {
    "model": "test",
    "prompts": "strings:length=2",
    "device": "cpu",
    "precision": "float32",
    "compiled": "false",
    "steps": 3,
    "groups": 4,
    "rollouts": 6,
    "num_prompts": 100,
    "num_held_out": 16,
}
DRY = Sizes(
    shape=SHAPES["tiny"],
    prompt_tokens=8,
    new_tokens=8,
    widths=(2, 8),
    train_rollouts=16,
    matrix=256,
    copied=2**20,
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says."""

    out: Path
    minutes: float
    only: str | None
    strategies: tuple[str, ...]
    seeds: int
    changes: tuple[str, ...]
    dry: bool


def main(args: Sequence[str] | None = None) -> None:
    """Measure, run, compare; bad input ends with one line on stderr and exit status 2."""
    try:
        check(options(args))
    except (ValueError, OSError) as error:
        print(f"gpu_check: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None


def options(args: Sequence[str] | None) -> Options:
    """The options, parsed without what a bare image lacks."""
    parser = argparse.ArgumentParser(prog="python -m smallscale.gpu_check", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for results")
    parser.add_argument("--minutes", type=float, default=7.5, help="time for everything")
    parser.add_argument("--only", choices=("throughput", "runs"), help="one part alone")
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--seeds", type=int, default=1, help="runs per strategy")
    parser.add_argument("--set", nargs="+", default=(), help="changes of small-gpu, key=value")
    parser.add_argument("--dry", action="store_true", help="tiny sizes on a CPU")
    told = parser.parse_args(args)
    return Options(
        out=told.out,
        minutes=told.minutes,
        only=told.only,
        strategies=tuple(told.strategies),
        seeds=told.seeds,
        changes=tuple(told.set),
        dry=told.dry,
    )


def check(options: Options) -> None:
    """Do what was asked, and write one JSON, plots and the comparison.

    Raises:
        SettingError: There is no GPU, or a setting is wrong.
    """
    if not (options.dry or torch.cuda.is_available()):
        raise SettingError("no GPU is visible: --dry proves the script on a CPU")
    positive(minutes=options.minutes)
    counts(seeds=options.seeds)
    todo = configured(options)
    begun, deadline = time.monotonic(), time.monotonic() + 60.0 * options.minutes
    outputs.prepare(options.out)
    found: dict[str, Any] = {"environment": environment(), "dry": options.dry}

    def write() -> None:  # after every part: what a GPU was rented for is not lost
        found["seconds"] = time.monotonic() - begun
        atomic.write(options.out / "gpu_check.json", json.dumps(found, indent=1) + "\n")

    if options.only != "runs":
        found["throughput"] = throughput(options.dry)
        write()
        atomic.write(options.out / "throughput.png", plots.png(drawn(found["throughput"])))
    if options.only != "throughput":
        found["runs"] = []
        for one in runs(options, todo, deadline):
            found["runs"].append(one)
            write()
        compare(options, [one for one in found["runs"] if one["rows"]])


def throughput(dry: bool) -> dict[str, Any]:  # noqa: FBT001 - the option of that name
    """Measurements of the 1.5B shape, or of the dry one."""
    if dry:
        return measure(DRY, "cpu", say=_say)
    sizes = Sizes(shape=SHAPES["qwen2.5-math-1.5b"])
    return measure(sizes, "cuda", compiled=(False, True), say=_say)


def runs(options: Options, todo: Sequence[Config], deadline: float) -> Iterator[dict[str, Any]]:
    """Every run in turn, each with its share of the time left; one that fails says how."""
    for place, config in enumerate(todo):
        share = (deadline - time.monotonic()) / (len(todo) - place)
        folder = f"runs/{atomic.slug(config.name)}-{config.seed}"
        told = {"strategy": config.name, "seed": config.seed, "folder": folder}
        try:
            told |= run(config, options.out / folder, share)
        except (ValueError, OSError) as error:
            told |= {"ending": f"failed: {error}", "rows": [], "shares": {}}
        _say(f"{config.name}, seed {config.seed}: {told['ending']}")
        yield told


def configured(options: Options) -> list[Config]:
    """The runs: one optimizer update per training step for each.

    Raises:
        SettingError: A strategy or a change is wrong.
    """
    given = changes(options.changes, DRY_CHANGES if options.dry else {})
    found: list[Config] = []
    for seed in range(options.seeds):
        for name in options.strategies:
            told = {**given, "strategy": name, "seed": seed}
            found.append(configure("small-gpu", told))
            chosen(found[-1], task_of(found[-1]))
    return found


def run(config: Config, folder: Path, seconds: float) -> dict[str, Any]:
    """How a run ended, and where its time went."""
    stop, deadline = Stop(), time.monotonic() + seconds
    spent: dict[str, float] = {}

    def watch(metrics: Mapping[str, Any]) -> None:
        for key, value in metrics.items():
            if key.startswith("timing/"):
                spent[key] = spent.get(key, 0.0) + value
        stop.asked = time.monotonic() > deadline

    place = RunDirectory(folder)
    place.check(config, resume=(folder / "config.json").exists())
    with assembled(config) as parts:
        place.begin(config)
        trainer = Trainer.begin(parts, place, stop=stop, reports=(watch,))
        ending = trainer.run()
    whole = sum(spent.values()) or 1.0
    return {
        "ending": ending,
        "rows": trainer.progress.rows,
        "shares": {key: value / whole for key, value in spent.items()},
    }


def compare(options: Options, done: Sequence[Mapping[str, Any]]) -> None:
    """The comparison of the runs, as `passband compare-runs` makes it."""
    if BASELINE not in {one["strategy"] for one in done}:
        return
    found = records(options.out / one["folder"] for one in done)
    command = f"python -m smallscale.gpu_check --minutes {options.minutes:g}"
    outputs.write(found, options.out, story(found, command), baseline=BASELINE)


def drawn(found: Mapping[str, Any]) -> Figure:
    """Generation by width, and training, beside their bounds."""
    with house():
        figure = Figure(figsize=(7.0, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(2, 1))
        made = found["generation"]
        for compiled, name in ((False, "plain"), (True, "compiled")):
            points = [one for one in made if one["compiled"] == compiled]
            if points:
                widths = [one["width"] for one in points]
                rates = [one["tokens_per_second"] for one in points]
                left.plot(widths, rates, marker="o", label=name)
        bounds = sorted({(one["width"], one["bound"]) for one in made})
        left.plot(*zip(*bounds, strict=True), "k--", label="memory bandwidth")
        left.set(xscale="log", yscale="log", title="Generation")
        left.set(xlabel="rollouts side by side", ylabel="rollout tokens per second")
        left.legend()
        trained = found["training"]
        right.bar(["measured", "matrix rate"], [trained["tokens_per_second"], trained["bound"]])
        right.set(title="Training", ylabel="tokens per second")
    return figure


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

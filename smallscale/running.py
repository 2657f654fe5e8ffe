"""Runs from the command line: put together, trained with a bar, and told how they ended."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from report import atomic
from report.aggregate import mean
from smallscale.assembly import assembled
from smallscale.config import Config
from smallscale.evaluation import pass_rates
from smallscale.run_directory import RunDirectory
from smallscale.sources import summary
from smallscale.stopping import on_sigterm
from smallscale.tracking import known_tracker, tracker
from smallscale.train import Trainer


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    track: Sequence[str] = (),
    cache: Path | None = None,
) -> str:
    """How the run ended, in a line.

    Raises:
        ValueError: A setting is wrong, the folder holds another run, or the run diverged.
        OSError: Something cannot be read or written.
    """
    folder = RunDirectory(out)
    folder.check(config, resume=resume)
    for name in track:
        known_tracker(name)
    torch.set_num_threads(1)  # of a small model; two threads collapse beside other work
    with on_sigterm() as stop, assembled(config, cache=cache) as parts:
        print(f"training: {summary(parts.prompts)}", file=sys.stderr)
        print(f"held out: {summary(parts.held_out)}", file=sys.stderr)
        folder.begin(config)
        reports = [tracker(name, out, config) for name in track]
        trainer = Trainer.begin(parts, folder, stop=stop)
        with bar(config, trainer.progress.step) as shown:
            trainer.reports = (*reports, lambda metrics: _show(shown, metrics))
            ending = trainer.run()
    return f"{ending}; {out}"


def measure(config: Config, out: Path | None, *, cache: Path | None = None) -> Table:
    """Pass rates of the held-out prompts, over all and by family, with 95% intervals.

    Intervals are Student's t over prompts: they say how far other prompts of the same kind
    would differ.
    """
    torch.set_num_threads(1)
    if out is not None and not out.parent.is_dir():
        raise ValueError(f"out={out}: there is no folder {out.parent}, make it first")
    with assembled(config, cache=cache) as parts:
        rates = pass_rates(parts, parts.held_out, config.evaluation_rollouts, config.seed)
        kind = "exact" if parts.exact else f"of {config.evaluation_rollouts} rollouts each"
        found = parts.held_out
    if out is not None:
        told = dict(zip(found.keys, rates.tolist(), strict=True))
        atomic.write(out, json.dumps(told, indent=1) + "\n")
    title = escape(f"{config.model} on {config.prompts}: pass rates, {kind}")
    rows = Table("family", "prompts", "pass rate", "95% interval", title=title)
    families = np.array(found.families)
    for name in ("all", *sorted(set(found.families))):
        inside = mean(rates if name == "all" else rates[families == name])
        size = rates.size if name == "all" else int((families == name).sum())
        low, high = max(inside.low, 0.0), min(inside.high, 1.0)
        interval = f"{low:.3f} to {high:.3f}" if size > 1 else "one prompt has none"
        rows.add_row(escape(name), f"{size:,}", f"{inside.value:.3f}", interval)
    return rows


def bar(config: Config, step: int) -> "tqdm[Any]":
    """Training steps done, to come, and the time they take; none where stderr is a file."""
    return tqdm(total=config.steps, initial=step, unit="step", desc=config.name, disable=None)


def _show(bar: "tqdm[Any]", metrics: Mapping[str, Any]) -> None:
    bar.update()
    told = {"reward": f"{metrics['reward/mean']:.2f}"}
    if "evaluation/accuracy" in metrics:
        told["accuracy"] = f"{metrics['evaluation/accuracy']:.3f}"
    bar.set_postfix(told)

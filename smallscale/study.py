"""Many runs of a language model, several at a time: what an experiment is made of.

Every run has a folder of its own, named after its configuration, so that a study can be broken
off, widened and gone on with: runs that are finished are read, others go on from their newest
checkpoint. Results do not depend on how many processes there are, since each run has its own
seed and one thread.

A run is finished at its last training step, or once held-out prompts reach the pass rate that
is `enough`: what it would do later is not asked. One that starves (no prompts are left to
choose) ends early and stays as long as it is. Code is not part of a folder's name: after a
change of it, name another folder.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from report import atomic
from report.parallel import unordered
from report.record import Record, load
from selection.checks import counts
from selection.settings import SettingError
from smallscale.assembly import CACHE, assembled, base_model, chosen, place, task_of
from smallscale.config import Config
from smallscale.run_directory import RunDirectory
from smallscale.stopping import Stop
from smallscale.train import Trainer


def study(
    configs: Sequence[Config],
    out: Path,
    *,
    jobs: int,
    cache: Path | None = None,
    enough: float = inf,
) -> list[Record]:
    """The record of every run, in the order of the configurations.

    Args:
        configs: The runs; results are kept in the same folders whatever else is in the study.
        out: Folder whose `runs` hold a folder per run.
        jobs: Processes, each with one thread.
        cache: Folder of warm-started models.
        enough: Held-out pass rate at which a run ends before its last training step.

    Raises:
        SettingError: A configuration is named twice, or cannot be run.
        ValueError: `jobs` is not a positive whole number, or a run diverged.
        CorruptRecord: A record is damaged.
        OSError: Something cannot be read or written.
    """
    counts(jobs=jobs)
    cache = cache or CACHE.expanduser()
    _check(configs)
    todo = [one for one in configs if finished(one, out, enough) is None]
    for config in _one_of_each_model(todo):
        base_model(config, task_of(config), cache, place(config))
    work = [(config, out, cache, enough) for config in todo]
    with tqdm(total=len(configs), unit="run", disable=None) as bar:
        bar.update(len(configs) - len(todo))
        for name in unordered(run, work, jobs):
            bar.update()
            bar.set_postfix_str(name)
    return [load(path(config, out) / "record.json") for config in configs]


def path(config: Config, out: Path) -> Path:
    """The folder of a run, another one for every configuration."""
    told = json.dumps(config.dump(), sort_keys=True)
    name = f"{config.name}-{config.seed}-{sha256(told.encode()).hexdigest()[:8]}"
    return out / "runs" / atomic.slug(name)


def finished(config: Config, out: Path, enough: float = inf) -> Record | None:
    """The record of a run that needs no further training step, if there is one.

    Raises:
        CorruptRecord: The record is damaged.
    """
    file = path(config, out) / "record.json"
    if not file.exists():
        return None
    record = load(file)
    last = record.columns["step"][-1] == config.steps
    return record if last or record.columns["accuracy"].max() >= enough else None


def run(config: Config, out: Path, cache: Path, enough: float) -> str:
    """The name of a run, once it is finished or has starved; its checkpoints are removed.

    Raises:
        ValueError: A setting is wrong, or the run diverged.
        OSError: Something cannot be read or written.
    """
    torch.set_num_threads(1)
    stop, folder = Stop(), RunDirectory(path(config, out))

    def watch(metrics: Mapping[str, Any]) -> None:
        stop.asked = metrics.get("evaluation/accuracy", -inf) >= enough

    folder.check(config, resume=(folder.path / "config.json").exists())
    with assembled(config, cache=cache) as parts:
        folder.begin(config)
        Trainer.begin(parts, folder, stop=stop, reports=(watch,)).run()
    shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)  # megabytes for each run
    return f"{config.name}, seed {config.seed}"


def _check(configs: Sequence[Config]) -> None:
    """See that every run is possible before the first begins."""
    seen: set[Config] = set()
    for config in configs:
        place(config)
        chosen(config, task_of(config))
        if config in seen:
            raise SettingError(
                f"{config.name} with seed {config.seed} is in the study twice:"
                " change its seed or a setting"
            )
        seen.add(config)


def _one_of_each_model(configs: Sequence[Config]) -> list[Config]:
    """A configuration for every warm start, so that processes find them made."""
    return list({(one.model, one.prompts, one.device): one for one in configs}.values())

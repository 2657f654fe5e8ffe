"""The folder of a run.

| entry | what |
|---|---|
| `config.json` | the configuration |
| `environment.json` | versions, commit and device of each start and resumption |
| `metrics.jsonl` | a line per training step |
| `record.json` | the record that comparisons read, a row per evaluation |
| `rollouts/` | rollouts of a few groups, for a person to read |
| `checkpoints/` | where the run goes on from |
"""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch

from report import atomic
from report.record import Record
from smallscale.config import Config

PACKAGES = ("passband", "torch", "transformers", "numpy", "vllm", "math-verify")


class RunFolderError(ValueError):
    """A folder that holds another run, or none; the message says what to do."""


@dataclass(frozen=True)
class RunDirectory:
    """Where a run writes."""

    path: Path

    def check(self, config: Config, *, resume: bool) -> None:
        """See that a run may begin here, or go on.

        Raises:
            RunFolderError: The folder holds another run, or one that was not to be resumed, or
                none that could be.
        """
        if not (self.path / "config.json").exists():
            if resume:
                raise RunFolderError(f"{self.path} holds no run to resume: leave out --resume")
            for left in ("checkpoints", "metrics.jsonl", "record.json"):
                if (self.path / left).exists():
                    raise RunFolderError(
                        f"{self.path} holds {left} of a run without its config.json: bring that"
                        " back, or name another folder"
                    )
            return
        if not resume:
            raise RunFolderError(
                f"{self.path} holds a run: --resume goes on with it, or name another folder"
            )
        found = self.configuration()
        for key, value in config.dump().items():
            if found.get(key) != value:
                raise RunFolderError(
                    f"{self.path} holds a run with {key}={found.get(key)!r}, not {value!r}:"
                    " resume it with its own settings, or name another folder"
                )

    def begin(self, config: Config) -> None:
        """Make the folder, or note where a run goes on in it.

        Raises:
            UnwritableError: It cannot be written.
        """
        atomic.folder(self.path)
        atomic.write(self.path / "config.json", _json(config.dump()))
        file = self.path / "environment.json"
        before = json.loads(file.read_text()) if file.exists() else []
        atomic.write(file, _json([*before, environment()]))

    def configuration(self) -> dict[str, Any]:
        """The configuration of the run that the folder holds."""
        file = self.path / "config.json"
        try:
            return json.loads(file.read_text())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunFolderError(f"{self.path} holds no run: it has no config.json") from error
        except ValueError as error:
            raise RunFolderError(f"{file} is damaged ({error}): start the run anew") from error

    def rewind(self, step: int) -> None:
        """Forget the metrics after a training step: they are about to be made again."""
        file = self.path / "metrics.jsonl"
        if file.exists():
            lines = file.read_text(errors="replace").splitlines(keepends=True)
            atomic.write(file, "".join(takewhile(lambda line: _step(line) <= step, lines)))

    def log(self, metrics: Mapping[str, object]) -> None:
        """Append the metrics of a training step."""
        file = self.path / "metrics.jsonl"
        with atomic.naming(file), file.open("a") as stream:
            stream.write(json.dumps(metrics, allow_nan=False) + "\n")

    def record(self, config: Config, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the record as it stands."""
        columns = {name: np.array([row[name] for row in rows], float) for name in rows[0]}
        setting = config.dump() | {"world": config.world, "strategy": config.name}
        made = Record(setting=setting, columns=columns, target=config.target)
        made.save(self.path / "record.json")

    def show(self, step: int, groups: Sequence[Mapping[str, object]]) -> None:
        """Write rollouts of some groups of a training step, one group to a line."""
        folder = atomic.folder(self.path / "rollouts")
        lines = "".join(json.dumps(group, ensure_ascii=False) + "\n" for group in groups)
        atomic.write(folder / f"step-{step:06d}.jsonl", lines)


def environment() -> dict[str, str]:
    """Versions, commit and device."""
    found = {name: _version(name) for name in PACKAGES}
    cuda = torch.cuda.is_available()
    return found | {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if cuda else f"cpu, {platform.machine()}",
        "threads": str(torch.get_num_threads()),
        "commit": _commit(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """The commit of the code, marked where files differ from it."""
    command = ("git", "describe", "--always", "--dirty", "--abbrev=12")
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _json(data: object) -> str:
    return json.dumps(data, indent=1) + "\n"


def _step(line: str) -> float:
    """The training step of a line; infinity for a line that is not whole."""
    try:
        return float(json.loads(line)["step"]) if line.endswith("\n") else inf
    except (ValueError, TypeError, KeyError):
        return inf

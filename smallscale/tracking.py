"""Metrics sent to TensorBoard or Weights & Biases, loaded only where they are asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from selection.settings import nearest
from smallscale.config import Config

Report = Callable[[Mapping[str, Any]], None]


class MissingPackageError(ImportError, ValueError):
    """An optional package is not installed; the message says how to get it."""


def tracker(name: str, folder: Path, config: Config) -> Report:
    """What sends the metrics of every training step to a tracker.

    Raises:
        MissingPackageError: Its package is not installed.
        SettingError: There is no such tracker.
    """
    known_tracker(name)
    try:
        return TRACKERS[name](folder, config)
    except ImportError as error:
        raise MissingPackageError(
            f'track={name}: {error}; pip install "passband[tracking]"'
        ) from error


def known_tracker(name: str) -> None:
    """See that there is such a tracker.

    Raises:
        SettingError: There is none.
    """
    if name not in TRACKERS:
        raise nearest(name, list(TRACKERS), "tracker")


def _tensorboard(folder: Path, config: Config) -> Report:
    writer = import_module("torch.utils.tensorboard").SummaryWriter(str(folder / "tensorboard"))
    writer.add_text("config", str(config.dump()))

    def report(metrics: Mapping[str, Any]) -> None:
        for key, value in numbers(metrics).items():
            writer.add_scalar(key, value, metrics["step"])
        writer.flush()

    return report


def _wandb(folder: Path, config: Config) -> Report:
    run = import_module("wandb").init(
        project="passband", name=folder.name, dir=str(folder), config=config.dump()
    )
    return lambda metrics: run.log(numbers(metrics), step=int(metrics["step"]))


TRACKERS: Mapping[str, Callable[[Path, Config], Report]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are numbers; those of a mapping are named below it."""
    found: dict[str, float] = {}
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            found |= {f"{key}/{name}": number for name, number in numbers(value).items()}
        elif isinstance(value, int | float):
            found[key] = float(value)
    return found

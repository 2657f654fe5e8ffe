"""Trackers: TensorBoard for real, Weights & Biases by a stand-in of its two calls."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selection.settings import SettingError
from smallscale.tracking import MissingPackageError, numbers, tracker
from tests.smallscale.conftest import config

METRICS = {"step": 3.0, "reward/mean": 0.5, "staleness/rollouts": {"0": 8, "1": 4}, "note": "x"}


def test_numbers_are_flat_and_nothing_else() -> None:
    assert numbers(METRICS) == {
        "step": 3.0,
        "reward/mean": 0.5,
        "staleness/rollouts/0": 8.0,
        "staleness/rollouts/1": 4.0,
    }


def test_wandb_is_given_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[Any, int]] = []
    run = SimpleNamespace(log=lambda values, step: logged.append((values, step)))
    begun: dict[str, Any] = {}

    def init(**settings: Any) -> Any:  # noqa: ANN401
        begun.update(settings)
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    tracker("wandb", tmp_path, config(seed=4))(METRICS)
    assert begun["config"]["seed"] == 4
    assert logged == [(numbers(METRICS), 3)]


def test_tensorboard_writes_events(tmp_path: Path) -> None:
    tracker("tensorboard", tmp_path, config())(METRICS)
    (file,) = (tmp_path / "tensorboard").iterdir()
    assert file.stat().st_size > 100


def test_what_is_missing_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingPackageError, match=r'pip install "passband\[tracking\]"'):
        tracker("wandb", tmp_path, config())
    with pytest.raises(SettingError, match="unknown tracker"):
        tracker("wandbb", tmp_path, config())

"""Checkpoints: what is damaged is named, the newest are kept, nothing is unpickled."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from smallscale import checkpoints
from smallscale.assembly import Parts
from smallscale.checkpoints import CorruptCheckpointError
from smallscale.progress import Progress

Make = Callable[..., Parts]


def saved(parts: Parts, folder: Path, step: int) -> Path:
    progress = Progress.start(parts.selector.init(len(parts.prompts)), 0)
    progress.step = step
    return checkpoints.save(folder, progress, parts.model, parts.tokenizer, parts.optimizer)


def restore(parts: Parts, place: Path) -> Progress:
    return checkpoints.restore(
        place, parts.selector, len(parts.prompts), parts.model, parts.optimizer
    )


def test_the_two_newest_are_kept(parts: Make, tmp_path: Path) -> None:
    made = parts()
    for step in (1, 2, 3):
        saved(made, tmp_path, step)
    assert [place.name for place in checkpoints.saved(tmp_path)] == ["000002", "000003"]


def test_what_was_broken_off_is_swept_away(parts: Make, tmp_path: Path) -> None:
    (tmp_path / ".000001.draft").mkdir()
    saved(parts(), tmp_path, 2)
    assert [entry.name for entry in tmp_path.iterdir()] == ["000002"]


def test_a_checkpoint_that_is_there_is_left_alone(parts: Make, tmp_path: Path) -> None:
    """Written anew it would be gone for a moment, and with it the run."""
    made = parts()
    place = saved(made, tmp_path, 1)
    before = (place / "arrays.npz").stat().st_ino
    assert saved(made, tmp_path, 1) == place
    assert (place / "arrays.npz").stat().st_ino == before


def test_weights_and_streams_come_back(parts: Make, tmp_path: Path) -> None:
    made = parts()
    before = {name: p.clone() for name, p in made.model.named_parameters()}
    place = saved(made, tmp_path, 1)
    with torch.no_grad():
        for parameter in made.model.parameters():
            parameter.add_(1.0)
    progress = restore(made, place)
    for name, parameter in made.model.named_parameters():
        torch.testing.assert_close(parameter, before[name], rtol=0, atol=0)
    fresh = Progress.start(made.selector.init(len(made.prompts)), 0)
    assert progress.nature.integers(2**31) == fresh.nature.integers(2**31)


@pytest.mark.parametrize(
    "damage",
    ["model/model.safetensors", "optimizer.safetensors", "arrays.npz", "progress.json"],
)
def test_a_damaged_file_is_one_clear_line(parts: Make, tmp_path: Path, damage: str) -> None:
    made = parts()
    place = saved(made, tmp_path, 1)
    (place / damage).write_bytes(b"\x00" * 10)
    with pytest.raises(CorruptCheckpointError, match=r"000001 is no checkpoint.*delete it"):
        restore(made, place)


def test_a_checkpoint_of_another_strategy_is_refused(parts: Make, tmp_path: Path) -> None:
    place = saved(parts(), tmp_path, 1)
    with pytest.raises(CorruptCheckpointError, match="another strategy"):
        restore(parts(strategy="mopps"), place)


def test_pickles_are_refused(parts: Make, tmp_path: Path) -> None:
    made = parts()
    place = saved(made, tmp_path, 1)
    with (place / "arrays.npz").open("wb") as stream:
        np.savez(stream, evil=np.array([{"a": 1}], object))
    with pytest.raises(CorruptCheckpointError, match="allow_pickle"):
        restore(made, place)


def test_a_checkpoint_is_a_model_that_loads_as_any_other(parts: Make, tmp_path: Path) -> None:
    place = saved(parts(), tmp_path, 1)
    told = json.loads((place / "model" / "config.json").read_text())
    assert told["model_type"] == "qwen2"
    again = parts(model=str(place / "model"))
    assert sum(p.numel() for p in again.model.parameters()) > 0

"""Runs side by side: the simulator's report on measured records."""

from pathlib import Path

import pytest

from report.record import CorruptRecord, Record
from smallscale.comparison import differences, records, story
from smallscale.config import Config
from smallscale.run_directory import RunDirectory, RunFolderError
from tests.smallscale.conftest import config


def made(folder: Path, told: Config, pace: float = 1.0) -> Path:
    """A run whose accuracy rises to .8 in four evaluations."""
    rows = [
        {
            "step": float(5 * i),
            "rollouts": 100.0 * i * pace,
            "trained_rollouts": 100.0 * i,
            "updates": 5.0 * i,
            "rounds": 5.0 * i,
            "seconds": 2.0 * i * pace,
            "accuracy": 0.2 * i + 0.2,
            "mixed": 0.5 if i else 0.0,
            "signal_realised": 3.0 * i,
        }
        for i in range(4)
    ]
    folder.mkdir(parents=True)
    RunDirectory(folder).record(told, rows)
    return folder


def test_records_are_read_and_described(tmp_path: Path) -> None:
    one = made(tmp_path / "u", config())
    two = made(tmp_path / "s", config(strategy="speed"), pace=0.5)
    found = records([one, two])
    assert [record.strategy for record in found] == ["uniform", "speed"]
    told = story(found, "passband compare-runs u s")
    assert "4 groups of 8 rollouts" in next(iter(told.descriptions.values()))
    assert not differences(found)


def test_settings_that_differ_are_told(tmp_path: Path) -> None:
    one = made(tmp_path / "u", config())
    six = made(tmp_path / "s", config(strategy="speed", updates=6))
    found = records([one, six])
    (values,) = differences(found).values()
    assert values == {"updates": ["1", "6"]}
    assert any("updates: 1, 6" in text for text in story(found, "x").assumptions.values())


def test_runs_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    one, same = made(tmp_path / "a", config()), made(tmp_path / "b", config(updates=6))
    with pytest.raises(RunFolderError, match=r"both uniform with seed 0.*label=NAME"):
        records([one, same])
    named = made(tmp_path / "c", config(updates=6, label="uniform x6"))
    assert len(records([one, named])) == 2


def test_a_folder_without_a_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"holds no run with an evaluation"):
        records([tmp_path])
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(CorruptRecord):
        records([tmp_path])


def test_the_same_folder_twice_is_said_so(tmp_path: Path) -> None:
    one = made(tmp_path / "u", config())
    with pytest.raises(RunFolderError, match="named twice"):
        records([one, one])


def test_runs_that_end_early_and_simulated_ones_are_told(tmp_path: Path) -> None:
    (record,) = records([made(tmp_path / "u", config(steps=20))])
    simulated = Record(
        setting={"world": "static", "strategy": "uniform", "seed": 0},
        columns=record.columns,
        target=0.5,
    )
    told = story([record, simulated], "x")
    assert told.descriptions["static"].startswith("A simulated world.")
    assert "15 of 20" in told.assumptions["training steps evaluated so far"]

"""Folders of runs: whose they are, what is forgotten on resuming, what a record needs."""

import json
from pathlib import Path

import pytest

from report.record import load
from smallscale.run_directory import RunDirectory, RunFolderError, environment
from tests.smallscale.conftest import config


def test_a_new_folder_is_taken_and_an_old_one_refused(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path / "run")
    folder.check(config(), resume=False)
    folder.begin(config())
    with pytest.raises(RunFolderError, match="holds a run: --resume goes on with it"):
        folder.check(config(), resume=False)
    folder.check(config(), resume=True)


def test_nothing_can_be_resumed_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="holds no run to resume"):
        RunDirectory(tmp_path).check(config(), resume=True)
    assert not list(tmp_path.iterdir())


def test_another_run_is_not_resumed(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path)
    folder.begin(config())
    with pytest.raises(RunFolderError, match=r"holds a run with seed=0, not 3"):
        folder.check(config(seed=3), resume=True)


def test_a_damaged_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunFolderError, match=r"config\.json is damaged"):
        RunDirectory(tmp_path).check(config(), resume=True)


def test_what_is_left_of_a_run_without_its_configuration_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(RunFolderError, match=r"holds checkpoints of a run without"):
        RunDirectory(tmp_path).check(config(), resume=False)


def test_every_start_is_noted(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path)
    folder.begin(config())
    folder.begin(config())
    assert len(json.loads((tmp_path / "environment.json").read_text())) == 2


@pytest.mark.parametrize("torn", ["\n", '{"x": 1}\n', "\x00\n", "[1]\n"])
def test_metrics_are_kept_up_to_the_first_line_that_is_none(tmp_path: Path, torn: str) -> None:
    folder = RunDirectory(tmp_path)
    folder.log({"step": 1})
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write(torn)
    folder.log({"step": 2})
    folder.rewind(5)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'


def test_metrics_after_a_checkpoint_and_half_lines_are_forgotten(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path)
    for step in (1, 2, 3):
        folder.log({"step": step})
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 4')
    folder.rewind(2)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_a_record_is_of_its_world_and_strategy(tmp_path: Path) -> None:
    row = dict.fromkeys(
        ("rollouts", "trained_rollouts", "updates", "rounds", "seconds", "mixed"), 0.0
    )
    row |= {"step": 0.0, "accuracy": 0.5, "signal_realised": 0.0}
    told = config(strategy="speed", label="mine", seed=2)
    RunDirectory(tmp_path).record(told, [row])
    record = load(tmp_path / "record.json")
    assert (record.world, record.strategy, record.seed) == (told.world, "mine", 2)
    assert record.target == told.target
    assert record.setting["lr"] == told.lr


def test_the_environment_names_versions_commit_and_device() -> None:
    found = environment()
    assert found["torch"] != "not installed"
    assert {"commit", "device", "python", "transformers"} <= set(found)

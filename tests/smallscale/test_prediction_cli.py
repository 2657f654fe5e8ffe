"""The commands before and after a prediction, at the smallest sizes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from report.record import load
from selection.settings import SettingError
from sim import measurement
from smallscale.models import SHAPES
from smallscale.prediction_cli import Measure, Study
from smallscale.warm_start import whole
from tests.terminal import Terminal

SMALL = ["--preset", "test", "--model", "test", "--prompts", "strings:length=2"]


def test_a_measurement_is_one_that_the_simulator_reads(
    cache: Path, tmp_path: Path, terminal: Terminal
) -> None:
    out = tmp_path / "deep" / "measured.json"
    options = ["--fraction", "0.01", "--cache", str(cache), "--out", str(out)]
    status, said, _ = terminal("measure", *SMALL, *options)
    assert status == 0
    assert str(out.name) in said.replace("\n", "")
    known = measurement.load(out)
    assert len(known.families) == 8
    assert len(known.overlap) == 8
    told = json.loads(out.read_text())
    assert (told["groups"], told["rollouts"], told["seed"]) == (4, 8, 0)
    assert told["batches"] == 10


def test_a_study_runs_every_strategy_and_seed_to_its_end(
    cache: Path, tmp_path: Path, terminal: Terminal
) -> None:
    options = ["--strategies", "uniform", "dynamic", "--seeds", "2", "--steps", "2", "--seed"]
    options += ["3", "--enough", "0.99", "--cache", str(cache), "--out", str(tmp_path)]
    status, said, _ = terminal("study", *SMALL, *options)
    assert status == 0
    assert "4 runs" in said
    found = [load(file) for file in tmp_path.glob("runs/*/record.json")]
    keys = {(one.strategy, one.seed) for one in found}
    assert keys == {(name, seed) for name in ("uniform", "dynamic") for seed in (3, 4)}
    assert all(one.columns["step"].tolist() == [0, 1, 2] for one in found)


def test_measurement_and_runs_share_what_the_measurement_depends_on() -> None:
    measured = Measure(prompts="letters", seed=1, set=("lr=0.001",)).config()
    study = Study(prompts="letters", seed=1, set=("lr=0.001",), fraction=0.4)
    runs = study.configs()
    assert [(one.strategy, one.seed) for one in runs[:2]] == [("uniform", 1), ("dynamic", 1)]
    assert len(runs) == 2 * 6
    first = replace(runs[0], steps=100, evaluate_every=5, checkpoint_every=25, show_every=10)
    assert first == measured


@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_a_fraction_beyond_reason_is_refused(fraction: float) -> None:
    for command in (Measure(fraction=fraction), Study(fraction=fraction)):
        with pytest.raises(SettingError, match="fraction"):
            command.run()


def test_a_base_model_of_another_width(tmp_path: Path, terminal: Terminal) -> None:
    options = ["--like", "test", "--hidden", "16", "--updates", "2", "--cache", str(tmp_path)]
    status, said, _ = terminal("warm-start", "--prompts", "letters:length=2", *options)
    assert status == 0
    folder = Path(said.strip())
    assert whole(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["hidden_size"] == 16
    assert config["intermediate_size"] == SHAPES["test"].intermediate // 2

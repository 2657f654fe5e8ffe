"""Studies: runs in folders of their own, run once, whatever the number of processes."""

from math import inf
from pathlib import Path

import numpy as np
import pytest

from selection.settings import SettingError
from smallscale import study as module
from smallscale.config import Config
from smallscale.run_directory import RunDirectory
from smallscale.study import finished, path, run, study
from smallscale.train import Trainer
from tests.smallscale.conftest import config

DETERMINED = ("step", "rollouts", "trained_rollouts", "updates", "rounds", "accuracy", "mixed")


def short(**changes: str | int) -> Config:
    return config(**{"steps": 2, "evaluate_every": 1} | changes)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders in which runs began."""
    names: list[str] = []

    def begin(self: RunDirectory, told: Config) -> None:
        names.append(self.path.name)
        original(self, told)

    original = RunDirectory.begin
    monkeypatch.setattr(RunDirectory, "begin", begin)
    return names


def test_records_come_in_the_order_of_configurations(cache: Path, tmp_path: Path) -> None:
    configs = [short(seed=2), short(seed=1, strategy="dynamic"), short(seed=1)]
    found = study(configs, tmp_path, jobs=1, cache=cache)
    assert [(one.strategy, one.seed) for one in found] == [
        ("uniform", 2),
        ("dynamic", 1),
        ("uniform", 1),
    ]
    assert all(one.columns["step"].tolist() == [0, 1, 2] for one in found)
    assert not np.array_equal(found[0].columns["accuracy"], found[2].columns["accuracy"])


def test_processes_change_nothing(cache: Path, tmp_path: Path) -> None:
    configs = [short(seed=1), short(seed=2, updates=2)]
    alone = study(configs, tmp_path / "one", jobs=1, cache=cache)
    together = study(configs, tmp_path / "two", jobs=2, cache=cache)
    for one, two in zip(alone, together, strict=True):
        for name in DETERMINED:
            np.testing.assert_array_equal(one.columns[name], two.columns[name])


def test_finished_runs_are_not_run_again(cache: Path, tmp_path: Path, begun: list[str]) -> None:
    first = study([short()], tmp_path, jobs=1, cache=cache)
    again = study([short(), short(seed=1)], tmp_path, jobs=1, cache=cache)
    assert begun == [path(short(), tmp_path).name, path(short(seed=1), tmp_path).name]
    assert again[0].columns["seconds"].tolist() == first[0].columns["seconds"].tolist()


def test_a_run_that_was_broken_off_goes_on(cache: Path, tmp_path: Path) -> None:
    told = short(steps=4, checkpoint_every=1)
    whole = study([told], tmp_path / "whole", jobs=1, cache=cache)[0]

    def broken(trainer: Trainer) -> str:
        return original(trainer, 2)

    original = Trainer.run
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Trainer, "run", broken)
        patched.setattr(module.shutil, "rmtree", lambda *_, **__: None)
        run(told, tmp_path / "parts", cache, inf)
    assert finished(told, tmp_path / "parts") is None
    resumed = study([told], tmp_path / "parts", jobs=1, cache=cache)[0]
    assert resumed.columns["step"].tolist() == [0, 1, 2, 3, 4]
    for name in DETERMINED:
        np.testing.assert_array_equal(resumed.columns[name], whole.columns[name])


def test_a_run_ends_when_it_has_learnt_enough(
    cache: Path, tmp_path: Path, begun: list[str]
) -> None:
    told = short(steps=4)
    found = study([told], tmp_path, jobs=1, cache=cache, enough=0.0)[0]
    assert found.columns["step"].tolist() == [0, 1]
    assert finished(told, tmp_path, 0.0) is not None
    assert finished(told, tmp_path) is None
    whole = study([told], tmp_path, jobs=1, cache=cache, enough=1.01)[0]
    assert whole.columns["step"].tolist() == [0, 1, 2, 3, 4]
    assert len(begun) == 2


def test_checkpoints_do_not_pile_up(cache: Path, tmp_path: Path) -> None:
    study([short(checkpoint_every=1)], tmp_path, jobs=1, cache=cache)
    assert not (path(short(checkpoint_every=1), tmp_path) / "checkpoints").exists()


def test_every_configuration_has_a_folder_of_its_own(tmp_path: Path) -> None:
    configs = (short(), short(seed=1), short(updates=2), short(strategy="speed"), short(lr="1"))
    assert len({path(one, tmp_path) for one in configs}) == len(configs)
    assert path(short(), tmp_path) == path(short(), tmp_path)
    assert path(short(), tmp_path).parent == tmp_path / "runs"


def test_warm_starts_are_made_once_and_first(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make(told: Config, *rest: object) -> str:
        made.append(told.prompts)
        return original(told, *rest)  # pyright: ignore[reportArgumentType]

    original = module.base_model
    monkeypatch.setattr(module, "base_model", make)
    study([short(), short(seed=1)], tmp_path, jobs=1, cache=cache)
    assert made == ["strings:length=2"]
    study([short(), short(seed=1)], tmp_path, jobs=1, cache=cache)
    assert len(made) == 1  # nothing is left to run


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([short(), short()], "twice"),
        ([short(strategy="cures-norms")], "score norm"),
        ([short(), short(strategy="unifrom")], "unifrom"),
    ],
)
def test_impossible_studies_begin_nothing(
    wrong: list[Config], said: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=said):
        study(wrong, tmp_path, jobs=1)
    assert not (tmp_path / "runs").exists()


def test_jobs_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs"):
        study([short()], tmp_path, jobs=0)

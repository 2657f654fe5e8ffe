"""The chain of commands behind `make results`: every command and option is one there is."""

import os
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import tyro

import passband
from smallscale.confound import SETTINGS

ROOT = Path(__file__).parents[1]
CHAIN = ROOT / "docs" / "results" / "regenerate.sh"
STUB = """#!/bin/sh
printf '%s\\n' "$@" END >> "$0.said"
if [ "$1" = warm-start ]; then echo MODEL; fi
"""


def chain(folder: Path, **variables: str) -> list[tuple[str, Any]]:
    """The commands of the chain, each with its options as the command line reads them."""
    stub = folder / "passband"
    stub.write_text(STUB)
    stub.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "PASSBAND": str(stub), "OUT": "o", **variables}
    subprocess.run(["sh", str(CHAIN)], env=environment, check=True, cwd=folder)
    found: list[tuple[str, Any]] = []
    for call in (folder / "passband.said").read_text().split("END\n")[:-1]:
        name, *args = call.splitlines()
        module, kind, _ = passband.COMMANDS[name]
        found.append((name, tyro.cli(getattr(import_module(module), kind), args=args)))
    return found


def options(calls: list[tuple[str, Any]], name: str) -> list[Any]:
    return [call for command, call in calls if command == name]


def test_the_chain_predicts_before_it_runs(tmp_path: Path) -> None:
    calls = chain(tmp_path)
    assert [name for name, _ in calls[:4]] == ["snr", "confound", "compare", "confound"]
    predicted: list[Path] = []
    for name, call in calls:
        if name == "predict":
            predicted.append(call.out)
        if name == "study":
            assert call.out.name in {out.name for out in predicted}
    assert len(options(calls, "judge")) == 5


def test_seed_fraction_and_processes_reach_every_command(tmp_path: Path) -> None:
    calls = chain(tmp_path, SEED="3", FRACTION=".25", JOBS="5", LENGTHS="0 6")
    for name, call in calls:
        for option, value in (("seed", 3), ("fraction", 0.25), ("jobs", 5)):
            assert getattr(call, option, value) == value, (name, option)
    assert options(calls, "snr")[0].lengths == (0, 6)
    assert options(calls, "compare")[0].seeds == 3  # as many as a quarter of ten, rounded up


@pytest.mark.parametrize(("fraction", "seeds"), [("1", 10), (".05", 1), (".3", 3), (".31", 4)])
def test_worlds_have_as_many_seeds_as_runs(tmp_path: Path, fraction: str, seeds: int) -> None:
    assert options(chain(tmp_path, FRACTION=fraction), "compare")[0].seeds == seeds


def test_what_one_command_writes_the_next_one_reads(tmp_path: Path) -> None:
    calls = chain(tmp_path)
    trained, told = options(calls, "confound")
    (worlds,) = options(calls, "compare")
    assert (trained.read, told.read, told.simulated) == (False, True, worlds.out)
    assert (trained.out, trained.results) == (told.out, told.results)
    assert set(told.settings) == set(SETTINGS)
    assert all(f"population={told.results}/start.json" in world for world in worlds.worlds)


def test_predictions_are_held_against_runs_of_their_own(tmp_path: Path) -> None:
    calls = chain(tmp_path)
    measured = {one.out: one for one in options(calls, "measure")}
    predicted = {one.out: one for one in options(calls, "predict")}
    runs = {one.out: one for one in options(calls, "study")}
    assert {one.measurement for one in predicted.values()} == set(measured)
    for judge in options(calls, "judge"):
        predict, study = predicted[judge.predicted], runs[judge.runs[0]]
        measure = measured[predict.measurement]
        assert (study.model, study.prompts) == (measure.model, measure.prompts)
        assert study.enough > max(predict.targets)
        assert set(study.strategies) == set(predict.strategies)
        assert ("updates=6" in study.set) == (predict.updates == 6)
    assert {one.model for one in runs.values()} == {"tiny", "MODEL"}

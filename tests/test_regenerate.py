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

ROOT = Path(__file__).parents[2]
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


def test_the_chain_predicts_before_it_runs_and_reads_at_the_end(tmp_path: Path) -> None:
    names = [name for name, _ in chain(tmp_path)]
    predicted = ["measure", "predict", "study", "judge"]
    assert names[:4] == ["snr", "confound", "compare", "confound"]
    assert names[4:] == [*predicted, "warm-start", *predicted]


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
    steps = [options(calls, name) for name in ("measure", "predict", "study", "judge")]
    for measure, predict, study, judge in zip(*steps, strict=True):
        assert predict.measurement == measure.out
        assert (judge.predicted, judge.runs) == (predict.out, (study.out,))
        assert (study.model, study.prompts) == (measure.model, measure.prompts)
        assert study.enough > max(predict.targets)
    assert options(calls, "study")[1].model == "MODEL"

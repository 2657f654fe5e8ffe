"""Throughput: bounds by hand; the whole check, dry, without what a bare image lacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from smallscale import models, throughput
from smallscale.gpu_check import DRY
from smallscale.memory import per_token
from smallscale.models import parameters

ROOT = Path(__file__).parents[2]


def test_bounds_by_hand() -> None:
    model = models.fresh(DRY.shape, seed=0)
    made = throughput.generation(DRY, model, 8, bandwidth=1e9, compiled=False)
    read = 4 * parameters(DRY.shape) + 8 * (8 + 4) * per_token(DRY.shape, 4)
    assert made.bound == pytest.approx(8 * 1e9 / read)
    assert made.tokens_per_second == pytest.approx(8 * DRY.new_tokens / made.seconds)
    trained = throughput.training(DRY, model, rate=1e12)
    assert trained.bound == pytest.approx(1e12 / (6 * parameters(DRY.shape)))
    assert trained.tokens_per_second == pytest.approx(16 * 16 / trained.seconds)


def test_the_random_batch_has_mixed_groups() -> None:
    batch = throughput.random_batch(DRY)
    for group in np.unique(batch.groups):
        assert 0 < batch.rewards[batch.groups == group].mean() < 1


BARE = """
import sys
for name in ("tyro", "math_verify", "vllm", "beartype", "datasets", "trl"):
    sys.modules[name] = None
from smallscale.gpu_check import main
main(sys.argv[1:])
"""


def test_the_whole_check_runs_dry_on_a_bare_image(cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "check"
    command = [sys.executable, "-c", BARE, "--dry", "--out", str(out)]
    strategies = ("--strategies", "uniform", "speed-released:fresh=8")
    env = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PASSBAND_CACHE": str(cache)}
    done = subprocess.run(
        [*command, *strategies],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "gpu_check.json").read_text())
    assert [run["strategy"] for run in found["runs"]] == ["uniform", "speed-released:fresh=8"]
    assert all(run["ending"].startswith("finished") for run in found["runs"])
    assert {"throughput.png", "report.html", "summary.csv"} <= {f.name for f in out.iterdir()}


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smallscale.gpu_check", "--out", str(tmp_path / "x")],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "gpu_check: no GPU is visible: --dry proves the script on a CPU\n"
    assert not (tmp_path / "x").exists()

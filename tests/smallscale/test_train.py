"""Whole runs of the smallest model: what they leave, and that nothing is lost on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from report import atomic
from report.record import load
from selection import Order, Outcome
from smallscale import checkpoints, models, tasks, turn
from smallscale.assembly import Parts
from smallscale.learner import DivergedError
from smallscale.progress import Judged, Progress
from smallscale.prompts import Prompts
from smallscale.rollouts import Rollouts
from smallscale.run_directory import RunDirectory, RunFolderError
from smallscale.stopping import Stop
from smallscale.train import Trainer
from smallscale.vocabulary import character_tokenizer
from tests.smallscale.conftest import config

ROOT = Path(__file__).parents[2]
Make = Callable[..., Parts]
# Strategies that hold groups, keep surplus, allocate unevenly, learn from history.
STATEFUL = ("speed-released:fresh=8", "cures:subsets=1", "greso", "mopps")
# Wall-clock differs from run to run, and nothing else may.
CLOCKED = ("seconds", "timing/")


def begin(made: Parts, path: Path, **rest: Any) -> Trainer:  # noqa: ANN401
    folder = RunDirectory(path)
    folder.begin(made.config)
    return Trainer.begin(made, folder, **rest)


def metrics(path: Path) -> list[dict[str, Any]]:
    lines = (path / "metrics.jsonl").read_text().splitlines()
    return [timeless(json.loads(line)) for line in lines]


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith(CLOCKED)}


def weights(path: Path) -> dict[str, bytes]:
    """Every file of the newest checkpoint whose bytes must not depend on the clock."""
    (newest,) = checkpoints.saved(path / "checkpoints")[-1:]
    names = ("model/model.safetensors", "optimizer.safetensors", "arrays.npz")
    return {name: (newest / name).read_bytes() for name in names}


def streams(path: Path) -> tuple[Any, ...]:
    (newest,) = checkpoints.saved(path / "checkpoints")[-1:]
    plain = json.loads((newest / "progress.json").read_text())
    return plain["nature"], plain["choice"], plain["store"], plain["segments"]


def test_a_run_leaves_what_its_folder_promises(parts: Make, tmp_path: Path) -> None:
    trainer = begin(parts(), tmp_path)
    assert trainer.run() == "finished 10 training steps"
    rows = metrics(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, 11))
    record = load(tmp_path / "record.json")
    assert record.columns["step"].tolist() == [0, 5, 10]
    assert record.columns["rollouts"].tolist() == [0, 160, 320]
    assert record.columns["updates"].tolist() == [0, 5, 10]
    assert (np.diff(record.columns["seconds"]) > 0).all()
    assert record.strategy == "uniform"
    for row in rows:
        mixed = row["groups/mixed_share"] * row["groups/trained"]
        assert mixed + row["groups/all_pass"] + row["groups/all_fail"] == row["groups/trained"]
        assert row["staleness/rollouts"] == {"0": 32}
    lines = (tmp_path / "rollouts" / "step-000010.jsonl").read_text().splitlines()
    shown = [json.loads(line) for line in lines]
    assert all(sum(group["passed"]) == group["passes"] for group in shown)
    for group in shown:
        right = [text == group["answer"] for text in group["texts"]]
        assert right == group["passed"]


@pytest.mark.parametrize("strategy", STATEFUL)
def test_a_resumed_run_is_the_uninterrupted_run(
    parts: Make, tmp_path: Path, strategy: str
) -> None:
    """Stopped after 5 of 10 steps and continued by another process's worth of objects."""
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    settings = {"strategy": strategy, "updates": 2, "estimator": "grpo"}
    begin(parts(**settings), whole).run()
    first = begin(parts(**settings), halves)
    first.run(until=7)  # two steps beyond the checkpoint are lost and made again
    del first
    begin(parts(**settings), halves).run()
    assert metrics(halves) == metrics(whole)
    assert weights(halves) == weights(whole)
    assert streams(halves) == streams(whole)


def test_the_resumed_run_carries_pending_and_surplus_groups(
    parts: Make, tmp_path: Path
) -> None:
    """The control of the test above: at its checkpoint there is something to carry."""
    trainer = begin(parts(strategy="speed-released:fresh=8"), tmp_path)
    trainer.run(until=5)
    assert trainer.progress.buffer.held.group.size > 0
    places = checkpoints.saved(tmp_path / "checkpoints")
    with np.load(places[-1] / "arrays.npz", allow_pickle=False) as arrays:
        assert any(name.startswith("store.") for name in arrays.files)


def test_rollouts_are_forgotten_once_trained_on(parts: Make, tmp_path: Path) -> None:
    trainer = begin(parts(steps=3), tmp_path)
    trainer.run()
    assert trainer.progress.store == {}
    assert trainer.progress.segments == 12


def test_surplus_is_kept_or_dropped_as_the_strategy_says(parts: Make, tmp_path: Path) -> None:
    """Rounds of 16 prompts for 4 groups leave some over, which dynamic sampling drops."""
    ready = {}
    for strategy in ("dynamic-released", "speed-released:fresh=24"):
        trainer = begin(parts(strategy=strategy, steps=4), tmp_path / strategy[:5])
        trainer.run()
        rows = metrics(tmp_path / strategy[:5])
        ready[strategy] = max(row["selection/ready_groups"] for row in rows)
    assert ready["dynamic-released"] == 0
    assert ready["speed-released:fresh=24"] > 0


def test_a_copy_of_the_progress_shares_nothing_that_changes(parts: Make) -> None:
    made = parts()
    before = Progress.start(made.selector.init(len(made.prompts)), 0)
    later = before.copy()
    later.keep([Judged(Rollouts.none(), np.zeros(0, bool))])
    later.totals.generated(5, 1.0)
    later.rows.append({})
    assert (before.store, before.segments, before.totals.rollouts) == ({}, 0, 0)
    assert before.rows == []


def test_groups_of_several_policies_are_reported(parts: Make, tmp_path: Path) -> None:
    trainer = begin(parts(strategy="speed-released:fresh=8", steps=6), tmp_path)
    trainer.run()
    rows = metrics(tmp_path)
    assert any(row["staleness/several_versions"] > 0 for row in rows)
    assert any(int(age) > 0 for row in rows for age in row["staleness/rollouts"])


def command(out: Path, cache: Path, *more: str) -> list[str]:
    call = [sys.executable, str(ROOT / "passband.py"), "train", "--preset", "test"]
    return [*call, "--out", str(out), "--cache", str(cache), *more]


def started(out: Path, cache: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(out, cache, *more),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_step(out: Path, step: int) -> None:
    """Returns once a run has written the metrics of a training step."""
    file, deadline = out / "metrics.jsonl", time.monotonic() + 120
    while time.monotonic() < deadline:
        if file.exists() and len(file.read_text().splitlines()) >= step:
            return
        time.sleep(0.01)
    raise AssertionError(f"no step {step} in {out}")


LONG = ("--set", "steps=40", "checkpoint_every=4", "strategy=speed-released:fresh=8")


def test_a_killed_run_resumes_to_the_same_end(parts: Make, cache: Path, tmp_path: Path) -> None:
    settings = {"strategy": "speed-released:fresh=8", "steps": 40, "checkpoint_every": 4}
    begin(parts(**settings), tmp_path / "whole").run()
    killed = tmp_path / "killed"
    process = started(killed, cache, *LONG)
    wait_for_step(killed, 10)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(metrics(killed)) < 40
    resumed = started(killed, cache, *LONG, "--resume")
    said, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert said.startswith("finished 40 training steps")
    assert metrics(killed) == metrics(tmp_path / "whole")
    assert weights(killed) == weights(tmp_path / "whole")


def test_selection_is_less_than_a_hundredth_of_a_step(cache: Path, tmp_path: Path) -> None:
    """Of tiny-cpu, in a process without type checks; of wall-clocks the best step counts."""
    task = tasks.task("strings")
    tokenizer = character_tokenizer(task.characters)
    end = tokenizer.eos_token_id
    shape = replace(models.SHAPES["tiny"], vocabulary=len(tokenizer), end=end, pad=end)
    models.save(models.fresh(shape, seed=0), tokenizer, tmp_path / "model")
    sizes = ("groups=16", "rollouts=16", "steps=8", "num_prompts=2000", "strategy=mopps")
    model = (f"model={tmp_path / 'model'}", "prompts=strings")
    process = started(tmp_path / "run", cache, "--set", *sizes, *model)
    assert process.wait(timeout=120) == 0, process.communicate()
    process.communicate()
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    shares = [
        row["timing/select"] / sum(v for k, v in row.items() if k.startswith("timing/"))
        for row in rows
    ]
    assert min(shares) < 0.01


def test_sigterm_writes_a_checkpoint_and_ends_well(cache: Path, tmp_path: Path) -> None:
    process = started(tmp_path, cache, "--set", "steps=1000", "checkpoint_every=1000")
    wait_for_step(tmp_path, 5)
    process.terminate()
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert said.startswith("stopped after training step")
    (place,) = checkpoints.saved(tmp_path / "checkpoints")
    assert int(place.name) == len(metrics(tmp_path))


def test_a_step_that_is_broken_off_leaves_no_trace(parts: Make, tmp_path: Path) -> None:
    """Asked to stop in the middle of a step, the run goes on later as if never asked."""
    calm, asked = tmp_path / "calm", tmp_path / "asked"
    settings = {"strategy": "speed", "steps": 6}
    begin(parts(**settings), calm).run()
    stop = Stop()
    trainer = begin(parts(**settings), asked, stop=stop)
    generate, calls = trainer.parts.engine.generate, [0]

    def generate_then_ask(*args: Any) -> Any:  # noqa: ANN401
        calls[0] += 1
        stop.asked = calls[0] == 4
        return generate(*args)

    trainer.parts.engine.generate = generate_then_ask  # pyright: ignore[reportAttributeAccessIssue]
    assert trainer.run().startswith("stopped after training step")
    assert begin(parts(**settings), asked).run() == "finished 6 training steps"
    assert metrics(asked) == metrics(calm)
    assert weights(asked) == weights(calm)


def test_a_loss_that_is_no_number_stops_the_run_and_saves_the_batch(
    parts: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = begin(parts(), tmp_path)
    trainer.run(until=1)
    before = {name: p.clone() for name, p in trainer.parts.model.named_parameters()}
    learn = turn.learn

    def poisoned(*args: Any, **rest: Any) -> Any:  # noqa: ANN401
        batch = args[3]
        batch.rollouts.logprobs[0, 0] = np.nan
        return learn(*args, **rest)

    monkeypatch.setattr(turn, "learn", poisoned)
    with pytest.raises(DivergedError, match=r"training step 2: update 1 .* nan.*saved as"):
        trainer.run()
    assert (tmp_path / "diverged-step-000002.safetensors").stat().st_size > 0
    for name, parameter in trainer.parts.model.named_parameters():
        torch.testing.assert_close(parameter, before[name], rtol=0, atol=0)


def test_parameters_that_are_no_numbers_stop_the_run(parts: Make, tmp_path: Path) -> None:
    """With such a model nothing passes: a filter would starve and look honest."""
    trainer = begin(parts(strategy="dynamic", lr="1e38"), tmp_path)
    with pytest.raises(DivergedError, match=r"training step 1: update 1 left parameters"):
        trainer.run()


def test_a_run_on_other_prompts_is_not_resumed(parts: Make, tmp_path: Path) -> None:
    begin(parts(), tmp_path).run(until=5)
    other = parts()
    turned = replace(other, prompts=reversed_prompts(other.prompts))
    with pytest.raises(RunFolderError, match="on other prompts"):
        begin(turned, tmp_path)


def reversed_prompts(prompts: Prompts) -> Prompts:
    return Prompts(
        keys=prompts.keys[::-1],
        texts=prompts.texts[::-1],
        tokens=prompts.tokens[::-1],
        answers=prompts.answers[::-1],
        families=prompts.families[::-1],
    )


def test_dapo_does_not_punish_answers_as_long_as_the_task_asks(parts: Make) -> None:
    """Every right answer is as long as the task's own limit; a limit that is set counts."""
    assert parts(estimator="dapo").learner.estimator.overlong == 0.0
    assert parts(estimator="dapo", max_tokens=20).learner.estimator.overlong == 0.2


def test_steps_without_an_order_say_so(parts: Make, tmp_path: Path) -> None:
    trainer = begin(parts(strategy="speed-released:fresh=64", steps=4), tmp_path)
    trainer.run()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    idle = [row for row in map(json.loads, lines) if not row["orders"]]
    assert idle
    assert all(row["rollouts/pass_rate"] is None for row in idle)
    assert all(row["timing/generate"] == 0.0 for row in idle)
    assert all("selection/epochs.epoch" in row for row in idle)


def test_a_full_disk_is_one_clear_line_and_loses_nothing(
    parts: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = begin(parts(), tmp_path)
    trainer.run(until=5)
    (place,) = checkpoints.saved(tmp_path / "checkpoints")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(atomic.UnwritableError, match=r"No space left on device.*free some"):
        trainer.run()
    assert checkpoints.saved(tmp_path / "checkpoints") == [place]
    assert not list((tmp_path / "checkpoints").glob(".*"))
    monkeypatch.undo()
    assert begin(parts(), tmp_path).run() == "finished 10 training steps"


def test_prompts_that_are_all_solved_end_a_run_in_words(parts: Make, tmp_path: Path) -> None:
    """Dynamic sampling starves where every group passes."""
    trainer = begin(parts(strategy="dynamic", max_orders=30), tmp_path)
    trainer.run(until=1)

    def all_pass(self: turn.Turn, order: Order) -> Outcome:
        del self
        return Outcome(passes=order.rollouts.copy(), payload=np.zeros(order.prompts.size, int))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turn.Turn, "roll", all_pass)
        assert "ended after training step 1: 0 of 4 groups ready" in trainer.run()


def test_a_run_learns(parts: Make, tmp_path: Path) -> None:
    """40 steps of the test model: accuracy rises by more than its noise, for it is exact."""
    made = parts(steps=40, groups=8, evaluate_every=40)
    begin(made, tmp_path).run()
    before, after = load(tmp_path / "record.json").columns["accuracy"]
    assert after > before + 0.02


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": "cures-norms"}, "score norm"),
        (
            {"strategy": "oracle", "prompts": "strings:length=2,free_tokens=2"},
            "true pass rates",
        ),
        ({"model": "tiny", "prompts": "dapo17k"}, "built-in task"),
        ({"device": "cuda"}, "needs a GPU"),
    ],
)
def test_what_cannot_run_is_refused_before_it_starts(
    parts: Make, changes: dict[str, str], said: str
) -> None:
    if "device" in changes and torch.cuda.is_available():
        changes = {**changes, "strategy": "cures-norms"}
        said = "score norm"
    with pytest.raises(ValueError, match=said):
        parts(**changes)


def test_the_oracle_runs_where_pass_rates_are_exact(parts: Make, tmp_path: Path) -> None:
    trainer = begin(parts(strategy="oracle", steps=2), tmp_path)
    assert trainer.run() == "finished 2 training steps"


def test_configurations_make_different_worlds() -> None:
    one = config()
    assert one.world != config(estimator="grpo").world
    assert one.world == config(strategy="speed", seed=3).world

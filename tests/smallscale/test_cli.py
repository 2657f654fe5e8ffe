"""The commands that run a model: what they print, and what they refuse in one line."""

import json
from pathlib import Path

import pytest

from tests.terminal import Terminal

QWEN = ("--preset", "qwen2.5-math-1.5b")
EVALUATED = ("--model", "x", "--prompts", "strings")
FAST = ("--preset", "test", "--set", "steps=3", "evaluate_every=1", "groups=2")


@pytest.mark.parametrize("preset", ["test", "tiny-cpu", "small-gpu", "qwen2.5-math-1.5b"])
def test_a_dry_run_lists_settings_and_memory(terminal: Terminal, preset: str) -> None:
    status, said, complained = terminal("train", "--preset", preset, "--dry-run")
    assert (status, complained) == (0, "")
    assert "micro_tokens" in said
    assert "at once" in said


def test_brackets_are_shown_as_they_are(terminal: Terminal) -> None:
    status, said, _ = terminal("train", "--preset", "test", "--dry-run", "--set", "label=[/x]")
    assert status == 0
    assert "[/x]" in said


def test_a_divergence_from_a_reference_needs_its_memory(terminal: Terminal) -> None:
    said = terminal("train", "--preset", "tiny-cpu", "--dry-run", "--estimator", "grpo:kl=0.1")
    assert "reference                     │ 0.001 GB" in said[1]


def test_runs_are_trained_evaluated_and_compared(
    terminal: Terminal, cache: Path, tmp_path: Path
) -> None:
    where = ("--cache", str(cache))
    for strategy in ("uniform", "mopps"):
        out = str(tmp_path / strategy)
        status, said, complained = terminal(
            "train", *FAST, "--strategy", strategy, "--out", out, *where
        )
        assert status == 0, complained
        assert said.startswith("finished 3 training steps")
    status, said, complained = terminal(
        "compare-runs", *map(str, tmp_path.glob("*")), "--out", str(tmp_path / "report")
    )
    assert status == 0, complained
    assert "mopps" in said
    html = (tmp_path / "report" / "report.html").read_text()
    assert "runs of a language model" in html
    rates = tmp_path / "rates.json"
    status, said, complained = terminal(
        *("evaluate", "--model", str(tmp_path / "mopps"), "--prompts", "strings"),
        *("--num-prompts", "16", "--out", str(rates)),
    )
    assert status == 0, complained
    assert "exact" in said
    assert len(json.loads(rates.read_text())) == 16


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["train", "--preset", "tiny"], "unknown preset 'tiny': did you mean 'tiny-cpu'?"),
        (["train", "--strategy", "sped"], "unknown strategy 'sped'"),
        (["train", "--estimator", "ppo"], "unknown estimator 'ppo'"),
        (["train", "--set", "steps"], "--set 'steps' must be key=value"),
        (["train", "--seed", "1", "--set", "seed=2"], "seed is given twice"),
        (["train", "--resume", "--out", "nowhere"], "holds no run to resume"),
        (["train", "--set", "prompts=missing.jsonl"], "missing.jsonl"),
        (["train", "--set", "model=/nowhere"], "no model at /nowhere"),
        (["train", "--track", "mlflow"], "unknown tracker 'mlflow'"),
        (["train", "--preset", "small-gpu", "--set", "engine=vllm", "device=cpu"], "vllm"),
        (["compare-runs", "nowhere"], "holds no run with an evaluation"),
        (["evaluate", "--model", "tiny", "--prompts", "dapo17k"], "built-in task"),
        (["evaluate", "--model", "x", "--prompts", "strings", "--rollouts", "0"], "rollouts=0"),
        (["bench", "train", "--turns", "0"], "turns=0"),
        (["bench", "train"], "trl"),
        (["train", "--dry-run", "--estimator", "ppo"], "unknown estimator 'ppo'"),
        (["train", *QWEN, "--dry-run", "--set", "held_out="], "need held_out prompts"),
        (["train", "--set", "label=a\nb"], "must be printable"),
        (["train", "--set", "num_prompts=10000000"], "num=10000000 is too many"),
        (["evaluate", *EVALUATED, "--out", "no/x.json"], "no folder"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    terminal: Terminal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    args: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said, complained = terminal(*args)
    assert status == 2, said
    assert complained.count("\n") == 1
    assert line in complained
    assert not list(tmp_path.iterdir())

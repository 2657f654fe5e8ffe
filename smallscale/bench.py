"""How fast a training step is, beside TRL's GRPOTrainer on the same model, prompts and sizes.

Both trainers take turns within one process on one thread, so that whatever else the machine
does slows both, and the figure is the ratio of the medians of their steps. Both generate
with transformers, make one optimizer update with GRPO's advantages on 16 x 16 rollouts, and
neither evaluates nor saves. TRL (1.16) is installed for this alone: pip install "trl==1.16.*".
"""

import importlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table

from selection.settings import SettingError
from smallscale import models
from smallscale.assembly import CACHE, Parts, assembled, base_model, task_of
from smallscale.config import Config, configure
from smallscale.run_directory import RunDirectory
from smallscale.train import Trainer

WARM_UP = 2  # steps of a turn that do not count


@dataclass(frozen=True)
class Times:
    """Seconds of training steps of both trainers, and the shares of ours by phase."""

    ours: Sequence[float]
    theirs: Sequence[float]
    shares: dict[str, float]

    @property
    def ratio(self) -> float:
        """Our median step over theirs."""
        return float(np.median(self.ours) / np.median(self.theirs))


def table(steps: int, turns: int, cache: Path | None = None) -> Table:
    """Seconds per training step of both, and where ours go.

    Raises:
        SettingError: TRL is not installed.
    """
    found = times(steps, turns, cache or CACHE.expanduser())
    rows = Table("what", "median s per step", title=f"{turns} turns of {steps} training steps")
    rows.add_row("passband", f"{np.median(found.ours):.3f}")
    rows.add_row("TRL GRPOTrainer", f"{np.median(found.theirs):.3f}")
    rows.add_row("ratio", f"{found.ratio:.2f}")
    rows.add_section()
    for phase, share in found.shares.items():
        rows.add_row(f"share of {phase}", f"{share:.2%}")
    return rows


def times(steps: int, turns: int, cache: Path) -> Times:
    """Steps of both trainers, in turns."""
    trl = _trl()
    torch.set_num_threads(1)
    config = configure("tiny-cpu", {"estimator": "grpo", "steps": steps + WARM_UP})
    ours: list[float] = []
    theirs: list[float] = []
    phases: list[dict[str, float]] = []
    with assembled(config, cache=cache) as parts:
        folder = base_model(config, task_of(config), cache, "cpu")
        for _ in range(turns):
            theirs += their_steps(trl, folder, parts, config)[WARM_UP:]
            metrics = our_steps(parts)[WARM_UP:]
            phases += [_phases(one) for one in metrics]
            ours += [sum(_phases(one).values()) for one in metrics]
    whole = sum(ours)
    shares = {key: sum(one[key] for one in phases) / whole for key in phases[0]}
    return Times(ours, theirs, shares)


def our_steps(parts: Parts) -> list[dict[str, Any]]:
    """Metrics of all training steps, without evaluations."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = RunDirectory(Path(folder))
        place.begin(parts.config)
        quiet = replace(parts, held_out=parts.held_out.first(1))
        trainer = Trainer.begin(quiet, place)
        for _ in range(parts.config.steps):
            found.append(trainer.step())  # noqa: PERF401 - a step is no mere expression
    return found


def their_steps(trl: Any, folder: str, parts: Parts, config: Config) -> list[float]:  # noqa: ANN401
    """Seconds of TRL's training steps at the same sizes."""
    datasets: Any = importlib.import_module("datasets")
    transformers: Any = importlib.import_module("transformers")
    rows = [
        {"prompt": text, "answer": answer}
        for text, answer in zip(parts.prompts.texts, parts.prompts.answers, strict=True)
    ]
    seconds: list[float] = []

    class Stopwatch(transformers.TrainerCallback):
        def on_step_begin(self, *_: object, **__: object) -> None:
            self.begun = time.perf_counter()

        def on_step_end(self, *_: object, **__: object) -> None:
            seconds.append(time.perf_counter() - self.begun)

    def reward(completions: list[str], answer: list[str], **_: object) -> list[float]:
        return [float(c.strip() == a) for c, a in zip(completions, answer, strict=True)]

    model, tokenizer = models.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        settings = trl.GRPOConfig(
            output_dir=scratch,
            max_steps=config.steps,
            per_device_train_batch_size=config.groups * config.rollouts,
            num_generations=config.rollouts,
            max_completion_length=parts.max_tokens,
            learning_rate=config.lr,
            lr_scheduler_type="constant",
            beta=0.0,
            loss_type="grpo",
            temperature=1.0,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            save_strategy="no",
            logging_steps=config.steps + 1,
            disable_tqdm=True,
        )
        trl.GRPOTrainer(
            model=model,
            reward_funcs=reward,
            args=settings,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[Stopwatch()],
        ).train()
    return seconds


def _trl() -> Any:  # noqa: ANN401
    try:
        return importlib.import_module("trl")
    except ImportError as error:
        raise SettingError(
            f'bench train compares with TRL, and {error}: pip install "trl==1.16.*"'
        ) from error


def _phases(metrics: dict[str, Any]) -> dict[str, float]:
    """Seconds by phase."""
    return {key: value for key, value in metrics.items() if key.startswith("timing/")}

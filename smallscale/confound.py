"""How much of a selection rule's speedup is its optimizer updates, on a real (tiny) network.

SPEED's released scripts make six optimizer updates of a training step where its baselines
make one (Zanette-Labs/speed-rl @ 80e47b5, `verl/workers/fsdp_workers.py`: the mini-batch is
multiplied by N_init in the one and by N in the other). Here uniform selection, dynamic
sampling and SPEED run at one update and at six, in settings that differ in one thing each: the
optimizer, the estimator, the length of rollouts. Uniform selection also gets what a tuned
baseline would try, other learning rates and other mini-batches.

This module says what is run; `smallscale.confound_costs` what came of it.

Departure from the release: prompts, model and sizes are ours; what is the release's is the rule
(screening and continuation in one order, 4 and 12 rollouts, 4 fresh prompts per group wanted,
surplus kept) and the ratio of updates.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from selection.settings import nearest
from smallscale.assembly import assembled
from smallscale.config import Config, configure

TARGETS = (0.6, 0.7, 0.8)
MIDDLE = TARGETS[1]  # of what shows one
ENOUGH = 0.82  # past the last target, so that no crossing is at the end of a run
START_ROLLOUTS = 1000


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A rule of selection, the updates it makes of a training step, and their length.

    Attributes:
        strategy: A strategy setting.
        updates: Optimizer updates per training step.
        faster: Multiple of the setting's learning rate.
    """

    strategy: str
    updates: int = 1
    faster: int = 1

    @property
    def name(self) -> str:
        """What the arm is called in tables and records."""
        tuned = f",lr=x{self.faster}" if self.faster != 1 else ""
        return f"{self.strategy}:updates={self.updates}{tuned}"

    @property
    def quick(self) -> bool:
        """Whether it moves so far in a training step that it is evaluated more often."""
        return self.updates * self.faster > 2


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the arms of a comparison share.

    Attributes:
        told: What it is, for a reader.
        arms: Who takes part.
        lr: Learning rate.
        evaluate_every: Training steps between evaluations, of slow arms and of quick ones; a
            crossing is interpolated between two.
        changes: Changes of the preset.
    """

    told: str
    arms: tuple[Arm, ...]
    lr: float
    evaluate_every: tuple[int, int] = (3, 1)
    changes: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


class Trial(NamedTuple):
    """A run of the experiment: an arm in a setting, under a seed."""

    setting: str
    arm: Arm
    config: Config


UNIFORM, SPEED, DYNAMIC, FRESH = (  # each at one update and at six
    tuple(Arm(strategy=name, updates=u) for u in (1, 6))
    for name in ("uniform", "speed-released", "dynamic", "speed")
)
BASE = UNIFORM[0].name
CORE = (*UNIFORM, *SPEED, *DYNAMIC)
TUNED = (
    *(Arm(strategy="uniform", faster=times) for times in (2, 4, 8)),
    *(Arm(strategy="uniform", updates=u) for u in (2, 3, 12)),
)
# Added after the first runs, as FRESH was: is it the ageing of kept groups that costs SPEED
# its lead at six, and is it by clipping?
FREED = (UNIFORM[1], SPEED[1], FRESH[1])
UNCLIPPED = "rloo:clip_low=inf,clip_high=inf,dual_clip=inf"
LONG = MappingProxyType(
    {
        "prompts": "strings:free_tokens=24",
        "evaluation_rollouts": 4,
        "num_held_out": 256,
    }
)
SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "adam": Setting(told="AdamW, RLOO", arms=(*CORE, *TUNED, *FRESH), lr=5e-5),
        "sgd": Setting(told="SGD, RLOO", arms=CORE, lr=0.04, changes={"optimizer": "sgd"}),
        "grpo": Setting(told="AdamW, GRPO", arms=CORE, lr=5e-5, changes={"estimator": "grpo"}),
        "long": Setting(
            told="AdamW, RLOO, 24 free tokens",
            arms=CORE,
            lr=5e-5,
            evaluate_every=(8, 2),
            changes=LONG,
        ),
        "unclipped": Setting(
            told="AdamW, RLOO, not clipped",
            arms=FREED,
            lr=5e-5,
            changes={"estimator": UNCLIPPED},
        ),
    }
)
SIZES: Mapping[str, str | int] = MappingProxyType(
    {
        "steps": 250,
        "num_held_out": 128,
        "checkpoint_every": 50,
        "show_every": 1000,
    }
)


def grid(
    settings: Iterable[str],
    seeds: int,
    preset: str = "tiny-cpu",
    changes: Mapping[str, str | int] = SIZES,
    *,
    first: int = 0,
) -> list[Trial]:
    """The runs of a study, seeds outermost so that early results cover every arm.

    Args:
        settings: Names in `SETTINGS`.
        seeds: Runs of every arm of every setting.
        preset: Preset that every run starts from.
        changes: Changes of it for all of them.
        first: The first seed; others follow it.

    Raises:
        SettingError: A setting is unknown, or a change is wrong.
    """
    named = list(settings)
    for name in named:
        if name not in SETTINGS:
            raise nearest(name, list(SETTINGS), "setting")
    return [
        Trial(name, arm, configured(name, arm, seed, preset, changes))
        for seed in range(first, first + seeds)
        for name in named
        for arm in SETTINGS[name].arms
    ]


def configured(
    setting: str, arm: Arm, seed: int, preset: str, changes: Mapping[str, str | int]
) -> Config:
    """One run."""
    where = SETTINGS[setting]
    own: dict[str, str | int] = {
        "label": arm.name,
        "strategy": arm.strategy,
        "updates": arm.updates,
        "evaluate_every": where.evaluate_every[arm.quick],
        "lr": str(where.lr * arm.faster),
        "seed": seed,
    }
    return configure(preset, {**changes, **where.changes, **own})


def start(
    preset: str, cache: Path | None, changes: Mapping[str, str | int]
) -> dict[str, Any] | None:
    """Pass counts of the training prompts before training, as the simulator reads them.

    Pass rates are exact, rounded to counts of `START_ROLLOUTS`; None where they cannot be told
    without rollouts.

    Raises:
        OSError: The warm start cannot be read or written.
    """
    with assembled(configure(preset, changes), cache=cache) as parts:
        if parts.exact is None:
            return None
        rates = parts.exact(parts.prompts)
    passes = np.rint(START_ROLLOUTS * rates).astype(int).tolist()
    return {"rollouts": START_ROLLOUTS, "passes": passes}

"""Worlds by name, with their sources; and the run of a strategy in one of them.

A world says how progress is measured, which target is set, and whose optimizer updates per
training step are used: the same for all strategies, or those of each release (see
`selection.strategies`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from selection.checks import positive, within
from selection.settings import SettingError, change, nearest, parse
from selection.strategies import Runnable, Sizes
from sim.coupled import Coupled, independent
from sim.drifting import Drifting
from sim.learner import Learner
from sim.replay import Replay
from sim.run import Plan
from sim.static import Static
from sim.world import World

Accounting = Literal["matched", "released"]


@dataclass(frozen=True, kw_only=True)
class WorldEntry:
    """A world of the catalogue.

    Attributes:
        make: Makes it at the sizes of the comparison.
        summary: What it is, in a line.
        source: Where its pass rates are from.
        accounting: Whose optimizer updates per training step are used.
        target: Progress to reach; None sets what uniform selection collects in half the steps.
        pace: Share of the comparison's training steps that it runs.
    """

    make: Callable[[Sizes], World]
    summary: str
    source: str
    accounting: Accounting = "matched"
    target: float | None = None
    pace: float = 1.0

    def __post_init__(self) -> None:
        positive(pace=self.pace)
        within(0.0, 100.0, pace=self.pace)
        if self.target is not None:
            positive(target=self.target)


DAPO_COUNTS = "1,000 DAPO-17k prompts x 32 rollouts, Zanette-Labs/speed-rl @ cc3de63"
MARGIN = 0.1  # how far past its target a run of the coupled world goes on


def _coupled(sizes: Sizes, **learner: Any) -> Coupled:  # noqa: ANN401
    nominal = Learner(groups=sizes.groups, rollouts=sizes.rollouts, **learner)
    return Coupled(prompts=sizes.prompts, learner=nominal)


def _coupled_long(sizes: Sizes) -> Coupled:
    return replace(_coupled(sizes), pass_noise=400.0, fail_noise=400.0)


def _independent(sizes: Sizes) -> Coupled:
    """Own coordinates only; training a prompt at 1/2 moves its log-odds by about 1/2."""
    return independent(_coupled(sizes, optimizer="sgd"), step=2.0 * sizes.groups)


WORLDS: dict[str, WorldEntry] = {
    "static-1.5b": WorldEntry(
        make=lambda sizes: Static(population="dapo17k-1.5b", prompts=sizes.prompts),
        summary="pass rates of Qwen2.5-Math-1.5B that never move",
        source=DAPO_COUNTS,
    ),
    "static-7b": WorldEntry(
        make=lambda sizes: Static(population="dapo17k-7b", prompts=sizes.prompts),
        summary="pass rates of Qwen2.5-Math-7B that never move",
        source=DAPO_COUNTS,
    ),
    "replay": WorldEntry(
        make=lambda sizes: Replay(prompts=sizes.prompts),
        summary="pass rates that follow a real GRPO run of Qwen2.5-Math-1.5B, prompt by prompt",
        source="1,209 prompts over 500 steps, ypwang61/One-Shot-RLVR @ 21ed529",
    ),
    "drifting": WorldEntry(
        make=lambda sizes: Drifting(
            prompts=sizes.prompts, steps_per_epoch=max(1, sizes.prompts // sizes.groups)
        ),
        summary="pass rates that rise and wander as GRESO's temporal consistency needs",
        source="fitted to Fig. 3a of GRESO, arXiv 2506.02177",
    ),
    "coupled": WorldEntry(
        make=_coupled,
        summary="pass rates move because they are trained: Adam, one update per step for all",
        source=f"equations of sim/coupled.py; starts at {DAPO_COUNTS}",
        target=0.5,
    ),
    "coupled-long": WorldEntry(
        make=_coupled_long,
        summary="the same where noise dominates, as extrapolated to rollouts of 600 tokens",
        source="within-class variance .7 |D|^2 per token, measured up to 6 tokens only",
        target=0.5,
    ),
    "coupled-six": WorldEntry(
        make=lambda sizes: _coupled(sizes, updates=6),
        summary="the same with six updates per step for all, uniform selection included",
        source="the control of SPEED's accounting",
        target=0.5,
    ),
    "coupled-released": WorldEntry(
        make=_coupled,
        summary="the same with the updates that each release makes for each of its baseline's",
        source="the scripts of each system: SPEED 6 for 1, CurES 27 for 4, GVM 32 for 4",
        accounting="released",
        target=0.5,
    ),
    "coupled-sgd": WorldEntry(
        make=lambda sizes: _coupled(sizes, optimizer="sgd"),
        summary="the same with SGD, one update per step for all",
        source="a contrast: no language model is trained so",
        target=0.5,
    ),
    "independent": WorldEntry(
        make=_independent,
        summary="no transfer: each prompt learns only from itself, SGD",
        source="a contrast: the bandit of the papers' arguments",
        target=0.3,
    ),
}


@dataclass(frozen=True)
class Place:
    """A world setting in full: the entry, its label, and the world at these sizes."""

    label: str
    entry: WorldEntry
    world: World
    target: float
    enough: float
    steps: int


def place(text: str, sizes: Sizes) -> Place:
    """The world that a setting names, at these sizes; remembered, for prompts are drawn.

    Besides its own knobs and its learner's, a setting may change `accounting`, `target` and
    `pace` of the entry.

    Raises:
        SettingError: Its name or a key is unknown, or a value is wrong.
    """
    return _place(text, sizes, log_digest(parse(text)[1].get("population", "")))


def log_digest(population: str) -> str:
    """What tells a log of pass counts from one that stood in the same file before."""
    if not population.lower().endswith(".json"):
        return ""
    file = Path(population).expanduser()
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


@lru_cache(maxsize=64)
def _place(text: str, sizes: Sizes, _: str) -> Place:
    name, changes = parse(text)
    if name not in WORLDS:
        raise nearest(name, list(WORLDS), "world")
    terms = {
        key: changes.pop(key) for key in ("accounting", "target", "pace") if key in changes
    }
    entry = change(WORLDS[name], terms)
    if entry.accounting == "released" and (clash := {"updates", "mini_batch"} & set(changes)):
        raise SettingError(
            f"{clash.pop()} in {text!r} contradicts accounting=released, which sets the"
            " updates of each strategy: leave out one of them"
        )
    world = change(entry.make(sizes), changes)
    steps, target = max(1, round(entry.pace * sizes.steps)), entry.target
    if world.progress == "accuracy":
        if target is None or target > 1.0:
            raise SettingError(f"target={target} in {text!r} must be a pass rate in (0, 1]")
        return Place(text, entry, world, target, target + MARGIN, steps)
    target = _half_way(world, sizes, steps) if target is None else target
    return Place(text, entry, world, target, 1.25 * target, steps)


def plan(where: Place, who: Runnable, sizes: Sizes) -> Plan:
    """The run of a strategy in a world, to the last step and at default prices."""
    world = where.world
    if where.entry.accounting == "released":
        world = change(world, {"updates": str(who.released_updates(sizes))})
    return Plan(
        world=world,
        strategy=lambda policy: who.build(sizes, policy.pass_rates),
        groups=sizes.groups,
        steps=where.steps,
        surplus=who.entry.surplus,
        norms=who.entry.norms,
    )


def _half_way(world: World, sizes: Sizes, steps: int) -> float:
    """Signal that uniform selection expects from half the steps at the start's pass rates."""
    policy = world.begin(np.random.default_rng(0))
    rates = policy.pass_rates(np.arange(world.prompts))
    return float((rates * (1.0 - rates)).mean() * sizes.groups * sizes.rollouts * steps / 2)

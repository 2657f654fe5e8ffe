"""Measurements and measured worlds for tests, small enough to be worked out by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sim.learner import Learner
from sim.measured import Constants, Measured

TWO = Constants(
    families=("easy", "hard"),
    shares=(0.75, 0.25),
    log_odds=(1.0, -2.0),
    deviations=(0.5, 0.0),
    steps=(2.0, 6.0),
    energies=(100.0, 500.0),
    pass_noises=(0.0, 40.0),
    fail_noises=(300.0, 80.0),
    cosines=(0.5, 0.5),
    plain_cosines=(0.4, 0.4),
    between=0.2,
    plain_between=0.5,
    spread=0.0,
    felt=0.25,
    aligned=0.0,
)


def measured(
    known: Constants = TWO,
    *,
    prompts: int = 40,
    held_out: int = 8,
    learner: dict[str, Any] | None = None,
    **changes: Any,  # noqa: ANN401
) -> Measured:
    """A world of constants with some changed, 4 groups of 8 rollouts; SGD unless named."""
    sizes: dict[str, Any] = {"groups": 4, "rollouts": 8, "optimizer": "sgd"}
    return Measured(
        constants=replace(known, **changes),
        prompts=prompts,
        held_out=held_out,
        learner=Learner(**(sizes | (learner or {}))),
    )


def family(name: str = "copied", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A family as a measurement tells it."""
    known = {"name": name, "share": 0.5, "pass_rate": 0.5, "log_odds": 0.0, "step": 3.0}
    noise = {"contrast": 200.0, "pass_noise": 0.0, "fail_noise": 300.0, "prompts": 9}
    pairs = {"common": 40.0, "transfer": 1.2}
    return known | noise | pairs | {"log_odds_spread": 0.8} | changes


def told(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A measurement as its file tells it."""
    hard = family("sorted", log_odds=-2.0, pass_rate=0.15, step=9.0, contrast=600.0)
    cosines = {"cosine_within": 0.3, "cosine_across": 0.05}
    plain = {"cosine_within_raw": 0.25, "cosine_across_raw": 0.1}
    rest = {"spread": 0.4, "felt": 0.15, "families": [family(), hard], "lr": 5e-5}
    return cosines | plain | rest | changes


def saved(folder: Path, **changes: Any) -> Path:  # noqa: ANN401
    """The file of a measurement."""
    file = folder / "measured.json"
    file.write_text(json.dumps(told(**changes)))
    return file


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)

"""Coupled worlds, batches and what an update sees, for the tests of the coupled world.

Most closed forms are reached with one group, no aligned noise and a world whose only parameter
is the prompt's own coordinate: a step of 1 then makes SGD's move the coefficient of D itself.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import logit

from selection.driver import Segments
from sim.coupled import Coupled, Gradient, Logits, independent
from theory.moments import Centred

CENTRED: list[Centred] = ["rloo", "grpo", "drgrpo", "maxrl"]
HALF = "beta(400000, 400000)"  # every prompt at 1/2, within a thousandth
EPS = 1e-9  # relative
SKEWED = "beta(0.4, 2.5)"  # like dapo17k-1.5b, without fitting anything
QUIET = Coupled(population=HALF, aligned=0.0, pass_noise=0.0, fail_noise=0.0)


def world(
    base: Coupled = QUIET,
    *,
    learner: dict[str, Any] | None = None,
    **knobs: Any,  # noqa: ANN401
) -> Coupled:
    """A world with other knobs of its own and of its learner; SGD unless it is named."""
    sgd = replace(base.learner, **({"optimizer": "sgd"} | (learner or {})))
    return replace(base, learner=sgd, **knobs)


def lone(p: float, **knobs: Any) -> Logits:  # noqa: ANN401
    """A policy of one prompt at p, whose own coordinate is all there is."""
    policy = independent(world(prompts=1, **knobs), step=1.0).begin(np.random.default_rng(0))
    policy.log_odds = np.full(1, logit(p))
    return policy


def batch(
    prompts: list[int],
    passes: list[int],
    rollouts: list[int],
    *,
    group: list[int] | None = None,
    payload: list[float] | None = None,
) -> Segments:
    num = len(prompts)
    return Segments(
        np.arange(num) if group is None else np.array(group),
        np.array(prompts),
        np.array(rollouts),
        np.array(passes),
        np.zeros(num, int),
        np.zeros(num) if payload is None else np.array(payload),
    )


def gradients(policy: Logits, segments: Segments) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pull and noise of each segment in every update of one training step."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def spy(
        prompts: np.ndarray, pull: np.ndarray, noise: np.ndarray, rng: np.random.Generator
    ) -> Gradient:
        seen.append((pull, noise))
        return Logits.gradient(policy, prompts, pull, noise, rng)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "gradient", spy)
        assert policy.learn(segments) == len(seen)
    return seen


def log_odds(policy: Logits, prompts: list[int]) -> np.ndarray:
    return logit(policy.pass_rates(np.array(prompts)))

"""What the coupled world's prompts learn from one another, against its closed forms."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from tests.sim.coupled_worlds import batch, log_odds, world


@pytest.mark.parametrize("updates", [1, 4])
@pytest.mark.parametrize(("family", "cosine"), [(0, 0.3), (1, 0.05)])
def test_expected_move_of_a_held_out_prompt(updates: int, family: int, cosine: float) -> None:
    """SGD, a batch of one family at 1/2: a c v per update, exactly, over all outcomes K."""
    step, rollouts = 1e-6, 8  # mini-batches of equal size
    knobs: dict[str, Any] = {"prompts": 4, "held_out": 4, "families": 2, "step": step}
    chance = binom.pmf(np.arange(rollouts + 1), rollouts, 0.5)
    moves = []
    for passes in range(rollouts + 1):
        policy = world(learner={"updates": updates}, **knobs).begin(np.random.default_rng(0))
        policy.log_odds = np.zeros(8)
        (trained,) = np.flatnonzero(policy.families[:4] == 0)[:1]
        (probe,) = 4 + np.flatnonzero(policy.families[4:] == family)[:1]
        policy.learn(batch([int(trained)], [passes], [rollouts]))
        # the log-odds of pass rates this near 1/2 lose digits: add up the parameters
        moves.append(
            policy.on_common[probe] * policy.common
            + policy.on_family[probe] * policy.family[family]
        )
    assert chance @ moves == pytest.approx(updates * step * cosine * 0.25, rel=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("prompts", [1, 2, 6])
def test_gain_of_trained_over_held_out_prompts(optimizer: str, prompts: int) -> None:
    """J prompts of one family with coordinates of their own: [1 + (J-1) c_1] / (J c_1)."""
    c = 0.32
    knobs: dict[str, Any] = {
        "own": True,
        "cosine_within": c,
        "cosine_across": 0.0,
        "families": 1,
    }
    policy = world(
        learner={"optimizer": optimizer}, prompts=prompts, held_out=3, **knobs
    ).begin(np.random.default_rng(0))
    policy.learn(batch(list(range(prompts)), [5] * prompts, [8] * prompts))
    held_out = policy.on_family[-1] * policy.family[0]
    trained = held_out + policy.on_own[0] * policy.own[0]
    assert trained / held_out == pytest.approx(
        (1 + (prompts - 1) * c) / (prompts * c), rel=1e-6
    )


def test_cosines_between_prompts() -> None:
    """w.w = a h, cosine c_1 within and c_0 across families."""
    policy = world(own=True, spread=0.7, step=2.5, prompts=6, families=2).begin(
        np.random.default_rng(0)
    )
    w = np.zeros((6, 1 + policy.num_families + 6))
    w[:, 0] = policy.on_common[:6]
    w[np.arange(6), 1 + policy.families[:6]] = policy.on_family[:6]
    w[np.arange(6), 1 + policy.num_families + np.arange(6)] = policy.on_own[:6]
    np.testing.assert_allclose((w**2).sum(axis=1), 2.5 * policy.contrast[:6])
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    same = policy.families[:6, None] == policy.families[None, :6]
    expected = np.where(same, 0.3, 0.05)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(unit @ unit.T, expected, atol=1e-12)


def test_coordinates_move_log_odds_as_the_equation_says() -> None:
    """logit p = b + w . theta, for prompts of the data set and held-out ones."""
    policy = world(population="uniform", own=True, prompts=3, held_out=2).begin(
        np.random.default_rng(0)
    )
    before = log_odds(policy, [0, 1, 2])
    policy.common, policy.family, policy.own = 0.4, np.arange(8.0), np.array([1.0, -2.0, 3.0])
    after = log_odds(policy, [0, 1, 2])
    expected = before + policy.on_common[:3] * 0.4
    expected += policy.on_family[:3] * policy.families[:3] + policy.on_own[:3] * policy.own
    np.testing.assert_allclose(after, expected, rtol=1e-9)

"""Batches of the coupled world against its formulas, whole and in mini-batches."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from selection.driver import Segments
from sim.coupled import Logits, independent
from sim.learner import Ratio, Weighting, split
from tests.sim.coupled_worlds import QUIET, batch, gradients, lone, world
from theory.advantages import Closed, advantages

# Any batch, rollout by rollout


def by_rollout(policy: Logits, segments: Segments) -> tuple[np.ndarray, np.ndarray]:
    """Pull and noise of one update, from the formulas as they stand on paper."""
    learner = policy.world.learner
    total = int(segments.rollouts.sum())
    segment = np.repeat(np.arange(segments.group.size), segments.rollouts)
    first = np.cumsum(segments.rollouts) - segments.rollouts
    passed = np.arange(total) - first[segment] < segments.passes[segment]
    group = segments.group[segment]
    A = advantages(learner.estimator, passed.astype(float), group, eps=0.0)
    p = policy.pass_rates(segments.prompts)[segment]
    old = segments.payload[segment] if learner.ratio == "behaviour" else p
    ratio = np.where(passed, p / old, (1.0 - p) / (1.0 - old))
    if learner.clip is not None:
        below, above = learner.clip
        ratio[(A > 0) & (ratio > 1.0 + above)] = 0.0
        ratio[(A < 0) & (ratio < 1.0 - below)] = 0.0
    share = np.full(total, 1.0 / total)
    if learner.weighting == "prompt":
        size = np.array([(group == one).sum() for one in group])
        share = 1.0 / (np.unique(group).size * size)
    noise = np.where(passed, policy.world.pass_noise, policy.world.fail_noise)
    kappa, nu = share * ratio * A * (passed - p), (share * ratio * A) ** 2 * noise
    return np.bincount(segment, kappa), np.bincount(segment, nu)


UNEVEN = batch(
    [4, 0, 2, 0, 1],
    [1, 2, 0, 9, 3],
    [4, 4, 6, 12, 3],
    group=[3, 5, 6, 5, 8],
    payload=[0.3, 0.2, 0.5, 0.45, 0.8],
)
TOGETHER = UNEVEN.take(np.array([0, 1, 3, 2, 4]))  # segments of a group lie together


@pytest.mark.parametrize("estimator", get_args(Closed))
@pytest.mark.parametrize("weighting", ["rollout", "prompt"])
@pytest.mark.parametrize(
    ("ratio", "clip"), [("recomputed", None), ("behaviour", None), ("behaviour", (0.2, 0.28))]
)
def test_uneven_stale_and_segmented_groups_rollout_by_rollout(
    estimator: Closed, weighting: Weighting, ratio: Ratio, clip: tuple[float, float] | None
) -> None:
    """Advantages are of whole groups, ratios and clipping of each segment's own policy."""
    learner: dict[str, Any] = {
        "estimator": estimator,
        "weighting": weighting,
        "ratio": ratio,
        "clip": clip,
    }
    knobs: dict[str, Any] = {
        "pass_noise": 3.0,
        "fail_noise": 0.5,
        "prompts": 5,
        "population": "uniform",
    }
    policy = independent(world(learner=learner, **knobs), step=1e-9).begin(
        np.random.default_rng(3)
    )
    pull, noise = by_rollout(policy, TOGETHER)
    ((seen_pull, seen_noise),) = gradients(policy, TOGETHER)
    np.testing.assert_allclose(seen_pull, pull, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(seen_noise, noise, rtol=1e-9, atol=1e-15)


def test_clipping_stops_what_has_already_moved_far_enough() -> None:
    """The control of the test above: with these staleness and bounds clipping does act."""
    knobs: dict[str, Any] = {"prompts": 5, "population": "uniform"}
    pulls = []
    for clip in (None, (0.2, 0.28)):
        learner: dict[str, Any] = {"ratio": "behaviour", "clip": clip}
        policy = independent(world(learner=learner, **knobs), step=1e-9).begin(
            np.random.default_rng(3)
        )
        pulls.append(gradients(policy, TOGETHER)[0][0])
    assert np.abs(pulls[0] - pulls[1]).max() > 1e-3


def test_weighting_by_prompt_gives_groups_of_any_size_the_same_say() -> None:
    """c(K)/B for groups of 4 and 20, where a mean over rollouts gives n c(K)/R."""
    for weighting, expected in (("prompt", (0.5, 0.5)), ("rollout", (4 / 24, 20 / 24))):
        learner: dict[str, Any] = {"weighting": weighting, "estimator": "drgrpo"}
        policy = independent(world(prompts=2, learner=learner), step=1.0).begin(
            np.random.default_rng(0)
        )
        ((pull, _),) = gradients(policy, batch([0, 1], [2, 10], [4, 20]))
        np.testing.assert_allclose(pull, np.array(expected) * 0.25, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_group_in_two_segments_teaches_as_in_one(optimizer: str) -> None:
    """SPEED's groups come as screening and continuation; D is one per prompt."""
    moves = []
    for segments in (
        batch([0, 1], [10, 3], [24, 24]),
        batch([0, 0, 1, 1], [2, 8, 2, 1], [4, 20, 4, 20], group=[0, 0, 1, 1]),
    ):
        policy = world(QUIET, prompts=2, own=True, learner={"optimizer": optimizer}).begin(
            np.random.default_rng(0)
        )
        policy.learn(segments)
        moves.append([policy.common, *policy.family, *policy.own])
    np.testing.assert_allclose(moves[0], moves[1], rtol=1e-12)


# Mini-batches


@given(st.integers(1, 9), st.sampled_from(get_args(Closed)), st.integers(0, 3))
def test_mini_batches_add_up_to_the_batch(updates: int, estimator: Closed, seed: int) -> None:
    """Sum over the updates of n_u kappa_u = n kappa, where ratios are 1."""
    pulls: dict[int, np.ndarray] = {}
    for parts in (1, updates):
        learner: dict[str, Any] = {"updates": parts, "estimator": estimator}
        knobs: dict[str, Any] = {"prompts": 5, "population": "uniform"}
        policy = independent(world(learner=learner, **knobs), step=1e-12).begin(
            np.random.default_rng(seed)
        )
        total = int(TOGETHER.rollouts.sum())
        sizes = np.bincount(np.arange(total) * parts // total)
        seen = gradients(policy, TOGETHER)
        assert len(seen) == parts
        pulls[parts] = sizes @ np.array([pull for pull, _ in seen])
    np.testing.assert_allclose(pulls[updates], pulls[1], rtol=1e-9, atol=1e-9)


def test_later_mini_batches_are_weighted_by_the_policy_at_the_start_of_the_step() -> None:
    """The second of two updates: kappa = (1/n) [K rho_1 A_1 (1-p') - F rho_0 A_0 p']."""
    policy = lone(0.5, learner={"updates": 2})
    policy.on_own[:] = 4.0
    passes, _ = split(np.array([4]), np.array([4]), 2, np.random.default_rng(1))
    policy.rng = np.random.default_rng(1)
    (first, _), (second, _) = gradients(policy, batch([0], [4], [8]))
    moved = expit(4.0 * 4.0 * first[0])
    for pull, (K,), p in ((first, passes[0], 0.5), (second, passes[1], moved)):
        up = K * (p / 0.5) * (4 / 7) * (1 - p)
        down = (4 - K) * ((1 - p) / 0.5) * (-4 / 7) * p
        assert pull[0] == pytest.approx((up - down) / 4, rel=1e-9)
    assert moved > 0.7

"""How a training batch becomes optimizer updates."""

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.learner import Learner, split
from tests.statistical import assert_mean, samples_to_detect

Counts = list[tuple[int, int]]  # passes and failures of each segment
SEGMENTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8
).filter(lambda segments: sum(map(sum, segments)) > 0)


def parts(segments: Counts, updates: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Passes and failures by mini-batch and segment."""
    passes, failures = np.array(segments).T
    return split(passes, failures, updates, np.random.default_rng(seed))


@given(SEGMENTS, st.integers(1, 12), st.integers(0, 5))
def test_mini_batches_share_out_every_rollout(
    segments: Counts, updates: int, seed: int
) -> None:
    passes, failures = np.array(segments).T
    updates = min(updates, int(passes.sum() + failures.sum()))
    up, down = parts(segments, updates, seed)
    assert up.shape == down.shape == (updates, len(segments))
    assert min(up.min(), down.min()) >= 0
    np.testing.assert_array_equal(up.sum(axis=0), passes)
    np.testing.assert_array_equal(down.sum(axis=0), failures)
    sizes = (up + down).sum(axis=1)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= 1


def test_one_mini_batch_is_the_batch_and_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    up, down = split(np.array([3, 0]), np.array([1, 4]), 1, rng)
    assert up.tolist() == [[3, 0]]
    assert down.tolist() == [[1, 4]]
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


SAMPLES = samples_to_detect(gap=0.03)
BATCH = [(5, 7), (2, 4), (0, 6)]  # 24 rollouts, of which a third is a mini-batch


@cache
def drawn() -> np.ndarray:
    """Passes and failures of each segment in the first of three mini-batches."""
    rng, (passes, failures) = np.random.default_rng(1), np.array(BATCH).T
    first = [np.stack(split(passes, failures, 3, rng))[:, 0] for _ in range(SAMPLES)]
    return np.array(first, float)


@pytest.mark.parametrize(("kind", "segment"), [(0, 0), (1, 0), (0, 1), (1, 2)])
def test_a_mini_batch_is_drawn_without_replacement(kind: int, segment: int) -> None:
    """8 of 24 rollouts: hypergeometric mean m/3 and variance m (1/3)(2/3)(24 - m)/23.

    Each assertion fails correct code at the rate 1e-6, and passes a mean that is off by a
    thirtieth of m, or a variance off by a thirtieth of m^2, at the rate 1e-3.
    """
    seen, m = drawn()[:, kind, segment], BATCH[segment][kind]
    assert_mean(seen, m / 3, high=m)
    variance = m * (1 / 3) * (2 / 3) * (24 - m) / 23
    assert_mean((seen - m / 3) ** 2, variance, high=m**2)


def test_the_assertion_notices_draws_with_replacement() -> None:
    """The control: of 12 rollouts the binomial variance is 24/9, the hypergeometric half."""
    rng = np.random.default_rng(1)
    seen = rng.binomial(12, 1 / 3, size=SAMPLES)
    with pytest.raises(AssertionError):
        assert_mean((seen - 4.0) ** 2, 12 * (2 / 9) * 12 / 23, high=64)


@pytest.mark.parametrize(
    ("updates", "mini_batch", "rollouts", "expected"),
    [
        (1, None, 384, 1),
        (6, None, 384, 6),
        (6, None, 4, 4),  # no more updates than rollouts
        (1, 64, 384, 6),  # SPEED's release: 16 prompts times N_init
        (1, 384, 384, 1),  # its baseline: 16 prompts times N
        (1, 100, 384, 4),  # the last mini-batch is short
        (9, 400, 384, 1),  # mini_batch decides where both are given
        (1, 1, 3, 3),
    ],
)
def test_number_of_updates(
    updates: int, mini_batch: int | None, rollouts: int, expected: int
) -> None:
    learner = Learner(updates=updates, mini_batch=mini_batch)
    assert learner.num_updates(rollouts) == expected


def test_clipping_ends_the_gradient_where_ppo_does() -> None:
    """max(-rho A, -clip(rho) A): a pass counts up to 1.28, a failure down to 0.8."""
    ratio = np.array([0.5, 0.79, 0.81, 1.0, 1.27, 1.29, 2.0])
    learner = Learner(clip=(0.2, 0.28))
    passing, failing = (learner.keeps(ratio, np.full(7, sign)) for sign in (1.0, -1.0))
    assert passing.tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert failing.tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_without_bounds_nothing_is_clipped() -> None:
    assert Learner().keeps(np.array([0.0, 9.0]), np.array([-1.0, 1.0])).tolist() == [1, 1]


@given(st.floats(0.01, 3.0), st.floats(-2.0, 2.0).filter(lambda a: abs(a) > 1e-3))
def test_clipping_is_the_slope_of_the_clipped_objective(ratio: float, advantage: float) -> None:
    """The central difference of min(rho A, clip(rho) A) in rho, away from its kinks."""

    def objective(rho: float) -> float:
        return min(rho * advantage, min(max(rho, 0.8), 1.28) * advantage)

    if min(abs(ratio - 0.8), abs(ratio - 1.28)) < 1e-4:
        return
    slope = (objective(ratio + 1e-6) - objective(ratio - 1e-6)) / 2e-6
    kept = Learner(clip=(0.2, 0.28)).keeps(np.array([ratio]), np.array([advantage]))
    assert slope == pytest.approx(kept[0] * advantage, abs=1e-6)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"updates": 0}, "updates=0 must be a whole number of at least 1"),
        ({"updates": 1.5}, "updates=1.5 must be a whole number"),
        ({"groups": -1}, "groups=-1 must be a whole number"),
        ({"rollouts": 0}, "rollouts=0 must be a whole number"),
        ({"mini_batch": 0}, "mini_batch=0 must be a whole number"),
        ({"clip": (0.0, 0.2)}, "clip_below=0.0 must be positive"),
        ({"clip": (0.2, math.nan)}, "clip_above=nan must be positive"),
        ({"betas": (1.0, 0.999)}, r"betas=\(1.0, 0.999\) must lie in \[0, 1\)"),
        ({"betas": (0.9, -0.1)}, r"betas=\(0.9, -0.1\) must lie in \[0, 1\)"),
        ({"betas": (math.nan, 0.9)}, r"betas=\(nan, 0.9\) must lie in \[0, 1\)"),
        ({"estimator": "raft"}, "estimator='raft' is none of reinforce, rloo"),
        ({"optimizer": "adamw"}, "optimizer='adamw' is none of adam, sgd"),
        ({"weighting": "prompts"}, "weighting='prompts' is none of rollout, prompt"),
        ({"ratio": "behavior"}, "ratio='behavior' is none of recomputed, behaviour"),
    ],
)
def test_a_bad_knob_is_refused_by_name(knobs: dict[str, Any], message: str) -> None:
    learner = Learner()
    for name, value in knobs.items():  # past the type checker of the tests, which a user lacks
        object.__setattr__(learner, name, value)
    with pytest.raises(ValueError, match=message):
        learner.__post_init__()

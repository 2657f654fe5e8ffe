import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.advantages import (
    Closed,
    Estimator,
    Singleton,
    advantages,
    centred,
    group_advantages,
    whiten,
)

ROOT = Path(__file__).parents[2]
CLOSED = get_args(Closed)
CENTRED = ("rloo", "drgrpo", "grpo", "maxrl")
FOUR = np.zeros(4, int)
ONE_OF_FOUR = np.array([0.0, 1.0, 0.0, 0.0])
PAIRS = np.array([0, 0, 1, 1])

batches = st.lists(
    st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=2,
    max_size=6,
)


def rolled(batch: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rewards and group labels of a batch of (passes, rollouts), passes first."""
    rewards = [float(j < passes) for passes, size in batch for j in range(size)]
    labels = [7 - 2 * g for g, (_, size) in enumerate(batch) for _ in range(size)]
    return np.array(rewards), np.array(labels)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        ("reinforce", (1.0, 0.0)),
        ("raft", (1.0, 0.0)),
        ("rloo", (1.0, -1 / 3)),
        ("drgrpo", (3 / 4, -1 / 4)),
        ("grpo", (3 / 2, -1 / 2)),
        ("maxrl", (3.0, -1.0)),
        ("rpp", (3 / 2, -1 / 2)),
        ("rpp_baseline", (3 / 2, -1 / 2)),
    ],
)
def test_one_pass_of_four(estimator: Estimator, expected: tuple[float, float]) -> None:
    """By hand: the mean is 1/4 and the sample deviation 1/2."""
    got = advantages(estimator, ONE_OF_FOUR, FOUR, eps=0.0)
    np.testing.assert_allclose(got, np.where(ONE_OF_FOUR == 1.0, *expected), atol=1e-15)


def test_the_length_weighted_baseline() -> None:
    """A pass of 3 tokens and a failure of 1 have the mean 3/4."""
    got = advantages("opo", np.array([1.0, 0.0]), np.zeros(2, int), lengths=np.array([3, 1]))
    np.testing.assert_allclose(got, [1 / 4, -3 / 4])


def test_a_fixed_baseline_is_subtracted() -> None:
    got = advantages("reinforce", np.array([1.0, 0.0]), np.zeros(2, int), baseline=0.25)
    assert got.tolist() == [0.75, -0.25]
    up, down = group_advantages("reinforce", np.array([1, 2]), 2, baseline=0.25)
    assert up.tolist() == [0.75, 0.75]
    assert down.tolist() == [-0.25, -0.25]


@pytest.mark.parametrize("estimator", CLOSED)
@given(batch=batches)
def test_closed_forms_agree_with_the_general_ones(
    estimator: Closed, batch: list[tuple[int, int]]
) -> None:
    rewards, labels = rolled(batch)
    passes, sizes = np.array(batch).T
    up, down = group_advantages(estimator, passes, sizes, eps=1e-3, baseline=0.3)
    if estimator == "reinforce":
        up, down = (np.broadcast_to(x, passes.shape) for x in (up, down))
    expected = np.where(rewards == 1.0, np.repeat(up, sizes), np.repeat(down, sizes))
    got = advantages(estimator, rewards, labels, singleton="zero", eps=1e-3, baseline=0.3)
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("estimator", CENTRED)
@given(batch=batches)
def test_advantages_of_a_group_sum_to_zero(
    estimator: Closed, batch: list[tuple[int, int]]
) -> None:
    passes, sizes = np.array(batch).T
    up, down = group_advantages(estimator, passes, sizes)
    np.testing.assert_allclose(passes * up + (sizes - passes) * down, 0.0, atol=1e-12)
    assert (up >= 0).all()
    assert (down <= 0).all()


@pytest.mark.parametrize("estimator", [*CENTRED, "rpp_baseline"])
def test_groups_without_contrast_get_nothing(estimator: Closed) -> None:
    """All-fail, all-pass, groups of one and an empty group, beside a mixed one."""
    passes, sizes = np.array([0, 4, 0, 1, 0, 2]), np.array([4, 4, 1, 1, 0, 4])
    up, down = group_advantages(estimator, passes, sizes)
    assert not up[:5].any()
    assert not down[:5].any()
    assert up[5] > 0.0 > down[5]


@pytest.mark.parametrize("estimator", ["rpp", "rpp_baseline"])
def test_whitened_advantages_have_mean_zero_and_variance_one(estimator: Closed) -> None:
    """Each rollout weighs the same, whatever the size of its group."""
    passes, sizes = np.array([1, 3, 0]), np.array([2, 6, 3])
    up, down = group_advantages(estimator, passes, sizes)
    each = np.repeat(np.concatenate([up, down]), np.concatenate([passes, sizes - passes]))
    np.testing.assert_allclose([each.mean(), each.var(ddof=1)], [0.0, 1.0], atol=1e-14)


def test_reinforce_pp_rewards_groups_without_contrast() -> None:
    up, down = group_advantages("rpp", np.array([0, 2]), 2)
    np.testing.assert_allclose([up[1], down[0]], [np.sqrt(3) / 2, -np.sqrt(3) / 2])


@pytest.mark.parametrize("estimator", ["rpp", "rpp_baseline"])
def test_a_constant_batch_whitens_to_zero(estimator: Closed) -> None:
    up, down = group_advantages(estimator, np.array([2, 2]), 2)
    assert not up.any()
    assert not down.any()
    assert not advantages(estimator, np.full(4, 0.1), PAIRS, eps=0.0).any()


@pytest.mark.parametrize(
    ("estimator", "raw"),
    [("rloo", 0.7), ("drgrpo", 0.7), ("opo", 0.7), ("maxrl", 0.7), ("grpo", 0.7 / 1.5)],
)
def test_a_group_of_one_keeps_its_reward_or_gets_nothing(
    estimator: Estimator, raw: float
) -> None:
    def alone(singleton: Singleton) -> float:
        got = advantages(
            estimator,
            np.array([1.0, 0.7, 0.0]),
            np.array([0, 1, 0]),
            lengths=np.array([1, 5, 1]),
            singleton=singleton,
            eps=0.5,
        )
        return float(got[1])

    assert alone("zero") == 0.0
    np.testing.assert_allclose(alone("raw"), raw)


@pytest.mark.parametrize("estimator", ["rloo", "drgrpo", "grpo", "opo", "maxrl"])
@given(
    reward=st.floats(0.0, 1.0), size=st.integers(2, 9), eps=st.sampled_from([0.0, 1e-9, 1e-4])
)
def test_a_zero_variance_group_gets_exactly_nothing(
    estimator: Estimator, reward: float, size: int, eps: float
) -> None:
    """Rewards such as 0.1, whose mean rounds, included."""
    labels, lengths = np.full(size, 3), np.arange(1, size + 1)
    got = advantages(estimator, np.full(size, reward), labels, lengths=lengths, eps=eps)
    assert (got == 0.0).all()


def test_released_epsilons_are_the_defaults() -> None:
    """0.5/(s + 1e-6) with s = sqrt(1/2), 0.5/(1/2 + 1e-6), 0.5/sqrt(1/3 + 1e-8)."""
    rewards = np.array([1.0, 0.0])
    pair = np.zeros(2, int)
    grpo, maxrl = (advantages(e, rewards, pair)[0] for e in ("grpo", "maxrl"))
    np.testing.assert_allclose(grpo, 0.5 / (np.sqrt(0.5) + 1e-6), rtol=1e-12)
    np.testing.assert_allclose(maxrl, 0.5 / (0.5 + 1e-6), rtol=1e-12)
    whitened = advantages("rpp", np.array([1.0, 0.0, 1.0, 0.0]), PAIRS)[0]
    np.testing.assert_allclose(whitened, 0.5 / np.sqrt(1 / 3 + 1e-8), rtol=1e-12)


@given(st.permutations(range(8)))
def test_the_order_of_rollouts_does_not_matter(order: list[int]) -> None:
    rewards = np.array([1.0, 0.0, 0.5, 0.2, 1.0, 1.0, 0.0, 0.3])
    labels = np.array([0, 0, 0, 5, 5, -2, -2, -2])
    for estimator in ("rloo", "grpo", "maxrl", "rpp_baseline"):
        straight = advantages(estimator, rewards, labels)
        shuffled = advantages(estimator, rewards[order], labels[order])
        np.testing.assert_allclose(shuffled, straight[order], atol=1e-12)


def test_what_is_undefined_is_refused() -> None:
    rewards, labels = np.array([1.0, 0.0]), np.zeros(2, int)
    with pytest.raises(ValueError, match="none were given"):
        advantages("opo", rewards, labels)
    with pytest.raises(ValueError, match="weights of a group"):
        centred(rewards, labels, weights=np.zeros(2, int))
    with pytest.raises(ValueError, match=r"-0\.5 < 0"):
        advantages("maxrl", np.array([1.0, -0.5]), labels)
    with pytest.raises(ValueError, match="cannot whiten 1 values"):
        whiten(rewards, np.array([True, False]))
    with pytest.raises(ValueError, match="cannot whiten 1 rollouts"):
        group_advantages("rpp", np.array([1]), 1)
    for passes in (-1, 5):
        with pytest.raises(ValueError, match="passes"):
            group_advantages("rloo", np.array([passes]), 4)


def unchecked(code: str) -> subprocess.CompletedProcess[str]:
    """Runs code without the type checker of the tests, which costs time and refuses earlier."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("call", ["advantages", "group_advantages"])
def test_unknown_estimators_are_named(call: str) -> None:
    done = unchecked(
        f"import numpy as np; from theory.advantages import {call} as call;"
        "call('ppo', np.ones(2, int), np.ones(2, int))"
    )
    assert "ValueError: estimator='ppo' is none of" in done.stderr


def test_the_closed_form_is_fast_enough_for_a_simulator() -> None:
    """Under 30 microseconds for 64 groups; the limit leaves room for a busy machine."""
    done = unchecked(
        "import timeit, numpy as np; from theory.advantages import group_advantages as f;"
        "n = np.arange(64) % 24 + 1; k = n // 2;"
        "print(*[min(timeit.repeat(lambda: f(e, k, n), number=100, repeat=9)) * 1e4"
        f" for e in {CLOSED}])"
    )
    assert max(map(float, done.stdout.split())) < 100, done.stdout + done.stderr

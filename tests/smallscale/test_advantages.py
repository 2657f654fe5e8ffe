"""The torch advantages against those of `theory`, recorded ones, and by hand."""

from typing import Any, cast, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import theory.tokens
from smallscale.advantages import Advantage, Singleton, advantages, at_end, returns, whiten
from tests.golden.traces import assert_close, traces
from tests.smallscale.policies import Knobs
from theory.advantages import Estimator

ESTIMATORS = get_args(Advantage)
CENTRED = ("rloo", "drgrpo", "grpo", "opo", "maxrl")
TRACES = [trace for trace in traces("estimators") if trace["kind"] == "advantage"]
TOLERANCE = {"rpp": 1e-5, "rpp_baseline": 1e-5}  # the release divides by count + 1e-8


def mask_of(lengths: list[int], width: int | None = None) -> torch.Tensor:
    sizes = torch.tensor(lengths)
    return torch.arange(max(lengths) if width is None else width) < sizes[:, None]


def by_rollout(
    estimator: Advantage, rewards: list[float], groups: list[int], **rest: Knobs
) -> list[float]:
    """Advantages where each rollout has one token, unless lengths are given."""
    mask = mask_of(rest.pop("lengths", [1] * len(rewards)))
    token_rewards = at_end(torch.tensor(rewards, dtype=torch.float64), mask)
    return advantages(estimator, token_rewards, torch.tensor(groups), mask, **rest)[
        :, 0
    ].tolist()


def test_every_estimator_of_theory_is_here() -> None:
    assert set(ESTIMATORS) == set(get_args(Estimator))


@st.composite
def batches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token rewards, group labels and mask of groups of 1 to 5, in any order."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(rng.permutation(9)[: len(sizes)] - 4, sizes))
    lengths = rng.integers(1, 7, labels.size)
    mask = np.arange(lengths.max()) < lengths[:, None]
    last = np.arange(1, lengths.max() + 1) == lengths[:, None]
    binary = rng.integers(0, 2, labels.size)[:, None] * last
    dense = rng.random(mask.shape) * mask
    return (dense if draw(st.booleans()) else binary.astype(float)), labels, mask


@pytest.mark.parametrize("singleton", get_args(Singleton))
@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(
    batch=batches(),
    eps=st.sampled_from([None, 1e-3]),
    gamma=st.sampled_from([1.0, 0.9]),
    baseline=st.sampled_from([0.0, 0.3]),
)
def test_advantages_agree_with_theory(
    estimator: Advantage, singleton: Singleton, batch: Knobs, **knobs: Knobs
) -> None:
    token_rewards, groups, mask = batch
    expected = theory.tokens.token_advantages(
        estimator, token_rewards, groups, mask, singleton=singleton, **knobs
    )
    tensors = (torch.from_numpy(part) for part in batch)
    got = advantages(estimator, *tensors, singleton=singleton, **knobs)
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace["name"])
def test_recorded_advantages_are_reproduced(trace: dict[str, Any]) -> None:
    fn = str(trace["fn"])
    kind, mask = fn.removesuffix("_vectorized"), mask_of(trace["lengths"], trace["width"])
    if trace.get("token_rewards") is not None:
        token_rewards = torch.tensor(trace["token_rewards"], dtype=torch.float64)
    else:
        token_rewards = at_end(torch.tensor(trace["rewards"], dtype=torch.float64), mask)
    got = advantages(
        cast("Advantage", kind),
        token_rewards.view(mask.shape),
        torch.tensor(trace["groups"]),
        mask,
        singleton="zero" if fn.endswith("_vectorized") else "raw",
        eps=None if kind in TOLERANCE else float(trace["eps"]),
        gamma=float(trace["gamma"]),
    )
    # The older copy leaves numbers on padding, where nothing is trained.
    expected = np.where(mask, np.array(trace["advantage"]).reshape(mask.shape), 0.0)
    assert_close(got.numpy(), expected, trace["name"], tolerance=TOLERANCE.get(kind, 1e-6))


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        ("reinforce", [1.0, 0.0]),
        ("raft", [1.0, 0.0]),
        ("rloo", [1.0, -1 / 3]),
        ("drgrpo", [3 / 4, -1 / 4]),
        ("grpo", [3 / 2, -1 / 2]),
        ("opo", [3 / 4, -1 / 4]),
        ("maxrl", [3.0, -1.0]),
        ("rpp", [3 / 2, -1 / 2]),
        ("rpp_baseline", [3 / 2, -1 / 2]),
    ],
)
def test_one_pass_of_four(estimator: Advantage, expected: list[float]) -> None:
    got = by_rollout(estimator, [1.0, 0.0, 0.0, 0.0], [0] * 4, eps=1e-15)
    np.testing.assert_allclose(got, [expected[0]] + 3 * [expected[1]], atol=1e-12)


@pytest.mark.parametrize("estimator", CENTRED)
@given(reward=st.floats(0.0, 1.0), size=st.integers(2, 9))
def test_a_zero_variance_group_gets_exactly_nothing(
    estimator: Advantage, reward: float, size: int
) -> None:
    """Beside a mixed group, and at rewards such as 0.1 whose mean rounds."""
    rewards, groups = [reward] * size + [1.0, 0.0], [2] * size + [1, 1]
    lengths = [*range(1, size + 1), 2, 2]
    got = by_rollout(estimator, rewards, groups, lengths=lengths)
    assert got[:size] == [0.0] * size
    assert got[size] > 0.0 > got[size + 1]


@pytest.mark.parametrize("estimator", ["rpp", "rpp_baseline"])
def test_a_constant_batch_whitens_to_exactly_nothing(estimator: Advantage) -> None:
    assert not any(by_rollout(estimator, [0.1] * 6, [0, 0, 0, 1, 1, 1]))
    mask = mask_of([2, 3])
    assert not whiten(torch.full((2, 3), 0.1), mask, eps=0.0).any()


def test_whitening_weighs_rollouts_by_their_tokens() -> None:
    """Means 3/4 and 1/2 of a pass of three tokens, then of one, beside a failure of one."""
    long = by_rollout("rpp", [1.0, 0.0], [0, 0], lengths=[3, 1])
    short = by_rollout("rpp", [1.0, 0.0], [0, 0])
    np.testing.assert_allclose(long, [1 / 2, -3 / 2], atol=1e-6)
    np.testing.assert_allclose(short, [np.sqrt(1 / 2), -np.sqrt(1 / 2)], atol=1e-6)


def test_a_group_of_one() -> None:
    for estimator in CENTRED:
        for singleton, expected in (("raw", 0.5), ("zero", 0.0)):
            got = by_rollout(
                estimator, [1.0, 0.5, 0.0], [0, 1, 0], eps=1e-9, singleton=singleton
            )
            np.testing.assert_allclose(got[1], expected, atol=1e-8)


def test_returns_are_discounted_sums_that_padding_cannot_enter() -> None:
    rewards = torch.tensor([[1.0, 2.0, 4.0], [3.0, 9.0, 9.0]])
    mask = mask_of([3, 1])
    assert returns(rewards, mask, 1.0).tolist() == [[7.0, 6.0, 4.0], [3.0, 0.0, 0.0]]
    assert returns(rewards, mask, 0.5).tolist() == [[3.0, 4.0, 4.0], [3.0, 0.0, 0.0]]


def test_rewards_fall_on_the_last_token() -> None:
    got = at_end(torch.tensor([5.0, 7.0]), mask_of([1, 3]))
    assert got.tolist() == [[5.0, 0.0, 0.0], [0.0, 0.0, 7.0]]


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot whiten 1 tokens"):
        by_rollout("rpp", [1.0], [0])
    with pytest.raises(ValueError, match=r"-0\.5 < 0"):
        by_rollout("maxrl", [1.0, -0.5], [0, 0])

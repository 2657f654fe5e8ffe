from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float

from theory.losses import (
    Aggregation,
    Penalty,
    PolicyLoss,
    aggregate,
    aggregation_weights,
    kl_penalty,
    policy_loss,
)
from theory.tokens import length_mask

MODES = get_args(Aggregation)
MASK = length_mask(np.array([1, 3, 0, 2]), 4)


def one_token(log_ratio: float, advantage: float, dual_clip: float = 3.0) -> PolicyLoss:
    """The loss of a single token."""
    return policy_loss(
        np.array([[log_ratio]]),
        np.zeros((1, 1)),
        np.array([[advantage]]),
        np.ones((1, 1), bool),
        clip_low=0.2,
        clip_high=0.28,
        dual_clip=dual_clip,
    )


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "gradient"),
    [
        (1.0, 2.0, -2.0, -2.0),
        (1.2, 2.0, -2.4, -2.4),
        (1.5, 2.0, -2.56, 0.0),  # clipped from above at 1.28
        (0.5, 2.0, -1.0, -1.0),  # the advantage asks for more: not clipped
        (0.5, -2.0, 1.6, 0.0),  # clipped from below at 0.8
        (1.5, -2.0, 3.0, 3.0),
        (3.5, -2.0, 6.0, 0.0),  # the dual clip
        (3.5, 0.0, 0.0, 0.0),
    ],
)
def test_the_clipped_loss_of_a_token(
    ratio: float, advantage: float, loss: float, gradient: float
) -> None:
    got = one_token(np.log(ratio), advantage)
    np.testing.assert_allclose([got.loss, got.gradient[0, 0]], [loss, gradient], atol=1e-12)


def test_the_shares_count_what_was_clipped() -> None:
    """Four tokens: clipped from above, dual-clipped, clipped from below, and free."""
    log_ratio = np.log([[1.5, 3.5, 0.5, 1.1]])
    got = policy_loss(
        log_ratio, np.zeros((1, 4)), np.array([[1.0, -1.0, -1.0, 1.0]]), np.ones((1, 4), bool)
    )
    assert (got.clipfrac, got.clipfrac_lower) == (0.5, 0.25)
    np.testing.assert_allclose(got.approx_kl, -log_ratio.mean())


def test_without_dual_clip_the_loss_is_unbounded() -> None:
    assert one_token(5.0, -1.0, dual_clip=np.inf).loss == pytest.approx(np.exp(5.0))
    assert one_token(5.0, -1.0).loss == 3.0
    with pytest.raises(ValueError, match=r"dual_clip=1\.0"):
        one_token(0.0, 1.0, dual_clip=1.0)


@pytest.mark.parametrize("mode", MODES)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_gradient_is_the_slope_of_the_loss(mode: Aggregation, seed: int) -> None:
    """By central differences; draws within 1e-4 of a kink are moved away from it."""
    rng = np.random.default_rng(seed)
    new, old, advantage = rng.normal(0.0, 0.7, (3, *MASK.shape))

    def loss(shifted: Float[np.ndarray, "R T"]) -> PolicyLoss:
        return policy_loss(shifted, old, advantage, MASK, aggregation=mode, dual_clip=2.0)

    for kink in np.log([0.8, 1.2, 2.0]):
        new = np.where(np.abs(new - old - kink) < 1e-4, new + 3e-4, new)
    at = (1, int(rng.integers(3)))
    step = np.zeros(MASK.shape)
    step[at] = 1e-6
    slope = (loss(new + step).loss - loss(new - step).loss) / 2e-6
    np.testing.assert_allclose(loss(new).gradient[at], slope, atol=1e-8)
    assert (loss(new).gradient[~MASK] == 0.0).all()


def test_beyond_the_limit_of_the_log_ratio_the_gradient_vanishes() -> None:
    got = one_token(-25.0, 1.0)
    assert got.gradient[0, 0] == 0.0
    assert got.approx_kl == 20.0
    assert got.loss == pytest.approx(-np.exp(-20.0))


@given(st.integers(0, 2**32 - 1))
def test_on_policy_the_gradient_is_minus_the_weighted_advantage(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logp, advantage = rng.normal(size=(2, *MASK.shape))
    got = policy_loss(logp, logp, advantage, MASK).gradient
    weights = aggregation_weights("token-mean", MASK)
    np.testing.assert_allclose(got, -weights * advantage, atol=1e-15)


@pytest.mark.parametrize("mode", MODES)
def test_padding_is_ignored_whatever_it_holds(mode: Aggregation) -> None:
    values = np.where(MASK, 1.0, np.nan)
    assert np.isfinite(aggregate(values, mode, MASK))
    got = policy_loss(values, values, values, MASK, aggregation=mode)
    assert np.isfinite([got.loss, got.approx_kl, *got.gradient.ravel()]).all()


@pytest.mark.parametrize(
    ("mode", "loss"),
    [
        ("token-mean", (1 + 6 + 8) / 6),
        ("seq-mean-token-sum", (1 + 6 + 8) / 3),
        ("seq-mean-token-mean", (1 + 2 + 4) / 3),
        ("seq-mean-token-sum-norm", (1 + 6 + 8) / 4),
    ],
)
def test_aggregation_of_three_rollouts_and_an_empty_one(mode: Aggregation, loss: float) -> None:
    values = np.array([[1.0] * 4, [2.0] * 4, [9.0] * 4, [4.0] * 4])
    assert aggregate(values, mode, MASK) == pytest.approx(loss)


def test_the_named_departures_of_aggregation() -> None:
    values = np.ones(MASK.shape)
    assert aggregate(values, "seq-mean-token-sum", MASK, count_empty=True) == 6 / 4
    assert aggregate(values, "seq-mean-token-sum-norm", MASK, scale=12.0) == pytest.approx(
        6 / 12
    )
    with pytest.raises(ValueError, match="no token"):
        aggregate(values, "token-mean", np.zeros_like(MASK))


def test_a_prompt_weighs_by_its_rollouts_and_their_length_under_token_mean() -> None:
    """Groups of 2 rollouts of 3 tokens and of 3 rollouts of 1: 6/9 and 3/9."""
    mask = length_mask(np.array([3, 3, 1, 1, 1]), 3)
    shares = {m: float(aggregation_weights(m, mask)[:2].sum()) for m in MODES}
    assert shares["token-mean"] == pytest.approx(6 / 9)
    assert shares["seq-mean-token-mean"] == pytest.approx(2 / 5)
    assert shares["seq-mean-token-sum"] == pytest.approx(6 / 5)


def test_penalties_by_hand() -> None:
    logp, ref = np.array([np.log(0.5)]), np.array([np.log(0.25)])
    d = np.log(2.0)
    expected = {"k1": d, "abs": d, "k2": d * d / 2, "k3": 0.5 + d - 1}
    for kind in get_args(Penalty):
        np.testing.assert_allclose(kl_penalty(kind, logp, ref), expected[kind])
    np.testing.assert_allclose(kl_penalty("abs", ref, logp), d)
    assert kl_penalty("k3", np.array([-30.0]), np.zeros(1)).tolist() == [10.0]
    unclipped = kl_penalty("k3", np.array([-30.0]), np.zeros(1), value_limit=np.inf)
    np.testing.assert_allclose(unclipped, np.exp(20.0) - 21.0)


def log_softmax(logits: Float[np.ndarray, "A"]) -> Float[np.ndarray, "A"]:
    return logits - np.log(np.exp(logits).sum())


def slope(function: Callable[[Float[np.ndarray, "A"]], float], at: np.ndarray) -> np.ndarray:
    steps = 1e-6 * np.eye(at.size)
    return np.array([(function(at + s) - function(at - s)) / 2e-6 for s in steps])


def test_means_and_mean_gradients_of_the_penalties() -> None:
    """Over three actions: k1 and k3 estimate the divergence; as losses only k2 descends it."""
    logits, ref = np.array([0.3, -0.2, 0.9]), log_softmax(np.array([-0.5, 0.4, 0.1]))
    chance = np.exp(log_softmax(logits))

    def divergence(at: Float[np.ndarray, "A"]) -> float:
        return float(np.exp(log_softmax(at)) @ (log_softmax(at) - ref))

    def reversed_divergence(at: Float[np.ndarray, "A"]) -> float:
        return float(np.exp(ref) @ (ref - log_softmax(at)))

    def as_loss(kind: Penalty) -> Float[np.ndarray, "A"]:
        """Mean gradient over actions drawn from the policy, which are held fixed."""
        return slope(lambda at: float(chance @ kl_penalty(kind, log_softmax(at), ref)), logits)

    for kind in ("k1", "k3"):
        mean = float(chance @ kl_penalty(kind, log_softmax(logits), ref))
        np.testing.assert_allclose(mean, divergence(logits))
    np.testing.assert_allclose(as_loss("k1"), 0.0, atol=1e-9)
    np.testing.assert_allclose(as_loss("k2"), slope(divergence, logits), atol=1e-9)
    np.testing.assert_allclose(as_loss("k3"), slope(reversed_divergence, logits), atol=1e-9)
    assert np.abs(as_loss("k3") - slope(divergence, logits)).max() > 0.01

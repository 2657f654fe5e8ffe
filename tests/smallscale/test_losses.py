"""The torch losses against those of `theory`, recorded ones, and by hand."""

import math
from typing import Any, cast, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import theory.losses
from smallscale.losses import (
    Aggregation,
    Penalty,
    PolicyLoss,
    aggregation_weights,
    kl_penalty,
    overlong_penalty,
    policy_loss,
)
from tests.golden.traces import assert_close, traces

MODES, PENALTIES = get_args(Aggregation), get_args(Penalty)
seeds = st.integers(0, 2**32 - 1)


def recorded(kind: str) -> list[dict[str, Any]]:
    return [trace for trace in traces("estimators") if trace["kind"] == kind]


def rows(trace: dict[str, Any], field: str) -> torch.Tensor:
    shape = (len(trace["lengths"]), trace["width"])
    return torch.tensor(trace[field], dtype=torch.float64).view(shape)


def trace_mask(trace: dict[str, Any]) -> torch.Tensor:
    return torch.arange(trace["width"]) < torch.tensor(trace["lengths"])[:, None]


def trace_weights(trace: dict[str, Any]) -> torch.Tensor:
    """Weights by the trace's aggregation; the older copy counts rollouts without a token."""
    mask = trace_mask(trace)
    scale = None if trace.get("scale") is None else float(trace["scale"])
    weights = aggregation_weights(cast("Aggregation", trace["agg"]), mask, scale=scale)
    if trace["impl"] == "fork" and trace["agg"] == "seq-mean-token-sum":
        return weights * (mask.any(1).sum() / len(mask))
    return weights


def slope(loss: PolicyLoss, new: torch.Tensor) -> torch.Tensor:
    (gradient,) = torch.autograd.grad(loss.loss, new)
    return gradient


def share(tokens: torch.Tensor, mask: torch.Tensor) -> float:
    return float(tokens.sum() / mask.sum())


@pytest.mark.parametrize("trace", recorded("policy_loss"), ids=lambda trace: trace["name"])
def test_recorded_losses_are_reproduced(trace: dict[str, Any]) -> None:
    mask, new = trace_mask(trace), rows(trace, "new_logp").requires_grad_()
    got = policy_loss(
        new,
        rows(trace, "old_logp"),
        rows(trace, "advantage"),
        mask,
        trace_weights(trace),
        clip_low=float(trace["clip_low"]),
        clip_high=float(trace["clip_high"]),
        dual_clip=float(trace["clip_c"]),
        log_ratio_limit=math.inf if trace["impl"] == "fork" else 20.0,
    )
    found = {
        "loss": got.loss.item(),
        "clipfrac": share(got.clipped, mask),
        "clipfrac_lower": share(got.dual_clipped, mask),
        "approx_kl": -share(got.log_ratio, mask),
        "grad_new_logp": slope(got, new).numpy(),
    }
    for field, value in found.items():
        assert_close(value, trace[field], f"{trace['name']}.{field}")


@pytest.mark.parametrize("trace", recorded("aggregate"), ids=lambda trace: trace["name"])
def test_recorded_aggregations_are_reproduced(trace: dict[str, Any]) -> None:
    got = (trace_weights(trace) * rows(trace, "values")).sum()
    assert_close(got.item(), trace["loss"], trace["name"])


@pytest.mark.parametrize("trace", recorded("kl"), ids=lambda trace: trace["name"])
def test_recorded_penalties_are_reproduced(trace: dict[str, Any]) -> None:
    logp, reference = (torch.tensor([trace[key]]).double() for key in ("logp", "ref_logp"))
    got = kl_penalty(cast("Penalty", trace["fn"]), logp, reference)[0]
    assert_close(got.numpy(), trace["kl"], trace["name"])


@pytest.mark.parametrize("mode", MODES)
@given(seed=seeds, scale=st.sampled_from([None, 7.0]))
def test_losses_agree_with_theory(mode: Aggregation, seed: int, scale: float | None) -> None:
    """Rollouts without a token included, and ratios beyond every clip."""
    rng = np.random.default_rng(seed)
    lengths = rng.permutation(np.append(rng.integers(0, 5, 4), 3))
    mask = np.arange(5) < lengths[:, None]
    new, old, advantage = rng.normal(0.0, 1.0, (3, *mask.shape))
    knobs: dict[str, Any] = {
        "clip_low": 0.2,
        "clip_high": 0.28,
        "dual_clip": float(rng.choice([1.5, math.inf])),
    }
    expected = theory.losses.policy_loss(
        new, old, advantage, mask, aggregation=mode, scale=scale, **knobs
    )
    tensors = [torch.from_numpy(part) for part in (new, old, advantage, mask)]
    moving, before, worth, held = tensors
    moving.requires_grad_()
    weights = aggregation_weights(mode, held, scale=scale)
    got = policy_loss(moving, before, worth, held, weights, **knobs)
    np.testing.assert_allclose(got.loss.item(), expected.loss, atol=1e-12)
    np.testing.assert_allclose(slope(got, moving), expected.gradient, atol=1e-12)
    np.testing.assert_allclose(share(got.clipped, held), expected.clipfrac)
    np.testing.assert_allclose(share(got.dual_clipped, held), expected.clipfrac_lower)
    np.testing.assert_allclose(-share(got.log_ratio, held), expected.approx_kl)


@pytest.mark.parametrize("kind", PENALTIES)
@given(seed=seeds)
def test_penalties_agree_with_theory(kind: Penalty, seed: int) -> None:
    logp, reference = np.random.default_rng(seed).normal(0.0, 4.0, (2, 3, 4))
    expected = theory.losses.kl_penalty(kind, logp, reference)
    got = kl_penalty(kind, torch.from_numpy(logp), torch.from_numpy(reference))
    np.testing.assert_allclose(got, expected, atol=1e-12)


def one(log_ratio: float, advantage: float, dual_clip: float = 3.0) -> tuple[float, float]:
    """Loss of a token, and its slope."""
    new = torch.tensor([[log_ratio]], dtype=torch.float64, requires_grad=True)
    got = policy_loss(
        new,
        torch.zeros(1, 1),
        torch.tensor([[advantage]]),
        torch.ones(1, 1, dtype=torch.bool),
        torch.ones(1, 1, dtype=torch.float64),
        clip_high=0.28,
        dual_clip=dual_clip,
    )
    return got.loss.item(), slope(got, new).item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "gradient"),
    [
        (1.0, 2.0, -2.0, -2.0),
        (1.0, -2.0, 2.0, 2.0),
        (1.5, 2.0, -2.56, 0.0),
        (0.5, 2.0, -1.0, -1.0),
        (0.5, -2.0, 1.6, 0.0),
        (1.5, -2.0, 3.0, 3.0),
        (3.5, -2.0, 6.0, 0.0),
        (3.5, 0.0, 0.0, 0.0),
    ],
)
def test_the_clipped_loss_of_a_token(
    ratio: float, advantage: float, loss: float, gradient: float
) -> None:
    np.testing.assert_allclose(one(math.log(ratio), advantage), (loss, gradient), atol=1e-6)


def test_extreme_ratios_stay_finite() -> None:
    """A log-probability that underflowed to minus infinity included."""
    assert one(-25.0, 1.0) == pytest.approx((-math.exp(-20.0), 0.0))
    assert one(math.inf, -1.0) == (3.0, 0.0)
    assert one(1.0, -1.0, dual_clip=math.inf) == pytest.approx((math.e, math.e))


@pytest.mark.parametrize("advantage", [-1.0, 0.0, 1.0])
def test_what_is_not_a_number_stays_so(advantage: float) -> None:
    """The dual clip, too, would hide it."""
    assert math.isnan(one(math.nan, advantage)[0])


@pytest.mark.parametrize("mode", MODES)
def test_padding_is_ignored_whatever_it_holds(mode: Aggregation) -> None:
    mask = torch.tensor([[True, False], [True, True]])
    new = torch.where(mask, 0.5, torch.nan).requires_grad_()
    filled = new.detach()
    got = policy_loss(new, filled, filled, mask, aggregation_weights(mode, mask).float())
    assert got.loss.isfinite()
    assert slope(got, new)[0, 1] == 0.0
    for seen in (got.log_ratio, got.clipped, got.dual_clipped):
        assert not seen[0, 1]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("token-mean", [[1 / 4, 0, 0], [1 / 4, 1 / 4, 1 / 4]]),
        ("seq-mean-token-mean", [[1 / 2, 0, 0], [1 / 6, 1 / 6, 1 / 6]]),
        ("seq-mean-token-sum", [[1 / 2, 0, 0], [1 / 2, 1 / 2, 1 / 2]]),
        ("seq-mean-token-sum-norm", [[1 / 3, 0, 0], [1 / 3, 1 / 3, 1 / 3]]),
    ],
)
def test_weights_of_two_rollouts(mode: Aggregation, expected: list[list[float]]) -> None:
    mask = torch.tensor([[True, False, False], [True, True, True]])
    np.testing.assert_allclose(aggregation_weights(mode, mask), expected)
    with pytest.raises(ValueError, match="no token"):
        aggregation_weights(mode, torch.zeros_like(mask))


def test_the_overlong_penalty_by_hand() -> None:
    """DAPO's numbers: free up to 16,384 of 20,480 tokens."""
    lengths = torch.tensor([1, 16384, 17408, 18432, 20480, 30000])
    got = overlong_penalty(lengths, limit=20480, buffer=4096.0)
    assert got.tolist() == [0.0, 0.0, -0.25, -0.5, -1.0, -1.0]
    for buffer in (0.0, 20481.0):
        with pytest.raises(ValueError, match="buffer"):
            overlong_penalty(lengths, limit=20480, buffer=buffer)

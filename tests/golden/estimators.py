"""Replay of recorded advantages, penalties, aggregations and clipped losses.

Recorded with volcengine/verl @ b178a3cd and, where `impl` is "fork", with the older copy of
verl bundled with ZexuSun/CurES @ eccf298.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float

from tests.golden.traces import assert_close
from theory.losses import Aggregation, Penalty, aggregate, kl_penalty, policy_loss
from theory.tokens import length_mask, token_advantages

if TYPE_CHECKING:
    from theory.advantages import Estimator

Trace = dict[str, Any]
WHITENED = {"rpp", "rpp_baseline"}  # the release divides their means by count + 1e-8


def replay(trace: Trace) -> None:
    """Compute what a trace records; fail with its name and the field that differs."""
    KINDS[trace["kind"]](trace)


def _mask(trace: Trace) -> np.ndarray:
    return length_mask(np.array(trace["lengths"], int), trace["width"])


def _rows(trace: Trace, field: str) -> Float[np.ndarray, "R T"]:
    return np.array(trace[field], float).reshape(len(trace["lengths"]), trace["width"])


def _scale(trace: Trace) -> float | None:
    scale = trace.get("scale")
    return None if scale is None else float(scale)


def _token_rewards(trace: Trace) -> Float[np.ndarray, "R T"]:
    """Rewards of tokens; one per rollout falls on its last token."""
    if trace.get("token_rewards") is not None:
        return _rows(trace, "token_rewards")
    last = np.arange(1, trace["width"] + 1) == np.array(trace["lengths"], int)[:, None]
    return last * np.array(trace["rewards"], float)[:, None]


def _advantage(trace: Trace) -> None:
    fn = str(trace["fn"])
    got = token_advantages(
        cast("Estimator", fn.removesuffix("_vectorized")),
        _token_rewards(trace),
        np.array(trace["groups"], int),
        _mask(trace),
        singleton="zero" if fn.endswith("_vectorized") else "raw",
        eps=None if fn in WHITENED else float(trace["eps"]),
        gamma=float(trace["gamma"]),
        mask_whitened=trace["impl"] != "fork",
    )
    tolerance = 1e-5 if fn in WHITENED else 1e-6
    assert_close(got, trace["advantage"], f"{trace['name']}.advantage", tolerance=tolerance)


def _policy_loss(trace: Trace) -> None:
    fork = trace["impl"] == "fork"
    got = policy_loss(
        _rows(trace, "new_logp"),
        _rows(trace, "old_logp"),
        _rows(trace, "advantage"),
        _mask(trace),
        aggregation=cast("Aggregation", trace["agg"]),
        clip_low=float(trace["clip_low"]),
        clip_high=float(trace["clip_high"]),
        dual_clip=float(trace["clip_c"]),
        log_ratio_limit=np.inf if fork else 20.0,
        scale=_scale(trace),
        count_empty=fork,
    )
    for field in ("loss", "clipfrac", "approx_kl", "clipfrac_lower"):
        assert_close(getattr(got, field), trace[field], f"{trace['name']}.{field}")
    assert_close(got.gradient, trace["grad_new_logp"], f"{trace['name']}.grad_new_logp")


def _aggregate(trace: Trace) -> None:
    got = aggregate(
        _rows(trace, "values"),
        cast("Aggregation", trace["agg"]),
        _mask(trace),
        scale=_scale(trace),
        count_empty=trace["impl"] == "fork",
    )
    assert_close(got, trace["loss"], f"{trace['name']}.loss")


def _kl(trace: Trace) -> None:
    logp, ref_logp = np.array(trace["logp"], float), np.array(trace["ref_logp"], float)
    got = kl_penalty(cast("Penalty", trace["fn"]), logp, ref_logp)
    assert_close(got, trace["kl"], f"{trace['name']}.kl")


KINDS: dict[str, Callable[[Trace], None]] = {
    "advantage": _advantage,
    "policy_loss": _policy_loss,
    "aggregate": _aggregate,
    "kl": _kl,
}

r"""Advantages of rollouts that are rewarded once, at their end.

`advantages` takes any rewards, and groups of any, also unequal, sizes. `group_advantages` is
the closed form for binary rewards, which needs only the passes of each group.

| estimator | advantage of a rollout with reward r | source |
|---|---|---|
| `reinforce` | r - b, with a fixed baseline b | |
| `raft` | max(r, 0): imitation of the rollouts that passed | ZexuSun/CurES @ eccf298 |
| `rloo` | r - mean of the others = N/(N-1) (r - group mean) | arXiv:2402.14740 |
| `drgrpo` | r - group mean | arXiv:2503.20783 |
| `grpo` | (r - group mean) / (s + eps), s with ddof 1 | arXiv:2402.03300 |
| `opo` | r - group mean weighted by length | arXiv:2505.23585 |
| `maxrl` | (r - group mean) / (group mean + eps) | arXiv:2602.02710 |
| `rpp` | REINFORCE++: r whitened over the batch | arXiv:2501.03262 |
| `rpp_baseline` | r - group mean, then whitened over the batch | arXiv:2501.03262 |

A group of one has no mean but its own reward. Released code disagrees about it, so it is a
parameter: `singleton="raw"` takes the mean for 0 and the deviation for 1 (volcengine/verl
@ b178a3cd), `"zero"` gives it the advantage 0 (verl's vectorized RLOO; huggingface/trl
@ f2cd57710). Two departures: tajwarfahim/maxrl @ 7db6bb90 divides a group of one by a mean
of 0 plus eps, which turns a pass into 10^6, where `"raw"` here leaves the reward alone; and
a zero-variance group has advantages of exactly 0 here, where released code divides a rounding
error by eps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Float, Int, Real

Estimator = Literal[
    "reinforce", "raft", "rloo", "drgrpo", "grpo", "opo", "maxrl", "rpp", "rpp_baseline"
]
Closed = Literal["reinforce", "rloo", "drgrpo", "grpo", "maxrl", "rpp", "rpp_baseline"]
Singleton = Literal["raw", "zero"]
Pair: TypeAlias = tuple[Float[np.ndarray, "*G"], Float[np.ndarray, "*G"]]

DIVISOR_EPS = 1e-6  # added to GRPO's deviation and MaxRL's mean by verl; TRL adds 1e-4
WHITEN_EPS = 1e-8  # added to the variance of a batch by verl and OpenRLHF


def divide(
    numerator: Float[np.ndarray, "*S"], denominator: Float[np.ndarray, "*S"]
) -> Float[np.ndarray, "*S"]:
    """Quotient, 0 where the denominator is 0."""
    zero = np.zeros(numerator.shape)
    return np.divide(numerator, denominator, out=zero, where=denominator != 0)


def centred(
    rewards: Float[np.ndarray, "R"],
    groups: Int[np.ndarray, "R"],
    singleton: Singleton = "raw",
    weights: Real[np.ndarray, "R"] | None = None,
) -> Float[np.ndarray, "R"]:
    """Each reward less the weighted mean of its group.

    Args:
        rewards: One per rollout, in any order.
        groups: Label of each rollout's group, any integers.
        singleton: What a group of one gets, its raw reward or 0.
        weights: Of each rollout in the mean; equal by default.

    Raises:
        ValueError: If a weight is negative or those of a group sum to 0.
    """
    _, first, index, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    weights = np.ones(rewards.size) if weights is None else weights
    total = np.bincount(index, weights)
    if (weights < 0).any() or not total.all():
        raise ValueError(f"weights of a group sum to more than 0, none below: {weights}")
    shifted = rewards - rewards[first][index]  # equal rewards then centre to 0 exactly
    mean = np.bincount(index, weights * shifted) / total
    lone = 0.0 if singleton == "zero" else rewards
    return np.where(sizes[index] == 1, lone, shifted - mean[index])


def whiten(
    values: Float[np.ndarray, "*S"], mask: Bool[np.ndarray, "*S"], eps: float = WHITEN_EPS
) -> Float[np.ndarray, "*S"]:
    """Values less their mean, over sqrt(variance + eps); both are taken where `mask` holds.

    The variance has ddof 1. Values outside the mask are transformed along with the others.

    Raises:
        ValueError: If fewer than two values are in the mask.
    """
    count = int(mask.sum())
    if count < 2:
        raise ValueError(f"cannot whiten {count} values: their variance is undefined")
    shifted = values - values[mask][0]
    moved = shifted - shifted[mask].mean()
    scale = np.sqrt((moved[mask] ** 2).sum() / (count - 1) + eps)
    return divide(moved, np.full(moved.shape, scale))


def advantages(
    estimator: Estimator,
    rewards: Float[np.ndarray, "R"],
    groups: Int[np.ndarray, "R"],
    *,
    lengths: Int[np.ndarray, "R"] | None = None,
    singleton: Singleton = "raw",
    eps: float | None = None,
    baseline: float = 0.0,
) -> Float[np.ndarray, "R"]:
    """Advantage of each rollout of a batch.

    Args:
        estimator: See the table of this module.
        rewards: One per rollout, in any order.
        groups: Label of each rollout's group, any integers.
        lengths: Tokens of each rollout; `opo` weighs by them. The whitening of `rpp` and
            `rpp_baseline` weighs rollouts equally here and by tokens in `theory.tokens`.
        singleton: What a group of one gets, its raw reward or 0.
        eps: Added to the divisor of `grpo` and `maxrl` (1e-6 by default) and to the variance
            of `rpp` and `rpp_baseline` (1e-8 by default).
        baseline: Of `reinforce`.

    Raises:
        ValueError: If `opo` lacks lengths, a reward of `maxrl` is negative, or a batch of one
            is to be whitened.
    """
    if estimator not in _GENERAL:
        raise ValueError(f"{estimator=} is none of {', '.join(_GENERAL)}")
    batch = _Batch(rewards, groups, lengths, singleton, eps, baseline)
    return _GENERAL[estimator](batch)


@dataclass(frozen=True)
class _Batch:
    """The arguments of `advantages`; each method is an estimator."""

    rewards: Float[np.ndarray, "R"]
    groups: Int[np.ndarray, "R"]
    lengths: Int[np.ndarray, "R"] | None
    singleton: Singleton
    eps: float | None
    baseline: float

    def reinforce(self) -> Float[np.ndarray, "R"]:
        return self.rewards - self.baseline

    def raft(self) -> Float[np.ndarray, "R"]:
        return np.maximum(self.rewards, 0.0)

    def drgrpo(self) -> Float[np.ndarray, "R"]:
        return centred(self.rewards, self.groups, self.singleton)

    def rloo(self) -> Float[np.ndarray, "R"]:
        _, N = _sizes(self.groups)
        return self.drgrpo() * np.where(N == 1, 1.0, N / np.maximum(N - 1, 1))

    def grpo(self) -> Float[np.ndarray, "R"]:
        free, (index, N) = self.drgrpo(), _sizes(self.groups)
        deviation = np.sqrt(np.bincount(index, free**2)[index] / np.maximum(N - 1, 1))
        eps = DIVISOR_EPS if self.eps is None else self.eps
        return divide(free, np.where(N == 1, 1.0, deviation) + eps)

    def opo(self) -> Float[np.ndarray, "R"]:
        if self.lengths is None:
            raise ValueError("opo weighs rollouts by their lengths, and none were given")
        return centred(self.rewards, self.groups, self.singleton, self.lengths)

    def maxrl(self) -> Float[np.ndarray, "R"]:
        if (self.rewards < 0).any():
            raise ValueError(f"maxrl divides by mean rewards; {self.rewards.min():g} < 0")
        free, (_, N) = self.drgrpo(), _sizes(self.groups)
        eps = DIVISOR_EPS if self.eps is None else self.eps
        return divide(free, np.where(N == 1, 1.0, self.rewards - free + eps))

    def rpp(self) -> Float[np.ndarray, "R"]:
        return self._whitened(self.rewards)

    def rpp_baseline(self) -> Float[np.ndarray, "R"]:
        return self._whitened(self.drgrpo())

    def _whitened(self, values: Float[np.ndarray, "R"]) -> Float[np.ndarray, "R"]:
        eps = WHITEN_EPS if self.eps is None else self.eps
        return whiten(values, np.ones(values.size, bool), eps)


_GENERAL: dict[str, Callable[[_Batch], Float[np.ndarray, "R"]]] = {
    name: getattr(_Batch, name) for name in get_args(Estimator)
}


def _sizes(
    groups: Int[np.ndarray, "R"],
) -> tuple[Int[np.ndarray, "R"], Int[np.ndarray, "R"]]:
    """Position and size of each rollout's group."""
    _, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return index, sizes[index]


def group_advantages(
    estimator: Closed,
    passes: Int[np.ndarray, "*G"],
    rollouts: Int[np.ndarray, "*G"] | int,
    *,
    eps: float = 0.0,
    baseline: float = 0.0,
) -> Pair:
    """Advantages of the passing and of the failing rollouts of each group, binary rewards.

    Under an estimator that centres within the group, groups of one, empty groups and all
    other zero-variance groups get 0 for both. `rpp` and `rpp_baseline` whiten over all
    rollouts of these groups, each weighing the same.

    Args:
        estimator: See the table of this module.
        passes: K of each group.
        rollouts: N of each group, or of all.
        eps: As in `advantages`, but none by default.
        baseline: Of `reinforce`.

    Raises:
        ValueError: If passes are not in [0, N], or fewer than two rollouts are to be whitened.
    """
    failures = rollouts - passes
    if (passes < 0).any() or (failures < 0).any():
        raise ValueError(f"{passes=} must lie in [0, {rollouts}]")
    if estimator == "reinforce":
        return np.full(passes.shape, 1.0 - baseline), np.full(passes.shape, -baseline)
    if estimator not in _CLOSED:
        raise ValueError(f"{estimator=} is none of reinforce, {', '.join(_CLOSED)}")
    return _CLOSED[estimator](passes, failures, np.asarray(rollouts), eps)


Counts: TypeAlias = Int[np.ndarray, "*#G"]


def _apart(K: Counts, F: Counts, gap: Real[np.ndarray, "*#G"] | float) -> Pair:
    """Advantages F * gap and -K * gap, which sum to zero over the group, where it is mixed."""
    gap = gap * ((K > 0) & (F > 0))
    return F * gap, -K * gap


def _rloo(K: Counts, F: Counts, N: Counts, _: float) -> Pair:
    return _apart(K, F, 1.0 / np.maximum(N - 1, 1))


def _drgrpo(K: Counts, F: Counts, N: Counts, _: float) -> Pair:
    return _apart(K, F, 1.0 / np.maximum(N, 1))


def _grpo(K: Counts, F: Counts, N: Counts, eps: float) -> Pair:
    pairs = np.maximum(N * (N - 1), 1)
    deviation = np.sqrt(np.maximum(K * F, 1) / pairs)
    return _apart(K, F, 1.0 / (np.maximum(N, 1) * (deviation + eps)))


def _maxrl(K: Counts, F: Counts, N: Counts, eps: float) -> Pair:
    return _apart(K, F, 1.0 / (np.maximum(K, 1) + eps * N))


def _rpp(K: Counts, F: Counts, _: Counts, eps: float) -> Pair:
    total = int(K.sum() + F.sum())
    mean = K.sum() / max(total, 1)
    scale = _batch_scale(total * mean * (1.0 - mean), total, eps)
    return np.full(K.shape, (1.0 - mean) * scale), np.full(K.shape, -mean * scale)


def _rpp_baseline(K: Counts, F: Counts, N: Counts, eps: float) -> Pair:
    gap = 1.0 / np.maximum(N, 1)
    scale = _batch_scale(float((K * F * gap).sum()), int(K.sum() + F.sum()), eps)
    return _apart(K, F, gap * scale)


def _batch_scale(squares: float, count: int, eps: float) -> float:
    """What whitening multiplies by, given the sum of squares about the mean."""
    if count < 2:
        raise ValueError(f"cannot whiten {count} rollouts: their variance is undefined")
    variance = squares / (count - 1) + eps
    return variance**-0.5 if variance > 0 else 0.0


_CLOSED: dict[str, Callable[[Counts, Counts, Counts, float], Pair]] = {
    "rloo": _rloo,
    "drgrpo": _drgrpo,
    "grpo": _grpo,
    "maxrl": _maxrl,
    "rpp": _rpp,
    "rpp_baseline": _rpp_baseline,
}

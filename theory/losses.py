r"""Policy-gradient losses over tokens: clipping, aggregation, and penalties for divergence.

A batch of R rollouts padded to T tokens; `mask` is True on the tokens a rollout has. With
the ratio $\rho = \pi/\pi_\text{old}$ of a token,

$$L = \max(-\rho A, -\operatorname{clip}(\rho, 1-\varepsilon_-, 1+\varepsilon_+) A), \qquad
L \leftarrow \min(L, -cA) \text{ where } A < 0,$$

the second being the dual clip (arXiv:1912.09729). The loss of the batch is a weighted sum
over tokens; `aggregation_weights` are the weights:

| mode | loss | also known as |
|---|---|---|
| `token-mean` | sum / tokens | DAPO (arXiv:2503.14476), TRL `dapo` and `bnpo` |
| `seq-mean-token-mean` | mean over rollouts of their mean | GRPO (arXiv:2402.03300) |
| `seq-mean-token-sum` | mean over rollouts of their sum | |
| `seq-mean-token-sum-norm` | sum / constant | Dr. GRPO (arXiv:2503.20783) |

The constant of the last is the width T, or `scale`; it is not divided by the number of
rollouts. Under `token-mean` the weight of a prompt is proportional to its rollouts times
their length. Conventions as in volcengine/verl @ b178a3cd.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

Aggregation = Literal[
    "token-mean", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"
]
Penalty = Literal["k1", "abs", "k2", "k3"]


def aggregation_weights(
    mode: Aggregation,
    mask: Bool[np.ndarray, "R T"],
    *,
    scale: float | None = None,
    count_empty: bool = False,
) -> Float[np.ndarray, "R T"]:
    """Weight of each token in the loss of the batch, 0 on padding.

    Args:
        mode: See the table of this module.
        mask: True on the tokens a rollout has.
        scale: Divisor of `seq-mean-token-sum-norm` instead of the width.
        count_empty: Whether `seq-mean-token-sum` counts rollouts without a token in its mean.
            The older copy of verl bundled with ZexuSun/CurES @ eccf298 does.

    Raises:
        ValueError: If the mask is empty.
    """
    if not mask.any():
        raise ValueError("no token to aggregate over")
    lengths = mask.sum(axis=1)
    rollouts = lengths.size if count_empty else np.count_nonzero(lengths)
    match mode:
        case "token-mean":
            return mask / lengths.sum()
        case "seq-mean-token-sum":
            return mask / rollouts
        case "seq-mean-token-mean":
            return mask / np.maximum(lengths, 1)[:, None] / np.count_nonzero(lengths)
        case "seq-mean-token-sum-norm":
            return mask / float(mask.shape[1] if scale is None else scale)


def aggregate(
    values: Float[np.ndarray, "R T"],
    mode: Aggregation,
    mask: Bool[np.ndarray, "R T"],
    *,
    scale: float | None = None,
    count_empty: bool = False,
) -> float:
    """Loss of the batch from the loss of each token; what padding holds is ignored.

    Raises:
        ValueError: If the mask is empty.
    """
    weights = aggregation_weights(mode, mask, scale=scale, count_empty=count_empty)
    return float((weights * np.where(mask, values, 0.0)).sum())


@dataclass(frozen=True)
class PolicyLoss:
    """A clipped policy loss, its diagnostics, and its gradient.

    Attributes:
        loss: Of the batch.
        clipfrac: Share of tokens whose clipped term exceeds the plain one.
        clipfrac_lower: Share of tokens at which the dual clip acts.
        approx_kl: Mean over tokens of log old - log new, an estimate of KL(old, new).
        gradient: Derivative of the loss with respect to each new log-probability.
    """

    loss: float
    clipfrac: float
    clipfrac_lower: float
    approx_kl: float
    gradient: Float[np.ndarray, "R T"]


def policy_loss(
    new_logp: Float[np.ndarray, "R T"],
    old_logp: Float[np.ndarray, "R T"],
    advantage: Float[np.ndarray, "R T"],
    mask: Bool[np.ndarray, "R T"],
    *,
    aggregation: Aggregation = "token-mean",
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float = 3.0,
    log_ratio_limit: float = 20.0,
    scale: float | None = None,
    count_empty: bool = False,
) -> PolicyLoss:
    """The clipped policy loss of proximal policy optimization, with dual clip.

    Args:
        new_logp: Log-probability of each token under the policy being trained.
        old_logp: The same under the policy that the ratio is taken to.
        advantage: Of each token.
        mask: True on the tokens a rollout has.
        aggregation: See the table of this module.
        clip_low: The ratio is clipped to at least 1 - clip_low,
        clip_high: and to at most 1 + clip_high.
        dual_clip: c, greater than 1; infinite for none.
        log_ratio_limit: Log-ratios are clamped to this absolute value first; infinite for
            none, as in older copies of verl.
        scale: As in `aggregation_weights`.
        count_empty: As in `aggregation_weights`.

    Raises:
        ValueError: If the mask is empty, or dual_clip is not greater than 1.
    """
    if not dual_clip > 1.0:
        raise ValueError(f"{dual_clip=} must be greater than 1")
    moved = np.where(mask, new_logp - old_logp, 0.0)
    A = np.where(mask, advantage, 0.0)
    ratio = np.exp(np.clip(moved, -log_ratio_limit, log_ratio_limit))
    plain, clipped = -A * ratio, -A * np.clip(ratio, 1.0 - clip_low, 1.0 + clip_high)
    ceiling = np.where(A < 0, np.abs(A), np.inf) * dual_clip
    higher = np.maximum(plain, clipped)
    follows = (plain >= clipped) & (plain <= ceiling) & (np.abs(moved) <= log_ratio_limit)
    weights = aggregation_weights(aggregation, mask, scale=scale, count_empty=count_empty)
    return PolicyLoss(
        loss=float((weights * np.minimum(higher, ceiling)).sum()),
        clipfrac=float((clipped > plain)[mask].mean()),
        clipfrac_lower=float((higher > ceiling)[mask].mean()),
        approx_kl=float(-np.clip(moved, -log_ratio_limit, log_ratio_limit)[mask].mean()),
        gradient=np.where(follows, weights * plain, 0.0),
    )


def kl_penalty(
    kind: Penalty,
    logp: Float[np.ndarray, "*S"],
    ref_logp: Float[np.ndarray, "*S"],
    *,
    log_ratio_limit: float = 20.0,
    value_limit: float = 10.0,
) -> Float[np.ndarray, "*S"]:
    r"""Estimate of the divergence of a policy from a reference, per token drawn from it.

    With $d = \log\pi - \log\pi_\text{ref}$: `k1` d, `abs` |d|, `k2` $d^2/2$, `k3`
    $e^{-d} + d - 1$, the last with d clamped to `log_ratio_limit` and the result to
    `value_limit` in absolute value. `k1` and `k3` have the mean KL(policy, reference). As a
    loss, `k2` has the gradient of that divergence, `k3` that of the reversed one and `k1`
    that of nothing: its mean gradient is 0.
    """
    d = logp - ref_logp
    match kind:
        case "k1":
            return d
        case "abs":
            return np.abs(d)
        case "k2":
            return d * d / 2.0
        case "k3":
            x = np.clip(-d, -log_ratio_limit, log_ratio_limit)
            return np.clip(np.expm1(x) - x, -value_limit, value_limit)

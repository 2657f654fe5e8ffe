r"""Losses over the tokens of a mini-batch: clipping, aggregation, and penalties.

With the ratio $\rho = \pi/\pi_\text{old}$ of a token to the policy that generated it,

$$L = \max(-\rho A, -\operatorname{clip}(\rho, 1-\varepsilon_-, 1+\varepsilon_+) A), \qquad
L \leftarrow \min(L, -cA) \text{ where } A < 0,$$

the second being the dual clip (arXiv:1912.09729). The loss of a mini-batch is a weighted sum
over its tokens:

| aggregation | loss | source |
|---|---|---|
| `token-mean` | sum / tokens | DAPO, arXiv:2503.14476 |
| `seq-mean-token-mean` | mean over rollouts of their mean | GRPO, arXiv:2402.03300 |
| `seq-mean-token-sum` | mean over rollouts of their sum | |
| `seq-mean-token-sum-norm` | sum / constant | Dr. GRPO, arXiv:2503.20783 |

The weights are made from the whole mini-batch and handed to its micro-batches, whose losses
add up: released trainers that take the mean of each micro-batch let a rollout's weight depend
on its neighbours. The formulas are those of `theory`, written a second time because this
package stands alone; a test holds the two, and recorded values of volcengine/verl, together.

Axis legend: R rollouts, T tokens of the longest.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int

Aggregation = Literal[
    "token-mean", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"
]
Penalty = Literal["k1", "abs", "k2", "k3"]


def aggregation_weights(
    mode: Aggregation, mask: Bool[torch.Tensor, "R T"], *, scale: float | None = None
) -> Float[torch.Tensor, "R T"]:
    """Weight of each token in the loss of the mini-batch, 0 on padding, in double precision.

    Args:
        mode: See the table of this module.
        mask: True on the tokens a rollout has; rollouts without a token count in no mean.
        scale: Constant of `seq-mean-token-sum-norm`, the width T by default.

    Raises:
        ValueError: If the mask is empty.
    """
    lengths = mask.sum(1).double()
    rollouts, tokens = lengths.count_nonzero(), lengths.sum()
    if not tokens:
        raise ValueError("no token to aggregate over")
    match mode:
        case "token-mean":
            return mask / tokens
        case "seq-mean-token-sum":
            return mask.double() / rollouts
        case "seq-mean-token-mean":
            return mask / lengths.clamp(min=1.0)[:, None] / rollouts
        case "seq-mean-token-sum-norm":
            return mask.double() / float(mask.shape[1] if scale is None else scale)


@dataclass(frozen=True)
class PolicyLoss:
    """A clipped policy loss, and what became of each token; False and 0 on padding."""

    loss: Float[torch.Tensor, ""]  # the weighted sum, differentiable
    log_ratio: Float[torch.Tensor, "R T"]  # log new - log old, clamped, without gradient
    clipped: Bool[torch.Tensor, "R T"]  # whether the clipped term exceeds the plain one
    dual_clipped: Bool[torch.Tensor, "R T"]  # whether the dual clip acts


def policy_loss(
    new: Float[torch.Tensor, "R T"],
    old: Float[torch.Tensor, "R T"],
    advantage: Float[torch.Tensor, "R T"],
    mask: Bool[torch.Tensor, "R T"],
    weights: Float[torch.Tensor, "R T"],
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float = 3.0,
    log_ratio_limit: float = 20.0,
) -> PolicyLoss:
    """The clipped loss of proximal policy optimization, with dual clip.

    Args:
        new: Log-probability of each token under the policy being trained.
        old: The same under the policy that generated the token's rollout.
        advantage: Of each token.
        mask: True on the tokens a rollout has; what the others hold is ignored.
        weights: From `aggregation_weights` of the whole mini-batch.
        clip_low: The ratio is clipped to at least 1 - clip_low,
        clip_high: and to at most 1 + clip_high; both infinite for no clipping.
        dual_clip: c, greater than 1; infinite for none.
        log_ratio_limit: Log-ratios are clamped to this absolute value first.
    """
    moved = torch.where(mask, new - old, 0.0).clamp(-log_ratio_limit, log_ratio_limit)
    A, ratio = torch.where(mask, advantage, 0.0), moved.exp()
    plain, clipped = -A * ratio, -A * ratio.clamp(1.0 - clip_low, 1.0 + clip_high)
    ceiling = torch.where(A < 0, -A, torch.inf) * dual_clip
    # Not maximum and minimum: where two terms are equal, those halve the gradient. What is
    # not a number must stay so, to be noticed: all comparisons with it are false.
    higher = torch.where(clipped > plain, clipped, plain)
    loss = torch.where(higher > ceiling, ceiling, higher)
    return PolicyLoss(
        loss=(weights * loss).sum(),
        log_ratio=moved.detach(),
        clipped=clipped > plain,
        dual_clipped=higher > ceiling,
    )


def kl_penalty(
    kind: Penalty,
    logp: Float[torch.Tensor, "R T"],
    ref_logp: Float[torch.Tensor, "R T"],
    *,
    log_ratio_limit: float = 20.0,
    value_limit: float = 10.0,
) -> Float[torch.Tensor, "R T"]:
    r"""Estimate of the divergence of a policy from a reference, per token drawn from it.

    With $d = \log\pi - \log\pi_\text{ref}$: `k1` d, `abs` |d|, `k2` $d^2/2$, `k3`
    $e^{-d} + d - 1$, the last with d clamped to `log_ratio_limit` and the result to
    `value_limit` in absolute value. As a loss, `k2` has the gradient of the divergence, `k3`
    that of the reversed one and `k1` that of nothing.
    """
    d = logp - ref_logp
    match kind:
        case "k1":
            return d
        case "abs":
            return d.abs()
        case "k2":
            return d.square() / 2.0
        case "k3":
            x = (-d).clamp(-log_ratio_limit, log_ratio_limit)
            return (x.expm1() - x).clamp(-value_limit, value_limit)


def overlong_penalty(
    lengths: Int[torch.Tensor, "R"], *, limit: int, buffer: float
) -> Float[torch.Tensor, "R"]:
    """DAPO's soft penalty: 0 up to `limit - buffer` tokens, falling to -1 at `limit`.

    Source: arXiv:2503.14476; `limit` is the most tokens that are generated, buffer included.

    Raises:
        ValueError: If buffer is not in (0, limit].
    """
    if not 0.0 < buffer <= limit:
        raise ValueError(f"{buffer=} must lie in (0, {limit=}]")
    return ((limit - buffer - lengths.double()) / buffer).clamp(-1.0, 0.0)

r"""Advantages of the tokens of a batch, in torch and in double precision.

| estimator | advantage of a rollout with reward r | source |
|---|---|---|
| `reinforce` | r - b, with a fixed baseline b | |
| `raft` | max(r, 0) | ZexuSun/CurES @ eccf298 |
| `rloo` | r - mean of the others = N/(N-1) (r - group mean) | arXiv:2402.14740 |
| `drgrpo` | r - group mean | arXiv:2503.20783 |
| `grpo` | (r - group mean) / (s + eps), s with ddof 1 | arXiv:2402.03300 |
| `opo` | r - group mean weighted by length | arXiv:2505.23585 |
| `maxrl` | (r - group mean) / (group mean + eps) | arXiv:2602.02710 |
| `rpp` | REINFORCE++: returns whitened over the tokens of the batch | arXiv:2501.03262 |
| `rpp_baseline` | r - group mean, then whitened likewise | arXiv:2501.03262 |

Groups may differ in size, and lie in any order. The formulas and conventions are those of
`theory`, written a second time because this package stands alone; a test holds the two, and
recorded values of released trainers, together. A zero-variance group gets exactly 0 from
estimators that centre within the group.

Axis legend: R rollouts, T tokens of the longest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int

Advantage = Literal[
    "reinforce", "raft", "rloo", "drgrpo", "grpo", "opo", "maxrl", "rpp", "rpp_baseline"
]
Singleton = Literal["raw", "zero"]

DIVISOR_EPS = 1e-6
WHITEN_EPS = 1e-8


def at_end(
    rewards: Float[torch.Tensor, "R"], mask: Bool[torch.Tensor, "R T"]
) -> Float[torch.Tensor, "R T"]:
    """Rewards of tokens where a rollout is rewarded once, at its last token."""
    last = torch.arange(1, mask.shape[1] + 1) == mask.sum(1)[:, None]
    return last * rewards[:, None]


def returns(
    token_rewards: Float[torch.Tensor, "R T"], mask: Bool[torch.Tensor, "R T"], gamma: float
) -> Float[torch.Tensor, "R T"]:
    r"""Discounted sum $G_t = r_t + \gamma G_{t+1}$ of the rewards from each token on."""
    kept = torch.where(mask, token_rewards, 0.0)
    if gamma == 1.0:
        return torch.where(mask, kept.flip(1).cumsum(1).flip(1), 0.0)
    carry, columns = torch.zeros_like(kept[:, 0]), list[torch.Tensor]()
    for column in reversed(kept.unbind(1)):
        carry = column + gamma * carry
        columns.append(carry)
    return torch.stack(columns[::-1], 1)


def centred(
    rewards: Float[torch.Tensor, "R"],
    groups: Int[torch.Tensor, "R"],
    singleton: Singleton = "raw",
    weights: Float[torch.Tensor, "R"] | None = None,
) -> Float[torch.Tensor, "R"]:
    """Each reward less the weighted mean of its group; that of a group of one as asked."""
    index, sizes = _sizes(groups)
    weights = torch.ones_like(rewards) if weights is None else weights
    low = torch.full_like(rewards, torch.inf).scatter_reduce(0, index, rewards, "amin")
    shifted = rewards - low[index]  # equal rewards then centre to 0 exactly
    mean = _sums(weights * shifted, index) / _sums(weights, index)
    alone = torch.zeros_like(rewards) if singleton == "zero" else rewards
    return torch.where(sizes == 1, alone, shifted - mean)


def whiten(
    values: Float[torch.Tensor, "R T"], mask: Bool[torch.Tensor, "R T"], eps: float = WHITEN_EPS
) -> Float[torch.Tensor, "R T"]:
    """Values less their mean over the mask, over sqrt(variance + eps), ddof 1; 0 outside.

    Raises:
        ValueError: If fewer than two tokens are in the mask.
    """
    inside = values[mask]
    if inside.numel() < 2:
        raise ValueError(f"cannot whiten {inside.numel()} tokens: their variance is undefined")
    shifted = inside - inside[0]  # equal values then whiten to 0 exactly
    moved = shifted - shifted.mean()
    scale = (moved.square().sum() / (moved.numel() - 1) + eps).sqrt()
    quotient = moved / scale if scale > 0 else moved
    return torch.zeros_like(values).masked_scatter(mask, quotient)


def advantages(
    estimator: Advantage,
    token_rewards: Float[torch.Tensor, "R T"],
    groups: Int[torch.Tensor, "R"],
    mask: Bool[torch.Tensor, "R T"],
    *,
    singleton: Singleton = "raw",
    eps: float | None = None,
    baseline: float = 0.0,
    gamma: float = 1.0,
) -> Float[torch.Tensor, "R T"]:
    """Advantage of each token of a batch, 0 on padding.

    Args:
        estimator: See the table of this module.
        token_rewards: The reward of a rollout is the sum over its tokens; only `rpp` looks at
            where they fall.
        groups: Label of each rollout's group, any integers.
        mask: True on the tokens a rollout has.
        singleton: What a group of one gets, its raw reward or 0.
        eps: Added to the divisor of `grpo` and `maxrl` (1e-6 by default) and to the variance
            of `rpp` and `rpp_baseline` (1e-8 by default).
        baseline: Of `reinforce`.
        gamma: Discount per token, of `rpp`.

    Raises:
        ValueError: If the estimator is unknown, a reward of `maxrl` is negative, or fewer than
            two tokens are to be whitened.
    """
    if estimator not in get_args(Advantage):
        raise ValueError(f"{estimator=} is none of {', '.join(get_args(Advantage))}")
    token_rewards = token_rewards.double()
    whiten_eps = WHITEN_EPS if eps is None else eps
    if estimator == "rpp":
        return whiten(returns(token_rewards, mask, gamma), mask, whiten_eps)
    rewards = torch.where(mask, token_rewards, 0.0).sum(1)
    if estimator == "rpp_baseline":
        return whiten(centred(rewards, groups, singleton)[:, None] * mask, mask, whiten_eps)
    lengths, divisor_eps = mask.sum(1).double(), DIVISOR_EPS if eps is None else eps
    batch = _Batch(rewards, groups, lengths, singleton, divisor_eps, baseline)
    return _BY_ROLLOUT[estimator](batch)[:, None] * mask


@dataclass(frozen=True)
class _Batch:
    """The arguments of `advantages`; each method is an estimator that looks at rollouts."""

    rewards: Float[torch.Tensor, "R"]
    groups: Int[torch.Tensor, "R"]
    lengths: Float[torch.Tensor, "R"]
    singleton: Singleton
    eps: float
    baseline: float

    def reinforce(self) -> Float[torch.Tensor, "R"]:
        return self.rewards - self.baseline

    def raft(self) -> Float[torch.Tensor, "R"]:
        return self.rewards.clamp(min=0.0)

    def drgrpo(self) -> Float[torch.Tensor, "R"]:
        return centred(self.rewards, self.groups, self.singleton)

    def rloo(self) -> Float[torch.Tensor, "R"]:
        _, N = _sizes(self.groups)
        return self.drgrpo() * torch.where(N == 1, 1.0, N / (N - 1).clamp(min=1.0))

    def grpo(self) -> Float[torch.Tensor, "R"]:
        free, (index, N) = self.drgrpo(), _sizes(self.groups)
        deviation = (_sums(free.square(), index) / (N - 1).clamp(min=1.0)).sqrt()
        return _divide(free, torch.where(N == 1, 1.0, deviation) + self.eps)

    def opo(self) -> Float[torch.Tensor, "R"]:
        return centred(self.rewards, self.groups, self.singleton, self.lengths)

    def maxrl(self) -> Float[torch.Tensor, "R"]:
        if (self.rewards < 0).any():
            raise ValueError(f"maxrl divides by mean rewards; {self.rewards.min():g} < 0")
        free, (_, N) = self.drgrpo(), _sizes(self.groups)
        return _divide(free, torch.where(N == 1, 1.0, self.rewards - free + self.eps))


_BY_ROLLOUT: dict[str, Callable[[_Batch], Float[torch.Tensor, "R"]]] = {
    "reinforce": _Batch.reinforce,
    "raft": _Batch.raft,
    "rloo": _Batch.rloo,
    "drgrpo": _Batch.drgrpo,
    "grpo": _Batch.grpo,
    "opo": _Batch.opo,
    "maxrl": _Batch.maxrl,
}


def _sizes(
    groups: Int[torch.Tensor, "R"],
) -> tuple[Int[torch.Tensor, "R"], Float[torch.Tensor, "R"]]:
    """Position and size of each rollout's group."""
    _, index, sizes = groups.unique(return_inverse=True, return_counts=True)
    return index, sizes[index].double()


def _sums(
    values: Float[torch.Tensor, "R"], index: Int[torch.Tensor, "R"]
) -> Float[torch.Tensor, "R"]:
    """Sum over each rollout's group."""
    return torch.zeros_like(values).index_add(0, index, values)[index]


def _divide(
    numerator: Float[torch.Tensor, "R"], denominator: Float[torch.Tensor, "R"]
) -> Float[torch.Tensor, "R"]:
    """Quotient, 0 where the denominator is 0."""
    safe = torch.where(denominator == 0, 1.0, denominator)
    return torch.where(denominator == 0, 0.0, numerator / safe)

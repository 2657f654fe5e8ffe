r"""Advantages of tokens: those of rollouts spread over their tokens, and REINFORCE++'s.

A batch of R rollouts padded to T tokens has a boolean mask, True on the tokens a rollout has.
REINFORCE++ (arXiv:2501.03262) whitens over all tokens of the batch, so a rollout weighs in
the mean and the variance in proportion to its length: lengthening one rollout changes the
advantages of all others. All other estimators give every token its rollout's advantage.
Conventions as in volcengine/verl @ b178a3cd.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from theory.advantages import WHITEN_EPS, Estimator, Singleton, advantages, centred, whiten


def length_mask(lengths: Int[np.ndarray, "R"], width: int) -> Bool[np.ndarray, "R T"]:
    """Mask whose rows begin with as many tokens as each rollout has.

    Raises:
        ValueError: If a length is negative or exceeds the width.
    """
    if ((lengths < 0) | (lengths > width)).any():
        raise ValueError(f"{lengths=} do not fit in {width=}")
    return np.arange(width) < lengths[:, None]


def token_returns(
    token_rewards: Float[np.ndarray, "R T"], mask: Bool[np.ndarray, "R T"], gamma: float = 1.0
) -> Float[np.ndarray, "R T"]:
    r"""Discounted sum $G_t = r_t + \gamma G_{t+1}$ of the rewards from each token on."""
    returns = np.zeros_like(token_rewards)
    carry = np.zeros(len(token_rewards))
    for t in reversed(range(token_rewards.shape[1])):
        carry = np.where(mask[:, t], token_rewards[:, t] + gamma * carry, 0.0)
        returns[:, t] = carry
    return returns


def token_advantages(
    estimator: Estimator,
    token_rewards: Float[np.ndarray, "R T"],
    groups: Int[np.ndarray, "R"],
    mask: Bool[np.ndarray, "R T"],
    *,
    singleton: Singleton = "raw",
    eps: float | None = None,
    baseline: float = 0.0,
    gamma: float = 1.0,
    mask_whitened: bool = True,
) -> Float[np.ndarray, "R T"]:
    """Advantage of each token of a batch, 0 on padding.

    Args:
        estimator: See the table of `theory.advantages`.
        token_rewards: The reward of a rollout is the sum over its tokens; only `rpp` looks at
            where they fall.
        groups: Label of each rollout's group, any integers.
        mask: True on the tokens a rollout has.
        singleton: What a group of one gets, its raw reward or 0.
        eps: Added to the divisor, or to the variance of a batch; see `advantages`.
        baseline: Of `reinforce`.
        gamma: Discount per token, of `rpp`.
        mask_whitened: Whether `rpp_baseline` leaves 0 on padding. The older copy of verl
            bundled with ZexuSun/CurES @ eccf298 does not.

    Raises:
        ValueError: As `advantages`, and if the mask of `rpp` or `rpp_baseline` holds fewer
            than two tokens.
    """
    whiten_eps = WHITEN_EPS if eps is None else eps
    if estimator == "rpp":
        returns = token_returns(token_rewards, mask, gamma)
        return np.where(mask, whiten(returns, mask, whiten_eps), 0.0)
    rewards = np.where(mask, token_rewards, 0.0).sum(axis=1)
    if estimator == "rpp_baseline":
        spread = centred(rewards, groups, singleton)[:, None] * mask
        whitened = whiten(spread, mask, whiten_eps)
        return np.where(mask, whitened, 0.0) if mask_whitened else whitened
    each = advantages(
        estimator,
        rewards,
        groups,
        lengths=mask.sum(axis=1),
        singleton=singleton,
        eps=eps,
        baseline=baseline,
    )
    return each[:, None] * mask

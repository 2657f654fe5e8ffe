r"""How many rollouts each prompt of a batch should get: the optimum, and what rules lose on it.

CurES (arXiv:2510.01037, Eqs. 15-21) minimizes $\frac{1}{M^2}\sum_i \sigma_i^2/n_i$, the
variance of a batch gradient in which every rollout is compared with the exact pass rate, by
Neyman's rule $n_i \propto \sigma_i$. RLOO compares rollouts with each other, and the variance
of one prompt is

$$\operatorname{Var}_i(n) = \frac{a}{n} + \frac{b}{n(n-1)}, \qquad a, b \ge 0,$$

convex in $n \ge 2$: handing out rollouts one by one, each where it lowers the variance most,
is optimal. Where the noise dominates, it is $v_iV_i/(n-1)$, and $(n_i - 1) \propto
\sqrt{v_i V_i}$. GRPO's variance is not convex, and as GRPO's mean depends on $n$ its variance
is no criterion; see `theory.efficiency`.

`selection.allocation` has the allocation rules as the strategies apply them.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from theory.closed_forms import exact_baseline_moments, rloo_moments
from theory.domain import Numbers, checked_positive, checked_rates, checked_variance


def rollout_deviation(
    pass_rate: Numbers, D2: Numbers = 1.0, V1: Numbers = 0.0, V0: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    r"""Deviation $\sigma$ of one rollout's $(r-p)s$ (CurES, Eq. 21).

    $$\sigma^2 = v[(1-p)V_1 + pV_0] + v(1-4v)|D|^2$$

    Raises:
        ValueError: If a pass rate lies outside [0, 1], or |D|^2, V1 or V0 is negative.
    """
    return np.asarray(np.sqrt(exact_baseline_moments(pass_rate, 1).variance(D2, V1, V0)))


def is_bell_shaped(noise: Numbers) -> Bool[np.ndarray, "*#P"]:
    r"""Whether $\sigma(p)$ has its only peak at p = 1/2: iff $V \ge |D|^2$.

    For $V_1 = V_0 = V$; with unequal noise the peak leaves 1/2 whatever its strength.

    Args:
        noise: The ratio V / |D|^2.

    Raises:
        ValueError: If the noise is negative.
    """
    return np.asarray(checked_variance(noise, "noise") >= 1.0)


def deviation_peak(noise: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Least pass rate at which $\sigma(p)$ is largest, the other being its mirror image.

    $\frac12[1 - \sqrt{(1-x)/2}]$ for noise $x = V/|D|^2 < 1$, where $v = (1+x)/8$, else 1/2.
    Without noise it is 0.146, and $\sigma = 0$ at p = 1/2.

    Raises:
        ValueError: If the noise is negative.
    """
    dip = np.maximum(1.0 - checked_variance(noise, "noise"), 0.0)
    return np.asarray((1.0 - np.sqrt(dip / 2.0)) / 2.0)


def surrogate_variance(
    deviations: Float[np.ndarray, "M"], rollouts: Float[np.ndarray, "M"]
) -> float:
    r"""CurES's Eq. 19, $\frac{1}{M^2}\sum_i \sigma_i^2/n_i$.

    Raises:
        ValueError: If a deviation is negative or a number of rollouts is not positive.
    """
    sigma = checked_variance(deviations, "a deviation")
    return float((sigma**2 / checked_positive(rollouts, "rollouts")).sum() / sigma.size**2)


def batch_variance(
    pass_rates: Float[np.ndarray, "M"],
    rollouts: Int[np.ndarray, "M"],
    D2: Numbers = 1.0,
    V1: Numbers = 0.0,
    V0: Numbers = 0.0,
    *,
    flattened: bool = False,
) -> float:
    r"""Variance of RLOO's gradient of a batch, exactly.

    Args:
        pass_rates: Of the M prompts.
        rollouts: Of each prompt.
        D2: |D|^2, of all prompts or of each, as V1 and V0.
        V1: Score variance of passing rollouts.
        V0: Score variance of failing rollouts.
        flattened: Whether all rollouts weigh the same (a token-mean loss) instead of all
            prompts, so that prompt i weighs $n_i/\sum n$ instead of $1/M$.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a group has less than 2 rollouts, or
            |D|^2, V1 or V0 is negative.
    """
    each = rloo_moments(pass_rates, rollouts).variance(D2, V1, V0)
    weights = rollouts / rollouts.sum() if flattened else 1.0 / rollouts.size
    return float((weights**2 * each).sum())


def flattened_penalty(deviations: Float[np.ndarray, "M"]) -> float:
    r"""$E\sigma^3/(E\sigma\,E\sigma^2) \ge 1$: Neyman's rule under a flattened loss.

    Its variance relative to that of equal numbers: prompts then weigh in proportion to their
    rollouts, and the rule gives most weight to the noisiest.

    Raises:
        ValueError: If a deviation is negative, or none is positive.
    """
    sigma = checked_variance(deviations, "a deviation")
    if not sigma.any():
        raise ValueError(f"deviations are not all 0: {sigma}")
    sigma = sigma / sigma.max()
    return float((sigma**3).mean() / (sigma.mean() * (sigma**2).mean()))


def shares(weights: Float[np.ndarray, "M"]) -> Float[np.ndarray, "M"]:
    """Weights divided by their sum; equal shares if all are 0.

    Raises:
        ValueError: If a weight is negative or not finite.
    """
    weight = checked_variance(weights, "a weight")
    scaled = weight / weight.max() if weight.any() else np.ones(weight.shape)
    return np.asarray(scaled / scaled.sum())


def neyman_allocation(
    deviations: Float[np.ndarray, "M"], budget: float
) -> Float[np.ndarray, "M"]:
    r"""Neyman's $n_i = n\,\sigma_i/\sum_j\sigma_j$ (CurES, Eq. 20), not rounded.

    Raises:
        ValueError: If a deviation is negative or the budget is not positive.
    """
    return shares(deviations) * float(checked_positive(budget, "budget"))


def noise_dominated_allocation(
    pass_rates: Float[np.ndarray, "M"],
    budget: float,
    noise: Numbers = 1.0,
    slope: Numbers = 1.0,
) -> Float[np.ndarray, "M"]:
    r"""RLOO's optimum $(n_i - 1) \propto w_i\sqrt{v_iV_i}$ where the noise dominates.

    It minimizes $\sum_i w_i^2 v_i V_i/(n_i - 1)$, not rounded. For an objective whose slope in
    p is w, this unifies the published rules: w = 1 is the mean reward, $\sqrt v$ as in CurES;
    $w = 1/p$ the log-likelihood, $\sqrt{(1-p)/p}$ as in GVM-RAFT for small p; and
    $w = 1/\sqrt v$, GRPO with large groups, gives all prompts the same.

    Args:
        pass_rates: Of the M prompts.
        budget: Rollouts in all, more than M.
        noise: Score variance V of each prompt, or in units of that of all.
        slope: w of each prompt.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], the noise or the slope is negative or
            not finite, or the budget does not exceed M or is not finite.
    """
    p = checked_rates(pass_rates)
    if not p.size < budget < np.inf:
        raise ValueError(
            f"{budget=} is not more than one rollout for each of {p.size} prompts, or infinite"
        )
    spread = np.sqrt(p * (1.0 - p) * checked_variance(noise, "noise"))
    return 1.0 + shares(checked_variance(slope, "slope") * spread) * (budget - p.size)


def greedy_allocation(
    losses: Float[np.ndarray, "M L"], budget: int, least: int = 2
) -> Int[np.ndarray, "M"]:
    """Numbers of rollouts of least total loss, each loss convex in its number.

    Args:
        losses: Of each prompt with least, least + 1, ... rollouts.
        budget: Rollouts in all.
        least: Rollouts that every prompt gets.

    Raises:
        ValueError: If a loss is not convex, where one-by-one allocation is not optimal, or the
            budget is too small for the minimum or too large for the table.
    """
    gains = -np.diff(losses, axis=1)
    slack = 1e-12 * np.abs(losses).max(initial=0.0)
    bent = (gains[:, 1:] > gains[:, :-1] + slack).any(axis=1)
    if np.any(bent):
        raise ValueError(f"losses are convex in the number of rollouts, not {losses[bent][0]}")
    extra = budget - least * len(losses)
    if not 0 <= extra <= gains.size:
        raise ValueError(f"{budget=} does not fit {len(losses)} prompts with {least=}")
    gains = np.minimum.accumulate(gains, axis=1)  # equal but for rounding stay in order
    chosen = np.argsort(-gains, axis=None, kind="stable")[:extra] // gains.shape[1]
    return least + np.bincount(chosen, minlength=len(losses))


def rloo_allocation(
    pass_rates: Float[np.ndarray, "M"],
    budget: int,
    D2: Numbers = 1.0,
    V1: Numbers = 0.0,
    V0: Numbers = 0.0,
    least: int = 2,
) -> Int[np.ndarray, "M"]:
    """Numbers of rollouts that minimize `batch_variance` with prompts weighing the same.

    Args:
        pass_rates: Of the M prompts.
        budget: Rollouts in all.
        D2: |D|^2, of all prompts or of each, as V1 and V0.
        V1: Score variance of passing rollouts.
        V0: Score variance of failing rollouts.
        least: Rollouts that every prompt gets, 2 or more.

    Raises:
        ValueError: As `batch_variance` and `greedy_allocation`.
    """
    p = checked_rates(pass_rates)
    longest = max(budget - least * (p.size - 1), least)
    sizes = np.arange(least, longest + 1)
    columns = (np.broadcast_to(np.asarray(x, float), p.shape)[:, None] for x in (D2, V1, V0))
    losses = rloo_moments(p[:, None], sizes).variance(*columns)
    return greedy_allocation(losses, budget, least)

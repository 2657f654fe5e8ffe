r"""How many rollouts each prompt of a batch gets out of a fixed budget.

Variance of the batch gradient is $\sum_i \sigma_i^2 / n_i$; Neyman's allocation
$n_i \propto \sigma_i$ minimizes it for a fixed $\sum_i n_i$. CurES (arXiv 2510.01037,
Eqs. 15-21) takes for $\sigma_i^2$ the variance of one rollout's term $(r - p)\,s$,

$$
\sigma^2 = p\bar p^2\,E_1|s|^2 + p^2\bar p\,E_0|s|^2 - p^2\bar p^2\,|E_1 s - E_0 s|^2 ,
$$

with $E_1, E_0$ the means over passing and failing rollouts; GVM-RAFT (arXiv 2505.02391,
Proposition 1) minimizes the variance of a log-likelihood gradient instead.
"""

import numpy as np
from jaxtyping import Float, Int

from selection.protocol import Norms


def neyman_deviation(
    rates: Float[np.ndarray, "K"], norms: Norms | None = None, *, vectors: bool = True
) -> Float[np.ndarray, "K"]:
    r"""Standard deviation $\sigma$ of one rollout's gradient term, per prompt.

    Args:
        rates: Pass rates.
        norms: Score norms; without them every rollout's score has norm 1 and the class means
            are equal, so that $\sigma = \sqrt{p(1-p)}$.
        vectors: Whether the last term is the squared norm of the difference of the class
            means (CurES Eq. 21) or, as its code has it, the squared difference of the mean
            norms (ZexuSun/CurES @ eccf298, stage_0_init_difficulty_sample_size.py).
    """
    p, q = rates, 1.0 - rates
    if norms is None:
        return np.sqrt(p * q)
    gap = norms.contrast if vectors else (norms.passing - norms.failing) ** 2
    energy = q * norms.passing_square + p * norms.failing_square - p * q * gap
    return np.sqrt(np.maximum(p * q * energy, 0.0))


def gvm_weight(
    rates: Float[np.ndarray, "K"],
    norms: Float[np.ndarray, "K"],
    *,
    alpha: float = 1e-3,
    power: float = 2.0,
) -> Float[np.ndarray, "K"]:
    r"""GVM's weight $G / \sqrt{p + \alpha p^{1-\beta}}$, 0 where p or G is 0.

    Args:
        rates: Pass rates, observed in the pilot.
        norms: Score norm of passing rollouts, G.
        alpha: Regularizer; it keeps hopeless prompts from taking the whole budget.
        power: Its exponent, beta of Proposition 1.
    """
    hopeless = (rates == 0.0) | (norms == 0.0)
    safe = np.where(hopeless, 1.0, rates)
    return np.where(hopeless, 0.0, norms / np.sqrt(safe + alpha / safe ** (power - 1.0)))


def gvm_useful(
    weights: Float[np.ndarray, "K"],
    rates: Float[np.ndarray, "K"],
    budget: int,
    *,
    easiest: float = 1.0,
    least_passes: float = 0.0,
) -> Float[np.ndarray, "K"]:
    """GVM's weights of the prompts worth allocating to, 0 for the others.

    Args:
        weights: Of all prompts.
        rates: Pass rates, observed in the pilot.
        budget: Rollouts to be shared by all prompts.
        easiest: Highest pass rate of a prompt that gets anything.
        least_passes: Fewest passes to be expected of a prompt's share of the budget.
    """
    passes = rates * budget * weights / max(weights.sum(), np.finfo(float).tiny)
    return np.where((rates <= easiest) & (passes >= least_passes), weights, 0.0)


def apportion(weights: Float[np.ndarray, "K"], budget: int) -> Int[np.ndarray, "K"]:
    """Whole numbers in proportion to the weights that sum to the budget.

    Each share is rounded half to even; what is then missing or too many is settled one by
    one where rounding was furthest off in that direction (RLHFlow/GVM @ d640a75,
    em/stage_2_calc_sample_size.py). Weights that are all 0 count as equal.

    Raises:
        ValueError: A weight is negative or not finite.
    """
    if not ((weights >= 0.0) & (weights < np.inf)).all():
        raise ValueError(f"weights={weights} must be finite and not negative")
    shares = weights if weights.any() else np.ones(weights.size)
    ideal = shares / shares.sum() * budget
    counts = np.round(ideal).astype(int)
    gap = budget - int(counts.sum())
    sign = 1 if gap > 0 else -1
    counts[np.argsort(-sign * (ideal - counts), kind="stable")[: abs(gap)]] += sign
    return counts


def allocate(
    weights: Float[np.ndarray, "K"], budget: int, at_least: int = 0
) -> Int[np.ndarray, "K"]:
    """A budget apportioned by weight, at least `at_least` rollouts for every prompt.

    Prompts whose share falls short of the minimum get the minimum; the others share what is
    left. Before rounding, this minimizes the sum of squared weights over counts under both
    constraints. A budget too small for the minimum is raised to `at_least` times K.
    """
    counts = np.full(weights.size, at_least)
    free = np.ones(weights.size, bool)
    while free.any():
        left = max(budget - at_least * int((~free).sum()), 0)
        share = apportion(weights[free], left)
        if (share >= at_least).all():
            counts[free] = share
            break
        free[np.flatnonzero(free)[share < at_least]] = False
    return counts

r"""Groups that teach: how often the rollouts of one prompt disagree.

A group of $N$ rollouts with binary rewards is mixed when it holds a pass and a failure. Every
advantage of a zero-variance group vanishes under an estimator that centres within the group.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import poch, xlog1py

from theory.domain import Numbers, checked_positive, checked_rates, checked_sizes


def zero_variance_probability(
    pass_rate: Numbers, rollouts: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""Chance $Z_N = p^N + (1-p)^N$ that all rollouts of a group agree.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group size is not a whole number.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts)
    return np.asarray(np.where(N == 1, 1.0, p**N + (1.0 - p) ** N))


def mixed_probability(pass_rate: Numbers, rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Chance $M_N = 1 - Z_N$ that a group is mixed, without cancellation at small p.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group size is not a whole number.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts)
    rare = np.minimum(p, 1.0 - p)
    return np.asarray(np.where(N == 1, 0.0, -np.expm1(xlog1py(N, -rare)) - rare**N))


def rollouts_per_mixed_group(pass_rate: Numbers, rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Rollouts $N / M_N$ spent per group kept when zero-variance groups are refilled.

    This is dynamic sampling (DAPO, arXiv:2503.14476); infinite where no group can be mixed.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group size is not a whole number.
    """
    mixed = mixed_probability(pass_rate, rollouts)
    N = np.broadcast_to(checked_sizes(rollouts), mixed.shape)
    return _ratio(N, mixed)


def rollouts_until_mixed(pass_rate: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Mean rollouts $1/v - 1$ of the rule "roll until a pass and a failure were seen".

    Raises:
        ValueError: If a pass rate lies outside [0, 1].
    """
    p = checked_rates(pass_rate)
    return np.asarray(_ratio(np.ones_like(p), np.asarray(p * (1.0 - p))) - 1.0)


def _ratio(
    numerator: Float[np.ndarray, "*P"], denominator: Float[np.ndarray, "*P"]
) -> Float[np.ndarray, "*P"]:
    """Quotient, infinite where the denominator is zero or too small to divide by."""
    endless = np.full(denominator.shape, np.inf)
    with np.errstate(over="ignore"):
        return np.divide(numerator, denominator, out=endless, where=denominator > 0)


def _rising_ratio(a: Numbers, total: Numbers, rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    """B(a + N, b) / B(a, b) with a + b = total: the chance that all N rollouts pass."""
    steps = np.arange(np.max(rollouts, initial=0))
    a, total, N = (np.asarray(x, float)[..., None] for x in (a, total, rollouts))
    return np.asarray(np.where(steps < N, (a + steps) / (total + steps), 1.0).prod(axis=-1))


def expected_mixed(
    alpha: Numbers, beta: Numbers, rollouts: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""$E\,M_N(p)$ when $p \sim \mathrm{Beta}(\alpha, \beta)$.

    Products replace the ratios of Beta functions, which lose all digits for sharp beliefs.

    Raises:
        ValueError: If alpha or beta is not positive or a group size is not a whole number.
    """
    a, b = checked_positive(alpha, "alpha"), checked_positive(beta, "beta")
    N = checked_sizes(rollouts)
    agree = _rising_ratio(a, a + b, N) + _rising_ratio(b, a + b, N)
    return np.asarray(np.where(N == 1, 0.0, np.maximum(1.0 - agree, 0.0)))


def expected_variance(alpha: Numbers, beta: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""$E\,p(1-p) = \alpha\beta / ((\alpha+\beta)(\alpha+\beta+1))$ under a Beta belief.

    Raises:
        ValueError: If alpha or beta is not positive.
    """
    a, b = checked_positive(alpha, "alpha"), checked_positive(beta, "beta")
    return np.asarray(a * b / ((a + b) * (a + b + 1.0)))


def expected_deviation(alpha: Numbers, beta: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""$E\sqrt{p(1-p)} = B(\alpha+\frac12, \beta+\frac12)/B(\alpha, \beta)$.

    Less than the deviation at the mean pass rate, by Jensen's inequality.

    Raises:
        ValueError: If alpha or beta is not positive.
    """
    a, b = checked_positive(alpha, "alpha"), checked_positive(beta, "beta")
    return np.asarray(poch(a, 0.5) * poch(b, 0.5) / (a + b))

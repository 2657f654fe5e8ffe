r"""Closed forms of the moments that `theory.moments` sums over outcomes.

RLOO is a U-statistic, the sample covariance of reward and score; Dr. GRPO is RLOO times
$(N-1)/N$; a fixed baseline leaves the rollouts independent. Units as in `theory.moments`.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import xlog1py

from theory.domain import (
    Numbers,
    checked_finite,
    checked_positive,
    checked_rates,
    checked_sizes,
)
from theory.moments import Moments, checked_scores


def rloo_moments(pass_rate: Numbers, rollouts: Numbers) -> Moments:
    r"""Moments of RLOO (arXiv:2402.14740), which is unbiased for $\nabla p$.

    $$\operatorname{Var}\hat g = \frac{v}{N(N-1)} \{[(N-1)-(4N-6)v]|D|^2
    + [(N-2)(1-p)+1]V_1 + [(N-2)p+1]V_0\}$$

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group has less than 2 rollouts.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts, least=2)
    return _covariance_moments(p, N, share=np.ones_like(N), scale=1.0 / (N * (N - 1.0)))


def drgrpo_moments(pass_rate: Numbers, rollouts: Numbers) -> Moments:
    r"""Moments of Dr. GRPO (arXiv:2503.20783), RLOO's estimate times $(N-1)/N$.

    Its SNR is therefore RLOO's; its variance is 0 at N = 1, where it learns nothing.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group size is not a whole number.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts)
    return _covariance_moments(p, N, share=(N - 1.0) / N, scale=(N - 1.0) / N**3)


def _covariance_moments(
    p: Float[np.ndarray, "*#P"], N: Float[np.ndarray, "*#P"], share: Numbers, scale: Numbers
) -> Moments:
    q = 1.0 - p
    v = p * q
    return Moments(
        np.asarray(v * share),
        np.asarray(v * scale * ((N - 1.0) - (4.0 * N - 6.0) * v)),
        np.asarray(v * scale * ((N - 2.0) * q + 1.0)),
        np.asarray(v * scale * ((N - 2.0) * p + 1.0)),
    )


def fixed_baseline_moments(
    pass_rate: Numbers, rollouts: Numbers, baseline: Numbers = 0.0
) -> Moments:
    r"""Moments of REINFORCE with a baseline $b$ that does not depend on the rollouts.

    $$\operatorname{Var}\hat g = \tfrac1N \{p(1-b)^2[V_1 + (1-p)^2|D|^2]
    + (1-p)b^2[V_0 + p^2|D|^2] - v^2|D|^2\}$$

    With b = 0 it is plain REINFORCE; with b = p the exact baseline. With 0 < b < 1 the
    variance does not vanish at p = 0 or 1, where every group is zero-variance.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a group size is not a whole number, or
            the baseline is not finite.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts)
    b = checked_finite(baseline, "a baseline")
    q = 1.0 - p
    # (1-b)^2 (1-p)^2 p + b^2 p^2 (1-p) - v^2 = v (1-b-p)^2, a square and so never below zero
    fields = (p * q, p * q * (1.0 - b - p) ** 2 / N, p * (1.0 - b) ** 2 / N, q * b**2 / N)
    return Moments(*(np.array(field) for field in np.broadcast_arrays(*fields)))


def whitened_moments(
    pass_rate: Numbers, rollouts: Numbers, baseline: Numbers, scale: Numbers
) -> Moments:
    r"""Moments of REINFORCE++ (arXiv:2501.03262): advantages $(r - b)/s$ over a large batch.

    The batch's mean b and deviation s hardly depend on one group. No group is excepted: the
    variance at p = 0 and 1 is $b^2 V_0/(N s^2)$ and $(1-b)^2 V_1/(N s^2)$, with no signal.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a group size is not a whole number, the
            baseline is not finite, or the scale is not positive.
    """
    s = checked_positive(scale, "scale")
    plain = fixed_baseline_moments(pass_rate, rollouts, baseline)
    squares = (plain.a_D / s**2, plain.a_1 / s**2, plain.a_0 / s**2)
    return Moments(*map(np.asarray, (plain.mean / s, *squares)))


def exact_baseline_moments(pass_rate: Numbers, rollouts: Numbers) -> Moments:
    r"""Moments with the baseline $b = p$: $N\operatorname{Var}\hat g = v(1-4v)|D|^2 + \dots$.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group size is not a whole number.
    """
    return fixed_baseline_moments(pass_rate, rollouts, checked_rates(pass_rate))


def optimal_baseline(
    pass_rate: Numbers, D2: Numbers = 1.0, V1: Numbers = 0.0, V0: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    r"""Baseline $b^* = p m_1 / (p m_1 + (1-p) m_0)$ of least variance.

    Here $m_1 = V_1 + (1-p)^2|D|^2$ and $m_0 = V_0 + p^2|D|^2$, the mean squared scores of the
    two classes. Without noise $b^* = 1 - p$; where noise dominates and $V_1 = V_0$ it is $p$.
    Where every baseline does equally well (one class, and no noise in it) it is $1 - p$, the
    limit.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], or |D|^2, V1 or V0 is negative.
    """
    p = checked_rates(pass_rate)
    gap, noise1, noise0 = checked_scores(D2, V1, V0)
    q = 1.0 - p
    passing = np.asarray(p * (noise1 + q**2 * gap))
    total = np.asarray(passing + q * (noise0 + p**2 * gap))
    limit = np.broadcast_to(q, total.shape).copy()
    return np.divide(passing, total, out=limit, where=total > 0)


def maxrl_weight(pass_rate: Numbers, rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""MaxRL's factor $(1 - (1-p)^{N-1})/p = \sum_{i=0}^{N-2} (1-p)^i$ on $\nabla p$.

    It is the gradient of $\log p = -\sum_i (1-p)^i/i$ cut after N-1 terms
    (arXiv:2602.02710): N-1 at p = 0 and 1 at p = 1.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group size is not a whole number.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts)
    hit = np.asarray(-np.expm1(xlog1py(N - 1.0, -p)))
    limit = np.broadcast_to(N - 1.0, hit.shape).copy()
    return np.divide(hit, p, out=limit, where=p > 0)

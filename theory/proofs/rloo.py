r"""RLOO and Dr. GRPO (arXiv:2402.14740, arXiv:2503.20783): exact mean and variance.

A group of N rollouts has k passes. Var of the estimate is gap |D|^2 + passing V1 + failing V0.
"""

import sympy as sp

from theory.proofs import N, binomial_mean, k, p, q, v

b, D2, V1, V0 = sp.symbols("b D2 V1 V0", positive=True)
contrast = k * (N - k) / (N * (N - 1))


def advantages_sum_to_zero() -> sp.Expr:
    """Passing rollouts have advantage (N-k)/(N-1), failing ones -k/(N-1)."""
    return k * (N - k) / (N - 1) + (N - k) * (-k) / (N - 1)


def advantage_is_the_reward_less_the_mean_of_the_others() -> sp.Expr:
    """And equals N/(N-1) times the reward less the mean of all."""
    left_out, centred = 1 - (k - 1) / (N - 1), N / (N - 1) * (1 - k / N)
    return left_out - centred + (left_out - (N - k) / (N - 1)) * b


def mean_is_v() -> sp.Expr:
    """E c = v: unbiased for the gradient v D of the pass rate."""
    return binomial_mean(contrast) - v


def mean_square_of_pairs() -> sp.Expr:
    """E k^2 (N-k)^2 = N_(4) v^2 + N_(3) v + N_(2) v, with falling factorials of N."""
    falling = sp.ff(N, 4) * v**2 + sp.ff(N, 3) * v + sp.ff(N, 2) * v
    return binomial_mean(k**2 * (N - k) ** 2) - falling


def variance_of_the_gap() -> sp.Expr:
    """Var c = v [(N-1) - (4N-6) v] / (N (N-1))."""
    variance = binomial_mean(contrast**2) - binomial_mean(contrast) ** 2
    return variance - v * ((N - 1) - (4 * N - 6) * v) / (N * (N - 1))


def variance_from_passing_rollouts() -> sp.Expr:
    """E c^2/k = v [(N-2) q + 1] / (N (N-1)); the all-pass group contributes nothing."""
    share = k * (N - k) ** 2 / (N * (N - 1)) ** 2
    return binomial_mean(share) - v * ((N - 2) * q + 1) / (N * (N - 1))


def variance_from_failing_rollouts() -> sp.Expr:
    """E c^2/(N-k) = v [(N-2) p + 1] / (N (N-1))."""
    share = k**2 * (N - k) / (N * (N - 1)) ** 2
    return binomial_mean(share) - v * ((N - 2) * p + 1) / (N * (N - 1))


def variance_of_a_u_statistic() -> sp.Expr:
    """The same as [(N-2) s2 + 2 z] / (N (N-1)), s2 and z the variance per rollout and pair."""
    single = v * (q * V1 + p * V0) + v * (1 - 4 * v) * D2
    pair = v / 2 * (V1 + V0 + D2) - v**2 * D2
    closed = ((N - 1) - (4 * N - 6) * v) * D2 + ((N - 2) * q + 1) * V1 + ((N - 2) * p + 1) * V0
    return ((N - 2) * single + 2 * pair - v * closed) / (N * (N - 1))


def drgrpo_is_rloo_scaled() -> sp.Expr:
    """The contrast of Dr. GRPO is k (N-k) / N^2 = (N-1)/N times that of RLOO."""
    return k / N * (1 - k / N) - (N - 1) / N * contrast

r"""REINFORCE with a baseline b that does not depend on the rollouts.

Given the reward r, a score has the mean q D (r = 1) or -p D (r = 0) and the variance V1 or V0.
"""

import sympy as sp

from theory.proofs import p, q, v

b, D2, V1, V0 = sp.symbols("b D2 V1 V0", positive=True)
m1, m0 = V1 + q**2 * D2, V0 + p**2 * D2
variance = p * (1 - b) ** 2 * m1 + q * b**2 * m0 - v**2 * D2
optimum = p * m1 / (p * m1 + q * m0)


def scores_have_mean_zero() -> sp.Expr:
    """E s = p (q D) + q (-p D)."""
    return p * q + q * (-p)


def mean_is_v_for_every_baseline() -> sp.Expr:
    """E (r - b) s = v D."""
    return p * (1 - b) * q + q * (-b) * (-p) - v


def coefficient_of_the_gap_is_a_square() -> sp.Expr:
    """It is v (1 - b - p)^2 and vanishes at b = 1 - p."""
    return variance.subs({V1: 0, V0: 0}) - v * (1 - b - p) ** 2 * D2


def exact_baseline() -> sp.Expr:
    """At b = p the variance is v (q V1 + p V0) + v (1 - 4v) |D|^2."""
    return variance.subs(b, p) - v * (q * V1 + p * V0) - v * (1 - 4 * v) * D2


def optimal_baseline_is_stationary() -> sp.Expr:
    """The derivative of the variance, a convex parabola in b, vanishes there."""
    return sp.diff(variance, b).subs(b, optimum)


def optimal_baseline_without_noise() -> sp.Expr:
    """b* = 1 - p, not the mean reward."""
    return optimum.subs({V1: 0, V0: 0}) - q


def optimal_baseline_in_noise() -> sp.Expr:
    """b* = p in the limit V1 = V0 = V >> |D|^2."""
    return sp.limit(optimum.subs(V0, V1), V1, sp.oo) - p


def snr_without_baseline() -> sp.Expr:
    """N p / (q + V1/|mu1|^2), with mu1 = q D the mean score of a passing rollout."""
    snr = v**2 * D2 / variance.subs(b, 0)
    return snr - p / (q + V1 / (q**2 * D2))

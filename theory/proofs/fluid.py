r"""The fluid curriculum: efforts, and the index of a prompt.

T is the effort from p to t, whose slope in t is the inverse of the rate R there.
"""

import sympy as sp

from theory.proofs import p, q, v

t, T, R, a, theta = sp.symbols("t T R a theta", positive=True)


def recursion() -> sp.Expr:
    """(2p-1) v^(1-a) has the slope (6-4a) v^(1-a) + (a-1) v^-a."""
    slope = sp.diff((2 * p - 1) * v ** (1 - a), p)
    return sp.expand(sp.powsimp(slope / v**-a - (6 - 4 * a) * v - (a - 1)))


def logarithmic() -> sp.Expr:
    """For a = 1: log(p/q)."""
    return sp.diff(sp.log(p / q), p) - 1 / v


def plain_policy_gradient() -> sp.Expr:
    """For a = 2: (2p-1)/v + 2 log(p/q)."""
    return sp.diff((2 * p - 1) / v + 2 * sp.log(p / q), p) - 1 / v**2


def normalized_policy_gradient() -> sp.Expr:
    """For a = 3/2: 2 (2p-1)/sqrt(v)."""
    return sp.diff(2 * (2 * p - 1) / sp.sqrt(v), p) - v ** sp.Rational(-3, 2)


def divergence_per_prompt() -> sp.Expr:
    """For a = 1/2: 2 arcsin sqrt(p)."""
    return sp.diff(2 * sp.asin(sp.sqrt(p)), p) - 1 / sp.sqrt(v)


def rate_equals_the_index_at_the_stopping_point() -> sp.Expr:
    """d/dt (t-p)/T = 0, where T has the slope 1/R, iff R = (t-p)/T."""
    slope = 1 / T - (t - p) / T**2 / R
    return slope.subs(R, (t - p) / T)


def the_rate_is_symmetric() -> sp.Expr:
    """v(1-p) = v(p): by 1-p the rate has fallen to where it began, below its average."""
    return v.subs(p, 1 - p) - v


def logits_move_by_v_of_the_slope() -> sp.Expr:
    """The slope of p = 1/(1+exp(-theta)) is v: a step of v along it moves p by v^2."""
    sigmoid = 1 / (1 + sp.exp(-theta))
    return sp.diff(sigmoid, theta) - sigmoid * (1 - sigmoid)

"""How often the rollouts of a group disagree, at a pass rate and under a Beta belief."""

import sympy as sp

from theory.proofs import N, mark, outcome_mean, p, q, v

a, b = sp.symbols("alpha beta", positive=True)
SIZES = range(1, 8)


def _beta(first: sp.Expr, second: sp.Expr) -> sp.Expr:
    return sp.gamma(first) * sp.gamma(second) / sp.gamma(first + second)


def mixed_probability() -> sp.Expr:
    """The chances of 0 < k < N sum to 1 - p^N - q^N, for N = 1 .. 7."""
    return sum(
        ((outcome_mean(sp.Integer(1), n) - (1 - p**n - q**n)) * mark**n for n in SIZES),
        sp.Integer(0),
    )


def variance_is_half_the_mixed_share_of_pairs() -> sp.Expr:
    """M_2 = 2v and M_3 = 3v; larger groups are no multiples of v."""
    return 1 - p**2 - q**2 - 2 * v + mark * (1 - p**3 - q**3 - 3 * v)


def rollouts_until_mixed() -> sp.Expr:
    """After a first pass the first failure takes 1/q more on average, and conversely."""
    return p * (1 + 1 / q) + q * (1 + 1 / p) - (1 / v - 1)


def unanimous_passes_under_a_belief() -> sp.Expr:
    """E p^N = beta(a+N, b)/beta(a, b), and one rollout more multiplies it by (a+N)/(a+b+N)."""
    return _beta(a + N + 1, b) / _beta(a + N, b) - (a + N) / (a + b + N)


def expected_variance_under_a_belief() -> sp.Expr:
    """E p(1-p) = beta(a+1, b+1)/beta(a, b) = a b / ((a+b)(a+b+1))."""
    return _beta(a + 1, b + 1) / _beta(a, b) - a * b / ((a + b) * (a + b + 1))


def expected_deviation_under_a_belief() -> sp.Expr:
    """E sqrt(p(1-p)) by Pochhammer symbols of one half, which stay finite for sharp beliefs."""
    half = sp.Rational(1, 2)
    rising = sp.gamma(a + half) / sp.gamma(a) * sp.gamma(b + half) / sp.gamma(b) / (a + b)
    return _beta(a + half, b + half) / _beta(a, b) - rising

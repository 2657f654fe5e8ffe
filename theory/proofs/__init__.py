"""Symbolic identities: each function of a module here returns what must vanish identically.

p is a pass rate and q = 1 - p, N a group size, k the passes among its rollouts. Where a
statement is proved for a range of group sizes, one at a time, the returned expression is the
polynomial in `mark` whose coefficients must vanish.
"""

import sympy as sp
from sympy.functions.combinatorial.numbers import stirling

p, N = sp.symbols("p N", positive=True)
k, mark = sp.symbols("k mark")
q = 1 - p
v = p * q


def binomial_mean(polynomial: sp.Expr, trials: sp.Expr = N, rate: sp.Expr = p) -> sp.Expr:
    """Mean of a polynomial in k over k ~ Bin(trials, rate), for symbolic trials.

    By factorial moments: falling factorials of k of order j have the mean trials_(j) rate^j.
    """
    total = sp.Integer(0)
    for (power,), coefficient in sp.Poly(sp.expand(polynomial), k).terms():
        for j in range(power + 1):
            total += coefficient * stirling(power, j) * sp.ff(trials, j) * rate**j
    return total


def outcome_mean(value: sp.Expr, size: int, *, mixed: bool = True) -> sp.Expr:
    """Mean of an expression in k over k ~ Bin(size, p), by summing over (mixed) outcomes."""
    outcomes = range(1, size) if mixed else range(size + 1)
    return sum(
        (sp.binomial(size, i) * p**i * q ** (size - i) * value.subs(k, i) for i in outcomes),
        sp.Integer(0),
    )

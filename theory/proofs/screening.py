"""Screening with n rollouts, continuation with m, RLOO on all N = n + m (arXiv:2506.09016).

A screen is accepted if it is mixed. `weight` is the mean of the RLOO contrast over accepted
groups times their chance: the gradient per prompt drawn, in units of D. `allfail` and
`allpass` stand for q^(n-1) and p^(n-1), in which it is linear.
"""

import itertools

import sympy as sp

from theory.proofs import binomial_mean, k, mark, p, q, v

n, m, allfail, allpass = sp.symbols("n m allfail allpass", positive=True)
pairs = (n + m) * (n + m - 1)
lost_to_failures = n * m * p + m * (m - 1) * v
lost_to_passes = n * m * q + m * (m - 1) * v
weight = v - (q * allfail * lost_to_failures + p * allpass * lost_to_passes) / pairs
misled = allfail * (n * m + m * (m - 1) * q) + allpass * (n * m + m * (m - 1) * p)
slope = 1 - misled / pairs
SPLITS = tuple(itertools.product(range(1, 5), range(1, 4)))


def loss_to_screens_of_failures() -> sp.Expr:
    """There k ~ Bin(m, p) alone, and E k (N-k) = n m p + m (m-1) v."""
    return binomial_mean(k * (n + m - k), trials=m) - lost_to_failures


def loss_to_screens_of_passes() -> sp.Expr:
    """There N-k ~ Bin(m, q) alone, and E k (N-k) = n m q + m (m-1) v."""
    return binomial_mean(k * (n + m - k), trials=m, rate=q) - lost_to_passes


def slope_is_weight_over_variance() -> sp.Expr:
    """F' = W / v."""
    return weight - v * slope


def _weight_by_enumeration(screen: int, more: int) -> sp.Expr:
    """Contrast summed over accepted screens with i passes and continuations with j."""
    size = screen + more
    total = sp.Integer(0)
    for i, j in itertools.product(range(1, screen), range(more + 1)):
        chance = sp.binomial(screen, i) * sp.binomial(more, j)
        passes, failures = i + j, size - i - j
        contrast = sp.Rational(passes * failures, size * (size - 1))
        total += chance * p**passes * q**failures * contrast
    return total


def weight_by_enumeration() -> sp.Expr:
    """The closed form of W, for n = 1 .. 4 and m = 1 .. 3."""
    total = sp.Integer(0)
    for label, (screen, more) in enumerate(SPLITS):
        powers = {allfail: q ** (screen - 1), allpass: p ** (screen - 1)}
        closed = weight.subs({n: screen, m: more, **powers})
        total += (_weight_by_enumeration(screen, more) - closed) * mark**label
    return total


def slope_is_symmetric() -> sp.Expr:
    """Under p <-> 1 - p."""
    mirrored = slope.subs({p: q, allfail: allpass, allpass: allfail}, simultaneous=True)
    return slope - mirrored


def slope_at_zero() -> sp.Expr:
    """It is n/N for n >= 2, where plain RLOO has 1."""
    return slope.subs({p: 0, allfail: 1, allpass: 0}) - n / (n + m)


def one_rollout_screens_everything_out() -> sp.Expr:
    """With n = 1 no screen is mixed and W = 0."""
    return weight.subs({n: 1, allfail: 1, allpass: 1})


def no_continuation_changes_nothing() -> sp.Expr:
    """With m = 0, the filter of whole groups, W = v: unbiased but for a common factor."""
    return weight.subs(m, 0) - v


def continuation_alone_is_unbiased() -> sp.Expr:
    """Trained on its m rollouts alone, a group has E c = v whatever its screen showed."""
    return binomial_mean(k * (m - k), trials=m) / (m * (m - 1)) - v

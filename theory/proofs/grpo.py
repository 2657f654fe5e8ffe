"""GRPO (arXiv:2402.03300): passing rollouts get (1 - k/N)/s and failing ones -(k/N)/s."""

import sympy as sp

from theory.proofs import N, k, mark, outcome_mean, p, q

SIZES = range(2, 7)


def deviation() -> sp.Expr:
    """The squares about the mean sum to k(N-k)/N, so s^2 = k(N-k)/(N(N-1)) with ddof 1."""
    squares = k * (1 - k / N) ** 2 + (N - k) * (k / N) ** 2
    return squares / (N - 1) - k * (N - k) / (N * (N - 1))


def contrast_squared() -> sp.Expr:
    """The contrast c = (k/N)(1 - k/N)/s has the square (N-1)/N (k/N)(1 - k/N)."""
    square = (k / N * (1 - k / N)) ** 2 / (k * (N - k) / (N * (N - 1)))
    return square - (N - 1) / N * k / N * (1 - k / N)


def weight_is_finite_at_zero() -> sp.Expr:
    """E[c]/v tends to (N-1)/sqrt(N) as p vanishes, for N = 2 .. 6; 1/sqrt(v) would diverge."""
    total = sp.Integer(0)
    for n in SIZES:
        c = sp.sqrt(sp.Integer(n - 1) / n * k / n * (1 - k / n))
        weight = sp.expand(outcome_mean(c, n)) / p / q
        total += (sp.limit(weight, p, 0) - (n - 1) / sp.sqrt(n)) * mark**n
    return total


def objective_of_large_groups() -> sp.Expr:
    """The slope 1/sqrt(v) is that of 2 arcsin sqrt(p)."""
    return sp.diff(2 * sp.asin(sp.sqrt(p)), p) - 1 / sp.sqrt(p * q)


def variance_of_the_noise() -> sp.Expr:
    """The shares c^2/k and c^2/(N-k) are (N-1)/N^2 times 1 - k/N and k/N."""
    square = (N - 1) / N * k / N * (1 - k / N)
    passing = square / k - (N - 1) / N**2 * (1 - k / N)
    failing = square / (N - k) - (N - 1) / N**2 * k / N
    return passing + mark * failing

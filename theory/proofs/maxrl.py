"""MaxRL (arXiv:2602.02710): passing rollouts get (N-k)/k, failing ones -1, if any passed."""

import sympy as sp

from theory.proofs import N, k, mark, outcome_mean, p, q

SIZES = range(2, 9)
z = sp.symbols("z", positive=True)


def contrast() -> sp.Expr:
    """The mean of advantage times score is (1 - k/N)(s1 - s0)."""
    return k / N * (N - k) / k - (1 - k / N) + ((N - k) / N - (1 - k / N)) * mark


def mean_contrast() -> sp.Expr:
    """E c = q - q^N, for N = 2 .. 8."""
    return sum(
        ((outcome_mean(1 - k / n, n) - q + q**n) * mark**n for n in SIZES), sp.Integer(0)
    )


def weight_is_a_geometric_sum() -> sp.Expr:
    """(1 - q^(N-1))/p is 1 at N = 2, and one rollout more adds q^(N-1)."""
    weight = (1 - z ** (N - 1)) / (1 - z)
    return weight.subs(N, N + 1) - weight - z ** (N - 1) + mark * (weight.subs(N, 2) - 1)


def weight_is_the_slope_of_the_truncated_logarithm() -> sp.Expr:
    """Of log p = -sum q^i/i cut after N-1 terms, for N = 2 .. 8."""
    return sum(
        (
            (sp.diff(-sum(q**j / j for j in range(1, n)), p) - (1 - q ** (n - 1)) / p) * mark**n
            for n in SIZES
        ),
        sp.Integer(0),
    )


def uncentred_weight_has_one_term_more() -> sp.Expr:
    """Without subtracting the mean, passing rollouts get N/k: E = (1 - q^N) over p."""
    return sum(
        ((outcome_mean(sp.Integer(1), n) + p**n - (1 - q**n)) * mark**n for n in SIZES),
        sp.Integer(0),
    )


def signal_mass_peaks() -> sp.Expr:
    """2 (q - q^N) is stationary at p = 1 - N^(-1/(N-1))."""
    slope = sp.diff(2 * (q - q**N), p).subs(p, 1 - N ** (-1 / (N - 1)))
    return slope.subs(N, 1 + z)  # sympy must know that N - 1 is positive

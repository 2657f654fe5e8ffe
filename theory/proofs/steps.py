r"""What Fact 1 of SPEED (arXiv:2506.09016) implies for the number of rollouts.

x is the noise V/|D|^2 with V1 = V0 = V, c the fixed cost of a step in rollouts, and u stands
for v, in which everything is linear.
"""

import sympy as sp

from theory.proofs import N

x, c, u = sp.symbols("x c u", positive=True)
snr = N * (N - 1) * u / ((N - 1) - (4 * N - 6) * u + N * x)
cost_per_gain = (1 + snr) * (N + c) / snr  # of which the best N has the least
pair, single = 2 * u + x, 1 + x - 4 * u


def fact_one_is_vacuous_up_to() -> sp.Expr:
    """The largest SNR is 1 at v = (N-1)/(N^2+3N-6)."""
    return snr.subs(x, 0).subs(u, (N - 1) / (N**2 + 3 * N - 6)) - 1


def fact_one_needs_even_chances_of_pairs() -> sp.Expr:
    """At N = 2 that is v = 1/4."""
    return ((N - 1) / (N**2 + 3 * N - 6)).subs(N, 2) - sp.Rational(1, 4)


def cost_is_a_sum_of_convex_terms() -> sp.Expr:
    """All of N, 1/N, 1/(N-1) and 1/(N(N-1)), with coefficients that are never negative."""
    terms = (
        (single + c * u) + u * N + pair / (N - 1) + c * single / N + c * pair / (N * (N - 1))
    )
    return u * cost_per_gain - terms


def one_rollout_more_does_not_help_from() -> sp.Expr:
    """The difference of costs has the sign of the cubic."""
    more = u * (cost_per_gain.subs(N, N + 1) - cost_per_gain) * (N - 1) * N * (N + 1)
    cubic = u * (N**2 - 1) * N - pair * (N + 1 + 2 * c) - c * single * (N - 1)
    return more - cubic


def without_fixed_cost() -> sp.Expr:
    """The cubic is (N+1) (v N(N-1) - 2v - x)."""
    cubic = u * (N**2 - 1) * N - pair * (N + 1)
    return cubic - (N + 1) * (u * N * (N - 1) - pair)


def pairs_suffice_up_to() -> sp.Expr:
    """N = 2 and N guarantee the same per rollout at x = (N-3) v."""
    free = cost_per_gain.subs(c, 0)
    return (free.subs(N, 2) - free).subs(x, (N - 3) * u)


def pairs_in_noise() -> sp.Expr:
    """They guarantee N/(2(N-1)) of what N does where the noise dominates."""
    free = cost_per_gain.subs(c, 0)
    return sp.limit(free / free.subs(N, 2), x, sp.oo) - N / (2 * (N - 1))

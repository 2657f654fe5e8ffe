r"""Signal-to-noise ratio of RLOO, and SPEED's bound 4Nv on it (arXiv:2506.09016).

x is the noise V/|D|^2 with V1 = V0 = V, and u stands for v where a statement is linear in it.
"""

import sympy as sp

from theory.proofs import N, p, v

x, u, s, eta, L = sp.symbols("x u s eta L", positive=True)
snr = N * (N - 1) * u / ((N - 1) - (4 * N - 6) * u + N * x)
largest = snr.subs(x, 0)
edge = 3 * (N - 1) / (8 * (2 * N - 3))
slack = (N - 1) - (4 * N - 6) * u - (N - 1) / sp.Integer(4)
gain = eta * (1 - L * eta / 2 * (1 + 1 / s))
best_step = s / (L * (1 + s))


def equal_noise_drops_the_pass_rate() -> sp.Expr:
    """[(N-2) q + 1] V + [(N-2) p + 1] V = N V."""
    return ((N - 2) * (1 - p) + 1) + ((N - 2) * p + 1) - N


def bound_holds_where_the_slack_is_positive() -> sp.Expr:
    """4Nu - SNR_max = 4Nu slack / [(N-1) - (4N-6)u], whose denominator is positive."""
    return 4 * N * u - largest - 4 * N * u * slack / ((N - 1) - (4 * N - 6) * u)


def denominator_is_least_at_one_half() -> sp.Expr:
    """It decreases in v and is 1/2 at v = 1/4, for every N."""
    return ((N - 1) - (4 * N - 6) * u).subs(u, sp.Rational(1, 4)) - sp.Rational(1, 2)


def slack_at_a_quarter() -> sp.Expr:
    """3/8 at v = 3/16, that is p = 1/4 or 3/4, for every N."""
    return slack.subs(u, sp.Rational(3, 16)) - sp.Rational(3, 8)


def slack_vanishes_at_the_edge() -> sp.Expr:
    """The bound is an equality at v = 3(N-1)/(8(2N-3))."""
    return slack.subs(u, edge)


def edge_tends_to_a_quarter() -> sp.Expr:
    """No larger range of p serves every N."""
    return sp.limit(edge, N, sp.oo) - sp.Rational(3, 16)


def tightness_at_a_quarter() -> sp.Expr:
    """SNR_max / (4Nv) = 2(N-1)/(2N+1) at p = 1/4."""
    return (largest / (4 * N * u)).subs(u, sp.Rational(3, 16)) - 2 * (N - 1) / (2 * N + 1)


def three_rollouts_reach_the_bound_at_one_half() -> sp.Expr:
    """N = 3, p = 1/2: equality, the last size for which the bound holds everywhere."""
    return (largest - 4 * N * u).subs({N: 3, u: sp.Rational(1, 4)})


def value_at_one_half() -> sp.Expr:
    """SNR_max = N(N-1)/2."""
    return largest.subs(u, sp.Rational(1, 4)) - N * (N - 1) / 2


def slope_at_zero() -> sp.Expr:
    """SNR_max = N p + ..., so a quarter of the bound."""
    return sp.diff(largest.subs(u, v), p).subs(p, 0) - N


def second_order_at_zero_exceeds_the_line() -> sp.Expr:
    """SNR_max = N p (1 + (3N-5)/(N-1) p + ...), more than N p."""
    half_curvature = sp.diff(largest.subs(u, v), p, 2) / 2
    return half_curvature.subs(p, 0) - N * (3 * N - 5) / (N - 1)


def growth_away_from_one_half() -> sp.Expr:
    """SNR_max / N tends to v / (1 - 4v) = v / (1-2p)^2."""
    return sp.limit(largest / N, N, sp.oo) - u / (1 - 4 * u)


def noise_that_saves_the_bound() -> sp.Expr:
    """With x = (N-3)/(4N), 4Nv is reached at v = 1/4, where the slack in v is least."""
    return (snr - 4 * N * u).subs({x: (N - 3) / (4 * N), u: sp.Rational(1, 4)})


def noise_dominated_limit() -> sp.Expr:
    """The product x SNR tends to (N-1) v: proportional to p(1-p) only there."""
    return sp.limit(x * snr, x, sp.oo) - (N - 1) * u


def noise_above_which_the_line_bounds() -> sp.Expr:
    """SNR = N p at x = p [(3N-5) - (4N-6) p] / N, below it for more noise."""
    critical = p * ((3 * N - 5) - (4 * N - 6) * p) / N
    return snr.subs({u: v}).subs(x, critical) - N * p


def fact_one() -> sp.Expr:
    """With eta = L = 1 the guaranteed gain is (1 - 1/SNR)/2."""
    return gain.subs({eta: 1, L: 1}) - (1 - 1 / s) / 2


def best_step_is_stationary() -> sp.Expr:
    """Of the gain, a concave parabola in the step."""
    return sp.diff(gain, eta).subs(eta, best_step)


def best_gain() -> sp.Expr:
    """SNR / (2 L (1 + SNR)), positive at every SNR."""
    return gain.subs(eta, best_step) - s / (2 * L * (1 + s))


def gain_per_rollout() -> sp.Expr:
    """SNR_max / ((1 + SNR_max) N) = v / (1 + v (N-2)(N-3)/(N-1))."""
    return largest / ((1 + largest) * N) - u / (1 + u * (N - 2) * (N - 3) / (N - 1))

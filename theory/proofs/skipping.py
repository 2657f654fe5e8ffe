"""Skipping by history: visits, renewal, temporal consistency, orders (arXiv:2506.02177).

e is the exploration probability and z the streak; w and u are chances of a zero-variance
group, s a mixed share, G an order's size. r stands for a root of unity.
"""

import sympy as sp

from theory.proofs import N, mark, p, q, v

e, z, w, u, f, Z, T = sp.symbols("e z w u f Z T", positive=True)
r = sp.symbols("r")
SIZES = range(2, 8)
cycle = ((w / e) ** Z - 1) / (w / e - 1)  # epochs while the streak is below Z


def visits_gain_a_constant() -> sp.Expr:
    """A permanently zero-variance prompt has E e^(-visits) = 1 + T (1/e - 1), exactly."""
    kept = e**z * e ** -(z + 1) + (1 - e**z) * e**-z
    return kept - e**-z - (1 / e - 1)


def bound_inverts_the_constant() -> sp.Expr:
    """1 + log(e + T (1-e)) / -log e is log(1 + T (1/e - 1)) / -log e."""
    published = sp.log(1 + T * (1 / e - 1)) / -sp.log(e)
    stable = 1 + sp.log(e + T * (1 - e)) / -sp.log(e)
    return sp.expand_log(sp.logcombine(published - stable, force=True), force=True)


def epochs_of_a_streak() -> sp.Expr:
    """The sum of (w/e)^z below Z is 0 at Z = 0 and one streak more adds (w/e)^Z."""
    return cycle.subs(Z, Z + 1) - cycle - (w / e) ** Z + mark * cycle.subs(Z, 0)


def visits_per_cycle() -> sp.Expr:
    """Visits from a mixed group to the next are geometric, with the mean 1/(1-w)."""
    return (1 - w) + w * (1 + 1 / (1 - w)) - 1 / (1 - w)


def rate_without_a_floor() -> sp.Expr:
    """Visits over epochs of a cycle, the sum run to infinity: (1 - w/e)/(1 - w), 0 at w = e."""
    rate = (1 / (1 - w)) / (1 / (1 - w / e))
    return rate - (1 - w / e) / (1 - w) + mark * rate.subs(w, e)


def floor_keeps_what_is_never_mixed() -> sp.Expr:
    """At w = 1 the rate 1/[(1-w) cycle + w^Z/f] is the floor."""
    return (1 / ((1 - w) * cycle + w**Z / f)).subs(w, 1) - f


def static_forecast_falls() -> sp.Expr:
    """P(now | any previous) of two prompts falls from one visit to two by w u (w-u)^2 / ..."""
    once, twice = w + u, 2 - (1 - w) ** 2 - (1 - u) ** 2
    one = (w**2 + u**2) / once
    two = (w * (1 - (1 - w) ** 2) + u * (1 - (1 - u) ** 2)) / twice
    return one - two - w * u * (w - u) ** 2 / (once * twice)


def curves_determine_the_shares() -> sp.Expr:
    """Z3/Z1 from the two curves alone, whatever the joint chances of three epochs."""
    n = sp.symbols("n:8", positive=True)  # n[4 a + 2 b + c]: zero-variance a, b, c of 3 epochs
    one, two, three = (sum(n[i] for i in range(8) if i >> j & 1) for j in (2, 1, 0))
    both2, both3 = n[6] + n[7], n[3] + n[5] + n[7]
    before3 = one + two - both2
    back2, ahead2, back3, ahead3 = both2 / two, both2 / one, both3 / three, both3 / before3
    second = ahead2 / back2
    third = (1 + second * (1 - back2)) * ahead3 / back3
    return third - three / one


def two_visits_to_a_prompt() -> sp.Expr:
    """(p^N + q^N)^2 = p^(2N) + q^(2N) + 2 v^N, whose Beta mean is `belief_persistence`'s."""
    return (p**N + q**N) ** 2 - (p ** (2 * N) + q ** (2 * N) + 2 * v**N)


def weighted_roots_of_unity() -> sp.Expr:
    """(r - 1) sum j r^j, j < G, is G where r^G = 1: the kernel of `expected_rounds`."""
    total = sp.Integer(0)
    for G in SIZES:
        remainder = sp.rem((r - 1) * sum(j * r**j for j in range(G)), r**G - 1, r)
        total += sp.rem(remainder - G, sum(r**j for j in range(G)), r) * mark**G
    return total


def an_order_of_one_wastes_nothing() -> sp.Expr:
    """B/(sG) + (G-1)/(2G) is B/s at G = 1."""
    G, B, s = sp.symbols("G B s", positive=True)
    return (B / (s * G) + (G - 1) / (2 * G)).subs(G, 1) - B / s

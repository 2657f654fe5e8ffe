r"""Allocating rollouts, as CurES (arXiv:2510.01037) and GVM-RAFT (arXiv:2505.02391) do.

x is the noise V/|D|^2 with V1 = V0 = V, u stands for v; alpha and beta regularize GVM's rule.
"""

import sympy as sp

from theory.proofs import N, mark, p, q, v

D2, V1, V0, V, x, u = sp.symbols("D2 V1 V0 V x u", positive=True)
alpha, beta, g, n, price = sp.symbols("alpha beta g n price", positive=True)
w, z = sp.symbols("w z", positive=True)
square = v * (q * V1 + p * V0) + v * (1 - 4 * v) * D2
bell = u * (1 + x) - 4 * u**2
rloo = u / (N * (N - 1)) * (((N - 1) - (4 * N - 6) * u) * D2 + ((N - 2) * q + 1) * V1)


def class_terms_of_eq_21() -> sp.Expr:
    """The second moments of the score are V1 + q^2 |D|^2 and V0 + p^2 |D|^2."""
    second1, second0 = V1 + q**2 * D2, V0 + p**2 * D2
    return v * q * second1 + v * p * second0 - v**2 * D2 - square


def equal_noise() -> sp.Expr:
    """sigma^2/|D|^2 = v (1+x) - 4 v^2 depends on v alone."""
    return square.subs({V1: x * D2, V0: x * D2}) / D2 - bell.subs(u, v)


def peak() -> sp.Expr:
    """At v = (1+x)/8, which is at most 1/4 iff x <= 1."""
    largest = ((1 + x) / 8).subs(x, 1) - sp.Rational(1, 4)
    return sp.diff(bell, u).subs(u, (1 + x) / 8) + mark * largest


def peak_in_the_pass_rate() -> sp.Expr:
    """It is p = (1 - sqrt((1-x)/2))/2, for noise x = 1 - 2 z^2 below 1."""
    noise = 1 - 2 * z**2
    return v.subs(p, (1 - z) / 2) - (1 + noise) / 8


def unequal_noise_moves_the_peak() -> sp.Expr:
    """With V1 alone sigma^2 = p q^2 V1 + ..., largest at p = 1/3 where it dominates."""
    slope = sp.diff(p * q**2, p)
    return slope.subs({p: sp.Rational(1, 3)})


def rloo_is_a_sum_of_convex_terms_in_the_gap() -> sp.Expr:
    """Its variance is v [(1-4v)/N + 2v/(N(N-1))] |D|^2 + ..."""
    return sp.diff(rloo, D2) - u * ((1 - 4 * u) / N + 2 * u / (N * (N - 1)))


def rloo_is_a_sum_of_convex_terms_in_the_noise() -> sp.Expr:
    """... + v [q/N + p/(N(N-1))] V1, and V0 by symmetry."""
    return sp.diff(rloo, V1) - u * (q / N + p / (N * (N - 1)))


def neyman_is_stationary() -> sp.Expr:
    """sigma^2/n^2 is the same for all prompts at n = sigma/price."""
    return sp.diff(g**2 / n, n).subs(n, g / price) + price**2


def rloo_in_noise() -> sp.Expr:
    """At n - 1 = w sqrt(v V)/price the slope of w^2 v V/(n-1) is the same for all prompts."""
    slope = sp.diff(w**2 * u * V / (n - 1), n)
    return slope.subs(n, 1 + w * sp.sqrt(u * V) / price) + price**2


def objectives_and_their_rules() -> sp.Expr:
    """For log p, w^2 v = q/p; for GRPO's objective 2 arcsin sqrt p it is 1."""
    slope = sp.diff(2 * sp.asin(sp.sqrt(p)), p)
    return sp.diff(sp.log(p), p) ** 2 * v - q / p + mark * (slope**2 * v - 1)


def flattened_loss() -> sp.Expr:
    """Two prompts: mean of cubes less product of means is (s+t)(s-t)^2/4, never negative."""
    s, t = sp.symbols("s t", positive=True)
    cubes, product = (s**3 + t**3) / 2, (s + t) / 2 * (s**2 + t**2) / 2
    return cubes - product - (s + t) * (s - t) ** 2 / 4


def gvm_is_neyman_for_the_regularized_bound() -> sp.Expr:
    """G^2/(p (1 + alpha/p^beta)) is the squared weight G^2/(p + alpha p^(1-beta))."""
    return 1 / (p * (1 + alpha / p**beta)) - 1 / (p + alpha * p ** (1 - beta))


def gvm_peak() -> sp.Expr:
    """1/weight^2 is stationary at p^beta = alpha (beta-1)."""
    slope = sp.diff(p + alpha * p ** (1 - beta), p)
    return slope.subs(p, (alpha * (beta - 1)) ** (1 / beta)).subs(beta, 1 + z)


def gvm_constant() -> sp.Expr:
    """1/weight^2 there is beta/(beta-1) p, where Remark 1 has 2p: equal only at beta = 2."""
    inverse = z + alpha * z ** (1 - beta)
    at_peak = sp.powsimp(inverse.subs(alpha, z**beta / (beta - 1)))
    return at_peak - beta / (beta - 1) * z + mark * (beta / (beta - 1) - 2).subs(beta, 2)


def variance_of_the_log_likelihood_gradient() -> sp.Expr:
    """Of one term r s/p: E1|s|^2/p - |E1 s|^2, and so (E1|s|^2 - p |E1 s|^2)/p."""
    first, second = sp.symbols("first second", positive=True)
    return p * second / p**2 - (p * first / p) ** 2 - (second - p * first**2) / p

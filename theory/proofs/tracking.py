"""Fading counts and Thompson draws (arXiv:2507.04632).

c are the counts of a belief and m its mean, c0 and m0 those of the prior; y is the observed
pass rate, h the memory, d the drift per visit, n the rollouts behind a belief, g its draw.
"""

import sympy as sp

from theory.proofs import N, binomial_mean, k, mark, p, v

c, m, c0, m0, y, h, d, n, g = sp.symbols("c m c0 m0 y h d n g", positive=True)
a, b, i, x, u, rho = sp.symbols("a b i x u rho", positive=True)
t = sp.symbols("t", positive=True)
after = h * c + (1 - h) * c0 + N
steady = c0 + N / (1 - h)
kappa = h * (1 + h) ** 2 / (1 - h) ** 3
total = a + b + n


def mean_recursion() -> sp.Expr:
    """Alpha after an update, over the counts, is the weighted mean of three means."""
    alpha = h * m * c + (1 - h) * m0 * c0 + N * y
    weighted = h * c / after * m + (1 - h) * c0 / after * m0 + N / after * y
    return alpha / after - weighted


def error_recursion() -> sp.Expr:
    """m_t - p_t in the same weights, with the pass rate moved by d: the triangle's sides."""
    new = (h * c * m + (1 - h) * c0 * m0 + N * y) / after - p
    sides = h * c * ((m - (p - d)) - d) + (1 - h) * c0 * (m0 - p) + N * (y - p)
    return new - sides / after


def counts_are_steady() -> sp.Expr:
    """c0 + N/(1-h) stays what it is."""
    return after.subs(c, steady) - steady


def counts_grow_below_the_steady_ones_only() -> sp.Expr:
    """The quoted bound needs n_(t-1) <= n_t, that is n_(t-1) <= n_inf."""
    return (after - c) - (1 - h) * (steady - c)


def counts_by_visits() -> sp.Expr:
    """c0 + N (1 - h^t)/(1 - h) obeys the recursion."""
    counts = c0 + N * (1 - h**t) / (1 - h)
    return after.subs(c, counts) - counts.subs(t, t + 1)


def stationary_mean() -> sp.Expr:
    """alpha0 + N p/(1-h) is steady."""
    alpha = m0 * c0 + N * p / (1 - h)
    return h * alpha + (1 - h) * m0 * c0 + N * p - alpha


def stationary_variance() -> sp.Expr:
    """Var alpha = h^2 Var alpha + N v."""
    variance = N * v / (1 - h**2)
    return h**2 * variance + N * v - variance


def variance_without_a_prior() -> sp.Expr:
    """v/N (1-h)/(1+h)."""
    return (N * v / (1 - h**2) / steady**2).subs(c0, 0) - v / N * (1 - h) / (1 + h)


def lag() -> sp.Expr:
    """Under p -> p + d a visit, alpha = alpha0 + N p/(1-h) - N d h/(1-h)^2 goes along."""
    alpha = m0 * c0 + N * p / (1 - h) - N * d * h / (1 - h) ** 2
    return h * alpha + (1 - h) * m0 * c0 + N * (p + d) - alpha.subs(p, p + d)


def best_memory_is_stationary() -> sp.Expr:
    """d/dh of v/N (1-h)/(1+h) + d^2 h^2/(1-h)^2 vanishes where v/(N d^2) is `kappa`."""
    return sp.diff((1 - h) / (1 + h), h) * kappa + sp.diff(h**2 / (1 - h) ** 2, h)


def best_memory_in_closed_form() -> sp.Expr:
    """With 1/(1-h) = 2/3 + cosh(x)/3, `kappa` is (cosh 3x - 1)/27."""
    inverse = sp.Rational(2, 3) + sp.cosh(x) / 3
    tripled = 4 * sp.cosh(x) ** 3 - 3 * sp.cosh(x)
    identity = (sp.cosh(3 * x) - tripled).rewrite(sp.exp)
    return kappa.subs(h, 1 - 1 / inverse) - (tripled - 1) / 27 + mark * sp.expand(identity)


def best_memory_under_slow_drift() -> sp.Expr:
    """`kappa` (1-h)^3 tends to 4, so 1 - h to (4 N d^2/v)^(1/3)."""
    return sp.limit(kappa * (1 - h) ** 3, h, 1) - 4


def forecast_of_a_draw_is_a_line() -> sp.Expr:
    """Given the draw, earlier passes are Bin(n, g): E[p | g] = (a + n g)/(a + b + n)."""
    return binomial_mean((a + k) / total, n, g) - (a + n * g) / total


def square_given_a_draw() -> sp.Expr:
    """E[p^2 | g] = [a (a+1) + 2 (a+1) n g + n (n-1) g^2] / [(a+b+n)(a+b+n+1)]."""
    square = binomial_mean((a + k) * (a + k + 1), n, g)
    return square - (a * (a + 1) + 2 * (a + 1) * n * g + n * (n - 1) * g**2)


def correlation_of_draw_and_pass_rate() -> sp.Expr:
    """Var E[p | data] / Var p = n/(n+a+b), so the mean's correlation is the root of it."""
    first, second = a / (a + b), a * (a + 1) / ((a + b) * (a + b + 1))
    powers = sp.Poly(binomial_mean((a + k) ** 2, n, p), p).all_coeffs()
    means = powers[0] * second + powers[1] * first + powers[2]
    of_means = means / total**2 - first**2
    return of_means - n / total * (second - first**2)


def reliability_of_a_group() -> sp.Expr:
    """Var p / (Var p + E v / N) = N/(N + a + b)."""
    spread = a * b / ((a + b) ** 2 * (a + b + 1))
    noise = a * b / ((a + b) * (a + b + 1)) / N
    return spread / (spread + noise) - N / (N + a + b)


def range_restriction() -> sp.Expr:
    """Same slope and same variance about the line: rho^2 u^2 / (1 - rho^2 + rho^2 u^2)."""
    slope, narrow = rho * y / x, u * x  # y and x are the two standard deviations
    explained = slope**2 * narrow**2
    squared = explained / (explained + y**2 * (1 - rho**2))
    return squared - rho**2 * u**2 / (1 - rho**2 + rho**2 * u**2)

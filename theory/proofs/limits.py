r"""What choosing prompts can gain at most, and populations of pass rates.

a and b are the parameters of a Beta population, i and j powers of p and 1 - p.
"""

import sympy as sp

from theory.proofs import N, k, mark, p, q, v

a, b, e = sp.symbols("a b e", positive=True)
n, m = sp.symbols("n m", positive=True)


def _moment(i: int, j: int) -> sp.Expr:
    ratio = sp.gamma(a + i) * sp.gamma(b + j) / sp.gamma(a + b + i + j)
    return ratio * sp.gamma(a + b) / (sp.gamma(a) * sp.gamma(b))


def no_rollout_is_worth_more_than_a_quarter() -> sp.Expr:
    """1/4 - v = (1/2 - p)^2, never negative: the theorem."""
    return sp.Rational(1, 4) - v - (sp.Rational(1, 2) - p) ** 2


def prompts_near_one_half_come_close() -> sp.Expr:
    """1/4 - e^2 at p = 1/2 - e."""
    return v.subs(p, sp.Rational(1, 2) - e) - sp.Rational(1, 4) + e**2


def limit_of_a_beta_population() -> sp.Expr:
    """E v = ab/((a+b)(a+b+1)), so the limit is (a+b)(a+b+1)/(4ab); 3/2 for uniform p."""
    mean = a * b / ((a + b) * (a + b + 1))
    uniform = (1 / (4 * mean)).subs({a: 1, b: 1}) - sp.Rational(3, 2)
    return sp.gammasimp(_moment(1, 1)) - mean + mark * uniform


def sequential_cost_of_a_beta_population() -> sp.Expr:
    """E 1/v = (a+b-1)(a+b-2)/((a-1)(b-1)), finite only for a, b > 1."""
    closed = (a + b - 1) * (a + b - 2) / ((a - 1) * (b - 1))
    return sp.gammasimp(_moment(-1, -1)) - closed


def realized_signal_can_exceed_the_limit() -> sp.Expr:
    """K(N-K)/(N(N-1)) is N/(4(N-1)) > 1/4 at K = N/2."""
    return (k * (N - k) / (N * (N - 1))).subs(k, N / 2) - N / (4 * (N - 1))


def kept_variance() -> sp.Expr:
    """That is, v (1 - p^n - q^n) = v - p^(n+1) q - p q^(n+1)."""
    return sp.expand(v * (1 - p**n - q**n) - (v - p ** (n + 1) * q - p * q ** (n + 1)))


def screened_weight() -> sp.Expr:
    """q^n (nm p + m(m-1) v) + p^n (nm q + m(m-1) v), in mixed moments."""
    lost = q**n * (n * m * p + m * (m - 1) * v) + p**n * (n * m * q + m * (m - 1) * v)
    few = p * q**n + p**n * q
    both = p * q ** (n + 1) + p ** (n + 1) * q
    return sp.expand(lost - n * m * few - m * (m - 1) * both)


def best_step_of_a_batch_is_linear() -> sp.Expr:
    """Means v along one direction and noise v V: (sum v)^2/(sum v V) = sum v / V."""
    first, second, V = sp.symbols("first second V", positive=True)
    return (first + second) ** 2 / ((first + second) * V) - (first + second) / V

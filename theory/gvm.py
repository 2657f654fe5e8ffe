r"""GVM-RAFT's allocation, and the constant of the bound on the rollouts it accepts.

GVM-RAFT (arXiv:2505.02391) follows $\nabla\log p$ by the scores of passing rollouts, and
minimizes a bound on the variance of that, each prompt regularized by $1/(1+\alpha/p^\beta)$ so
that hopeless prompts do not take the whole budget (Proposition 1):

$$\min_n \sum_i \frac{G_i^2}{n_i p_i (1 + \alpha/p_i^\beta)}, \qquad
n_i \propto \frac{G_i}{\sqrt{p_i + \alpha p_i^{1-\beta}}},$$

with $G^2 = E_1|s|^2$ over passing rollouts. As released (RLHFlow/GVM @ d640a75):
$\alpha = 10^{-3}$, $\beta = 2$. The paper asks for $\beta \ge 2$; here it may be any above 1.
"""

import numpy as np
from jaxtyping import Float

from theory.domain import (
    Numbers,
    checked_positive,
    checked_rates,
    checked_sizes,
    checked_variance,
)
from theory.neyman import shares

ALPHA, BETA = 1e-3, 2.0


def _checked_power(beta: Numbers) -> Float[np.ndarray, "*#P"]:
    return np.asarray(checked_positive(np.asarray(beta, float) - 1.0, "beta - 1") + 1.0)


def gvm_weight(
    pass_rate: Numbers, norm: Numbers = 1.0, alpha: Numbers = ALPHA, beta: Numbers = BETA
) -> Float[np.ndarray, "*#P"]:
    r"""Weight $G/\sqrt{p + \alpha p^{1-\beta}}$ of Proposition 1, 0 at p = 0.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], the norm is negative, alpha is not
            positive or beta does not exceed 1.
    """
    p, b = checked_rates(pass_rate), _checked_power(beta)
    regular = checked_positive(alpha, "alpha")
    G = checked_variance(norm, "norm")
    return np.asarray(G * p ** ((b - 1.0) / 2.0) / np.sqrt(p**b + regular))


def gvm_peak(alpha: Numbers = ALPHA, beta: Numbers = BETA) -> Float[np.ndarray, "*#P"]:
    r"""Pass rate $(\alpha(\beta-1))^{1/\beta}$ of largest weight, 1 where it exceeds that.

    Raises:
        ValueError: If alpha is not positive or beta does not exceed 1.
    """
    b = _checked_power(beta)
    return np.asarray(
        np.minimum((checked_positive(alpha, "alpha") * (b - 1.0)) ** (1.0 / b), 1.0)
    )


def regularized_bound(
    pass_rates: Float[np.ndarray, "M"],
    rollouts: Float[np.ndarray, "M"],
    norms: Numbers = 1.0,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> float:
    r"""$\sum_i G_i^2/(n_i p_i(1+\alpha/p_i^\beta))$, which Proposition 1 minimizes.

    Raises:
        ValueError: As `gvm_weight`, and if a number of rollouts is not positive.
    """
    weights = gvm_weight(pass_rates, norms, alpha, beta)
    return float((weights**2 / checked_positive(rollouts, "rollouts")).sum())


def log_likelihood_variance(
    pass_rate: Numbers, rollouts: Numbers, square: Numbers, mean_square: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    r"""Variance $\frac1{np}(E_1|s|^2 - p|E_1 s|^2)$ of GVM's estimate of $\nabla\log p$.

    The estimate is the sum of the scores of the passing rollouts over np, with p known. GVM
    drops the second term, which matters unless p is small. Infinite at p = 0.

    Args:
        pass_rate: p.
        rollouts: n.
        square: $E_1|s|^2$ over passing rollouts.
        mean_square: $|E_1 s|^2$.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a number of rollouts is not whole, or
            $E_1|s|^2$ is negative or less than $|E_1 s|^2$.
    """
    p, n = checked_rates(pass_rate), checked_sizes(rollouts)
    mean = checked_variance(mean_square, "the mean's square")
    spread = checked_variance(np.asarray(square, float) - mean, "the variance of a score")
    excess = np.asarray((spread + (1.0 - p) * mean) / n)
    rate = np.broadcast_to(p, excess.shape)
    endless = np.full(excess.shape, np.inf)
    with np.errstate(over="ignore"):
        return np.divide(excess, rate, out=endless, where=rate > 0)


def accepted_rollouts(
    pass_rates: Float[np.ndarray, "M"], budget: float, alpha: float = ALPHA, beta: float = BETA
) -> Float[np.ndarray, "M"]:
    r"""Rollouts $n_i p_i$ expected to pass, the norms being equal.

    Raises:
        ValueError: As `gvm_weight`, and if the budget is not positive.
    """
    weights = gvm_weight(pass_rates, 1.0, alpha, beta)
    return pass_rates * shares(weights) * float(checked_positive(budget, "budget"))


def acceptance_constant(beta: Numbers = BETA) -> Float[np.ndarray, "*#P"]:
    r"""$\sqrt{\beta/(\beta-1)}$, where Remark 1 prints $\sqrt2$: equal only at beta = 2.

    $1/w_{max} = \sqrt{\beta/(\beta-1)}\,(\alpha(\beta-1))^{1/(2\beta)}$ for the largest
    `gvm_weight` w of any pass rate (with G = 1), so that of a budget B for M prompts

    $$n_i p_i \ge \frac BM\, p_i w_i\, \sqrt{\frac{\beta}{\beta-1}}\,
    (\alpha(\beta-1))^{1/(2\beta)},$$

    with equality if all prompts are at `gvm_peak`.

    Raises:
        ValueError: If beta does not exceed 1.
    """
    b = _checked_power(beta)
    return np.asarray(np.sqrt(b / (b - 1.0)))


def acceptance_bound(
    pass_rates: Float[np.ndarray, "M"],
    budget: float,
    alpha: float = ALPHA,
    beta: float = BETA,
    constant: float | None = None,
) -> Float[np.ndarray, "M"]:
    r"""Lower bound on `accepted_rollouts`: Remark 1 with the right constant, or another.

    Raises:
        ValueError: As `accepted_rollouts`, and if the constant is not positive.
    """
    factor = acceptance_constant(beta) if constant is None else constant
    scale = (checked_positive(alpha, "alpha") * (beta - 1.0)) ** (0.5 / beta)
    each = float(checked_positive(budget, "budget")) / pass_rates.size
    weights = gvm_weight(pass_rates, 1.0, alpha, beta)
    return pass_rates * weights * (each * checked_positive(factor, "constant") * scale)

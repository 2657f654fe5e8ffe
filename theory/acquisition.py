r"""What a Thompson draw selects, and what its correlation with the outcome says.

MoPPS (arXiv:2507.04632) draws $g \sim \mathrm{Beta}(\alpha, \beta)$ once per candidate and
rolls out those whose draw lies nearest to 1/2. It reports a rank correlation above 0.5 of
predicted and observed pass rate; thu-rllab/MoPPS @ a883f519 logs that of the draw, on the
selected prompts, and with the sign reversed. For Pearson's correlation, pass rates
$p \sim \mathrm{Beta}(a, b)$ and beliefs that are Bayes' rule on $n$ earlier rollouts, all of
this is exact: $g$ and $p$ are exchangeable given those rollouts, so that

- $\operatorname{corr}(g, p) = n/(n+a+b)$, the square of the belief mean's correlation;
- with $y$ the observed pass rate of $N$ rollouts, $\operatorname{corr}(g, y) =
  \frac{n}{n+a+b}\sqrt{N/(N+a+b)}$ over all prompts;
- $E[y \mid g] = (a + ng)/(a+b+n)$ is a line, so that selection by $g$ keeps its slope and
  only narrows the range of $g$. The correlation then falls although prediction is as good.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import betainc, betaincc

from theory.domain import Numbers, checked_count, checked_positive, checked_share, checked_sizes
from theory.skipping import visit_distribution
from theory.tracking import counts_after

GRID = 1024  # cells of the distance from the target, finer towards both its ends


def draw_probability(
    alpha: Numbers, beta: Numbers, width: Numbers = 0.05, target: Numbers = 0.5
) -> Float[np.ndarray, "*#P"]:
    """Chance that a draw from a Beta belief lies within `width` of the target.

    Raises:
        ValueError: If alpha or beta is not positive or width or target lie outside [0, 1].
    """
    a, b = checked_positive(alpha, "alpha"), checked_positive(beta, "beta")
    w, t = checked_share(width, "width"), checked_share(target, "target")
    low, high = np.maximum(t - w, 0.0), np.minimum(t + w, 1.0)
    above = betaincc(a, b, low) - betaincc(a, b, high)  # keeps its digits in the upper tail
    return np.asarray(
        np.where(a < t * (a + b), above, betainc(a, b, high) - betainc(a, b, low))
    )


def selection_probability(
    alpha: Numbers,
    beta: Numbers,
    candidates: Numbers,
    wanted: Numbers,
    *,
    rival_alpha: Numbers = 1.0,
    rival_beta: Numbers = 1.0,
    target: Numbers = 0.5,
) -> Float[np.ndarray, "*#P"]:
    r"""Chance that a prompt is among the B of C candidates whose draws lie nearest the target.

    The other C - 1 share one belief. With $F$ and $F'$ the distributions of the distance of
    its draw and of a rival's, the chance is $\int F\,dG$, $G = P(\mathrm{Bin}(C-1, F') \ge
    B)$, here by the trapezoidal rule to about 1e-5.

    Raises:
        ValueError: If a parameter of a belief is not positive, the target lies outside [0, 1]
            or B and C are no whole numbers with B at least 1 and at most C.
    """
    if (checked_sizes(wanted) > checked_sizes(candidates)).any():
        raise ValueError(f"wanted={wanted} exceeds candidates={candidates}")
    arguments = np.broadcast_arrays(
        alpha, beta, rival_alpha, rival_beta, target, wanted, candidates
    )
    a, b, ra, rb, t, B, C = (np.asarray(x, float)[..., None] for x in arguments)
    steps = (1.0 - np.cos(np.linspace(0.0, np.pi, GRID + 1))) / 2.0
    distance = steps * np.maximum(t, 1.0 - t)
    reached = betainc(B, np.maximum(C - B, 0.5), draw_probability(ra, rb, distance, t))
    own = draw_probability(a, b, distance, t)
    chance = ((own[..., 1:] + own[..., :-1]) / 2.0 * np.diff(reached)).sum(axis=-1)
    return np.asarray(np.where(B[..., 0] == C[..., 0], 1.0, chance))


def fail_visits(
    steps: int, rollouts: int, memory: float, candidates: int, wanted: int
) -> float:
    """Mean visits in so many steps of a prompt that never passes, among unseen rivals.

    All beliefs start at Beta(1, 1), and the prompt is a candidate at every step. With memory
    1 its belief sharpens for ever; with less it settles, and so does its chance of a visit.

    Raises:
        ValueError: If a count is not a whole number or the memory lies outside [0, 1].
    """
    visits = np.arange(int(checked_count(steps, "steps")))
    beta = counts_after(visits, rollouts, memory) - 1.0
    keep = np.minimum(selection_probability(1.0, beta, candidates, wanted), 1.0)
    return float(visit_distribution(keep, steps) @ np.arange(steps + 1))


def logged_correlation(
    evidence: Numbers,
    rollouts: Numbers,
    alpha: Numbers = 1.0,
    beta: Numbers = 1.0,
    low: Numbers = 0.0,
    high: Numbers = 1.0,
) -> Float[np.ndarray, "*#P"]:
    r"""Pearson's correlation of Thompson draw and observed pass rate, given the draw's range.

    Args:
        evidence: Earlier rollouts $n$ behind each belief, none forgotten.
        rollouts: N rollouts of the group now observed.
        alpha: Of the distribution of pass rates, which is also the prior.
        beta: The other parameter.
        low: Least draw selected.
        high: Largest draw selected.

    Raises:
        ValueError: If a count is not a whole number, alpha or beta is not positive, or the
            range does not lie in [0, 1] or has no width.
    """
    n, N = checked_count(evidence, "evidence"), checked_sizes(rollouts)
    a, b = checked_positive(alpha, "alpha"), checked_positive(beta, "beta")
    first, second = _band_moments(a, b, checked_share(low, "low"), checked_share(high, "high"))
    total = a + b + n
    mean = (a + n * first) / total  # of y, and of p
    grown = a * (a + 1.0) + 2.0 * (a + 1.0) * n * first + n * (n - 1.0) * second
    square = mean / N + (1.0 - 1.0 / N) * grown / (total * (total + 1.0))
    spread = np.maximum(second - first**2, 0.0)
    return np.asarray(n / total * np.sqrt(spread / (square - mean**2)))


def _band_moments(
    a: Numbers, b: Numbers, low: Numbers, high: Numbers
) -> tuple[Float[np.ndarray, "*P"], Float[np.ndarray, "*P"]]:
    """Mean and mean square of a Beta variable given that it lies in [low, high]."""

    def mass(extra: int) -> Float[np.ndarray, "*P"]:
        return np.asarray(betainc(a + extra, b, high) - betainc(a + extra, b, low))

    within = mass(0)
    if not (within > 0.0).all():
        raise ValueError(f"no draw lies between low={low} and high={high}")
    first = a / (a + b) * mass(1) / within
    second = a * (a + 1.0) / ((a + b) * (a + b + 1.0)) * mass(2) / within
    return np.asarray(first), np.asarray(second)


def restricted_correlation(
    correlation: Numbers, spread_ratio: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""Correlation $\rho u/\sqrt{1 - \rho^2 + \rho^2u^2}$ where the predictor is selected.

    $u$ is the predictor's standard deviation among the selected over that among all. Exact if
    selection looks at the predictor only, the outcome's mean given it is a line and its
    variance given it constant (range restriction; Thorndike 1949, case 2).

    Raises:
        ValueError: If the correlation lies outside [-1, 1] or the ratio is not positive.
    """
    rho = np.asarray(correlation, float)
    if not (np.abs(rho) <= 1.0).all():
        raise ValueError(f"a correlation lies in [-1, 1], not {correlation}")
    u = checked_positive(spread_ratio, "spread_ratio")
    return np.asarray(rho * u / np.hypot(np.sqrt((1.0 - rho) * (1.0 + rho)), rho * u))

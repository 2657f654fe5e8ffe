r"""What screening buys, and what it does to the objective.

Screening rolls a prompt out $n$ times, and $m = N - n$ times more only if the first $n$ are
mixed (SPEED, arXiv:2506.09016; withdrawn as v3 according to a copy of the arXiv listing). If
all $N$ rollouts are then trained on with RLOO, those that decided the screening are no longer
an independent sample: per prompt drawn the expected gradient is $W(p) D$ instead of $p(1-p) D$,
so that training follows $\sum_x F(p_x)$ with $F'(p) = W(p) / (p(1-p))$. Trained on the
continuation alone, it follows $F' = M_n(p)$ exactly. Rollouts are taken to come from one policy
throughout.

`screening` stands for $n$, `continuation` for $m$.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import comb

from theory.domain import Numbers, checked_rates, checked_sizes
from theory.groups import mixed_probability


def acceptance(pass_rate: Numbers, screening: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Chance $a(p) = M_n(p)$ that a screened prompt is continued.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a count is not a whole number.
    """
    return mixed_probability(pass_rate, screening)


def objective_slope(
    pass_rate: Numbers, screening: Numbers, continuation: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""Slope $F'(p)$ of the objective that screening with RLOO on all N rollouts follows.

    $$F' = 1 - \frac{\bar p^{n-1}[nm + m(m-1)\bar p] + p^{n-1}[nm + m(m-1)p]}{N(N-1)},$$

    where 1 is plain RLOO's. It is symmetric about 1/2. For n >= 2, $F'(0) = n/N$; a single
    rollout is never mixed, and for n = 1 it is 0 throughout.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a count is not a whole number, or
            n + m is less than 2.
    """
    p = checked_rates(pass_rate)
    n, m = checked_sizes(screening), checked_sizes(continuation, least=0)
    N = checked_sizes(n + m, least=2)

    def misled(q: Numbers) -> Float[np.ndarray, "*#P"]:
        return np.asarray(q ** (n - 1.0) * (n * m + m * (m - 1.0) * q))

    return np.asarray(1.0 - (misled(1.0 - p) + misled(p)) / (N * (N - 1.0)))


def screened_weight(
    pass_rate: Numbers, screening: Numbers, continuation: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""$W(p) = p(1-p) F'(p)$: expected gradient per prompt drawn, in units of $D$.

    Raises:
        ValueError: As `objective_slope`.
    """
    slope = objective_slope(pass_rate, screening, continuation)
    p = checked_rates(pass_rate)
    return np.asarray(p * (1.0 - p) * slope)


def rollouts_per_trained_prompt(
    pass_rates: Float[np.ndarray, "M"], screening: int, continuation: int
) -> float:
    r"""Rollouts $n/\bar a + m$ per group trained on, over a population of M prompts.

    With no continuation this is dynamic sampling of full groups.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a count is not a whole number, or no
            prompt can ever be accepted.
    """
    m = checked_sizes(continuation, least=0)
    accepted = float(acceptance(pass_rates, screening).mean())
    if accepted == 0.0:
        raise ValueError(f"no group of {screening} rollouts can be mixed at {pass_rates}")
    return screening / accepted + float(m)


def optimal_screening(pass_rates: Float[np.ndarray, "M"], rollouts: int) -> int:
    r"""Number $N_{init}$ of screening rollouts with the fewest rollouts per trained prompt.

    The group keeps its size, $N_{init} + N_{cont}$ = `rollouts`; the smaller of equals.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], no prompt can ever be accepted, or
            `rollouts` is not a whole number of at least 3.
    """
    checked_sizes(rollouts, least=3)
    sizes = range(2, rollouts)
    costs = [rollouts_per_trained_prompt(pass_rates, n, rollouts - n) for n in sizes]
    return sizes[int(np.argmin(costs))]


def estimated_acceptance(
    passes: Int[np.ndarray, "M"], rollouts: int, screening: int
) -> Float[np.ndarray, "M"]:
    r"""Unbiased estimates of $M_n(p)$ from passes among more rollouts than are screened.

    One minus the chance that n of the rollouts, drawn without replacement, agree. Inserting
    the observed pass rate in `acceptance` instead is biased low, for $M_n$ is concave.

    Raises:
        ValueError: If `screening` exceeds `rollouts` or `passes` is not in [0, rollouts].
    """
    _check_drawn(passes, rollouts, screening)
    drawn = np.arange(screening)
    left = rollouts - drawn

    def agree(count: Int[np.ndarray, "M"]) -> Float[np.ndarray, "M"]:
        return (np.maximum(count[:, None] - drawn, 0) / left).prod(axis=1)

    return 1.0 - agree(passes) - agree(rollouts - passes)


def estimated_weight(
    passes: Int[np.ndarray, "M"], rollouts: int, screening: int, continuation: int
) -> Float[np.ndarray, "M"]:
    r"""Unbiased estimates of $W(p)$ from passes among at least n + m rollouts.

    The mean of $K(N-K)/(N(N-1))$, K the passes of N rollouts drawn without replacement, 0 where
    the first n agree. With no continuation it estimates $p(1-p)$.

    Raises:
        ValueError: If a count is not a whole number, n + m is less than 2 or exceeds
            `rollouts`, or `passes` is not in [0, rollouts].
    """
    n, m = int(checked_sizes(screening)), int(checked_sizes(continuation, least=0))
    N = int(checked_sizes(n + m, least=2))
    _check_drawn(passes, rollouts, N)
    first, later = np.arange(1, n)[:, None], np.arange(m + 1)
    left, seen = passes[:, None, None] - first, passes[:, None, None]
    screen = comb(seen, first) * comb(rollouts - seen, n - first) / comb(rollouts, n)
    rest = comb(left, later) * comb(rollouts - n - left, m - later) / comb(rollouts - n, m)
    K = first + later
    return (screen * rest * K * (N - K)).sum(axis=(1, 2)) / (N * (N - 1.0))


def _check_drawn(passes: Int[np.ndarray, "M"], rollouts: int, drawn: int) -> None:
    """Insist that so many can be drawn of the rollouts.

    Raises:
        ValueError: If not, or if `passes` is not in [0, rollouts].
    """
    if not 1 <= drawn <= rollouts:
        raise ValueError(f"{drawn} of {rollouts=} cannot be drawn")
    if not ((passes >= 0) & (passes <= rollouts)).all():
        raise ValueError(f"passes lie in [0, {rollouts}], not {passes}")

r"""Signal per rollout of SPEED and DAPO, in the two ways it can be counted.

*Expected*: $p(1-p)$ for every rollout trained on, what fresh rollouts of the same prompts
would be worth. *Realized*: $K(N-K)/(N-1)$ for every group trained on, what its RLOO gradient
contains. They agree for rules that do not look at the rollouts they train on. They differ for
rules that do, screening and dynamic sampling among them, so that quoting one of them alone
favours one family. All are relative to uniform sampling, per rollout generated.

Screening rolls out $n$ times and, if these are mixed, $m$ times more (SPEED, arXiv:2506.09016;
withdrawn as v3 according to a copy of the arXiv listing); $m = 0$ is the dynamic sampling of
DAPO (arXiv:2503.14476), with all surplus kept. Its realized signal is exactly 1: it removes
zeros.
"""

from dataclasses import dataclass

from theory.domain import checked_sizes
from theory.limits import Population, mean_variance, mixed_share


@dataclass(frozen=True)
class Signal:
    """Rollouts per group trained on, and signal per rollout relative to uniform sampling."""

    rollouts: float
    expected: float
    realized: float
    continuation: float  # of the continuation alone, the screening rollouts thrown away


def kept_variance(population: Population, screening: int) -> float:
    r"""$E[M_n v]$, the signal of a prompt times its chance to be accepted.

    Raises:
        ValueError: If the number of rollouts is not a whole number.
    """
    n = float(checked_sizes(screening))
    if n == 1.0:
        return 0.0
    v = mean_variance(population)
    return v - population.moment(n + 1.0, 1.0) - population.moment(1.0, n + 1.0)


def mean_screened_weight(population: Population, screening: int, continuation: int) -> float:
    """E[W] of `theory.screening.screened_weight`, the gradient per prompt drawn.

    Raises:
        ValueError: If a count is not a whole number, or n + m is less than 2.
    """
    n, m = float(checked_sizes(screening)), float(checked_sizes(continuation, least=0))
    N = float(checked_sizes(n + m, least=2))
    few = population.moment(1.0, n) + population.moment(n, 1.0)
    both = population.moment(1.0, n + 1.0) + population.moment(n + 1.0, 1.0)
    lost = n * m * few + m * (m - 1.0) * both
    return mean_variance(population) - lost / (N * (N - 1.0))


def screened_signal(population: Population, screening: int, continuation: int) -> Signal:
    r"""Signal of screening with $n$ and continuing with $m$ rollouts.

    With $a = M_n$ the acceptance, a prompt drawn costs $n + mE[a]$ rollouts and yields
    $NE[av]$ (expected), $NE[W]$ (realized), or $mE[av]$ (continuation alone).

    Raises:
        ValueError: If a count is not a whole number, n + m is less than 2, or no group can
            be mixed.
    """
    n, m = float(checked_sizes(screening)), float(checked_sizes(continuation, least=0))
    accepted = mixed_share(population, screening)
    if accepted == 0.0:
        raise ValueError(f"no group of {screening} rollouts can be mixed in {population}")
    cost = n + m * accepted
    unit = cost * mean_variance(population)
    kept = kept_variance(population, screening)
    realized = mean_screened_weight(population, screening, continuation)
    return Signal(
        cost / accepted, (n + m) * kept / unit, (n + m) * realized / unit, m * kept / unit
    )

r"""What a noisy gradient step guarantees, and the group size that guarantees most per rollout.

Fact 1 of SPEED (arXiv:2506.09016; withdrawn as v3 according to a copy of the arXiv listing)
bounds from below what one step along an unbiased estimate gains; `theory.snr.guaranteed_gain`
states it for any step and smoothness, `theory.snr.optimal_step` maximizes it. This module says
where the guarantee is empty, and what it implies for the number of rollouts. For $V_1 = V_0 =
x|D|^2$ the gain that the optimal step guarantees per unit of cost is proportional to

$$\frac{\mathrm{SNR}}{(1+\mathrm{SNR})(N+c)} = \frac{v}{(1 + c/N)\,
[1 + x + (N-4)v + (2v+x)/(N-1)]},$$

with $c$ the fixed cost of a step in rollouts. Every term of the denominator, multiplied out,
is convex in $N > 1$: the gain has one peak. Without noise and fixed cost it is v at N = 2 and
N = 3 and falls from there. All of it compares lower bounds, each at its own best step, for one
prompt at a time: it does not rank methods.
"""

import numpy as np
from jaxtyping import Bool, Float

from theory.domain import (
    Numbers,
    checked_rates,
    checked_sizes,
    checked_variance,
)
from theory.snr import guaranteed_gain, optimal_step, rloo_snr


def optimal_gain(snr: Numbers, smoothness: Numbers = 1.0) -> Float[np.ndarray, "*#P"]:
    r"""Gain $\mathrm{SNR}/(2L(1+\mathrm{SNR}))$ guaranteed by the optimal step.

    In units of $|\nabla J|^2$; half the optimal step: positive at every SNR above 0,
    1/(2L) without noise.

    Raises:
        ValueError: If the SNR is negative or the smoothness is not positive.
    """
    return np.asarray(optimal_step(snr, smoothness) / 2.0)


def longest_step(snr: Numbers, smoothness: Numbers = 1.0) -> Float[np.ndarray, "*#P"]:
    r"""Step $2\,\mathrm{SNR}/(L(1+\mathrm{SNR}))$ from which on nothing is guaranteed.

    Fact 1 takes the step 1/L, which is shorter only where the SNR exceeds 1.

    Raises:
        ValueError: If the SNR is negative or the smoothness is not positive.
    """
    return np.asarray(2.0 * optimal_step(snr, smoothness))


def is_vacuous(
    snr: Numbers, step: Numbers = 1.0, smoothness: Numbers = 1.0
) -> Bool[np.ndarray, "*#P"]:
    """Whether the guarantee allows that nothing is gained; for Fact 1, SNR <= 1.

    Raises:
        ValueError: If the SNR is negative, or the step or the smoothness is not positive.
    """
    return np.asarray(guaranteed_gain(snr, step, smoothness) <= 0.0)


def fact_one_variance(rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Least $v = (N-1)/(N^2+3N-6)$ at which Fact 1 can guarantee a gain for RLOO.

    There the largest SNR that any score distribution allows is 1. It is 1/4, so p = 1/2 alone,
    for N = 2, and close to 1/N for large N; noise raises it.

    Raises:
        ValueError: If a group has less than 2 rollouts.
    """
    N = checked_sizes(rollouts, least=2)
    return np.asarray((N - 1.0) / (N**2 + 3.0 * N - 6.0))


def fact_one_edge(rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    """Pass rate, at most 1/2, up to which Fact 1 is vacuous for every score distribution.

    Raises:
        ValueError: If a group has less than 2 rollouts.
    """
    return np.asarray((1.0 - np.sqrt(1.0 - 4.0 * fact_one_variance(rollouts))) / 2.0)


def gain_per_cost(
    pass_rate: Numbers, rollouts: Numbers, noise: Numbers = 0.0, overhead: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    r"""$\mathrm{SNR}/((1+\mathrm{SNR})(N+c))$, twice the guaranteed gain per unit of cost.

    In units of $|\nabla J|^2/L$; `theory.snr.gain_per_rollout` is the case of neither.

    Args:
        pass_rate: p.
        rollouts: N.
        noise: $x = V/|D|^2$ with $V_1 = V_0 = V$.
        overhead: Fixed cost c of a step, in rollouts of this prompt.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a group has less than 2 rollouts, or
            the noise or the overhead is negative.
    """
    x, c = checked_variance(noise, "noise"), checked_variance(overhead, "overhead")
    snr = rloo_snr(pass_rate, rollouts, 1.0, x, x)
    return np.asarray(snr / (1.0 + snr) / (checked_sizes(rollouts) + c))


def optimal_rollouts(
    pass_rate: Numbers, noise: Numbers = 0.0, overhead: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    r"""Group size N of largest guaranteed gain per cost, the smaller one of two equals.

    The least N >= 2 for which one rollout more does not help,

    $$v(N^2-1)N - (2v+x)(N+1+2c) - c(1+x-4v)(N-1) \ge 0;$$

    without fixed cost $N(N-1) \ge 2 + x/v$. Infinite at p = 0 and 1, where nothing is gained.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], or the noise or the overhead is
            negative.
    """
    p = checked_rates(pass_rate)
    x, c = checked_variance(noise, "noise"), checked_variance(overhead, "overhead")
    v = p * (1.0 - p)
    pair, single = 2.0 * v + x, 1.0 + x - 4.0 * v
    need = np.asarray(pair * (1.0 + c) + single * c)
    with np.errstate(over="ignore"):
        reach = np.divide(need, v, out=np.full(need.shape, np.inf), where=v > 0)
    high = np.ceil(1.0 + np.sqrt(reach))
    low = np.ones(high.shape)
    for _ in range(64):  # enough for the last digit of a float
        N = np.floor(np.where(np.isinf(high), low, (low + high) / 2.0))
        enough = (low < N) & (
            v * N * (N - 1.0) * (N + 1.0) >= pair * (N + 1.0 + 2.0 * c) + c * single * (N - 1.0)
        )
        low, high = np.where(enough, low, np.maximum(low, N)), np.where(enough, N, high)
    return np.asarray(np.maximum(high, 2.0))


def pairs_suffice_noise(pass_rate: Numbers, rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Most noise $V/|D|^2 = (N-3)v$ with which N = 2 guarantees as much per rollout as N.

    2-GRPO (arXiv:2510.00977) reports that N = 2 matches N = 16 at equal rollouts: the bounds
    agree with it up to $V = 13 v |D|^2$, and where the noise dominates give N = 2 the fraction
    $N/(2(N-1))$ of what N guarantees.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group has less than 3 rollouts.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts, least=3)
    return np.asarray((N - 3.0) * p * (1.0 - p))

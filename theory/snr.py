r"""Signal-to-noise ratio of RLOO, the bound that SPEED states for it, and where that holds.

SNR is $|E\hat g|^2 / E|\hat g - E\hat g|^2$ for the gradient estimate of one prompt. SPEED-RL
(arXiv:2506.09016; withdrawn as v3 according to a copy of the arXiv listing) states SNR <=
4Np(1-p) for RLOO with N >= 3 and p < 1/4 or p > 3/4. The largest SNR that any score
distribution allows is `snr_max`; comparing the two gives the exact range, which is that of
`speed_bound_variance`: the restriction on p is needed, and is the widest that serves every N.
Bounds of this kind say nothing about the order of prompts by SNR: that SNR is proportional to
p(1-p) holds only where the noise dominates.
"""

import numpy as np
from jaxtyping import Bool, Float

from theory.domain import (
    Numbers,
    checked_positive,
    checked_rates,
    checked_ratio,
    checked_sizes,
)
from theory.moments import checked_scores


def rloo_snr(
    pass_rate: Numbers,
    rollouts: Numbers,
    D2: Numbers = 1.0,
    V1: Numbers = 0.0,
    V0: Numbers = 0.0,
) -> Float[np.ndarray, "*#P"]:
    r"""SNR of RLOO, and of Dr. GRPO, which differs from it by a constant factor.

    $$\frac{N(N-1)\,v|D|^2}{[(N-1)-(4N-6)v]|D|^2 + [(N-2)(1-p)+1]V_1 + [(N-2)p+1]V_0}$$

    0 without signal, as `Moments.snr`.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a group has less than 2 rollouts, or
            |D|^2, V1 or V0 is negative.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts, least=2)
    gap, noise1, noise0 = checked_scores(D2, V1, V0)
    q = 1.0 - p
    v = p * q
    spread = ((N - 1.0) - (4.0 * N - 6.0) * v) * gap
    noise = ((N - 2.0) * q + 1.0) * noise1 + ((N - 2.0) * p + 1.0) * noise0
    signal, total = np.broadcast_arrays(N * (N - 1.0) * v * gap, spread + noise)
    noiseless = np.where(signal > 0.0, np.inf, 0.0)
    return np.divide(signal, total, out=noiseless, where=total > 0.0)


def snr_max(pass_rate: Numbers, rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Largest SNR $N(N-1)v / [(N-1)-(4N-6)v]$ of RLOO, reached only without noise.

    Its slope at p = 0 is N; at p = 1/2 it is N(N-1)/2.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group has less than 2 rollouts.
    """
    return rloo_snr(pass_rate, rollouts)


def noise_dominated_snr(
    pass_rate: Numbers, rollouts: Numbers, noise: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""Limit $(N-1)\,v\,|D|^2/V$ of RLOO's SNR for $V_1 = V_0 = V \gg |D|^2$.

    Args:
        pass_rate: p.
        rollouts: N.
        noise: The ratio V / |D|^2.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a group has less than 2 rollouts, or
            the noise is not positive.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts, least=2)
    return np.asarray((N - 1.0) * p * (1.0 - p) / checked_positive(noise, "noise"))


def speed_bound(pass_rate: Numbers, rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""SPEED's bound $4Np(1-p)$ on the SNR of RLOO (arXiv:2506.09016, Theorem 3.1).

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group has less than 2 rollouts.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts, least=2)
    return np.asarray(4.0 * N * p * (1.0 - p))


def speed_bound_variance(rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Largest $v = 3(N-1)/(8(2N-3))$ up to which the bound holds whatever the scores.

    More than 1/4, so no restriction, for N = 2, and exactly 1/4 for N = 3; it falls to 3/16,
    which is p = 1/4, as N grows.

    Raises:
        ValueError: If a group has less than 2 rollouts.
    """
    N = checked_sizes(rollouts, least=2)
    return np.asarray(3.0 * (N - 1.0) / (8.0 * (2.0 * N - 3.0)))


def speed_bound_edge(rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    """Largest p <= 1/2 up to which the bound holds whatever the scores.

    Raises:
        ValueError: If a group has less than 2 rollouts.
    """
    excess = np.maximum(1.0 - 4.0 * speed_bound_variance(rollouts), 0.0)
    return np.asarray((1.0 - np.sqrt(excess)) / 2.0)


def speed_bound_holds(pass_rate: Numbers, rollouts: Numbers) -> Bool[np.ndarray, "*#P"]:
    """Whether the bound holds for every distribution of scores.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group has less than 2 rollouts.
    """
    p = checked_rates(pass_rate)
    return np.asarray(p * (1.0 - p) <= speed_bound_variance(rollouts))


def speed_bound_noise(rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Least noise $V/|D|^2 = (N-3)/(4N)$ with which the bound holds for every p.

    For $V_1 = V_0 = V$; less than 1/4, so satisfied by language models if |D|^2 < 4V.

    Raises:
        ValueError: If a group has less than 2 rollouts.
    """
    N = checked_sizes(rollouts, least=2)
    return np.asarray(np.maximum(N - 3.0, 0.0) / (4.0 * N))


def guaranteed_gain(
    snr: Numbers, step: Numbers = 1.0, smoothness: Numbers = 1.0
) -> Float[np.ndarray, "*#P"]:
    r"""Gain $\eta[1 - \frac{L\eta}{2}(1 + 1/\mathrm{SNR})]$ that a step guarantees.

    In units of $|\nabla J|^2$, for a step $\eta$ along an unbiased estimate of the gradient
    of an L-smooth objective. With both 1 it is SPEED's Fact 1, $\frac12(1 - 1/\mathrm{SNR})$:
    nothing is guaranteed below SNR = 1. Minus infinity at SNR = 0.

    Raises:
        ValueError: If the SNR is negative, or the step or the smoothness is not positive.
    """
    eta, L = checked_positive(step, "step"), checked_positive(smoothness, "smoothness")
    with np.errstate(divide="ignore", over="ignore"):
        noise = 1.0 / checked_ratio(snr, "snr")
        return np.asarray(eta * (1.0 - L * eta / 2.0 * (1.0 + noise)))


def optimal_step(snr: Numbers, smoothness: Numbers = 1.0) -> Float[np.ndarray, "*#P"]:
    r"""Step $\mathrm{SNR}/(L(1+\mathrm{SNR}))$ of largest guaranteed gain, SNR/(2L(1+SNR)).

    0 at SNR = 0, and 1/L without noise.

    Raises:
        ValueError: If the SNR is negative or the smoothness is not positive.
    """
    ratio = checked_ratio(snr, "snr")
    finite = np.where(ratio < np.inf, ratio, 1.0)
    share = np.where(ratio < np.inf, finite / (1.0 + finite), 1.0)
    return np.asarray(share / checked_positive(smoothness, "smoothness"))


def gain_per_rollout(pass_rate: Numbers, rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""$\mathrm{SNR}/((1+\mathrm{SNR})N) = v / (1 + v(N-2)(N-3)/(N-1))$ without noise.

    Twice the gain that the optimal step guarantees per rollout, in units of
    $|\nabla J|^2/L$: equal to v at N = 2 and N = 3, and falling from there.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or a group has less than 2 rollouts.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts, least=2)
    v = p * (1.0 - p)
    return np.asarray(v / (1.0 + v * (N - 2.0) * (N - 3.0) / (N - 1.0)))

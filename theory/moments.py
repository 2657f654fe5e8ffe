r"""Exact mean and variance of one prompt's gradient estimate, for binary rewards.

The estimate $\hat g$ is the mean over the $N$ rollouts of advantage times score. With
$E[s] = 0$ the class means of the score are $(1-p) D$ and $-p D$, and $\nabla p = v D$. If the
advantages of a group sum to zero,

$$\hat g = c(K) (\bar s_1 - \bar s_0) \text{ for } 0 < K < N, \qquad \hat g = 0
\text{ otherwise},$$

with $\bar s_1, \bar s_0$ the mean scores of its passing and failing rollouts, so that

$$E\hat g = D\,E[c], \qquad \operatorname{Var}\hat g = |D|^2 \operatorname{Var} c
+ V_1 E\Bigl[\frac{c^2}{K}\Bigr] + V_0 E\Bigl[\frac{c^2}{N-K}\Bigr].$$

| estimator | c(K), k = K/N | source |
|---|---|---|
| `rloo` | K(N-K)/(N(N-1)) | arXiv:2402.14740 |
| `drgrpo` | k(1-k) | arXiv:2503.20783 |
| `grpo` | sqrt((N-1)/N k(1-k)), the standard deviation with ddof 1 | arXiv:2402.03300 |
| `grpo_population` | sqrt(k(1-k)), the standard deviation with ddof 0 | |
| `maxrl` | 1-k | arXiv:2602.02710 |

Every epsilon is taken as 0. `Moments` are in units of the scores; $|D|^2$, $V_1$ and $V_0$
are traces. REINFORCE++ (arXiv:2501.03262) is a fixed baseline divided by a scale that the
batch determines, its baseline variant Dr. GRPO divided by such a scale: their SNR is that of
`fixed_baseline_moments` and of `drgrpo` where the batch is large.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import betaln, xlog1py, xlogy

from theory.domain import Numbers, checked_rates, checked_sizes, checked_variance
from theory.groups import zero_variance_probability

Centred = Literal["rloo", "drgrpo", "grpo", "grpo_population", "maxrl"]

# c of (passes, failures, group size)
_CONTRAST: dict[str, Callable[..., Float[np.ndarray, "..."]]] = {
    "rloo": lambda K, F, N: K * F / (N * (N - 1)),
    "drgrpo": lambda K, F, N: K * F / N**2,
    "grpo": lambda K, F, N: np.sqrt((N - 1) / N * K * F) / N,
    "grpo_population": lambda K, F, N: np.sqrt(K * F) / N,
    "maxrl": lambda _, F, N: F / N,
}
_LEAST = {"rloo": 2, "grpo": 2}  # both divide by N - 1


@dataclass(frozen=True)
class Moments:
    r"""$E\hat g = D$ mean and $\operatorname{Var}\hat g = a_D|D|^2 + a_1V_1 + a_0V_0$."""

    mean: Float[np.ndarray, "*P"]
    a_D: Float[np.ndarray, "*P"]  # noqa: N815 - as on paper
    a_1: Float[np.ndarray, "*P"]
    a_0: Float[np.ndarray, "*P"]

    def variance(
        self, D2: Numbers = 1.0, V1: Numbers = 0.0, V0: Numbers = 0.0
    ) -> Float[np.ndarray, "*#P"]:
        r"""Total variance $E|\hat g - E\hat g|^2$.

        Raises:
            ValueError: If |D|^2, V1 or V0 is negative.
        """
        gap, noise1, noise0 = checked_scores(D2, V1, V0)
        return np.asarray(self.a_D * gap + self.a_1 * noise1 + self.a_0 * noise0)

    def snr(
        self, D2: Numbers = 1.0, V1: Numbers = 0.0, V0: Numbers = 0.0
    ) -> Float[np.ndarray, "*#P"]:
        r"""$|E\hat g|^2 / \operatorname{Var}\hat g$; 0 without signal, infinite without noise.

        Raises:
            ValueError: If |D|^2, V1 or V0 is negative.
        """
        variance = self.variance(D2, V1, V0)
        signal = np.broadcast_to(self.mean * np.asarray(D2, float), variance.shape)
        noiseless = np.where(signal > 0, np.inf, 0.0)
        with np.errstate(over="ignore"):
            ratio = np.divide(signal, variance, out=noiseless, where=variance > 0)
        return np.asarray(self.mean * ratio)  # squaring the mean first would underflow


def checked_scores(
    D2: Numbers, V1: Numbers, V0: Numbers
) -> tuple[Float[np.ndarray, "*#P"], Float[np.ndarray, "*#P"], Float[np.ndarray, "*#P"]]:
    """|D|^2, V1 and V0 as floats.

    Raises:
        ValueError: If one is negative or not finite.
    """
    return (
        checked_variance(D2, "|D|^2"),
        checked_variance(V1, "V1"),
        checked_variance(V0, "V0"),
    )


def _mixed_outcomes(
    estimator: Centred, pass_rate: Numbers, rollouts: Numbers, power: int
) -> tuple[Float[np.ndarray, "..."], ...]:
    """K, N-K, c(K) and P(K) / v^power, the last axis running over 0 < K < N."""
    if estimator not in _CONTRAST:
        raise ValueError(f"{estimator=} is none of {', '.join(_CONTRAST)}")
    N = checked_sizes(rollouts, least=_LEAST.get(estimator, 1))[..., None]
    p = checked_rates(pass_rate)[..., None]
    K = np.arange(1.0, N.max(initial=1.0))
    F = np.where(K < N, N - K, 1.0)
    log = xlogy(K - power, p) + xlog1py(F - power, -p) - betaln(K + 1, F + 1) - np.log1p(N)
    return K, F, _CONTRAST[estimator](K, F, N), np.where(K < N, np.exp(log), 0.0)


def moments(estimator: Centred, pass_rate: Numbers, rollouts: Numbers) -> Moments:
    """Moments of a mean-centred group estimator, as a sum over the outcomes of its group.

    Time and memory are proportional to the number of pass rates times the largest N.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a group size is not a whole number, or
            is 1 for an estimator that divides by N - 1.
    """
    K, F, c, chance = _mixed_outcomes(estimator, pass_rate, rollouts, power=0)
    mean = np.asarray((chance * c).sum(axis=-1))
    elsewhere = zero_variance_probability(pass_rate, rollouts) * mean**2
    spread = (chance * (c - mean[..., None]) ** 2).sum(axis=-1)
    return Moments(
        mean,
        np.asarray(elsewhere + spread),
        np.asarray((chance * c**2 / K).sum(axis=-1)),
        np.asarray((chance * c**2 / F).sum(axis=-1)),
    )


def gradient_weight(
    estimator: Centred, pass_rate: Numbers, rollouts: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""$w_N(p) = E[c] / v$, the factor on $\nabla p$; finite at p = 0 and p = 1.

    The objective followed has the slope $w_N(p)$ in $p$: 1 for RLOO, (N-1)/N for Dr. GRPO,
    $\sum_{i \le N-2} (1-p)^i$ for MaxRL; for GRPO it tends to $1/\sqrt v$ only where
    $Np \gg 1$, and to $(N-1)/\sqrt N$ as p vanishes.

    Raises:
        ValueError: As `moments`.
    """
    _, _, c, chance = _mixed_outcomes(estimator, pass_rate, rollouts, power=1)
    return np.asarray((chance * c).sum(axis=-1))


def signal_mass(
    estimator: Centred, pass_rate: Numbers, rollouts: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""$E\sum_j |A_j| / N = 2 E[c]$: advantages that sum to zero are half positive.

    Raises:
        ValueError: As `moments`.
    """
    return np.asarray(2.0 * moments(estimator, pass_rate, rollouts).mean)


def maxrl_peak(rollouts: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Pass rate $1 - N^{-1/(N-1)}$ at which MaxRL's signal mass is largest.

    Raises:
        ValueError: If a group has less than 2 rollouts.
    """
    N = checked_sizes(rollouts, least=2)
    return np.asarray(1.0 - N ** (-1.0 / (N - 1.0)))

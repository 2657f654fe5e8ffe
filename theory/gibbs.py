r"""CurES's sampling distribution, and the bound on one step from which it is derived.

CurES (arXiv:2510.01037) bounds the gain of a step with $\mathrm{KL}(\pi_{old}\|\pi) \le \delta$
on a prompt by $\sqrt{2\delta v}$ (Eq. 11), and samples prompts by the Gibbs distribution that
maximizes $E_\rho\sqrt{2\delta v} + \alpha H(\rho)$ (Eqs. 13-14). Three remarks:

1. The bound is the gain to first order in $\sqrt\delta$, not a bound. With $g$ the gain of a
   policy over pass and failure, $\mathrm{KL} = \int_p^{p+g} (t-p)/(t(1-t))\,dt$. For p >= 1/2
   the denominator falls from v, so $\mathrm{KL} \ge g^2/(2v)$ and the bound holds. For p < 1/2
   it first exceeds v: the bound fails for every $\delta$ below `bound_fails_below`, and
   under-rates hard prompts. The symmetry of v is that of small steps.
2. A policy that is not free to move each prompt as it likes gains less, by the factor
   $\sqrt{v\kappa/(1+v\kappa)}$ of `tightness`.
3. Eq. 1 constrains the divergence averaged over prompts, Eq. 12 that of each prompt. Under an
   average, effort may be moved between prompts and $\sqrt{2\delta E_\rho v}$ is reached, which
   is larger by Jensen's inequality. Its entropy-regularized optimum is Gibbs in $v$, not in
   $\sqrt v$.

Without the entropy every such optimum is a point mass: how sharply the Gibbs distribution
prefers p near 1/2 is set by the temperature alone, which the paper does not report.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import entr, rel_entr, softmax

from theory.bisection import last_holding
from theory.domain import Numbers, checked_positive, checked_rates, checked_variance


def gibbs(pass_rates: Float[np.ndarray, "M"], temperature: float) -> Float[np.ndarray, "M"]:
    r"""Distribution $\rho \propto \exp(\sqrt{p(1-p)}/\tau)$ over prompts (CurES, Eq. 14).

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or the temperature is not positive.
    """
    p, tau = checked_rates(pass_rates), checked_positive(temperature, "temperature")
    with np.errstate(over="ignore"):
        return np.asarray(softmax((np.sqrt(p * (1.0 - p)) - 0.5) / tau))


def gibbs_temperature(divergence: Numbers, entropy: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Temperature $\tau = \alpha/\sqrt{2\delta}$ of the Gibbs distribution.

    Raises:
        ValueError: If the divergence or the weight of the entropy is not positive.
    """
    delta = checked_positive(divergence, "divergence")
    return np.asarray(checked_positive(entropy, "entropy") / np.sqrt(2.0 * delta))


def gibbs_objective(
    distribution: Float[np.ndarray, "M"],
    pass_rates: Float[np.ndarray, "M"],
    divergence: float,
    entropy: float,
) -> float:
    r"""$E_\rho\sqrt{2\delta v} + \alpha H(\rho)$, which the Gibbs distribution maximizes.

    It is concave, and the distribution is its only stationary point.

    Raises:
        ValueError: If the distribution is none, a pass rate lies outside [0, 1], or the
            divergence or the weight of the entropy is not positive.
    """
    rho = checked_distribution(distribution)
    alpha = checked_positive(entropy, "entropy")
    return float(rho @ first_order_gain(pass_rates, divergence) + alpha * entr(rho).sum())


def checked_distribution(distribution: Float[np.ndarray, "M"]) -> Float[np.ndarray, "M"]:
    """Probabilities of prompts.

    Raises:
        ValueError: If one is negative or not finite, or they do not sum to 1.
    """
    rho = checked_variance(distribution, "a probability")
    if not abs(rho.sum() - 1.0) < 1e-9:
        raise ValueError(f"probabilities sum to 1, not to {rho.sum():g}")
    return rho


def gibbs_ratio(temperature: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Largest weight over smallest $e^{1/(2\tau)}$, between p = 1/2 and p = 0 or 1.

    Raises:
        ValueError: If the temperature is not positive.
    """
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(0.5 / checked_positive(temperature, "temperature")))


def first_order_gain(pass_rate: Numbers, divergence: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""CurES's Eq. 11, $\sqrt{2\delta v}$: the gain of a small step, stated as a bound.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or the divergence is not positive.
    """
    p, delta = checked_rates(pass_rate), checked_positive(divergence, "divergence")
    return np.asarray(np.sqrt(2.0 * delta * p * (1.0 - p)))


def largest_gain(pass_rate: Numbers, divergence: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Largest $p' - p$ with $\mathrm{KL}(p \| p') \le \delta$, exactly.

    It is $1 - e^{-\delta}$ at p = 0, where Eq. 11 says 0, and 0 at p = 1. Accurate to about
    1e-16 in the divergence.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or the divergence is not positive.
    """
    p, delta = checked_rates(pass_rate), checked_positive(divergence, "divergence")
    q = 1.0 - p
    return last_holding(
        lambda gain: rel_entr(p, p + gain) + rel_entr(q, q - gain) <= delta,
        np.zeros(np.broadcast_shapes(p.shape, delta.shape)),
        q,
    )


def bound_fails_below(pass_rate: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Divergence below which Eq. 11 fails, and from which on it holds.

    0 for p >= 1/2, infinite at p = 0. As $\mathrm{KL} - g^2/(2v)$ has the slope
    $(t-p)(1/(t(1-t)) - 1/v)$ at $t = p + g$, it falls from 0 up to t = 1-p and then rises
    without end: it crosses 0 once.

    Raises:
        ValueError: If a pass rate lies outside [0, 1].
    """
    p = checked_rates(pass_rate)
    q = 1.0 - p
    twice = np.where(p == 0.0, 1.0, 2.0 * p * q)  # at p = 0 any value will do
    gain = last_holding(
        lambda gain: twice * (rel_entr(p, p + gain) + rel_entr(q, q - gain)) < gain**2,
        np.maximum(q - p, 0.0),
        q,
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(p == 0.0, np.inf, np.where(p < 0.5, gain**2 / twice, 0.0))


def averaged_gain(
    pass_rates: Float[np.ndarray, "M"],
    divergence: float,
    sampling: Float[np.ndarray, "M"] | None = None,
) -> float:
    r"""Gain $\sqrt{2\delta E_\rho v}$ reached when $E_\rho\mathrm{KL} \le \delta$ (Eq. 1).

    To first order in $\sqrt\delta$: prompt x is given the divergence $\delta v_x/E_\rho v$.

    Args:
        pass_rates: Of M prompts.
        divergence: $\delta$.
        sampling: $\rho$, uniform by default.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], the divergence is not positive, or the
            sampling is no distribution.
    """
    return float(np.sqrt(_mean(first_order_gain(pass_rates, divergence) ** 2, sampling)))


def separate_gain(
    pass_rates: Float[np.ndarray, "M"],
    divergence: float,
    sampling: Float[np.ndarray, "M"] | None = None,
) -> float:
    r"""CurES's Eq. 12, $E_\rho\sqrt{2\delta v}$: the gain if every prompt keeps to $\delta$.

    Args:
        pass_rates: Of M prompts.
        divergence: $\delta$.
        sampling: $\rho$, uniform by default.

    Raises:
        ValueError: As `averaged_gain`.
    """
    return _mean(first_order_gain(pass_rates, divergence), sampling)


def _mean(values: Float[np.ndarray, "M"], sampling: Float[np.ndarray, "M"] | None) -> float:
    if sampling is None:
        return float(values.mean())
    return float(checked_distribution(sampling) @ values)


def tightness(pass_rate: Numbers, separation: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Share $v\kappa/(1+v\kappa)$ of v in $\nabla p^\top F^{-1}\nabla p$.

    The natural gradient gains $\sqrt{2\delta\,\nabla p^\top F^{-1}\nabla p}$ (Eq. 10). With
    $S = p\,\mathrm{Cov}_1 s + (1-p)\,\mathrm{Cov}_0 s$ the Fisher matrix is $S + vDD^\top$;
    the share tends to 1, Eq. 11, only as passing and failing scores separate.

    Args:
        pass_rate: p.
        separation: $\kappa = D^\top S^{-1} D$.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or the separation is negative.
    """
    p = checked_rates(pass_rate)
    odds = p * (1.0 - p) * checked_variance(separation, "separation")
    return np.asarray(odds / (1.0 + odds))

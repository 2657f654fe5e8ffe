r"""Tracking a pass rate by counts that fade: MoPPS's belief, its error and its best memory.

MoPPS (arXiv:2507.04632; thu-rllab/MoPPS @ a883f519) keeps $\mathrm{Beta}(\alpha, \beta)$ per
prompt and updates it when the prompt is trained on, $K$ passes of $N$ rollouts,

$$\alpha \leftarrow \lambda\alpha + (1-\lambda)\alpha_0 + K, \qquad
\beta \leftarrow \lambda\beta + (1-\lambda)\beta_0 + N - K.$$

With the counts $n_t = \alpha + \beta$, $n_0$ those of the prior and $m_0$ its mean, the belief
mean obeys exactly

$$m_t = \frac{\lambda n_{t-1}}{n_t} m_{t-1} + \frac{(1-\lambda) n_0}{n_t} m_0
+ \frac{N}{n_t} \frac{K}{N},$$

from which `tight_bound` follows by the triangle inequality. `loose_bound` is the paper's
theorem as it is quoted (its exact wording was not at hand); its conditions are stated there.
The stationary results are for a prompt trained on at every step: nothing fades in between.
"""

import numpy as np
from jaxtyping import Float

from theory.domain import (
    Numbers,
    checked_count,
    checked_number,
    checked_positive,
    checked_rates,
    checked_share,
    checked_sizes,
    checked_variance,
)

Belief = tuple[Float[np.ndarray, "*#P"], Float[np.ndarray, "*#P"]]
Weights = tuple[Float[np.ndarray, "*P"], Float[np.ndarray, "*P"], Float[np.ndarray, "*P"]]


def update(
    alpha: Numbers,
    beta: Numbers,
    passes: Numbers,
    rollouts: Numbers,
    memory: Numbers,
    prior_alpha: Numbers = 1.0,
    prior_beta: Numbers = 1.0,
) -> Belief:
    """Belief after a group. Memory 1 is Bayes' rule, memory 0 forgets all but the last group.

    Raises:
        ValueError: If a parameter of a Beta is not positive, the memory lies outside [0, 1],
            or passes are no whole number in [0, N].
    """
    a, b = checked_positive(alpha, "alpha"), checked_positive(beta, "beta")
    a0, b0 = (
        checked_positive(prior_alpha, "prior_alpha"),
        checked_positive(prior_beta, "prior_beta"),
    )
    K, N = checked_count(passes, "passes"), checked_sizes(rollouts)
    if (K > N).any():
        raise ValueError(f"passes lie in [0, {rollouts}], not {passes}")
    keep = checked_share(memory, "memory")
    return (
        np.asarray(keep * a + (1.0 - keep) * a0 + K),
        np.asarray(keep * b + (1.0 - keep) * b0 + (N - K)),
    )


def mean_weights(
    counts: Numbers, rollouts: Numbers, memory: Numbers, prior_counts: Numbers = 2.0
) -> Weights:
    """Weights of the old mean, the prior mean and the observed pass rate in the new mean.

    They sum to 1.

    Args:
        counts: $n_{t-1}$, before the update.
        rollouts: N.
        memory: In [0, 1].
        prior_counts: $n_0$.

    Raises:
        ValueError: If counts are not positive, the memory lies outside [0, 1] or a group size
            is not a whole number.
    """
    n, n0 = checked_positive(counts, "counts"), checked_positive(prior_counts, "prior_counts")
    keep, N = checked_share(memory, "memory"), checked_sizes(rollouts)
    parts = keep * n, (1.0 - keep) * n0, N
    total = parts[0] + parts[1] + parts[2]
    return (
        np.asarray(parts[0] / total),
        np.asarray(parts[1] / total),
        np.asarray(parts[2] / total),
    )


def tight_bound(
    weights: Weights, error: Numbers, drift: Numbers, prior_error: Numbers, luck: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""Largest error $|m_t - p_t|$ of the belief mean after an update; always holds.

    $$\epsilon_t \le \frac{\lambda n_{t-1}}{n_t}(\epsilon_{t-1} + \delta)
    + \frac{(1-\lambda)n_0}{n_t}|m_0 - p_t| + \frac{N}{n_t}\Bigl|\frac KN - p_t\Bigr|$$

    Args:
        weights: As `mean_weights`.
        error: $\epsilon_{t-1}$, of the belief mean before.
        drift: $\delta \ge |p_t - p_{t-1}|$, since the error was taken.
        prior_error: $|m_0 - p_t|$.
        luck: $|K/N - p_t|$.

    Raises:
        ValueError: If an error or the drift is negative.
    """
    kept, prior, data = weights
    before = checked_variance(error, "error") + checked_variance(drift, "drift")
    away, off = checked_variance(prior_error, "prior_error"), checked_variance(luck, "luck")
    return np.asarray(kept * before + prior * away + data * off)


def loose_bound(
    error: Numbers, drift: Numbers, memory: Numbers, luck: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""The quoted form $\lambda(\epsilon_{t-1} + \delta) + (1-\lambda)/2 + \eta$.

    Follows from `tight_bound` with the chance `confidence` if the prior mean is 1/2, the
    prompt is trained on at every step, and $n_{t-1} \le n_\infty$ (`steady_counts`). A belief
    with more counts than that, as from a warm start, forgets more slowly than $\lambda$ says
    and can violate it; so can a prior mean other than 1/2.

    Raises:
        ValueError: If an error or the drift is negative or the memory lies outside [0, 1].
    """
    keep = checked_share(memory, "memory")
    before = checked_variance(error, "error") + checked_variance(drift, "drift")
    return np.asarray(keep * before + (1.0 - keep) / 2.0 + checked_variance(luck, "luck"))


def confidence(rollouts: Numbers, luck: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""Hoeffding's $1 - 2e^{-2N\eta^2}$, at most the chance of $|K/N - p| < \eta$; 0 if less.

    Raises:
        ValueError: If a group size is not a whole number or the luck is negative.
    """
    N, eta = checked_sizes(rollouts), checked_variance(luck, "luck")
    return np.asarray(np.maximum(1.0 - 2.0 * np.exp(-2.0 * N * eta**2), 0.0))


def counts_after(
    visits: Numbers, rollouts: Numbers, memory: Numbers, prior_counts: Numbers = 2.0
) -> Float[np.ndarray, "*#P"]:
    r"""Counts $n_0 + N(1 - \lambda^t)/(1 - \lambda)$ of a belief after $t$ visits.

    Raises:
        ValueError: If the visits or a group size are not whole numbers, the memory lies
            outside [0, 1] or the prior counts are not positive.
    """
    t, N = checked_count(visits, "visits"), checked_sizes(rollouts)
    keep, n0 = checked_share(memory, "memory"), checked_positive(prior_counts, "prior_counts")
    fades = np.where(keep < 1.0, 1.0 - keep, 1.0)
    logs = np.log(np.where((keep > 0.0) & (keep < 1.0), keep, 0.5))
    gone = np.where(keep > 0.0, -np.expm1(t * logs), np.minimum(t, 1.0))
    return np.asarray(n0 + N * np.where(keep == 1.0, t, gone / fades))


def steady_counts(
    rollouts: Numbers, memory: Numbers, prior_counts: Numbers = 2.0
) -> Float[np.ndarray, "*#P"]:
    r"""Counts $n_\infty = n_0 + N/(1-\lambda)$ that a belief tends to; infinite at memory 1.

    Raises:
        ValueError: As `counts_after`.
    """
    keep, n0 = checked_share(memory, "memory"), checked_positive(prior_counts, "prior_counts")
    with np.errstate(divide="ignore"):
        return np.asarray(n0 + checked_sizes(rollouts) / (1.0 - keep))


def stationary_mean(
    pass_rate: Numbers,
    rollouts: Numbers,
    memory: Numbers,
    prior_alpha: Numbers = 1.0,
    prior_beta: Numbers = 1.0,
) -> Float[np.ndarray, "*#P"]:
    r"""Mean $(\alpha_0 + Np/(1-\lambda))/n_\infty$ of the belief mean in the long run.

    Shrunk towards the prior mean unless memory is 1.

    Raises:
        ValueError: If a pass rate or the memory lies outside [0, 1], a group size is not a
            whole number or a parameter of the prior is not positive.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts)
    a0, b0 = (
        checked_positive(prior_alpha, "prior_alpha"),
        checked_positive(prior_beta, "prior_beta"),
    )
    fade = 1.0 - checked_share(memory, "memory")
    return np.asarray((fade * a0 + N * p) / (fade * (a0 + b0) + N))


def stationary_variance(
    pass_rate: Numbers, rollouts: Numbers, memory: Numbers, prior_counts: Numbers = 2.0
) -> Float[np.ndarray, "*#P"]:
    r"""Variance $Np(1-p)/((1-\lambda^2)n_\infty^2)$ of the belief mean in the long run.

    Without a prior $\frac{p(1-p)}{N}\frac{1-\lambda}{1+\lambda}$; 0 at memory 1.

    Raises:
        ValueError: As `stationary_mean`.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts)
    keep, n0 = checked_share(memory, "memory"), checked_variance(prior_counts, "prior_counts")
    fade = 1.0 - keep
    return np.asarray(N * p * (1.0 - p) * fade / ((1.0 + keep) * (fade * n0 + N) ** 2))


def lag_bias(
    drift: Numbers, rollouts: Numbers, memory: Numbers, prior_counts: Numbers = 2.0
) -> Float[np.ndarray, "*#P"]:
    r"""Lag $-\frac{N}{(1-\lambda)n_\infty}\frac{\delta\lambda}{1-\lambda}$ of the belief mean.

    Where the pass rate has risen by $\delta$ per visit for much longer than $1/(1-\lambda)$
    visits; it adds to the shrinkage of `stationary_mean`. Infinite at memory 1.

    Raises:
        ValueError: If the drift is not finite, otherwise as `stationary_mean`.
    """
    delta, N = checked_number(drift, "drift"), checked_sizes(rollouts)
    keep, n0 = checked_share(memory, "memory"), checked_variance(prior_counts, "prior_counts")
    fade = 1.0 - keep
    with np.errstate(divide="ignore", over="ignore"):
        behind = np.where(delta == 0.0, 0.0, N * keep / (fade * (fade * n0 + N)))
    return np.asarray(np.where(delta == 0.0, 0.0, -np.where(delta == 0.0, 1.0, delta) * behind))


def mean_squared_error(
    pass_rate: Numbers,
    rollouts: Numbers,
    memory: Numbers,
    drift: Numbers = 0.0,
    prior_alpha: Numbers = 1.0,
    prior_beta: Numbers = 1.0,
) -> Float[np.ndarray, "*#P"]:
    """Square of shrinkage plus lag, and the variance, of the belief mean in the long run.

    Exact without drift; with drift the variance is taken at the present pass rate.

    Raises:
        ValueError: As `stationary_mean` and `lag_bias`.
    """
    counts = np.asarray(prior_alpha, float) + np.asarray(prior_beta, float)
    shrunk = stationary_mean(pass_rate, rollouts, memory, prior_alpha, prior_beta) - pass_rate
    bias = shrunk + lag_bias(drift, rollouts, memory, counts)
    return np.asarray(bias**2 + stationary_variance(pass_rate, rollouts, memory, counts))


def optimal_memory(
    pass_rate: Numbers, rollouts: Numbers, drift: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""Memory of the least `mean_squared_error`, for a prior too weak to matter.

    The root of $\lambda(1+\lambda)^2/(1-\lambda)^3 = \kappa$, $\kappa = p(1-p)/(N\delta^2)$:

    $$\lambda^* = 1 - \frac{3}{2 + \cosh(\tfrac13 \operatorname{arcosh}(1 + 27\kappa))},$$

    for slow drift $1 - (4N\delta^2/v)^{1/3}$. Without drift, 1.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], a group size is not a whole number or
            the drift is not finite.
    """
    p, N = checked_rates(pass_rate), checked_sizes(rollouts)
    delta = np.abs(checked_number(drift, "drift"))
    moves = np.where(delta > 0.0, delta, 1.0)
    with np.errstate(over="ignore"):
        ratio = p * (1.0 - p) / N / moves / moves  # squaring the drift could underflow
    k = 27.0 * np.minimum(ratio, 1e200)
    half = np.sinh(np.log1p(k + np.sqrt(k) * np.sqrt(k + 2.0)) / 6.0) ** 2
    return np.asarray(np.where(delta > 0.0, half / (half + 1.5), 1.0))


def best_memory(
    pass_rate: Numbers,
    rollouts: Numbers,
    drift: Numbers,
    prior_alpha: Numbers = 1.0,
    prior_beta: Numbers = 1.0,
) -> Float[np.ndarray, "*#P"]:
    r"""Memory of the least `mean_squared_error` with the prior, to 1e-6, by a search.

    Where prior and lag err to opposite sides they cancel and a longer memory is best, where
    to one side a shorter one. Without drift it is 1.

    Raises:
        ValueError: As `mean_squared_error`.
    """
    arguments = (pass_rate, rollouts, drift, prior_alpha, prior_beta)
    p, N, delta, a0, b0 = (
        np.asarray(x, float)[..., None] for x in np.broadcast_arrays(*arguments)
    )
    low, high = np.full(p.shape, -9.0), np.zeros(p.shape)  # powers of ten of 1 - memory
    for points in (901, 41, 41, 41):
        powers = low + (high - low) * np.linspace(0.0, 1.0, points)
        errors = mean_squared_error(p, N, 1.0 - 10.0**powers, delta, a0, b0)
        best = np.argmin(errors, axis=-1, keepdims=True)
        low = np.take_along_axis(powers, np.maximum(best - 1, 0), axis=-1)
        high = np.take_along_axis(powers, np.minimum(best + 1, points - 1), axis=-1)
    middle = 1.0 - 10.0 ** ((low + high) / 2.0)[..., 0]
    return np.asarray(np.where(delta[..., 0] == 0.0, 1.0, middle))

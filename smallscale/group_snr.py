r"""The signal-to-noise ratio of a prompt's gradient: measured in real groups, and by formula.

$\mathrm{SNR} = |E\hat g|^2 / E|\hat g - E\hat g|^2$ for the gradient $\hat g = \frac1N \sum_j
A_j s_j$ of one group of N rollouts.

**Measured.** Rollouts in the order the model made them, dealt out at random into disjoint
groups, again and again; advantages are those of training. The true mean is not known, so its
squared norm is the mean product of *two different groups of one deal*, which share no rollout:
unbiased, whereas the squared norm of the mean of all groups would contain their noise over
their number. The interval is a jackknife over blocks of rollouts, on the logarithm.

**By formula.** With c of K passes the weight of $\bar s_1 - \bar s_0$,

$$\mathrm{SNR} = \frac{|D|^2 (E c)^2}{|D|^2 \operatorname{Var} c + V_1 E[c^2/K] +
V_0 E[c^2/(N-K)]}, \quad c_\mathrm{RLOO} = \frac{K(N-K)}{N(N-1)},\
c_\mathrm{GRPO} = \frac{\sqrt{K(N-K)(N-1)/N}}{N}.$$

`theory.moments` has it in general; it is written again because this package stands alone, and
a test holds the two together. The constants must be of other rollouts than the measurement,
or the comparison is an identity: over all ways to deal out the same rollouts with binomial
numbers of passes, one is the other.

Axis legend: R rollouts, G groups, N rollouts of a group.
"""

from math import comb, exp, inf, isfinite, log, nan, sqrt

import numpy as np
from jaxtyping import Bool, Float

from report.aggregate import LEVEL, student_quantile
from selection.checks import counts, within
from smallscale.geometry import Estimator, Geometry, coefficients

BLOCKS = 8


def measured(
    products: Float[np.ndarray, "R R"],
    passed: Bool[np.ndarray, "R"],
    estimator: Estimator,
    rollouts: int,
    *,
    deals: int,
    rng: np.random.Generator,
) -> float:
    """SNR of groups of `rollouts`, from R rollouts of one prompt.

    0 where noise hides the mean, so that its squared norm comes out negative; infinite where
    the variance does.

    Raises:
        ValueError: There are not two groups of rollouts.
    """
    R = passed.size
    G = R // rollouts
    if G < 2:
        raise ValueError(f"{R} rollouts make less than two groups of {rollouts}: give more")
    used = G * rollouts
    rows = np.stack([rng.permutation(R)[:used] for _ in range(deals)])
    groups = rows.reshape(deals * G, rollouts)
    weight = coefficients(estimator, passed[groups].astype(float))
    inside = products[groups[:, :, None], groups[:, None, :]]
    own = np.einsum("gn,gnm,gm->g", weight, inside, weight).reshape(deals, G).sum(1)
    whole = np.zeros((deals, R))
    np.put_along_axis(whole, rows, weight.reshape(deals, used), axis=1)
    together = np.einsum("dr,dr->d", whole @ products, whole)  # all groups of a deal, summed
    energy = float(own.mean()) / G
    signal = float((together - own).mean()) / (G * (G - 1))
    noise = energy - signal
    if signal <= 0.0:
        return 0.0
    return signal / noise if noise > 0.0 else inf


def interval(
    products: Float[np.ndarray, "R R"],
    passed: Bool[np.ndarray, "R"],
    estimator: Estimator,
    rollouts: int,
    *,
    deals: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """95% interval of `measured`; NaN ends where a block less leaves no estimate."""
    logs: list[float] = []
    for block in np.array_split(np.arange(passed.size), BLOCKS):
        rest = np.setdiff1d(np.arange(passed.size), block)
        inside = products[np.ix_(rest, rest)]
        found = measured(inside, passed[rest], estimator, rollouts, deals=deals, rng=rng)
        logs.append(log(found) if 0.0 < found < inf else nan)
    error = sqrt((BLOCKS - 1) * float(np.var(logs)))
    reach = student_quantile(LEVEL, BLOCKS - 1) * error
    middle = float(np.mean(logs))
    return (exp(middle - reach), exp(middle + reach)) if isfinite(reach) else (nan, nan)


def exact_snr(estimator: Estimator, pass_rate: float, rollouts: int, scores: Geometry) -> float:
    """The formula; 0 without signal, infinite without noise.

    Raises:
        ValueError: A group has less than 2 rollouts, or the pass rate is none.
    """
    counts(2, rollouts=rollouts)
    within(0.0, 1.0, pass_rate=pass_rate)
    N, K = rollouts, np.arange(1, rollouts)
    chance = np.array([comb(N, k) for k in K.tolist()], float)
    chance *= pass_rate**K * (1.0 - pass_rate) ** (N - K)
    c = K * (N - K) / (N * (N - 1))
    if estimator == "grpo":
        c = np.sqrt(K * (N - K) * (N - 1) / N) / N
    mean = float(chance @ c)
    noise = scores.contrast * (float(chance @ c**2) - mean**2)
    noise += scores.pass_noise * float(chance @ (c**2 / K))
    noise += scores.fail_noise * float(chance @ (c**2 / (N - K)))
    signal = scores.contrast * mean**2
    if signal <= 0.0:
        return 0.0
    return signal / noise if noise > 0.0 else np.inf


def noise_dominated_snr(pass_rate: float, rollouts: int, scores: Geometry) -> float:
    r"""$(N-1)\,p(1-p)\,|D|^2/V$ with V the mean of V_1 and V_0: the limit for large V."""
    noise = scores.noise
    return (rollouts - 1) * pass_rate * (1.0 - pass_rate) / noise if noise else np.inf


def speed_bound(pass_rate: float, rollouts: int) -> float:
    """SPEED's bound 4 N p (1-p) (arXiv:2506.09016, Theorem 3.1: RLOO, p < 1/4 or p > 3/4)."""
    return 4.0 * rollouts * pass_rate * (1.0 - pass_rate)

r"""A criterion for allocating rollouts that does not reward a small gradient.

The expected gradient of GRPO or Dr. GRPO depends on the number of rollouts, and minimizing its
variance favours prompts that give none (Dr. GRPO's variance is 0 at n = 1). The improvement of
a step of the best length does not depend on the scale of the gradient: it is proportional to

$$\Psi = \frac{(g \cdot E\hat g)^2}{|g|^2\,E|\hat g|^2}, \qquad 0 \le \Psi \le 1,$$

with $g = \sum_i v_i D_i$ the gradient of the mean pass rate. Here the $D_i$ of the M prompts
are orthogonal and of equal length, so that both sums run over prompts,

$$\Psi = \frac{S^2}{|g|^2 Q}, \quad S = \sum_i v_i\,\omega_i\,E c_i, \quad
Q = \sum_i \omega_i^2\,E|\hat g_i|^2, \quad |g|^2 = \sum_i v_i^2,$$

in units of |D|, with $\omega_i = 1/M$ for a mean over prompts and $n_i/\sum n$ for a flattened
(token-mean) loss.

$S^2/Q$ is convex in $(S, Q)$, so it is largest at a corner of the convex hull of all pairs that
allocations reach, and a corner maximizes $S - \mu Q$ for some $\mu$: a sum over prompts, found
exactly by dynamic programming though no term be concave. Between two corners all pairs lie in
the triangle of their tangents, whose third corner bounds $S^2/Q$: `efficient_allocation`
refines only where that bound exceeds the best found, and so ends at the optimum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from theory.domain import checked_positive, checked_rates
from theory.moments import Centred, Moments, moments

SAME = 1.0 + 1e-12  # two quotients this close are equal but for rounding


def _terms(
    each: Moments,
    pass_rates: Float[np.ndarray, "*#P"],
    sizes: Int[np.ndarray, "*#P"],
    scores: tuple[float, float, float],
    *,
    flattened: bool,
) -> tuple[Float[np.ndarray, "*P"], Float[np.ndarray, "*P"]]:
    """Each prompt's contribution to S and Q, up to common factors."""
    weight = sizes if flattened else np.ones(1)
    signal = pass_rates * (1.0 - pass_rates) * weight * each.mean
    energy = weight**2 * (each.variance(*scores) / scores[0] + each.mean**2)
    return np.asarray(signal), np.asarray(energy)


def _scores(D2: float, V1: float, V0: float) -> tuple[float, float, float]:
    return float(checked_positive(D2, "|D|^2")), V1, V0


def efficiency(
    estimator: Centred,
    pass_rates: Float[np.ndarray, "M"],
    rollouts: Int[np.ndarray, "M"],
    D2: float = 1.0,
    V1: float = 0.0,
    V0: float = 0.0,
    *,
    flattened: bool = False,
) -> float:
    r"""$\Psi$ of a batch: the share of the improvement that exact gradients would bring.

    Args:
        estimator: See `theory.moments`.
        pass_rates: Of the M prompts.
        rollouts: Of each prompt.
        D2: |D|^2, positive.
        V1: Score variance of passing rollouts.
        V0: Score variance of failing rollouts.
        flattened: Whether rollouts weigh the same instead of prompts.

    Raises:
        ValueError: As `theory.moments.moments`, if |D|^2 is not positive, V1 or V0 is
            negative, or every prompt has the pass rate 0 or 1.
    """
    p = _learnable(pass_rates)
    each = moments(estimator, p, rollouts)
    signal, energy = _terms(each, p, rollouts, _scores(D2, V1, V0), flattened=flattened)
    return float(signal.sum() ** 2 / (energy.sum() * ((p * (1.0 - p)) ** 2).sum()))


def _learnable(pass_rates: Float[np.ndarray, "M"]) -> Float[np.ndarray, "M"]:
    p = checked_rates(pass_rates)
    if not (p * (1.0 - p)).any():
        raise ValueError(f"some pass rate lies inside (0, 1), not {pass_rates}")
    return p


def best_allocation(
    values: Float[np.ndarray, "M L"], budget: int, least: int = 2
) -> Int[np.ndarray, "M"]:
    """Numbers of rollouts of largest total value, whatever the values, exactly.

    Dynamic programming over prompts, in time M times the square of what the budget leaves.

    Args:
        values: Of each prompt with least, least + 1, ... rollouts.
        budget: Rollouts in all.
        least: Rollouts that every prompt gets.

    Raises:
        ValueError: If the budget is too small for the minimum or too large for the table.
    """
    M, L = values.shape
    extra = budget - least * M
    if not 0 <= extra <= M * (L - 1):
        raise ValueError(f"{budget=} does not fit {M} prompts with {least=}")
    spent, given = np.ogrid[: extra + 1, : min(L, extra + 1)]
    left = spent - given
    best = np.where(np.arange(extra + 1) > 0, -np.inf, 0.0)
    choices: list[np.ndarray] = []
    for value in values:
        totals = np.where(left >= 0, best[left], -np.inf) + value[: given.size]
        choices.append(totals.argmax(axis=1))
        best = totals.max(axis=1)
    counts = np.zeros(M, int)
    for i in reversed(range(M)):
        counts[i] = choices[i][extra]
        extra -= counts[i]
    return least + counts


@dataclass(frozen=True)
class _Corner:
    """Sums S and Q of the allocation that maximizes S - price Q."""

    signal: float
    energy: float
    price: float
    counts: Int[np.ndarray, "M"]

    def value(self, price: float) -> float:
        return self.signal - price * self.energy

    def quotient(self) -> float:
        return self.signal**2 / self.energy


def efficient_allocation(
    estimator: Centred,
    pass_rates: Float[np.ndarray, "M"],
    budget: int,
    D2: float = 1.0,
    V1: float = 0.0,
    V0: float = 0.0,
    *,
    flattened: bool = False,
    least: int = 2,
) -> Int[np.ndarray, "M"]:
    r"""Allocation of largest $\Psi$, exactly.

    Args:
        estimator: See `theory.moments`.
        pass_rates: Of the M prompts.
        budget: Rollouts in all.
        D2: |D|^2, positive.
        V1: Score variance of passing rollouts.
        V0: Score variance of failing rollouts.
        flattened: Whether rollouts weigh the same instead of prompts.
        least: Rollouts that every prompt gets.

    Raises:
        ValueError: As `efficiency` and `best_allocation`.
    """
    p = _learnable(pass_rates)
    sizes = np.arange(least, max(budget - least * (p.size - 1), least) + 1)
    each = moments(estimator, p[:, None], sizes)
    signal, energy = _terms(each, p[:, None], sizes, _scores(D2, V1, V0), flattened=flattened)
    rows = np.arange(p.size)

    def corner(price: float) -> _Corner:
        counts = best_allocation(signal - price * energy, budget, least)
        at = rows, counts - least
        return _Corner(float(signal[at].sum()), float(energy[at].sum()), price, counts)

    ratios = signal[signal > 0.0] / energy[signal > 0.0]
    # at the optimum the price is S/(2Q), and S/Q lies among the ratios
    return _best_between(corner(ratios.min() / 2.0), corner(ratios.max() / 2.0), corner).counts


def _best_between(left: _Corner, right: _Corner, corner: Callable[[float], _Corner]) -> _Corner:
    best = max(left, right, key=_Corner.quotient)
    intervals = [(left, right)]
    while intervals:
        left, right = intervals.pop()
        if left.energy <= right.energy or _ceiling(left, right) <= best.quotient() * SAME:
            continue
        middle = corner((left.signal - right.signal) / (left.energy - right.energy))
        known = left.value(middle.price)
        if middle.value(middle.price) - known > (SAME - 1.0) * abs(known):
            best = max(best, middle, key=_Corner.quotient)
            intervals += [(left, middle), (middle, right)]
    return best


def _ceiling(left: _Corner, right: _Corner) -> float:
    """S^2/Q where the tangents in two corners meet."""
    drop = left.value(left.price) - right.value(right.price)
    energy = drop / (right.price - left.price)
    return (left.value(left.price) + left.price * energy) ** 2 / energy

"""SPEED: what screening does to the objective, the gradient norm and the rollouts needed."""

from itertools import product
from math import comb

import numpy as np
from jaxtyping import Int
from scipy.special import comb as binomial

from theory import groups, limits, screened_signal, screening
from theory.finding import Finding, agree, everywhere, under_condition
from theory.published import FITTED, dapo1k_passes, reported

SPLITS = ((4, 20), (6, 18), (8, 16))


def _population(model: str) -> limits.Sample:
    """Observed pass rates of 32 rollouts, taken for the pass rates."""
    return limits.Sample(dapo1k_passes(model) / 32.0)


def _enumerated_slope(p: float, n: int, m: int) -> float:
    """F'(p) = E[RLOO contrast of accepted groups] / v, summed over all outcomes."""
    N = n + m
    total = 0.0
    for i, j in product(range(1, n) if m else range(1, N), range(m + 1)):
        K = i + j
        chance = comb(n, i) * comb(m, j) * p**K * (1.0 - p) ** (N - K)
        total += chance * K * (N - K) / (N * (N - 1))
    return total / (p * (1.0 - p))


def trained_objective() -> Finding:
    """SPEED-12: slope of the objective; screening of whole groups, and of 4 of 24."""
    rates = np.array([0.01, 0.1, 0.3, 0.5, 0.9])
    for n, m in (*SPLITS, (24, 0)):
        slopes = screening.objective_slope(rates, n, m)
        agree(slopes, [_enumerated_slope(p, n, m) for p in rates])
    whole, part = (
        screening.objective_slope(rates, 24, 0),
        screening.objective_slope(rates, 4, 20),
    )
    start = float(screening.objective_slope(0.0, 4, 20))
    agree(start, 4 / 24)
    return under_condition(
        np.isclose(whole, 1.0),
        np.isclose(part, 1.0),
        f"4+20: F'(p) = {start:.3f} at p=0, {part[0]:.3f} at .01, {part[1]:.3f} at .1, "
        f"{part[3]:.3f} at .5; plain RLOO and whole-group filters 1 throughout",
    )


def constants_matter() -> Finding:
    """SPEED-15: cost and slope of the objective by rollouts of the screening, within 5 %."""
    slopes = np.array([screening.objective_slope(0.02, n, m) for n, m in SPLITS])
    agree(slopes, [_enumerated_slope(0.02, n, m) for n, m in SPLITS])
    counts = dapo1k_passes("1.5B")
    accepted = {
        n: float(screening.estimated_acceptance(counts, 32, n).mean()) for n in (3, 4, 6, 8, 16)
    }
    agree(accepted[4], 1.0 - _moment(counts, 4, 0) - _moment(counts, 0, 4))
    costs = np.array([n / share + 24.0 - n for n, share in accepted.items()])
    return under_condition(
        costs[:-1] <= 1.05 * costs.min(),
        slopes <= 1.05 * slopes.min(),
        f"rollouts per trained prompt {costs[0]:.1f}/{costs[1]:.1f}/{costs[2]:.1f}/"
        f"{costs[3]:.1f}/{costs[4]:.1f} for N_init 3/4/6/8/16; F'(.02) {slopes[0]:.3f}/"
        f"{slopes[1]:.3f}/{slopes[2]:.3f} for 4/6/8",
    )


def _moment(counts: Int[np.ndarray, "M"], i: int, j: int) -> float:
    """Unbiased estimate of E p^i q^j: i passes, then j failures, drawn of 32 rollouts."""
    orders = binomial(32, i + j) * binomial(i + j, i)
    return float(np.mean(binomial(counts, i) * binomial(32 - counts, j) / orders))


def _noise_ratio(model: str, n: int, *, mini_batches: bool) -> float:
    """Gradient norm of SPEED over RLOO's where there is no signal, only noise.

    Its square is the noise per rollout over the rollouts of an optimizer update. The noise of
    a group of N is proportional to K(N-K)/(N(N-1)), whose mean is E[v] for RLOO and, given that
    the first n were mixed, E[W]/E[a] for SPEED. The means are estimated without bias from
    passes among 32 rollouts, as means over draws without replacement.
    """
    counts, N = dapo1k_passes(model), int(reported("speed.group"))
    m = N - n
    weight = float(screening.estimated_weight(counts, 32, n, m).mean())
    few = _moment(counts, 1, n) + _moment(counts, n, 1)
    both = _moment(counts, 1, n + 1) + _moment(counts, n + 1, 1)
    v = _moment(counts, 1, 1)
    agree(weight, v - (n * m * few + m * (m - 1) * both) / (N * (N - 1)))
    accepted = float(screening.estimated_acceptance(counts, 32, n).mean())
    agree(accepted, 1.0 - _moment(counts, n, 0) - _moment(counts, 0, n))
    fewer = N / n if mini_batches else 1.0
    return float(np.sqrt(fewer * weight / accepted / v))


def norm_without_signal() -> Finding:
    """SPEED-52: the ratio of gradient norms in a model in which no gradient has any signal."""
    both, selection = (_noise_ratio("7B", 4, mini_batches=x) for x in (True, False))
    seen = reported("speed.norm_ratio_7B")
    return everywhere(
        both <= 1.0,
        f"reported ratio {seen}; {both:.2f} expected without any signal, of which selection is "
        f"{selection:.2f} and mini-batches of 64 instead of 384 rollouts the rest",
    )


def norm_by_screening() -> Finding:
    """SPEED-53: the ablation's ratios, by noise alone to 6 %; with equal mini-batches too."""
    sizes = (4, 6, 8)
    seen = np.array([reported(f"speed.norm_ratio_{n}") for n in sizes])
    both, selection = (
        np.array([_noise_ratio("1.5B", n, mini_batches=x) for n in sizes])
        for x in (True, False)
    )
    return under_condition(
        np.abs(both / seen - 1.0) < 0.06,
        np.abs(selection / seen - 1.0) < 0.06,
        "noise alone predicts {:.2f}/{:.2f}/{:.2f}, {:.1f}/{:.1f}/{:.1f} % too much (6 % "
        "allowed for); with equal mini-batches {:.2f}/{:.2f}/{:.2f}".format(
            *both, *(100.0 * (both / seen - 1.0)), *selection
        ),
    )


def signal_of_selection() -> Finding:
    """SPEED-58: signal v per rollout against the reported speedup, and the limit on it."""
    rates = _population("7B").pass_rates
    weights = np.array([_enumerated_slope(p, 4, 20) if 0 < p < 1 else 0.0 for p in rates])
    cost, v = 4 + 20 * screening.acceptance(rates, 4).mean(), rates * (1.0 - rates)
    exact = 24 * (weights * v).mean() / cost / v.mean()
    agree(screened_signal.screened_signal(_population("7B"), 4, 20).realized, exact)
    pools = [limits.Beta(*FITTED[model]) for model in ("1.5B", "7B")]
    gains = [screened_signal.screened_signal(pool, 4, 20).realized for pool in pools]
    most = [limits.selection_limit(pool) for pool in pools]
    agree(most, [0.25 / float(groups.expected_variance(*FITTED[m])) for m in ("1.5B", "7B")])
    squares = [1.0 / (16.0 * pool.moment(2.0, 2.0)) for pool in pools]
    claimed = reported("speed.average_speedup")
    return everywhere(
        np.array(gains) >= claimed,
        f"signal per rollout {gains[0]:.2f} (1.5B), {gains[1]:.2f} (7B) of uniform; no rule "
        f"can exceed {most[0]:.2f}, {most[1]:.2f} ({squares[0]:.2f}, {squares[1]:.2f} if a "
        f"rollout is worth v^2); reported {claimed}",
    )


def dapo1k_histogram(model: str) -> Finding:
    """SPEED-20, 21: mean and zeros among the authors' 1,000 counts; none passes always."""
    counts = dapo1k_passes(model)
    mean, zeros = counts.mean() / 32.0, 100.0 * (counts == 0).mean()
    agree(counts.size, 1000.0)
    claimed = (round(mean, 4), round(zeros, 1), int(counts.max() == 32))
    printed = (reported(f"speed.mean_{model}"), reported(f"speed.zeros_{model}"), 0)
    return everywhere(
        claimed == printed,
        f"mean {mean:.4f}, {zeros:.1f} % with no pass in 32, largest {counts.max()}/32",
    )

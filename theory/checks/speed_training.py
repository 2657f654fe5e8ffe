"""SPEED: what screening does to the objective, the gradient norm and the rollouts needed."""

from itertools import product
from math import comb

import numpy as np

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
    """SPEED-15: slope of the objective and cost, for three values of the screening rollouts."""
    pool = dapo1k_passes("1.5B") / 32.0
    slopes = [float(screening.objective_slope(0.02, n, m)) for n, m in SPLITS]
    agree(slopes, [_enumerated_slope(0.02, n, m) for n, m in SPLITS])
    costs = [screening.rollouts_per_trained_prompt(pool, n, 24 - n) for n in (3, 4, 8, 12)]
    return everywhere(
        np.isclose(slopes, slopes[0]) & np.isclose(costs[0], costs[1:]),
        f"N_init 4/6/8 set F'(.02) to {slopes[0]:.3f}/{slopes[1]:.3f}/{slopes[2]:.3f}; "
        f"rollouts per trained prompt {costs[0]:.1f} to {costs[-1]:.1f} for N_init 3 to 12",
    )


def _noise_ratio(model: str, n: int, *, mini_batches: bool) -> float:
    """Gradient norm of SPEED over RLOO's where there is no signal, only noise.

    Its square is the noise per rollout, proportional to v of the prompts trained on, over the
    rollouts of an optimizer update.
    """
    pool = _population(model)
    accepted = screened_signal.kept_variance(pool, n) / limits.mixed_share(pool, n)
    rates = pool.pass_rates
    share = screening.acceptance(rates, n)
    agree(accepted, (share * rates * (1.0 - rates)).sum() / share.sum())
    fewer = reported("speed.group") / n if mini_batches else 1.0
    return float(np.sqrt(fewer * accepted / limits.mean_variance(pool)))


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
    """SPEED-53: the ablation's ratios, predicted by noise with and without mini-batches."""
    sizes = (4, 6, 8)
    seen = np.array([reported(f"speed.norm_ratio_{n}") for n in sizes])
    both, selection = (
        np.array([_noise_ratio("1.5B", n, mini_batches=x) for n in sizes])
        for x in (True, False)
    )
    return under_condition(
        np.abs(both / seen - 1.0) < 0.06,
        np.abs(selection / seen - 1.0) < 0.06,
        "noise alone predicts {:.2f}/{:.2f}/{:.2f}; with equal mini-batches "
        "{:.2f}/{:.2f}/{:.2f}".format(*both, *selection),
    )


def signal_of_selection() -> Finding:
    """SPEED-58: signal p(1-p) per rollout against the reported speedup, and the limit on it."""
    rates = _population("7B").pass_rates
    weights = np.array([_enumerated_slope(p, 4, 20) if 0 < p < 1 else 0.0 for p in rates])
    cost, v = 4 + 20 * screening.acceptance(rates, 4).mean(), rates * (1.0 - rates)
    exact = 24 * (weights * v).mean() / cost / v.mean()
    agree(screened_signal.screened_signal(_population("7B"), 4, 20).realized, exact)
    pools = [limits.Beta(*FITTED[model]) for model in ("1.5B", "7B")]
    gains = [screened_signal.screened_signal(pool, 4, 20).realized for pool in pools]
    most = [limits.selection_limit(pool) for pool in pools]
    agree(most, [0.25 / float(groups.expected_variance(*FITTED[m])) for m in ("1.5B", "7B")])
    claimed = reported("speed.average_speedup")
    return everywhere(
        np.array(gains) >= claimed,
        f"signal per rollout {gains[0]:.2f} (1.5B), {gains[1]:.2f} (7B) of uniform; no rule "
        f"can exceed {most[0]:.2f}, {most[1]:.2f}; reported {claimed}",
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

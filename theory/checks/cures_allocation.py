"""CurES (arXiv 2510.01037): the variance of a batch gradient, and Neyman's rule."""

import numpy as np
from jaxtyping import Float
from scipy.special import betaincinv
from scipy.stats import binom

from theory import closed_forms, groups, limits, moments, neyman
from theory.finding import Finding, agree, everywhere, under_condition
from theory.published import FITTED

RATES = np.linspace(0.01, 0.99, 99)
PROMPTS = (np.arange(40) + 0.5) / 40  # a batch of 40 pass rates, evenly spread
BUDGET = 320


def batch_variance_formula() -> Finding:
    """CurES-04: (1/m^2) sum sigma^2/n for the exact baseline, RLOO, and a flattened loss."""
    counts = np.full(PROMPTS.size, BUDGET // PROMPTS.size)
    sigma = neyman.rollout_deviation(PROMPTS, 1.0, 1.0, 1.0)
    formula = neyman.surrogate_variance(sigma, counts.astype(float))
    exact = closed_forms.exact_baseline_moments(PROMPTS, counts).variance(1.0, 1.0, 1.0)
    inside = np.isclose(exact.sum() / PROMPTS.size**2, formula)
    rloo = neyman.batch_variance(PROMPTS, counts, 1.0, 1.0, 1.0)
    uneven = neyman.rloo_allocation(PROMPTS, BUDGET, 1.0, 1.0, 1.0)
    flat = neyman.batch_variance(PROMPTS, uneven, 1.0, 1.0, 1.0, flattened=True)
    mean = neyman.batch_variance(PROMPTS, uneven, 1.0, 1.0, 1.0)
    weights = uneven / uneven.sum()
    each = closed_forms.rloo_moments(PROMPTS, uneven).variance(1.0, 1.0, 1.0)
    agree(flat, float((weights**2 * each).sum()))
    return under_condition(
        inside,
        np.isclose([rloo, flat], [formula, mean]),
        f"exact baseline: equal; RLOO with n=8 {rloo / formula:.3f} times it; a flattened loss "
        f"{flat / mean:.2f} times the variance of the per-prompt mean",
    )


def _cost_of_neyman(noise: float) -> float:
    """RLOO variance under Neyman's rule, rounded and at least 2, over that of the optimum."""
    sigma = neyman.rollout_deviation(PROMPTS, 1.0, noise, noise)
    target = neyman.neyman_allocation(sigma, float(BUDGET))
    counts = np.maximum(np.floor(target), 2.0).astype(int)
    order = np.argsort(-(target - counts), kind="stable")
    counts[order[: BUDGET - counts.sum()]] += 1
    best = neyman.rloo_allocation(PROMPTS, BUDGET, 1.0, noise, noise)
    agree(float(counts.sum()), float(BUDGET))
    agree(float(best.sum()), float(BUDGET))
    variances = [neyman.batch_variance(PROMPTS, n, 1.0, noise, noise) for n in (counts, best)]
    return variances[0] / variances[1]


def _cost_of_equal_numbers(rates: Float[np.ndarray, "M"], noise: float) -> float:
    """RLOO variance with 8 rollouts of each prompt over that of the best whole numbers."""
    best = neyman.rloo_allocation(rates, 8 * rates.size, 1.0, noise, noise)
    even = np.full(rates.size, 8)
    agree(float(best.sum()), float(even.sum()))
    variances = [neyman.batch_variance(rates, n, 1.0, noise, noise) for n in (even, best)]
    return variances[0] / variances[1]


def neyman_is_optimal() -> Finding:
    """CurES-05: optimal for Eq. 19; for RLOO's variance, against the integer optimum."""
    rng = np.random.default_rng(0)
    sigma = neyman.rollout_deviation(PROMPTS, 1.0, 1.0, 1.0)
    chosen = neyman.surrogate_variance(sigma, neyman.neyman_allocation(sigma, float(BUDGET)))
    agree(chosen, sigma.mean() ** 2 / BUDGET)
    others = [
        neyman.surrogate_variance(sigma, BUDGET * rho)
        for rho in rng.dirichlet(np.ones(40), 200)
    ]
    costs = {noise: _cost_of_neyman(noise) for noise in (0.0, 1.0, 100.0)}
    uniform = {noise: _cost_of_equal_numbers(PROMPTS, noise) for noise in costs}
    return under_condition(
        [chosen <= min(others), costs[1.0] < 1.01, costs[100.0] < 1.01],
        costs[0.0] < 1.01,
        f"RLOO variance over the optimum, V/|D|^2 = 0/1/100: {costs[0.0]:.2f}/{costs[1.0]:.3f}/"
        f"{costs[100.0]:.3f}; equal numbers "
        f"{uniform[0.0]:.3f}/{uniform[1.0]:.3f}/{uniform[100.0]:.3f}",
    )


def rollout_variance() -> Finding:
    """CurES-06: sigma^2 from the mean squared scores of the classes, in any mixture."""
    rng = np.random.default_rng(0)
    D2, V1, V0 = rng.random((3, 50, 1)) * 3.0
    p, q = RATES, 1.0 - RATES
    square = p * q**2 * (V1 + q**2 * D2) + q * p**2 * (V0 + p**2 * D2) - (p * q) ** 2 * D2
    ours = neyman.rollout_deviation(RATES, D2, V1, V0) ** 2
    return everywhere(
        np.isclose(ours, square), "p q^2 E1|s|^2 + p^2 q E0|s|^2 - p^2 q^2 |D|^2, 4,950 cases"
    )


def bell_shape() -> Finding:
    """CurES-07: sigma(p) with its only peak at 1/2, by noise."""

    def peaks_in_the_middle(noise: float) -> bool:
        sigma = neyman.rollout_deviation(RATES, 1.0, noise, noise)
        unimodal = bool((np.diff(sigma[:50]) >= -1e-12).all())
        agree(float(unimodal), float(neyman.is_bell_shaped(noise)))
        return unimodal

    humps = [float(neyman.deviation_peak(noise)) for noise in (0.0, 0.5)]
    fine = np.linspace(0.0, 0.5, 50_001)
    for noise, hump in zip((0.0, 0.5), humps, strict=True):
        agree(fine[neyman.rollout_deviation(fine, 1.0, noise, noise).argmax()], hump, 1e-4)
    return under_condition(
        [peaks_in_the_middle(noise) for noise in (1.0, 2.0, 100.0)],
        [peaks_in_the_middle(noise) for noise in (0.0, 0.5, 0.9)],
        f"one peak iff V >= |D|^2; without noise sigma(1/2) = 0 and peaks at p={humps[0]:.3f}, "
        f"{1 - humps[0]:.3f}; with V = |D|^2/2 at {humps[1]:.2f}, {1 - humps[1]:.2f}",
    )


def saving_by_allocation() -> Finding:
    """CurES-40: what the best allocation saves, on even pass rates and on published ones."""
    quantiles = [betaincinv(*FITTED[model], PROMPTS) for model in ("1.5B", "7B")]
    exact = [
        [_cost_of_equal_numbers(rates, noise) for noise in (0.0, 1.0, 100.0)]
        for rates in (PROMPTS, *quantiles)
    ]
    fitted = [FITTED[model] for model in ("1.5B", "7B")]
    ideal = [limits.allocation_limit(limits.Beta(*fit)) for fit in fitted]
    roots = [float(groups.expected_deviation(*fit)) for fit in fitted]
    spreads = [float(groups.expected_variance(*fit)) for fit in fitted]
    agree(ideal, [v / root**2 for v, root in zip(spreads, roots, strict=True)])
    said = ["/".join(f"{ratio:.2f}" for ratio in ratios) for ratios in exact]
    return everywhere(
        max(*exact[0], *exact[1], *exact[2], *ideal) >= 4.0,
        f"equal numbers have {said[0]} times the least variance for evenly spread p and "
        f"V/|D|^2 = 0/1/100, {said[1]} (1.5B) and {said[2]} (7B) for DAPO-17k fits; "
        f"{ideal[0]:.2f} and {ideal[1]:.2f} there, if fractions of a rollout were allowed",
    )


def _norm_after_filtering(
    p: float, size: int, batch: float, noise: float
) -> tuple[float, float]:
    """Norm (root mean square) of GRPO's batch gradient less its zero-variance groups.

    As a multiple of that with them, the number of groups averaged over being the same; and the
    mixed share. Every group not mixed has the gradient 0, so dropping divides both moments of
    one group's gradient by the mixed share.
    """
    each = moments.moments("grpo", p, size)
    mean, square = float(each.mean), float(each.variance(1.0, noise, noise) + each.mean**2)
    K = np.arange(1.0, size)
    chance = binom.pmf(K, size, p)
    contrast = np.sqrt((size - 1.0) / size * K * (size - K)) / size
    mixed = float(chance.sum())
    given = float(chance @ contrast) / mixed
    squares = contrast**2 * (1.0 + noise * (1.0 / K + 1.0 / (size - K)))
    spread = float(chance @ squares) / mixed
    agree([given * mixed, spread * mixed], [mean, square])
    after, before = (a**2 + (b - a**2) / batch for a, b in ((given, spread), (mean, square)))
    return float(np.sqrt(after / before)), mixed


def norm_after_filtering() -> Finding:
    """CurES-21: norm of the batch gradient, when only zero-variance groups go."""
    cases = [(p, batch) for p in (0.5, 0.2, 0.05) for batch in (1.0, 1024.0)]
    ratios = np.array([_norm_after_filtering(p, 4, batch, 10.0) for p, batch in cases])
    norms, mixed = ratios.T
    inside = (norms >= mixed**-0.5 - 1e-9) & (norms <= 1.0 / mixed + 1e-9)
    agree(float(inside.all()), 1.0)
    large = _norm_after_filtering(0.5, 64, 1024.0, 10.0)[0]
    return under_condition(
        np.isclose(large, 1.0),
        np.isclose(norms, 1.0),
        "the same prompts, N=4, V=10|D|^2, less their zero-variance groups: batches of "
        f"1/1,024 prompts {norms[0]:.2f}/{norms[1]:.2f} times the norm at p=.5, "
        f"{norms[2]:.2f}/{norms[3]:.2f} at .2, {norms[4]:.2f}/{norms[5]:.2f} at .05",
    )

"""SPEED (arXiv 2506.09016): the gradient, its noise, its bounds."""

import numpy as np
from jaxtyping import Float

from theory import closed_forms, moments, snr, steps
from theory.finding import Finding, agree, everywhere, under_condition

SIZES = np.arange(3.0, 65.0)[:, None]
QUARTER = np.linspace(0.0, 0.25, 101)  # the range of Theorem 3.1, and its mirror image
SLACK = 1.0 + 1e-12


def no_gradient_at_the_edges() -> Finding:
    """SPEED-01, on softmax policies over five answers, by summing over them."""
    rng = np.random.default_rng(0)
    norms: list[float] = []
    for passing in (np.zeros(5), np.ones(5), *rng.integers(0, 2, (20, 5)).astype(float)):
        policy = rng.dirichlet(np.ones(5))
        p = float(policy @ passing)
        scores = np.eye(5) - policy
        gradient = (policy * passing) @ scores
        if 0.0 < p < 1.0 - 1e-12:
            gap = gradient / p + ((policy * (1.0 - passing)) @ scores) / (p - 1.0)
            agree(gradient, p * (1.0 - p) * gap)
        else:
            norms.append(float(np.abs(gradient).max()))
    edges = np.array([0.0, 1.0])
    group = [abs(moments.moments(e, edges, 8).mean).max() for e in ("rloo", "grpo", "maxrl")]
    worst = max(*norms, *group)
    return everywhere(worst < 1e-12, f"largest gradient {worst:.0e}; elsewhere grad p = v D")


def one_step_guarantee() -> Finding:
    """SPEED-02, exactly: noise on two points, a quadratic objective of curvature L."""
    ratios = np.array([0.1, 0.5, 1.0, 2.0, 10.0])
    promised = snr.guaranteed_gain(ratios)

    def gained(curvature: float, step: float = 1.0) -> Float[np.ndarray, "S"]:
        """Mean of J(step * g) - J(0) over g = 1 +- 1/sqrt(SNR), for J = t - curvature t^2/2."""
        moves = step * (1.0 + np.array([[1.0], [-1.0]]) / np.sqrt(ratios))
        return (moves - curvature * moves**2 / 2.0).mean(axis=0)

    for curvature, step in ((1.0, 1.0), (0.5, 1.5), (3.0, 0.2)):
        agree(gained(curvature, step), snr.guaranteed_gain(ratios, step, curvature))
    inside = np.array([gained(L) >= promised - 1e-12 for L in (0.25, 0.5, 1.0)])
    edge = float(steps.fact_one_edge(24))
    agree(snr.guaranteed_gain(snr.snr_max(edge, 24)), 0.0)
    return everywhere(
        inside,
        f"SNR 2: promised {promised[3]:.3f}, gained {gained(1.0)[3]:.3f} with L=1 "
        f"({gained(2.0)[3]:.3f} with L=2); nothing promised at N=24 below p={edge:.4f}",
    )


def _exact_largest_snr(
    p: Float[np.ndarray, "P"], sizes: Float[np.ndarray, "N 1"]
) -> Float[np.ndarray, "N P"]:
    """RLOO's SNR without noise, from sums over outcomes; also insists on the closed form."""
    largest = snr.snr_max(p, sizes)
    agree(largest, moments.moments("rloo", p, sizes).snr())
    return largest


def bound_within_the_outer_quarters() -> Finding:
    """SPEED-03: N = 3 .. 64, p up to 1/4 and from 3/4 on, without and with noise."""
    rates = np.concatenate([QUARTER, 1.0 - QUARTER])
    largest = _exact_largest_snr(rates, SIZES)
    noisy = snr.rloo_snr(rates, SIZES, 1.0, 0.3, 0.8)
    below = (largest <= snr.speed_bound(rates, SIZES) * SLACK) & (noisy <= largest * SLACK)
    edges = snr.speed_bound_edge(SIZES[1:])
    agree(snr.snr_max(edges, SIZES[1:]), snr.speed_bound(edges, SIZES[1:]))
    return everywhere(
        below & snr.speed_bound_holds(rates, SIZES),
        f"{below.size} pairs (N, p); reached for N=4 at p={edges[0, 0]:.4f}, N=24 at "
        f"p={edges[20, 0]:.4f}, N=64 at p={edges[-1, 0]:.4f}, towards 1/4 as N grows",
    )


def bound_for_every_rate() -> Finding:
    """SPEED-04: the same for all p; and the noise that would save it."""
    rates = np.linspace(0.0, 1.0, 101)
    largest, bound = _exact_largest_snr(rates, SIZES), snr.speed_bound(rates, SIZES)
    enough = snr.speed_bound_noise(SIZES)
    saved = snr.rloo_snr(rates, SIZES, 1.0, enough, enough) <= bound * SLACK
    lacking = snr.rloo_snr(0.5, SIZES[1:], 1.0, 0.9 * enough[1:], 0.9 * enough[1:])
    agree(float(saved.all()), 1.0)
    agree(float((lacking > snr.speed_bound(0.5, SIZES[1:])).all()), 1.0)
    pairs = ((4, 0.5), (24, 0.4))
    said = [
        f"N={N}, p={p}: {snr.snr_max(p, N):.2f} > {4 * N * p * (1 - p):.2f}" for N, p in pairs
    ]
    noise = f"true for all p iff V/|D|^2 >= (N-3)/(4N), {float(enough[21, 0]):.3f} at N=24"
    return everywhere(largest <= bound * SLACK, "; ".join((*said, noise)))


def vanishing_ratio() -> Finding:
    """SPEED-05: RLOO and GRPO with N = 8, as p approaches 0 and 1."""
    near = 10.0 ** -np.arange(2.0, 10.0)
    cases = [(noise, rates) for noise in (0.0, 1.0) for rates in (near, 1.0 - near)]
    rloo = [snr.rloo_snr(rates, 8, 1.0, x, x) for x, rates in cases]
    grpo = [moments.moments("grpo", rates, 8).snr(1.0, x, x) for x, rates in cases]
    summed = [moments.moments("rloo", rates, 8).snr(1.0, x, x) for x, rates in cases]
    agree(np.array(rloo), np.array(summed), 1e-6)
    ratios = np.array([rloo[0], grpo[0], *rloo[1:], *grpo[1:]])
    agree(ratios[:2, -1] / near[-1], 8.0, 1e-6)  # slope N without noise
    return everywhere(
        (np.diff(ratios, axis=1) < 0) & (ratios[:, -1:] < 1e-7),
        f"slope N: SNR/p = {ratios[0, -1] / near[-1]:.4f} (RLOO), "
        f"{ratios[1, -1] / near[-1]:.4f} (GRPO) at p = 1e-9, N = 8",
    )


def bound_for_other_estimators() -> Finding:
    """SPEED-06: GRPO, and REINFORCE without and with a fixed baseline, within p <= 1/4."""
    rates = np.concatenate([QUARTER[1:], 1.0 - QUARTER[1:]])
    bound = snr.speed_bound(rates, 24)
    grpo = moments.moments("grpo", rates, 24).snr()
    plain = closed_forms.fixed_baseline_moments(rates, 24).snr()
    example = float(moments.moments("grpo", 0.2, 24).snr())
    left = float(closed_forms.fixed_baseline_moments(1.0, 24, 0.5).variance(1.0, 1.0, 1.0))
    last = float(closed_forms.fixed_baseline_moments(0.99, 24).snr())
    agree(float(moments.moments("rloo", 1.0, 24).variance(1.0, 1.0, 1.0)), 0.0)
    return everywhere(
        (grpo <= bound) & (plain <= bound),
        f"N=24: GRPO {example:.2f} > {float(snr.speed_bound(0.2, 24)):.2f} at p=.2; plain "
        f"REINFORCE {last:.0f} > {float(snr.speed_bound(0.99, 24)):.2f} at p=.99; a batch "
        f"baseline of .5 leaves the variance {left:.4f} at p=1, V=|D|^2=1, RLOO none",
    )


def line_near_zero() -> Finding:
    """SPEED-07: SNR <= Np for p <= 1/4, with more and with less noise than needed."""
    rates = QUARTER[1:]
    needed = rates * ((3 * SIZES - 5) - (4 * SIZES - 6) * rates) / SIZES

    def below(noise: Float[np.ndarray, "N P"]) -> Float[np.ndarray, "N P"]:
        return SIZES * rates * SLACK - snr.rloo_snr(rates, SIZES, 1.0, noise, noise)

    ratios = [float(snr.snr_max(p, 8)) / (8 * p) for p in (0.01, 0.1)]
    agree(ratios, moments.moments("rloo", np.array([0.01, 0.1]), 8).snr() / [0.08, 0.8])
    return under_condition(
        (below(needed) >= 0.0) & (below(2.0 * needed) >= 0.0),
        below(0.9 * needed) >= 0.0,
        f"N=8 without noise: {ratios[0]:.3f} Np at p=.01, {ratios[1]:.3f} Np at p=.1; "
        "true from "
        f"V/|D|^2 = {float(needed[5, 39]):.3f} on at p=.1",
    )


def utility_per_rollout() -> Finding:
    """SPEED-08: gain per rollout at most p; of the best step, and as SNR/N."""
    rates = np.linspace(0.0, 1.0, 101)
    largest = snr.snr_max(rates, SIZES)
    best = snr.gain_per_rollout(rates, SIZES)
    agree(best, largest / (1.0 + largest) / SIZES)
    noisy = steps.gain_per_cost(rates, SIZES, 1.0)
    at = float(snr.snr_max(0.1, 8)) / 8
    return under_condition(
        (best <= rates * SLACK) & (noisy <= rates * SLACK),
        largest / SIZES <= rates * SLACK,
        f"N=8, p=.1: best step {float(snr.gain_per_rollout(0.1, 8)):.4f} |grad|^2/L per "
        "rollout "
        f"(twice the gain), SNR/N {at:.4f} > .1",
    )


def best_pass_rate() -> Finding:
    """SPEED-09: where the SNR peaks, by estimator and noise."""
    rates = np.linspace(0.0, 1.0, 1001)[1:-1]

    def peak(estimator: moments.Centred, noise: tuple[float, float], size: int) -> float:
        return float(rates[moments.moments(estimator, rates, size).snr(1.0, *noise).argmax()])

    equal = [
        peak(estimator, (x, x), size)
        for estimator in ("rloo", "grpo")
        for x in (0.0, 0.1, 1.0, 100.0)
        for size in (4, 8, 24)
    ]
    ratios = snr.rloo_snr(rates, 8, 1.0, 0.0, 100.0)
    agree(ratios, moments.moments("rloo", rates, 8).snr(1.0, 0.0, 100.0))
    skewed = [float(rates[ratios.argmax()]), peak("maxrl", (0.0, 0.0), 8)]
    plain = closed_forms.fixed_baseline_moments(rates, 8).snr(1.0, 1.0, 1.0)
    skewed.append(float(rates[plain.argmax()]))
    return under_condition(
        np.isclose(equal, 0.5),
        np.isclose(skewed, 0.5),
        f"peak at 1/2 for RLOO and GRPO with V1 = V0; N=8: RLOO with V0 = 100|D|^2, V1 = 0 at "
        f"p={skewed[0]:.3f}, MaxRL without noise at {skewed[1]:.3f}, plain REINFORCE with "
        f"V = |D|^2 at {skewed[2]:.3f}",
    )


def growth_with_the_group() -> Finding:
    """SPEED-10: second differences in N of the SNR, relative to its growth."""
    sizes = np.arange(2, 65)

    def bends(ratios: Float[np.ndarray, "N"]) -> float:
        return float(np.abs(np.diff(ratios, 2)).max() / np.diff(ratios).max())

    noisy = [bends(snr.rloo_snr(p, sizes, 1.0, 1e6, 1e6)) for p in (0.05, 0.3, 0.5)]
    agree(1e6 * snr.rloo_snr(0.3, sizes, 1.0, 1e6, 1e6), (sizes - 1.0) * 0.21, 1e-4)
    half = snr.snr_max(0.5, sizes)
    agree(half, sizes * (sizes - 1.0) / 2.0)
    return under_condition(
        np.array(noisy) < 1e-4,
        bends(half) < 1e-4,
        f"noise-dominated: (N-1) v |D|^2/V; without noise at p = 1/2 N(N-1)/2: "
        f"{half[6]:.0f} at N=8, {half[22]:.0f} at N=24",
    )

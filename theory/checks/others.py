"""Claims of other systems that exact results or the data at hand can decide."""

from itertools import combinations

import numpy as np
from jaxtyping import Float
from scipy.special import betaln, comb

from theory import closed_forms, efficiency, groups, moments, neyman, steps
from theory.finding import Finding, agree, everywhere, under_condition
from theory.published import dsr_transitions, reported

GRID = (np.arange(200_000) + 0.5) / 200_000


def _beta_mean(values: np.ndarray, alpha: float, beta: float) -> float:
    """Mean over Beta(alpha, beta), by the midpoint rule."""
    density = np.exp(
        (alpha - 1) * np.log(GRID) + (beta - 1) * np.log1p(-GRID) - betaln(alpha, beta)
    )
    return float((values * density).mean())


def chance_of_a_mixed_group() -> Finding:
    """MaPP-01: the score, by ratios of Beta functions and by integration."""
    same, said = [], ""
    for alpha, beta, size in ((2.3, 4.1, 8), (1.0, 1.0, 16), (5.0, 1.5, 4)):
        score = 1.0 - np.exp(betaln(alpha + size, beta) - betaln(alpha, beta))
        score -= np.exp(betaln(alpha, beta + size) - betaln(alpha, beta))
        exact = _beta_mean(1.0 - GRID**size - (1.0 - GRID) ** size, alpha, beta)
        agree(float(groups.expected_mixed(alpha, beta, size)), exact, 1e-5)
        same.append(abs(score - exact) < 1e-5)
        said = said or f"Beta(2.3, 4.1), N=8: {score:.4f}"
    return everywhere(same, said)


def advantage_given_a_pass() -> Finding:
    """MaPP-04: mu_G(p), and GRPO's mean contrast, which is p mu_G."""
    rates = np.linspace(0.02, 0.98, 25)
    size = 8
    S = np.arange(1, size)[:, None]
    terms = comb(size - 1, S - 1) * rates ** (S - 1) * (1.0 - rates) ** (size - S)
    score = (terms * np.sqrt((size - S) / S)).sum(axis=0)
    mean = moments.moments("grpo_population", rates, size).mean
    sample = moments.moments("grpo", rates, size).mean
    agree(sample, np.sqrt((size - 1) / size) * mean)
    return everywhere(
        np.isclose(rates * score, mean),
        f"N=8: {score[0]:.4f} at p=.02, {score[12]:.4f} at .5; times {np.sqrt(7 / 8):.4f} "
        "for ddof 1",
    )


def gradient_on_an_arc() -> Finding:
    """ARCUS-01: 2 omega grad psi with psi = arcsin sqrt p, in units of D."""
    rates = np.linspace(0.02, 0.98, 49)
    size = 8
    K = np.arange(size + 1)[:, None]
    chance = comb(size, K) * rates**K * (1.0 - rates) ** (size - K)
    omega = (
        (chance * np.sqrt(K * (size - K))).sum(axis=0) / size / np.sqrt(rates * (1.0 - rates))
    )
    step = 1e-6
    slope = (np.arcsin(np.sqrt(rates + step)) - np.arcsin(np.sqrt(rates - step))) / (2 * step)
    mean = moments.moments("grpo_population", rates, size).mean
    claimed = 2.0 * omega * slope * rates * (1.0 - rates)  # grad p = v D
    return everywhere(
        np.isclose(claimed, mean, rtol=1e-6), f"N=8: omega {omega[24]:.4f} at p=.5"
    )


def variance_under_a_belief() -> Finding:
    """CERO-01: E[p(1-p)] under a Beta belief, by integration."""
    beliefs = ((1.0, 1.0), (2.0, 4.0), (5.0, 1.5))
    exact = [_beta_mean(GRID * (1.0 - GRID), a, b) for a, b in beliefs]
    formula = [float(groups.expected_variance(a, b)) for a, b in beliefs]
    return everywhere(np.isclose(exact, formula, rtol=1e-5), f"Beta(2, 4): {formula[1]:.4f}")


def signed_rewards() -> Finding:
    """VIP-02: variance of Dr. GRPO for rewards +-1, with noise only and with a class gap."""
    p, n = np.linspace(0.05, 0.95, 19), 8
    v = p * (1.0 - p)
    claimed = (n - 1) / n**2 * 4.0 * v
    each = closed_forms.drgrpo_moments(p, n)
    summed = moments.moments("drgrpo", p, n)
    agree(each.variance(0.7, 1.0, 2.0), summed.variance(0.7, 1.0, 2.0))
    noise = 4.0 * each.variance(0.0, 1.0, 1.0)  # rewards +-1 double every advantage
    gap = 4.0 * each.variance(1.0, 1.0, 1.0)
    return under_condition(
        np.isclose(noise, claimed),
        np.isclose(gap, claimed),
        f"equal for |D| = 0; with |D|^2 = V, n=8 {gap[0] / claimed[0]:.3f} times it at p=.05",
    )


def _one_by_one(values: Float[np.ndarray, "M L"], budget: int) -> float:
    """Total value when each rollout goes where it adds most, the first prompt among equals."""
    counts = np.zeros(len(values), int)
    rows = np.arange(len(values))
    for _ in range(budget):
        counts[(values[rows, counts + 1] - values[rows, counts]).argmax()] += 1
    return float(values[rows, counts].sum())


def dynamic_programming_is_needed() -> Finding:
    """Knapsack-02: handing out rollouts one by one against the dynamic programme."""
    rng = np.random.default_rng(0)
    short: dict[int, list[bool]] = {0: [], 2: []}
    for _ in range(10):
        rates = rng.beta(0.4, 1.5, 12)[:, None]
        for least, lost in short.items():
            n = np.arange(least, 60)
            values = (1.0 - rates**n - (1.0 - rates) ** n) * rates * (1.0 - rates) ** 2
            values = np.where(n > 0, values, 0.0)
            best = efficiency.best_allocation(values, 12 * least + 24, least) - least
            total = float(values[np.arange(12), best].sum())
            greedy = _one_by_one(values, 24)
            agree(max(greedy, total), total)
            lost.append(greedy < total - 1e-12)
            if least == 2:
                counts = neyman.greedy_allocation(-values, 48) - least
                agree(float(values[np.arange(12), counts].sum()), greedy)
    return under_condition(
        short[0],
        short[2],
        f"one by one falls short of the optimum in {sum(short[2])} of 10 batches if every "
        f"prompt has 2 rollouts, as released, and in {sum(short[0])} of 10 if it may have none",
    )


def subset_of_largest_variance() -> Finding:
    """PODS-01: the subset of largest variance, by trying all."""
    rng = np.random.default_rng(0)
    same = []
    for _ in range(30):
        rewards = np.sort(rng.choice([0.0, 0.1, 0.5, 1.0, rng.random()], 9))
        for m in (2, 4, 5):
            best = max(float(np.var(rewards[list(s)])) for s in combinations(range(9), m))
            ends = [np.r_[rewards[: m - k], rewards[9 - k :]] for k in range(m + 1)]
            same.append(np.isclose(best, max(map(np.var, ends))))
    return everywhere(np.array(same), f"{len(same)} sets, all subsets tried")


def schedule_floor() -> Finding:
    """E2H-01: the cosine schedule with and without its floor 2/(K(K+1))."""
    binds = []
    for levels in range(2, 12):
        i = np.arange(levels)
        total = levels * (levels + 1) / 2
        for alpha in np.linspace(0.0, 1.0, 101):
            chances = alpha * (levels - i) / total + (1.0 - alpha) * (i + 1) / total
            binds.append(chances.min() < 2.0 / (levels * (levels + 1)) - 1e-12)
    return everywhere(
        np.any(binds),
        "never binds for K = 2 .. 11: the schedule's own least value is the floor",
    )


def tail_speedup() -> Finding:
    """VIGOR-01: the printed bounds, from the printed formula."""
    values, printed = [], []
    for tail in (1.5, 2, 3):
        growth = 0.5 ** (-1.0 / tail)
        values.append(((growth**4 - 1.0) / (4.0 * (growth - 1.0))) ** (1.0 / 3.0))
        printed.append(reported(f"vigor.speedup_{tail}"))
    return everywhere(
        np.round(values, 2) == printed,
        "/".join(f"{v:.3f}" for v in values) + " for alpha=1/2, T=4",
    )


def flips_at_the_next_visit() -> Finding:
    """Zero-variance-recycling-01: about 20 % flip, on 1,209 trajectories, by kind of group."""
    visits = dsr_transitions()[[0, 8]]
    flips = visits[:, 1:8].sum(axis=1) / visits.sum(axis=1)
    overall = visits[:, 1:8].sum() / visits.sum()
    return under_condition(
        [abs(overall - 0.2) < 0.05, abs(flips[0] - 0.2) < 0.05],
        abs(flips[1] - 0.2) < 0.05,
        f"{100 * overall:.0f} % of zero-variance groups, {100 * flips[0]:.0f} % of all-fail, "
        f"{100 * flips[1]:.0f} % of all-pass",
    )


def pairs_against_sixteen() -> Finding:
    """2-GRPO-01: guaranteed gain per rollout with N = 2 and N = 16, by noise."""
    rates = np.linspace(0.05, 0.95, 19)
    most = steps.pairs_suffice_noise(rates, 16)
    agree(most, 13.0 * rates * (1.0 - rates))

    def enough(noise: np.ndarray) -> np.ndarray:
        pair, many = (steps.gain_per_cost(rates, size, noise) for size in (2, 16))
        return pair >= many * (1.0 - 1e-12)

    loud = [float(steps.gain_per_cost(0.3, size, 1e6)) for size in (2, 16)]
    return under_condition(
        np.array([enough(np.zeros(19)), enough(most)]),
        enough(2.0 * most),
        f"N=2 guarantees as much up to V = 13 v |D|^2; where noise dominates "
        f"{loud[0] / loud[1]:.3f} of what N=16 does",
    )


def divergence_of_the_optimum() -> Finding:
    """Online-difficulty-filtering-01: KL(initial || optimal) against p(1-p)/(2 beta^2).

    The optimum tilts the policy by exp(r/beta), so that the divergence is
    log(1 - p + p e^(1/beta)) - p/beta.
    """
    rates = np.linspace(0.02, 0.98, 49)
    lengths = np.array([[1.0], [5.0], [20.0]])

    def holds(p: np.ndarray, beta: np.ndarray) -> np.ndarray:
        tilt = np.log1p(p * np.expm1(1.0 / beta))
        optimum = p * np.exp(1.0 / beta - tilt)
        exact = p * np.log(p / optimum) + (1.0 - p) * np.log((1.0 - p) / (1.0 - optimum))
        agree(exact, tilt - p / beta)
        return exact >= p * (1.0 - p) / (2.0 * beta**2)

    low = rates[rates <= 0.26]
    half = float(np.log1p(0.5 * np.expm1(1.0)) - 0.5)
    return under_condition(
        holds(low, lengths),
        holds(rates[rates >= 0.5], lengths),
        f"p=1/2, beta=1: {half:.4f} < {0.125:.4f}; fails for every p >= 1/2 and every "
        "beta, holds "
        "for p <= 1/4 and beta >= 1",
    )


def improvement_by_variance() -> Finding:
    """LILO-01: largest improvement of a step over p(1-p), with RLOO and without a baseline.

    An L-smooth objective gains at most eta |grad|^2 + L eta^2/2 E|estimate|^2, and as much
    where its curvature is L; here eta = L = 1 and |D|^2 = V1 = V0 = 1.
    """
    rates = np.r_[
        np.logspace(-8, -1, 8), np.linspace(0.1, 0.9, 9), 1.0 - np.logspace(-1, -8, 8)
    ]
    v, size = rates * (1.0 - rates), 8
    most = 0.25 + (0.25 + 3.0 / size) / 2.0

    def ratio(each: moments.Moments) -> np.ndarray:
        gain = each.mean**2 + (each.mean**2 + each.variance(1.0, 1.0, 1.0)) / 2.0
        return gain / v

    rloo = ratio(closed_forms.rloo_moments(rates, size))
    agree(rloo, ratio(moments.moments("rloo", rates, size)), 1e-6)
    plain = ratio(closed_forms.fixed_baseline_moments(rates, size))
    return under_condition(
        rloo <= most,
        plain <= most,
        f"RLOO, N=8: at most {rloo.max():.3f} times p(1-p), bound {most:.3f}; plain REINFORCE "
        f"{plain[-1]:.0e} times it at p = 1 - 1e-8",
    )

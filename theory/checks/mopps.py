"""MoPPS (arXiv 2507.04632; thu-rllab/MoPPS @ a883f519): tracking and Thompson sampling."""

import numpy as np
from scipy.special import betainc
from scipy.stats import binom

from theory import acquisition, refilling, tracking
from theory.finding import Finding, agree, under_condition
from theory.published import reported


def belief_update() -> Finding:
    """MoPPS-01: the documented update, and what the released expression evaluates to."""
    memory, prior = 0.5, 1.0

    def released(belief: float, passes: int, rollouts: int) -> float:
        """`lam * a + (1 - lam) * a0 + s * n if n > 1 else 8`, the conditional binding last."""
        return memory * belief + (1.0 - memory) * prior + passes if rollouts > 1 else 8.0

    same: dict[int, bool] = {}
    for rollouts in (1, 2, 8):
        counts = np.arange(rollouts + 1)
        alpha, beta = tracking.update(3.0, 2.0, counts, rollouts, memory)
        agree(alpha, memory * 3.0 + 0.5 + counts)
        theirs = [
            (released(3.0, k, rollouts), released(2.0, rollouts - k, rollouts))
            for k in range(rollouts + 1)
        ]
        same[rollouts] = np.allclose(np.transpose([alpha, beta]), theirs)
    weights = tracking.mean_weights(5.0, 8, memory)
    agree(sum(float(w) for w in weights), 1.0)
    return under_condition(
        [same[2], same[8]],
        same[1],
        "equal for N >= 2; with N=1 both parameters become 8 whatever the outcome",
    )


def _excess(
    p: float, mean: float, counts: float, memory: float, prior: tuple[float, float] = (1.0, 1.0)
) -> float:
    """Error less the published bound, at worst over the groups with |K/N - p| < eta.

    These, p being that after the drift, have the chance that the bound is stated with; N = 8
    and eta = 1/4. Positive means
    that the bound is violated by such a group. Insists on the tight bound for every group.
    """
    N, eta, drift = 8, 0.25, 0.02
    K = np.arange(N + 1)
    known = abs(mean - p)
    a, b = counts * mean, counts * (1.0 - mean)
    alpha, beta = tracking.update(a, b, K, N, memory, *prior)
    later = p + drift if mean < p else p - drift
    error, off = np.abs(alpha / (alpha + beta) - later), np.abs(K / N - later)
    n0 = sum(prior)
    away = abs(prior[0] / n0 - later)
    weights = tracking.mean_weights(np.full(N + 1, counts), N, memory, n0)
    tight = tracking.tight_bound(weights, known, drift, away, off)
    agree(float((error <= tight + 1e-12).all()), 1.0)
    loose = tracking.loose_bound(known, drift, memory, eta)
    agree(loose, memory * (known + drift) + (1.0 - memory) / 2.0 + eta)
    likely = off < eta
    agree(float(likely.any()), 1.0)
    return float((error - loose)[likely].max())


def error_bound() -> Finding:
    """MoPPS-07: the published bound over all groups, with and without its conditions."""
    rates = np.linspace(0.05, 0.95, 19)
    inside = [
        _excess(p, m, n, memory)
        for memory in (0.3, 0.5, 0.9)
        for n in (2.0, float(tracking.steady_counts(8, memory)))
        for p in rates
        for m in (0.02, 0.5, 0.98)
    ]
    sharp = _excess(0.93, 0.02, 1000.0, 0.3)
    biased = _excess(0.93, 0.1, 200.0, 0.0, (20.0, 180.0))
    allowed = 1.0 - float(tracking.confidence(8, 0.25))
    chance = [
        binom.pmf(np.arange(9), 8, p)[np.abs(np.arange(9) / 8 - p) >= 0.25].sum() for p in rates
    ]
    agree(float(max(chance) <= allowed), 1.0)
    return under_condition(
        np.array(inside) <= 1e-12,
        np.array([sharp, biased]) <= 1e-12,
        f"N=8, eta=1/4: at least {-max(inside):.2f} to spare for a prior mean of 1/2 and up to "
        f"n_inf counts; exceeded by {sharp:.3f} with 1,000 counts at lambda=.3, by "
        f"{biased:.3f} "
        f"with the prior Beta(20, 180); off by 1/4 are at most {100 * max(chance):.0f} % "
        "of groups, "
        f"{100 * allowed:.0f} % allowed",
    )


def predicted_difficulty() -> Finding:
    """MoPPS-02: correlation above 0.5 of draw and outcome, over all prompts and as logged."""
    evidence = np.array([16, 64, 256])
    everyone = acquisition.logged_correlation(evidence, 8)
    agree(everyone, evidence / (evidence + 2.0) * np.sqrt(8.0 / 10.0))
    selected = acquisition.logged_correlation(evidence, 8, 1.0, 1.0, 0.4, 0.6)
    return under_condition(
        everyone > 0.5,
        selected > 0.5,
        f"pass rates uniform, 16/64/256 rollouts of evidence: "
        f"{everyone[0]:.2f}/{everyone[1]:.2f}"
        f"/{everyone[2]:.2f} over all prompts, {selected[0]:.2f}/{selected[1]:.2f}/"
        f"{selected[2]:.2f} among draws in [.4, .6]; the release logs it with the sign "
        "reversed",
    )


def exploration() -> Finding:
    """MoPPS-09: chance of a draw near 1/2, and of a visit, for a prompt that never passed."""
    visits = np.arange(0, 41)
    chances: dict[float, np.ndarray] = {}
    for memory in (0.5, 1.0):
        beta = tracking.counts_after(visits, 8, memory) - 1.0
        chances[memory] = acquisition.draw_probability(1.0, beta)
        agree(chances[memory][2], betainc(1.0, beta[2], 0.55) - betainc(1.0, beta[2], 0.45))
    limit = float(tracking.steady_counts(8, 0.5)) - 1.0
    floor = float(acquisition.draw_probability(1.0, limit))
    again = [acquisition.fail_visits(200, 8, memory, 64, 16) for memory in (0.5, 1.0)]
    return under_condition(
        chances[0.5] >= floor * (1.0 - 1e-9),
        chances[1.0] >= floor * (1.0 - 1e-9),
        f"P(draw within .05 of 1/2): {chances[1.0][0]:.3f} unseen, {chances[1.0][2]:.1e} after "
        f"0/16, {chances[1.0][10]:.0e} after 0/80 with memory 1; never below {floor:.1e} with "
        f".5; visits in 200 steps among 64 candidates: {again[0]:.1f} (.5), {again[1]:.1f} (1)",
    )


def saving_is_the_cap() -> Finding:
    """MoPPS-13: a saving of 75 % means four orders of dynamic sampling, by mixed share."""
    prompts, cap = int(reported("mopps.prompts")), int(reported("mopps.ds_cap"))
    shares = np.array([0.05, 0.15, 0.24, 0.30, 0.45, 0.6, 0.9])
    orders = refilling.capped_rounds(prompts, prompts, shares, cap)
    free = refilling.expected_rounds(prompts, prompts, shares)
    agree(orders[4:], free[4:], 1e-3)
    saving = 1.0 - 1.0 / orders
    seen = [
        1.0 - reported(f"mopps.rollouts_{m}") / reported(f"mopps.ds_rollouts_{m}")
        for m in ("1.5B", "7B")
    ]
    few = shares <= 0.30
    return under_condition(
        np.abs(saving[few] - 0.75) < 0.005,
        np.abs(saving[~few] - 0.75) < 0.005,
        f"reported {100 * seen[0]:.1f} and {100 * seen[1]:.1f} %; with the cap of {cap} orders "
        f"{100 * saving[0]:.1f} % at mixed share .05, {100 * saving[3]:.1f} % at .30, "
        f"{100 * saving[4]:.0f} % at .45, {100 * saving[5]:.0f} % at .6",
    )

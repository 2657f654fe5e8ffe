"""CurES (arXiv 2510.01037): the bound on a step, and the sampling derived from it."""

import numpy as np
from jaxtyping import Float

from theory import gibbs, groups
from theory.finding import Finding, agree, everywhere, under_condition

RATES = np.linspace(0.01, 0.99, 99)


def one_step_bound() -> Finding:
    """CurES-01: exact gain under KL <= delta against sqrt(2 delta v)."""
    deltas = np.array([[1e-4], [1e-3], [1e-2], [0.1]])
    gains, bounds = gibbs.largest_gain(RATES, deltas), gibbs.first_order_gain(RATES, deltas)
    after = RATES + gains
    spent = RATES * np.log(RATES / after)
    rest = (1.0 - RATES) * np.log((1.0 - RATES) / (1.0 - after))
    agree(spent + rest, np.broadcast_to(deltas, after.shape), 1e-7)
    below = gains <= bounds * (1.0 + 1e-9)
    agree(float(below[:, RATES >= 0.5].all()), 1.0)
    at = [
        float(gibbs.largest_gain(p, 0.01) / gibbs.first_order_gain(p, 0.01))
        for p in (0.001, 0.01, 0.1, 0.5, 0.9)
    ]
    return everywhere(
        below,
        "gain over bound at delta = .01, p = .001/.01/.1/.5/.9: "
        + "/".join(f"{ratio:.3f}" for ratio in at)
        + "; holds for p >= 1/2, and at p=.1 from delta = "
        + f"{float(gibbs.bound_fails_below(0.1)):.2f} on",
    )


def total_bound() -> Finding:
    """CurES-02: a gain reached under the averaged constraint, against E sqrt(2 delta v)."""
    delta = 0.01
    arcs = np.sin(np.pi * (np.arange(4000) + 0.5) / 8000) ** 2  # Beta(1/2, 1/2)
    reached, bound = gibbs.averaged_gain(arcs, delta), gibbs.separate_gain(arcs, delta)
    v = arcs * (1.0 - arcs)
    each = delta * v / v.mean()  # divergence of each prompt, delta on average
    agree(each.mean(), delta)
    agree(reached, np.sqrt(2.0 * each * v).mean())
    agree(bound, np.sqrt(2.0 * delta) * float(groups.expected_deviation(0.5, 0.5)), 1e-6)
    same = gibbs.separate_gain(np.full(10, 0.3), delta)
    return everywhere(
        reached <= bound,
        f"Beta(.5, .5), delta=.01: {reached:.4f} reached > {bound:.4f}; equal only if all "
        f"prompts have the same v ({gibbs.averaged_gain(np.full(10, 0.3), delta):.4f} = "
        f"{same:.4f})",
    )


def gibbs_is_optimal() -> Finding:
    """CurES-03: the objective with entropy at Gibbs and other distributions; and without."""
    rng = np.random.default_rng(0)
    rates = rng.random(12)
    alpha, delta = 0.02, 0.01
    tau = float(gibbs.gibbs_temperature(delta, alpha))
    best = gibbs.gibbs(rates, tau)
    others = [
        *rng.dirichlet(np.ones(12), 200),
        np.full(12, 1 / 12),
        gibbs.gibbs(rates, 2 * tau),
    ]
    others += [0.99 * best + 0.01 * other for other in others]
    top = gibbs.gibbs_objective(best, rates, delta, alpha)
    less = np.array([gibbs.gibbs_objective(rho, rates, delta, alpha) for rho in others])
    exponents = np.sqrt(2.0 * delta * rates * (1.0 - rates)) / alpha
    agree(best, np.exp(exponents) / np.exp(exponents).sum())
    point = gibbs.first_order_gain(rates, delta).max()
    plain = float(best @ gibbs.first_order_gain(rates, delta))
    ends = [float(gibbs.gibbs_ratio(t)) for t in (0.1, 1.0)]
    agree(float(plain < point), 1.0)
    return everywhere(
        top >= less - 1e-12,
        f"optimal with entropy; without it a point mass gains {point:.4f}, the Gibbs "
        f"distribution {plain:.4f}; largest over smallest weight {ends[0]:.0f} at tau=.1, "
        f"{ends[1]:.2f} at tau=1, the paper reports no tau",
    )


def _fisher_share(features: Float[np.ndarray, "A F"], passing: Float[np.ndarray, "A"]) -> float:
    """grad^T F^+ grad / v of a softmax policy over answers that are linear in features."""
    logits = features @ np.linspace(-0.5, 0.5, features.shape[1])
    policy = np.exp(logits) / np.exp(logits).sum()
    p = float(policy @ passing)
    scores = features - policy @ features
    gradient = (policy * passing) @ scores
    fisher = scores.T @ (policy[:, None] * scores)
    return float(gradient @ np.linalg.pinv(fisher, rcond=1e-10) @ gradient) / (p * (1.0 - p))


def natural_step_is_tight() -> Finding:
    """CurES-08: gradient in the Fisher metric over v, for tabular and restricted softmaxes."""
    rng = np.random.default_rng(0)
    passing = (np.arange(12) < 4).astype(float)
    tabular = _fisher_share(np.eye(12), passing)
    restricted = [_fisher_share(rng.standard_normal((12, 3)), passing) for _ in range(20)]
    linear = _fisher_share(np.column_stack([passing, rng.standard_normal(12)]), passing)
    agree(gibbs.tightness(0.3, np.array([1.0, 1e9])), [0.21 / 1.21, 1.0], 1e-6)
    return under_condition(
        np.isclose([tabular, linear], 1.0),
        np.isclose(restricted, 1.0),
        f"1 where the reward is linear in the score (tabular); {min(restricted):.2f} to "
        f"{max(restricted):.2f} in 20 softmaxes over 12 answers with 3 parameters",
    )

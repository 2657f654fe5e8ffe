"""The estimators that the systems select for: RLOO, GRPO, DAPO, MaxRL, REINFORCE++."""

from itertools import product

import numpy as np

from theory import advantages, closed_forms, groups, limits, moments, screened_signal
from theory.finding import Finding, agree, everywhere, under_condition
from theory.published import FITTED, dapo1k_passes


def difficulty_weight() -> Finding:
    """BASE-01: GRPO's factor on grad p against 1/sqrt(p(1-p)), for large and small groups."""
    rates = np.array([0.05, 0.1, 0.25, 0.5])
    claimed = 1.0 / np.sqrt(rates * (1.0 - rates))
    large = moments.gradient_weight("grpo", rates, 4096)
    small = moments.gradient_weight("grpo", rates, 8)
    agree(small * rates * (1.0 - rates), moments.moments("grpo", rates, 8).mean)
    start = float(moments.gradient_weight("grpo", 0.0, 8))
    agree(start, 7.0 / np.sqrt(8.0))
    return under_condition(
        np.abs(large / claimed - 1.0) < 0.02,
        np.abs(small / claimed - 1.0) < 0.02,
        f"N=8: {start:.3f} as p -> 0, {small[0]:.3f} at .05, {small[3]:.3f} at .5, where the "
        f"formula has infinity, {claimed[0]:.3f} and {claimed[3]:.3f}; within 2 % at N=4096",
    )


def unbiased() -> Finding:
    """BASE-02: RLOO on a softmax over four answers, summed over all groups of three."""
    rng = np.random.default_rng(0)
    errors: list[float] = []
    for passing in ([1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0]):
        policy, reward = rng.dirichlet(np.ones(4)), np.array(passing)
        scores = np.eye(4) - policy
        mean = np.zeros(4)
        for group in product(range(4), repeat=3):
            drawn = list(group)
            signs = advantages.advantages("rloo", reward[drawn], np.zeros(3, int))
            mean += policy[drawn].prod() * (signs @ scores[drawn]) / 3.0
        errors.append(float(np.abs(mean - (policy * reward) @ scores).max()))
    rates = np.linspace(0.0, 1.0, 21)
    for size in (2, 8, 24):
        agree(moments.moments("rloo", rates, size).mean, rates * (1.0 - rates))
        agree(closed_forms.rloo_moments(rates, size).mean, rates * (1.0 - rates))
    return everywhere(
        np.array(errors) < 1e-12, f"mean estimate equals grad p within {max(errors):.0e}"
    )


def dropping_keeps_direction() -> Finding:
    """BASE-03: gradients with and without zero-variance groups, over all outcomes.

    Two prompts of unequal difficulty, four answers each, groups of three: mean gradient of a
    group of either, with all groups and with the mixed ones.
    """
    rng = np.random.default_rng(0)
    prompts = [(rng.dirichlet(np.ones(4)), np.array(r)) for r in ((1, 0, 0, 1), (0, 0, 1, 0))]
    cosines, lost = [], []
    for name in ("rloo", "grpo", "drgrpo"):
        means, share = np.zeros((2, 4)), 0.0
        for (policy, reward), group in product(prompts, product(range(4), repeat=3)):
            drawn = list(group)
            signs = advantages.advantages(name, reward[drawn] * 1.0, np.zeros(3, int), eps=0.0)
            estimate = signs @ (np.eye(4) - policy)[drawn] / 3.0
            mixed = 0 < reward[drawn].sum() < 3
            chance = float(policy[drawn].prod())
            means += chance * estimate * np.array([[1.0], [float(mixed)]])
            share += chance * mixed
            lost += [] if mixed else [float(np.abs(estimate).max())]
        cosines.append(float(means[0] @ means[1] / np.linalg.norm(means, axis=1).prod()))
        rates = np.array([float(policy @ reward) for policy, reward in prompts])
        agree(share, float(groups.mixed_probability(rates, 3).sum()))
    cost = groups.rollouts_per_mixed_group(np.array([0.05, 0.5]), 8)
    agree(cost, [8.0 / (1.0 - x**8 - (1.0 - x) ** 8) for x in (0.05, 0.5)])
    return everywhere(
        np.concatenate([np.isclose(cosines, 1.0), np.array(lost) < 1e-12]),
        f"dropped groups contribute exactly 0; N=8 costs {cost[0]:.1f} rollouts per mixed "
        f"group at p=.05, {cost[1]:.2f} at .5",
    )


def truncated_likelihood() -> Finding:
    """BASE-05: MaxRL's factor on grad p, and the slope of log p cut after N-1 terms."""
    rates = np.linspace(0.01, 1.0, 100)
    same = []
    for size in (2, 4, 8, 32):
        summed = moments.gradient_weight("maxrl", rates, size)
        slope = np.sum([(1.0 - rates) ** i for i in range(size - 1)], axis=0)
        agree(closed_forms.maxrl_weight(rates, size), slope)
        same.append(np.isclose(summed, slope))
    ends = closed_forms.maxrl_weight(np.array([0.0, 1.0]), 8)
    return everywhere(np.array(same), f"N=8: factor {ends[0]:.0f} at p=0, {ends[1]:.0f} at p=1")


def batch_baseline() -> Finding:
    """BASE-06: variance with a batch baseline, where it is the pass rate and elsewhere."""
    rates = np.array([0.3, 0.5, 0.7])
    noise = (1.0, 1.0, 1.0)
    own = closed_forms.fixed_baseline_moments(rates, 8, rates).variance(*noise)
    rloo = closed_forms.rloo_moments(rates, 8).variance(*noise)
    edges = np.array([0.0, 0.05, 1.0])
    batch = closed_forms.fixed_baseline_moments(edges, 8, 0.5)
    left, group = batch.variance(*noise), closed_forms.rloo_moments(edges, 8).variance(*noise)
    exact = edges * 0.25 * (1.0 + (1.0 - edges) ** 2) + (1.0 - edges) * 0.25 * (1.0 + edges**2)
    agree(left, (exact - (edges * (1.0 - edges)) ** 2) / 8.0)
    return under_condition(
        own <= rloo,
        left <= group,
        f"V=|D|^2, N=8, b=.5: variance {left[0]:.4f} at p=0 and 1, where a group baseline "
        "has 0; "
        f"{left[1]:.4f} against {group[1]:.4f} at p=.05; less than RLOO's where p = b",
    )


def signal_of_dynamic_sampling() -> Finding:
    """BASE-07: signal p(1-p) per rollout generated, relative to uniform sampling."""
    said: list[str] = []
    more: list[bool] = []
    for model in ("1.5B", "7B"):
        sample = limits.Sample(dapo1k_passes(model) / 32.0)
        v = sample.pass_rates * (1.0 - sample.pass_rates)
        for size in (8, 24):
            mixed = groups.mixed_probability(sample.pass_rates, size)
            exact = float((mixed * v).mean() / v.mean())
            agree(screened_signal.screened_signal(sample, size, 0).expected, exact)
            kept = screened_signal.screened_signal(limits.Beta(*FITTED[model]), size, 0)
            more += [kept.expected > 1.0 + 1e-9, kept.realized > 1.0 + 1e-9]
            said.append(
                f"{model} N={size}: {kept.realized:.2f} realized, {kept.expected:.2f} fresh"
            )
    return everywhere(more, "; ".join(said))

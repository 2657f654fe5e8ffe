"""CurES: its released code (ZexuSun/CurES @ eccf298) and its tables, in numbers."""

import numpy as np

from theory import gibbs
from theory.finding import Finding, agree, everywhere, under_condition
from theory.published import reported, table


def released_sampler() -> Finding:
    """CurES-10: weights by pilot passes of the released sampler, computed once."""
    pilot = int(reported("cures.pilot"))
    passes = np.arange(pilot + 1)
    means = (passes + 1.0) / (pilot + 2.0)
    weights = np.exp(
        np.sqrt(means * (1.0 - means)) * reported("cures.temperature") / (passes + 1.0)
    )
    driven = np.exp(np.sqrt(means * (1.0 - means)) / 0.1)
    ratio = float(weights.max() / weights.min())
    agree(gibbs.gibbs(means, 0.1), driven / driven.sum())
    return everywhere(
        ratio > 1.1,
        f"largest over smallest weight {ratio:.5f}, largest for {int(weights.argmax())} of "
        f"{pilot} passes; Eq. 14 at tau=.1 gives {driven.max() / driven.min():.1f}",
    )


def _rollouts_per_step() -> tuple[float, float]:
    """Rollouts of a training step, as stated and as released."""
    stated = reported("cures.budget_prompts") * reported("cures.budget_rollouts")
    copies = stated / (reported("cures.prompts") / reported("cures.ranks"))  # budget per rank
    return stated, reported("cures.budget_prompts") * copies * reported("cures.rollout_n")


def rollouts_per_step() -> Finding:
    """CurES-11: the stated budget, and what the released scripts generate."""
    stated, released = _rollouts_per_step()
    mini_batch = reported("cures.mini_batch_prompts") * reported("cures.rollout_n")
    return under_condition(
        np.isclose(stated, 8192.0),
        np.isclose(released, stated),
        f"8 * 1,024 = {stated:.0f}; scripts: {released:.0f} rollouts and "
        f"{np.ceil(released / mini_batch):.0f} optimizer updates per step, where groups "
        f"of 8 make {stated / (8.0 * reported('cures.mini_batch_prompts')):.0f}",
    )


def pilot_overhead() -> Finding:
    """CurES-12: pilot rollouts of an iteration over the stated training rollouts."""
    pilot = reported("cures.pilot") * reported("cures.prompts")
    trained = reported("cures.steps") * _rollouts_per_step()[0]
    return everywhere(
        pilot / trained < 0.1,
        f"{pilot:.0f} of {trained:.0f} rollouts: {100 * pilot / trained:.0f} % more, and a "
        "backward pass each",
    )


def _average(key: str) -> tuple[float, float]:
    """Recomputed and printed average of a row of Table 1, `model method`."""
    names = ("MATH500", "GSM8K", "GAO23", "Minerva", "Olympiad", "AIME24", "AIME25", "AMC23")
    (row,) = (r for r in table("cures_table1") if f"{r['model']} {r['method']}" == key)
    return float(np.mean([float(row[name]) for name in names])), float(row["average"])


def average(case: str) -> Finding:
    """CurES-22 .. 39: the mean of the eight printed accuracies."""
    mean, printed = _average(case)
    return everywhere(abs(mean - printed) <= 0.005 + 1e-9, f"{mean:.3f}, printed {printed:.2f}")


def best_of_all() -> Finding:
    """CurES-15: each CurES run against the other runs of its size and estimator."""
    methods = ("{}", "SPEED-{}", "GVM-{}")
    better, said = [], []
    for model in ("1.5B", "7B"):
        for estimator in ("GRPO", "RPP"):
            ours = _average(f"{model} CurES-{estimator}")[1]
            best = max(_average(f"{model} {m.format(estimator)}")[1] for m in methods)
            better.append(ours > best)
            said.append(f"{model} {estimator} {ours:.2f} vs {best:.2f}")
    return everywhere(better, "average, CurES against the best other: " + ", ".join(said))


def speedup_across_scales() -> Finding:
    """CurES-19: the step ratios of the 7B runs against those of the 1.5B runs."""
    large, small = (
        np.array([reported(f"cures.steps_{m}_{e}") for e in ("grpo", "rpp")])
        for m in ("7b", "1.5b")
    )
    return everywhere(
        np.abs(small / large - 1.0) < 0.1,
        f"7B {large[0]}x and {large[1]}x; 1.5B {small[0]}x and {small[1]}x, in training steps",
    )


def margin_over_prior() -> Finding:
    """CurES-20: CurES-GRPO less the best other GRPO run, by model size."""
    gains = {
        model: _average(f"{model} CurES-GRPO")[1]
        - max(_average(f"{model} {m}")[1] for m in ("GRPO", "SPEED-GRPO", "GVM-GRPO"))
        for model in ("1.5B", "7B")
    }
    claimed = reported("cures.gain_best_prior")
    return under_condition(
        np.isclose(gains["1.5B"], claimed, atol=0.005),
        np.isclose(gains["7B"], claimed, atol=0.005),
        f"1.5B {gains['1.5B']:.2f}, 7B {gains['7B']:.2f} points",
    )

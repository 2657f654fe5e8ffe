"""The pass rate of held-out prompts.

Where a prompt has one right answer and nothing comes before it, its pass rate is the
probability of that answer, and the evaluation is exact. Otherwise it is estimated from
rollouts, whose seeds are the same at every evaluation of a run.
"""

import numpy as np
from jaxtyping import Float

from smallscale.assembly import Parts
from smallscale.prompts import Prompts


def evaluate(parts: Parts, *, seed: int) -> dict[str, float]:
    """Mean pass rate, over all held-out prompts and by family."""
    rates = pass_rates(parts, parts.held_out, parts.config.evaluation_rollouts, seed)
    found = {"evaluation/accuracy": float(rates.mean())}
    families = np.array(parts.held_out.families)
    for family in np.unique(families).tolist():
        found[f"evaluation/{family}"] = float(rates[families == family].mean())
    return found


def pass_rates(
    parts: Parts, prompts: Prompts, rollouts: int, seed: int
) -> Float[np.ndarray, "M"]:
    """Pass rate of each prompt under the current policy: exact, or observed in rollouts."""
    if parts.exact is not None:
        return parts.exact(prompts)
    counts = np.full(len(prompts), rollouts)
    made = parts.engine.generate(prompts.tokens, counts, seed)
    answers = [a for a in prompts.answers for _ in range(rollouts)]
    passed = parts.verifier.score(parts.decode(made), answers).passed
    return passed.reshape(len(prompts), rollouts).mean(1)

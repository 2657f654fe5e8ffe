"""Every strategy in every variant that behaves differently, sized for small worlds."""

from dataclasses import replace
from typing import Any

import numpy as np

from selection import (
    Cures,
    DynamicSampling,
    Greso,
    Gvm,
    Mopps,
    Oracle,
    Selector,
    Speed,
    Uniform,
)

SMALL = Greso.released(rollouts=4, share_block=None)


def rising(prompts: np.ndarray[Any, np.dtype[np.int_]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Pass rates that the oracle is told."""
    return (prompts + 1.0) / (prompts.size + 2.0)


VARIANTS: dict[str, Selector[Any]] = {
    "uniform": Uniform(rollouts=4),
    "uniform of one rollout": Uniform(rollouts=1),
    "dynamic, paper": DynamicSampling.paper(rollouts=4),
    "dynamic, released": DynamicSampling.released(rollouts=4, prompts=6),
    "dynamic, capped": DynamicSampling(rollouts=4, prompts=4, rounds=2),
    "dynamic, band": DynamicSampling(rollouts=4, low=0.25, high=0.5),
    "dynamic, everything": DynamicSampling(rollouts=1, mixed=False),
    "speed, paper": Speed.paper(screen=2, extend=3),
    "speed, phases of equal size": Speed.paper(screen=2, extend=2),
    "speed, thresholds": Speed(screen=4, extend=4, low=0.3, high=0.7),
    "speed, blocks": Speed(screen=2, extend=2, fresh=3),
    "speed, released": Speed.released(screen=2, extend=4, fresh=4),
    "speed, fused refill": Speed(screen=2, extend=2, fused=True),
    "greso, paper": Greso.paper(rollouts=4),
    "greso, few at a time": Greso(rollouts=4, prompts=3, chunk=2, explore=0.1),
    "greso, released": SMALL,
    "greso, released and small": replace(SMALL, prompts=4, chunk=3, smallest=2),
    "greso, graded": Greso.released(rollouts=8),
    "mopps, paper": Mopps.paper(rollouts=4),
    "mopps, memory": Mopps(rollouts=4, ratio=2, memory=0.5, prior=(2.0, 3.0), target=0.7),
    "mopps, threshold": Mopps(rollouts=4, ratio=3, rule="threshold"),
    "mopps, uniform": Mopps(rollouts=4, ratio=2, rule="uniform"),
    "mopps, prior only": Mopps(rollouts=4, learns=False),
    "mopps, released": Mopps.released(rollouts=4),
    "mopps, released, one rollout": Mopps.released(rollouts=1),
    "mopps, warm start": Mopps(rollouts=4, warm_rollouts=2),
    "cures, paper": Cures(rollouts=4, subsets=2, steps=3),
    "cures, paper, norms": Cures(rollouts=4, subsets=2, steps=3, temperature=0.01),
    "cures, released": replace(Cures.released(rollouts=4, shards=2), subsets=2, steps=3),
    "cures, released, norms": replace(Cures.released(shards=3), subsets=1, steps=2),
    "gvm": Gvm(rollouts=4, subsets=2, steps=3),
    "gvm, norms": Gvm(rollouts=4, pilot=2, subsets=3, steps=2, power=3.0),
    "oracle": Oracle(pass_rates=rising, rollouts=4),
    "oracle, one rollout": Oracle(pass_rates=rising, rollouts=1),
}

NORMED = {"cures, paper, norms", "cures, released, norms", "gvm, norms"}
GRADED = {"greso, graded"}
TRAIN_EVERYTHING = (
    {name for name in VARIANTS if name.startswith(("uniform", "mopps", "oracle"))}
    | {"cures, paper", "cures, paper, norms", "dynamic, everything"}
)  # fmt: skip
TRAIN_WHAT_PASSED = {"gvm", "gvm, norms"}

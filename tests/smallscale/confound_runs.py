"""Made-up runs of the update confound, whose costs of every target are known exactly."""

from collections.abc import Mapping

import numpy as np

from report.record import Record
from smallscale.confound import Arm

U1, U6 = Arm(strategy="uniform"), Arm(strategy="uniform", updates=6)
S1, S6 = Arm(strategy="speed-released"), Arm(strategy="speed-released", updates=6)
D1, D6 = Arm(strategy="dynamic"), Arm(strategy="dynamic", updates=6)
F6 = Arm(strategy="speed", updates=6)
X2, X4, X8 = (Arm(strategy="uniform", faster=times) for times in (2, 4, 8))
SIX = "uniform:updates=6"


def climb(
    arm: Arm, seed: int, pace: float, *, top: float = 1.0, luck: float = 1.0, each: float = 10.0
) -> Record:
    """A run whose accuracy rises from .5 by `pace` per training step until `top`.

    Every step takes `each` rollouts, of which half are trained on, and 2 rounds.
    """
    step = np.arange(0.0, 120.0)
    columns = {
        "step": step,
        "rollouts": each * step,
        "trained_rollouts": each / 2 * step,
        "updates": arm.updates * step,
        "rounds": 2.0 * step,
        "seconds": step,
        "accuracy": np.minimum(0.5 + pace * luck * step, top),
        "mixed": np.full(step.size, 0.5),
        "signal_realised": step,
    }
    setting = {"world": "w", "strategy": arm.name, "seed": seed}
    return Record(setting=setting, columns=columns, target=0.7)


def study(
    paces: Mapping[Arm, float],
    seeds: int = 3,
    setting: str = "adam",
    each: Mapping[Arm, float] | None = None,
) -> list[tuple[str, Arm, Record]]:
    """Runs of one setting; all arms share the luck of a seed, so ratios are exact."""
    cost = each or {}
    return [
        (setting, arm, climb(arm, s, pace, luck=1.0 + 0.1 * s, each=cost.get(arm, 10.0)))
        for arm, pace in paces.items()
        for s in range(seeds)
    ]

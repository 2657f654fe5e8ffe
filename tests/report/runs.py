"""Small made-up runs whose costs are known in closed form."""

import numpy as np
from jaxtyping import Float

from report.record import Record

STEPS = 20
PER_STEP = {
    "rollouts": 64.0,
    "trained_rollouts": 32.0,
    "updates": 4.0,
    "rounds": 2.0,
    "seconds": 90.0,
    "signal_expected": 5.0,
    "signal_realised": 6.0,
}


def columns(speed: float, price: float = 1.0) -> dict[str, Float[np.ndarray, "T"]]:
    """Accuracy climbs by `speed` hundredths a step; a step costs `price` times the usual."""
    step = np.arange(STEPS + 1.0)
    costs = {name: price * per_step * step for name, per_step in PER_STEP.items()}
    accuracy = np.minimum(0.2 + 0.01 * speed * step, 1.0)
    mixed = np.where(step > 0, 0.5, 0.0)
    return {"step": step, "accuracy": accuracy, "mixed": mixed} | costs


def run(
    strategy: str = "uniform",
    seed: int = 0,
    *,
    world: str = "hill",
    speed: float = 1.0,
    price: float = 1.0,
    target: float = 0.3,
) -> Record:
    setting = {"world": world, "strategy": strategy, "seed": seed}
    return Record(setting=setting, columns=columns(speed, price), target=target)


def trio(world: str = "hill", seeds: int = 3) -> list[Record]:
    """The baseline needs 10 steps, the strategy 8, the oracle 5, times a luck by seed."""
    speeds = {"uniform": 1.0, "mopps": 1.25, "oracle": 2.0}
    return [
        run(strategy, seed, world=world, speed=speed * (1.0 + 0.2 * seed))
        for strategy, speed in speeds.items()
        for seed in range(seeds)
    ]

"""Running totals of a run, from which the rows of its record are made."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass
class Totals:
    """What a run has spent and gathered since its start; see `report.record.COLUMNS`."""

    rollouts: int = 0
    trained_rollouts: int = 0
    updates: int = 0
    rounds: int = 0
    seconds: float = 0.0
    trained_groups: int = 0
    mixed_groups: int = 0
    signal_realised: float = 0.0

    def generated(self, rollouts: int, seconds: float) -> None:
        """Count one round of generation."""
        self.rollouts += rollouts
        self.rounds += 1
        self.seconds += seconds

    def collected(self, passes: Int[np.ndarray, "G"], rollouts: Int[np.ndarray, "G"]) -> None:
        """Count the groups of a training batch."""
        failures = rollouts - passes
        self.trained_groups += passes.size
        self.mixed_groups += int(((passes > 0) & (failures > 0)).sum())
        self.signal_realised += float((passes * failures / np.maximum(rollouts - 1, 1)).sum())

    def trained(self, rollouts: int, updates: int, seconds: float) -> None:
        """Count one training step."""
        self.trained_rollouts += rollouts
        self.updates += updates
        self.seconds += seconds

    def row(self, step: int, accuracy: float) -> dict[str, float]:
        """A row of the record, as it stands after a training step."""
        row = {
            "step": step,
            "rollouts": self.rollouts,
            "trained_rollouts": self.trained_rollouts,
            "updates": self.updates,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "accuracy": accuracy,
            "mixed": self.mixed_groups / max(self.trained_groups, 1),
            "signal_realised": self.signal_realised,
        }
        return {name: float(value) for name, value in row.items()}

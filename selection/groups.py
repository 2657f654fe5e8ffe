"""Totals of a training batch by group."""

import numpy as np
from jaxtyping import Int

from selection.driver import Segments


def group_totals(
    batch: Segments,
) -> tuple[Int[np.ndarray, "S"], Int[np.ndarray, "G"], Int[np.ndarray, "G"]]:
    """Group of each segment, counted from 0, and passes and rollouts of each group."""
    starts = batch.starts
    if starts.size == batch.group.size:
        return np.arange(starts.size), batch.passes, batch.rollouts
    index = np.repeat(np.arange(starts.size), np.diff(starts, append=batch.group.size))
    return index, np.add.reduceat(batch.passes, starts), np.add.reduceat(batch.rollouts, starts)

"""Membership in small sets of prompts, the step that selection repeats most."""

import numpy as np
from jaxtyping import Bool, Int

FEW = 2**15  # comparisons below which a table of all pairs beats the sorting of `numpy.isin`


def among(items: Int[np.ndarray, "I"], others: Int[np.ndarray, "J"]) -> Bool[np.ndarray, "I"]:
    """Whether each item is one of the others."""
    if not others.size:
        return np.zeros(items.size, bool)
    if items.size * others.size < FEW:
        return (items[:, None] == others).any(axis=1)
    return np.isin(items, others)

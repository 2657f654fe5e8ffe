"""Replay of GVM's recorded allocations (RLHFlow/GVM @ d640a75)."""

from typing import Any

import numpy as np

from selection.allocation import apportion, gvm_useful, gvm_weight
from tests.golden.tape import Record

Trace = dict[str, Any]


def replay(trace: Trace) -> None:
    """Allocate what a trace records; fail with its name and the field that differs."""
    record, config = Record(trace["name"], trace, frozenset({"G", "p"})), trace["config"]
    rates = np.array(record.read("p"), float)
    norms = np.array(record.read("G"), float)
    weights = gvm_weight(rates, norms, alpha=config["alpha"], power=config["beta"])
    budget = min(config["budget"], rates.size * config["n_pilot"])
    weights = gvm_useful(
        weights,
        rates,
        budget,
        easiest=config["filter_threshold"] or 1.0,
        least_passes=config["filter_insufficient"],
    )
    if weights.any():
        record.same(budget_used=budget, n=apportion(weights, budget))
        record.near(ratio=weights / weights.sum())
    else:
        record.same(error="total_is_zero")
    record.done()

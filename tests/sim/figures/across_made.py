"""Figures of CurES and across papers, made once at a small fraction for all tests."""

from functools import cache
from typing import Any

from report.style import house
from sim.figures import (
    across_allocation,
    across_index,
    across_limits,
    across_signal,
    cures_allocation,
    cures_beliefs,
    cures_curves,
    cures_gvm,
    cures_norms,
    cures_rules,
    cures_speedups,
    cures_sweep,
    cures_table,
)
from sim.figures.entry import Drawn, Entry

MODULES = (
    across_allocation,
    across_index,
    across_limits,
    across_signal,
    cures_allocation,
    cures_beliefs,
    cures_curves,
    cures_gvm,
    cures_norms,
    cures_rules,
    cures_speedups,
    cures_sweep,
    cures_table,
)
ENTRIES: dict[str, Entry] = {
    key: entry for module in MODULES for key, entry in module.FIGURES.items()
}
MADE = sorted(key for key, entry in ENTRIES.items() if entry.make)
FRACTION = 0.02


@cache
def made(key: str) -> Drawn:
    make = ENTRIES[key].make
    assert make
    with house():
        return make(FRACTION)


def numbers_of(key: str) -> Any:  # noqa: ANN401 - a table, whose cells pandas does not type
    return made(key).numbers

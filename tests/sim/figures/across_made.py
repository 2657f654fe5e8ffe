"""Figures of CurES and across papers, made once at a small fraction for all tests."""

from functools import cache
from typing import Any

from report.style import house
from sim.figures.entry import Drawn
from sim.figures.registry import FIGURES

ENTRIES = {key: entry for key, entry in FIGURES.items() if entry.paper in ("CurES", "across")}
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

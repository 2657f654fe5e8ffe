"""One look for every figure: a system has the same colour, marker and line wherever it appears.

Colours are told apart by readers with any common colour vision (Okabe and Ito; Tol's muted
set for the systems beyond eight), and never carry a difference alone: markers and line styles
repeat it. A variant, `system-variant` or `system:knob=value`, keeps its system's hue and
marker and changes the line.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from zlib import crc32

import matplotlib as mpl

Dashes = tuple[int, tuple[int, ...]]

HUES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "uniform": ("#555555", "o"),
        "oracle": ("#000000", "*"),
        "dynamic": ("#0072b2", "s"),
        "speed": ("#d55e00", "D"),
        "greso": ("#009e73", "^"),
        "mopps": ("#cc79a7", "v"),
        "cures": ("#e69f00", "P"),
        "gvm": ("#882255", "X"),
        "epochs": ("#56b4e9", "<"),
        "pilot": ("#999933", ">"),
    }
)
FURTHER_HUES = ("#332288", "#44aa99", "#aa4499", "#117733", "#88ccee", "#661100", "#6699cc")
FURTHER_MARKERS = ("h", "p", "d", "8", "H")
PAPER = ("", "paper")  # variants that are the system as its paper states it
LINES: Mapping[str, Dashes] = MappingProxyType({"released": (0, (5, 2))})
FURTHER_LINES: tuple[Dashes, ...] = ((0, (1, 1)), (0, (3, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)))


@dataclass(frozen=True)
class Look:
    """How a strategy is drawn. A hollow marker goes with a broken line."""

    color: str
    marker: str
    line: Literal["-"] | Dashes

    @property
    def fill(self) -> str:
        """Colour inside the marker."""
        return self.color if self.line == "-" else "white"


def house() -> AbstractContextManager[None]:
    """A context in which figures get the house's fonts, grid and spines."""
    return mpl.rc_context(
        {
            "font.size": 9.0,
            "font.family": "DejaVu Sans",  # comes with matplotlib: the same pixels everywhere
            "axes.titlesize": 9.0,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 9.0,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#888888",
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e6e6e6",
            "grid.linewidth": 0.7,
            "xtick.color": "#444444",
            "ytick.color": "#444444",
            "legend.frameon": False,
            "legend.fontsize": 8.5,
            "legend.handlelength": 3.2,
            "lines.linewidth": 1.6,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
        }
    )


def look(strategy: str) -> Look:
    """The look of a strategy, a function of its name alone.

    Unknown systems and variants draw from further looks by a checksum of their name, so two
    of them can meet in one colour, but none ever changes with the company it is shown in.
    """
    system, variant = [*re.split("[-:]", strategy, maxsplit=1), ""][:2]
    number = crc32(system.encode())
    further = (
        FURTHER_HUES[number % len(FURTHER_HUES)],
        FURTHER_MARKERS[number // len(FURTHER_HUES) % len(FURTHER_MARKERS)],
    )
    color, marker = HUES.get(system, further)
    return Look(color, marker, _line(variant))


def _line(variant: str) -> Literal["-"] | Dashes:
    if variant in PAPER:
        return "-"
    other = FURTHER_LINES[crc32(variant.encode()) % len(FURTHER_LINES)]
    return LINES.get(variant, other)

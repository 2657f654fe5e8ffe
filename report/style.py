"""One look for every figure: a system has the same colour, marker and line wherever it appears.

Colours are told apart by readers with any common colour vision (Okabe and Ito; Tol's muted
set for the systems beyond eight), and never carry a difference alone: markers and line styles
repeat it. A variant, `system-variant` or `system:knob=value`, keeps its system's hue; its
lightness, marker and line go by its place among the variants there are, so they hold within one
comparison only.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from zlib import crc32

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex, to_rgb

from report.runs import natural

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
    }
)
FURTHER_HUES = ("#332288", "#44aa99", "#aa4499", "#117733", "#88ccee", "#661100", "#6699cc")
FURTHER_MARKERS = ("h", "p", "d", "8", "H")
LINES: Mapping[str, Literal["-"] | Dashes] = MappingProxyType(
    {"": "-", "paper": "-", "released": (0, (5, 2))}  # the system as its paper states it, and
)  # as its authors released it, look the same in every comparison
FURTHER_LINES: tuple[Dashes, ...] = (
    (0, (1, 1)),
    (0, (3, 1, 1, 1)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (2, 1)),
    (0, (3, 1, 3, 1, 1, 1)),
)
SHAPES = ("o", "D", "^", "s", "v", "P", "<", "X", ">")
DARK, LIGHT = -0.5, 0.5  # shares of black and of white in the outer variants of a system
WIDTH = 9.6  # of a figure, in inches: the page shows it at its own size
PANELS = (2, 3)  # rows and columns of panels, one per currency


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


def looks(strategies: Iterable[str]) -> dict[str, Look]:
    """The look of each strategy of a comparison, by its name.

    Systems, and what their authors released, look the same in whatever company. The other
    variants of one system go from dark to light in `natural` order, and no two of up to 45
    (9 markers by 5 lines) look alike. Unknown systems draw from further looks by a checksum of
    their name, so two of them can meet in one.
    """
    found: dict[str, Look] = {}
    variants: dict[str, list[str]] = {}
    for strategy in sorted(set(strategies), key=natural):
        system, variant = _parts(strategy)
        if variant in LINES:
            found[strategy] = Look(*_system(system), LINES[variant])
        else:
            variants.setdefault(system, []).append(strategy)
    for system, names in variants.items():
        found |= _ramp(names, *_system(system))
    return found


def _parts(strategy: str) -> tuple[str, str]:
    """A strategy's system and variant."""
    system, variant = [*re.split("[-:]", strategy, maxsplit=1), ""][:2]
    return system, variant


def _system(name: str) -> tuple[str, str]:
    """Colour and marker of a system, a function of its name alone."""
    number = crc32(name.encode())
    further = (
        FURTHER_HUES[number % len(FURTHER_HUES)],
        FURTHER_MARKERS[number // len(FURTHER_HUES) % len(FURTHER_MARKERS)],
    )
    return HUES.get(name, further)


def _ramp(variants: Sequence[str], color: str, marker: str) -> dict[str, Look]:
    """Looks of a system's variants; a lone one has its system's colour and marker."""
    shapes = (marker, *(shape for shape in SHAPES if shape != marker))[: len(SHAPES)]
    shades = np.linspace(DARK, LIGHT, len(variants)) if len(variants) > 1 else (0.0,)
    return {
        name: Look(
            _shade(color, float(shade)),
            shapes[place % len(shapes)],
            FURTHER_LINES[place % len(FURTHER_LINES)],
        )
        for place, (name, shade) in enumerate(zip(variants, shades, strict=True))
    }


def _shade(color: str, shade: float) -> str:
    """A colour mixed with white, or for a negative share with black."""
    towards = 1.0 if shade > 0 else 0.0
    red, green, blue = (c + abs(shade) * (towards - c) for c in to_rgb(color))
    return to_hex((red, green, blue))

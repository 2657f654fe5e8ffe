r"""Figures 2 and 6 of GVM-RAFT: rollouts against the accept rate.

They are the weight $1/\sqrt{p + \alpha p^{1-\beta}}$ of its Proposition 1 (arXiv 2505.02391)
for several $\alpha$ and $\beta$. The constant of its Remark 1, a bound on accepted rollouts, is
compared too: it is right for $\beta = 2$ alone.
"""

import numpy as np
import pandas as pd

from report.style import FURTHER_LINES, HUES, Look
from sim.figures.across_draw import column, legend, line
from sim.figures.entry import Drawn, Entry, Value
from theory.gvm import ALPHA, acceptance_constant, gvm_peak, gvm_weight

ALPHAS, POWERS = (1e-4, 1e-3, 1e-2), (2.0, 3.5, 5.0)


def gvm_curves(fraction: float) -> Drawn:
    """GVM's Figures 2 and 6: its weight against the acceptance rate."""
    del fraction
    p = np.geomspace(1e-4, 1.0, 201)
    curves = {(b, a): gvm_weight(p, 1.0, a, b) for b in POWERS for a in ALPHAS}
    with column(4.6) as figure:
        panels = figure.subplots(len(POWERS), 1, sharex=True)
        for panel, power in zip(panels, POWERS, strict=True):
            for dashes, alpha in zip(("-", *FURTHER_LINES), ALPHAS, strict=False):
                look = Look(HUES["gvm"][0], "", dashes)
                line(panel, p, curves[power, alpha], look, f"α = {alpha:g}")
                top = float(gvm_peak(alpha, power))
                panel.plot(top, gvm_weight(top, 1.0, alpha, power), "o", color=look.color, ms=3)
            panel.set_title(f"β = {power:g}")
            panel.set_xscale("log")
            panel.set_ylabel("n / G (relative)")
            panel.set_ylim(0.0)
        panels[-1].set_xlabel("accept rate p (log scale)")
        legend(figure, panels, 3)
    frames = [
        pd.DataFrame({"beta": b, "alpha": a, "accept_rate": p, "weight": curve})
        for (b, a), curve in curves.items()
    ]
    return Drawn(
        figure=figure,
        numbers=pd.concat(frames, ignore_index=True),
        values=[_constant(power) for power in POWERS],
        remarks=f"Dots: largest weight, at p = (α(β−1))^(1/β); for α = {ALPHA:g} at "
        + ", ".join(f"{float(gvm_peak(ALPHA, power)):.3f}" for power in POWERS)
        + f" for β = {', '.join(f'{power:g}' for power in POWERS)}.",
    )


def _constant(power: float) -> Value:
    """Remark 1's constant beside the one with which its bound is tight."""
    return Value(
        what=f"constant of the bound on accepted rollouts, β = {power:g}",
        published=2.0**0.5,
        here=float(acceptance_constant(power)),
        tolerance=1e-9,
        note="Remark 1 prints √2 for every β; √(β/(β−1)) is derived here, with a larger one "
        "the bound is violated",
    )


FIGURES: dict[str, Entry] = {
    "cures-gvm-2": Entry(
        paper="CurES",
        title="GVM's allocation against the accept rate, for several α and β",
        source="Figures 2 and 6, arXiv 2505.02391 (GVM-RAFT)",
        how="exact formula",
        seconds=0.4,
        make=gvm_curves,
    ),
}

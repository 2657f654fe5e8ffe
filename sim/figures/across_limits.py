r"""What choosing prompts and allocating rollouts can gain at most, by population of pass rates.

Bounds of `theory.limits` per rollout, whatever a rule knows: choosing prompts gains at most
$\frac14/E[v]$ if a rollout is worth $v = p(1-p)$, and $\frac12/E\sqrt v$ if it is worth its
root; keeping the best quarter of a finite pool a little less; allocation alone, prompts being
taken as they come, $E[v]/(E\sqrt v)^2$ in the variance of the gradient if fractions of a
rollout were allowed, and in whole groups of RLOO what the best integers save over equal
numbers where noise dominates.

None of this covers transfer between prompts, pass rates that move because of what was chosen,
or the time that training takes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from report.style import FURTHER_HUES, Look
from sim.figures.across_draw import certain, column, dot, legend, rows
from sim.figures.entry import Drawn, Entry
from theory.limits import (
    Beta,
    allocation_limit,
    deviation_limit,
    pool_limit,
    selection_limit,
)
from theory.neyman import batch_variance, rloo_allocation
from theory.published import FITTED, reported

SYNTHETIC, CHOOSE = "uniform on [0, 1]", "choose, worth v"
# Fits, with their sources: DSR-sub to 8 rollouts at a visit (ypwang61/One-Shot-RLVR @ 21ed529),
# OpenR1 to pass@k read off Reinforce-Ada (arXiv 2510.04996), DAPO-17k as in `theory.published`
POPULATIONS: Mapping[str, Beta] = MappingProxyType(
    {
        "DSR-sub 1.5B, start": Beta(0.349, 0.707),
        "DSR-sub 1.5B, visit 11": Beta(0.311, 0.507),
        "DSR-sub 1.5B, visit 44": Beta(0.323, 0.365),
        "OpenR1 1.5B": Beta(0.337, 1.533, 0.026),
        "DAPO-17k 1.5B": Beta(*FITTED["1.5B"]),
        "DAPO-17k 7B": Beta(*FITTED["7B"]),
        SYNTHETIC: Beta(1.0, 1.0),
    }
)
BATCH, ROLLOUTS, NOISE = 64, 8, 100.0  # prompts, mean rollouts, V / |D|^2: noise dominates


def whole_group_gain(population: Beta) -> float:
    """Variance with equal numbers over the least, of RLOO on a batch at the quantiles."""
    spread = (np.arange(BATCH) + 0.5) / BATCH
    solvable = np.clip((spread - population.unsolved) / (1.0 - population.unsolved), 0.0, 1.0)
    rates = betaincinv(population.alpha, population.beta, solvable)
    best = rloo_allocation(rates, ROLLOUTS * BATCH, 1.0, NOISE, NOISE)
    counts = np.full(BATCH, ROLLOUTS), best
    equal, least = (batch_variance(rates, n, 1.0, NOISE, NOISE) for n in counts)
    return equal / least


LIMITS: Mapping[str, tuple[Look, Callable[[Beta], float]]] = MappingProxyType(
    {
        CHOOSE: (Look("#000000", "*", "-"), selection_limit),
        "choose, worth √v": (Look(FURTHER_HUES[0], "d", "-"), deviation_limit),
        "choose best quarter": (
            Look(FURTHER_HUES[6], "p", "-"),
            lambda population: pool_limit(population, 0.25),
        ),
        "allocate, fractions": (Look(FURTHER_HUES[2], "h", (0, (1, 1))), allocation_limit),
        "allocate, groups of 8": (Look(FURTHER_HUES[5], "8", "-"), whole_group_gain),
    }
)


def limits(fraction: float) -> Drawn:
    """Bounds by population."""
    del fraction  # nothing is drawn at random
    found = pd.DataFrame(
        [
            {"population": name, "limit": limit, "gain": gain(population)}
            for name, population in POPULATIONS.items()
            for limit, (_, gain) in LIMITS.items()
        ]
    )
    names = list(POPULATIONS)
    with column(3.9) as figure:
        panel = figure.subplots()
        for line in found.to_dict("records"):
            limit = str(line["limit"])
            lane = 0.13 * (list(LIMITS).index(limit) - (len(LIMITS) - 1) / 2)
            place = names.index(line["population"]) + lane  # equal gains stay apart
            dot(panel, certain(line["gain"]), place, LIMITS[limit][0], limit)
        rows(panel, names)
        panel.set_xlim(0.9, 3.0)
        panel.axvline(1.0, color="#555555", linewidth=0.8)
        panel.set_xlabel("most to be gained per rollout (1 = uniform)")
        legend(figure, [panel], 2)
    return Drawn(figure=figure, numbers=found, remarks=_moral(found))


def _moral(found: pd.DataFrame) -> str:
    real: Any = found[found["population"] != SYNTHETIC]
    said = [
        f"{name} {part['gain'].min():.2f} to {part['gain'].max():.2f}"
        for name, part in real.groupby("limit", sort=False)
    ]
    most = real[real["limit"] == CHOOSE]["gain"].to_numpy()
    claimed = reported("speed.average_speedup")
    return (
        f"Real populations: {'; '.join(said)}. SPEED's mean speed-up of {claimed:g} in "
        "hours is "
        f"above the limit of {(most < claimed).sum()} of {most.size} of them: where it is "
        "due to "
        "signal per rollout, something outside the theorem takes part."
    )


FIGURES: dict[str, Entry] = {
    "across-limits": Entry(
        paper="across",
        title="What choosing prompts and allocating rollouts can gain at most, by population",
        source="theorem of theory/limits.py; pass rates published by three systems",
        how="exact formula",
        seconds=0.3,
        make=limits,
    ),
}

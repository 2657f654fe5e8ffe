r"""What each rule of allocation is worth, of the most that any could be.

Prompts are taken as they come and their pass rates are known, so that nothing but the
allocation differs. A variance would reward a small gradient; the criterion is $\Psi$ of
`theory.efficiency`, proportional to the improvement of a step of the best length, and the
yardstick the allocation of largest $\Psi$ in whole rollouts, at least 2 each, found exactly.
CurES's Eq. 20 minimizes another criterion, the variance of an exact-baseline gradient.
"""

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from scipy.special import betaincinv

from report.style import Look, looks
from selection.allocation import allocate
from sim.figures.across_draw import certain, column, dot, legend, rows
from sim.figures.entry import Drawn, Entry
from theory.efficiency import efficiency, efficient_allocation
from theory.gvm import gvm_weight
from theory.moments import Centred
from theory.neyman import rollout_deviation
from theory.published import FITTED

PROMPTS, BUDGET, LEAST = 40, 320, 2
SPREAD = (np.arange(PROMPTS) + 0.5) / PROMPTS
POPULATIONS: Mapping[str, Float[np.ndarray, "M"]] = MappingProxyType(
    {
        "pass rates spread evenly": SPREAD,
        "DAPO-17k 1.5B (quantiles)": np.asarray(betaincinv(*FITTED["1.5B"], SPREAD)),
    }
)
ESTIMATORS: Mapping[str, Centred] = MappingProxyType({"RLOO": "rloo", "GRPO": "grpo"})
LOSSES = {"per prompt": False, "flat": True}  # mean over prompts, or over all rollouts
NOISES = {"no noise": 0.0, "noise": 100.0}  # V / |D|^2
KNOWN = looks(["uniform", "cures", "cures-released", "gvm"])
LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "equal numbers": KNOWN["uniform"],
        "CurES, Eq. 20": KNOWN["cures"],
        "CurES, told no norms": KNOWN["cures-released"],
        "GVM": KNOWN["gvm"],
    }
)

Rates = Float[np.ndarray, "M"]


def allocations(p: Rates, noise: float) -> dict[str, Int[np.ndarray, "M"]]:
    """Rollouts of each prompt by rule."""
    weights = {
        "equal numbers": np.ones(p.size),
        "CurES, Eq. 20": rollout_deviation(p, 1.0, noise, noise),
        "CurES, told no norms": np.sqrt(p * (1.0 - p)),
        "GVM": gvm_weight(p),
    }
    return {name: allocate(weight, BUDGET, LEAST) for name, weight in weights.items()}


def worth(p: Rates, estimator: Centred, noise: float, *, flattened: bool) -> dict[str, float]:
    """Efficiency of each rule over the largest there is."""
    scores = (1.0, noise, noise)
    best = efficient_allocation(estimator, p, BUDGET, *scores, flattened=flattened, least=LEAST)
    most = efficiency(estimator, p, best, *scores, flattened=flattened)
    return {
        name: efficiency(estimator, p, counts, *scores, flattened=flattened) / most
        for name, counts in allocations(p, noise).items()
    }


def allocation(fraction: float) -> Drawn:
    """Every rule in every case, by population."""
    del fraction  # nothing is drawn at random
    lines: list[Mapping[str, str | float]] = []
    with column(5.6) as figure:
        panels = figure.subplots(len(POPULATIONS), 1, sharex=True)
        for panel, (name, p) in zip(panels, POPULATIONS.items(), strict=True):
            cases: list[str] = []
            for (kind, estimator), (loss, flat), (size, noise) in product(
                ESTIMATORS.items(), LOSSES.items(), NOISES.items()
            ):
                case = f"{kind}, {loss}, {size}"
                found = worth(p, estimator, noise, flattened=flat)
                _row(panel, found, len(cases))
                cases.append(case)
                lines += [
                    {"population": name, "case": case, "rule": rule, "worth": value}
                    for rule, value in found.items()
                ]
            rows(panel, cases)
            panel.set_title(name)
        panels[-1].set_xlim(0.0, 1.02)
        panels[-1].set_xlabel("efficiency Ψ, relative to the best")
        legend(figure, panels, 2)
    numbers = pd.DataFrame(lines)
    return Drawn(figure=figure, numbers=numbers, remarks=_moral(numbers))


def _row(panel: Axes, found: Mapping[str, float], place: int) -> None:
    for order, (rule, value) in enumerate(found.items()):
        dot(panel, certain(value), place + 0.2 * (order - 1.5), LOOKS[rule], rule)


def _moral(numbers: pd.DataFrame) -> str:
    flat = numbers["case"].str.contains("flat")
    said = [
        f"{loss} loss: "
        + ", ".join(
            f"{rule} {part['worth'].min():.2f} to {part['worth'].max():.2f}"
            for rule, part in numbers[chosen].groupby("rule", sort=False)
        )
        for loss, chosen in (("per-prompt", ~flat), ("flat (token-mean)", flat))
    ]
    return f"Efficiency over the best: {'; '.join(said)}."


FIGURES: dict[str, Entry] = {
    "across-allocation": Entry(
        paper="across",
        title="What each rule of allocation is worth, of the most that any could be",
        source="theory/efficiency.py; rules of arXiv 2510.01037 and arXiv 2505.02391",
        how="exact formula",
        seconds=2.0,
        make=allocation,
    ),
}

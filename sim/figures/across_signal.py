r"""Signal per rollout of every system, under both metrics.

*Expected*: $p(1-p)$ for every rollout trained on, what fresh rollouts of the same prompts
would be worth. *Realized*: $K(N-K)/(N-1)$ for every group trained on, what its RLOO gradient
contains. For rules that do not look at the rollouts they train on the two agree; for those
that do, SPEED's screening and dynamic sampling among them, they differ, and one of them alone
favours one family. Rollouts generated count in full: rejected screens, filtered groups,
pilots. All relative to uniform selection of the same seed, on prompts whose pass rates are
known and move whatever is trained. The limit is $\frac14/E[v]$ of the same population
(`theory.limits`), for the expected.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.aggregate import Estimate, ratio
from report.style import looks
from selection.strategies import Sizes, strategy
from sim.catalogue import place, plan
from sim.figures.across_draw import column, columns_of, dot, legend, rows
from sim.figures.entry import Drawn, Entry, share
from sim.run import simulate
from theory.limits import Beta, selection_limit
from theory.published import FITTED

SEEDS = 5
SIZES = Sizes(groups=64, rollouts=24, prompts=2000, steps=60)
REPLAYED = Sizes(groups=64, rollouts=24, prompts=1209, steps=60)
WORLDS: Mapping[str, tuple[str, Sizes]] = MappingProxyType(
    {
        "DAPO-17k 1.5B, still": ("static-1.5b", SIZES),
        "DAPO-17k 7B, still": ("static-7b", SIZES),
        "DSR-sub 1.5B, replayed": ("replay", REPLAYED),
    }
)
LIMITED = {"DAPO-17k 1.5B, still": "1.5B", "DAPO-17k 7B, still": "7B"}  # by their Beta fits
BASELINE = "uniform"
SYSTEMS = (
    "dynamic",
    "dynamic-released",
    "speed",
    "speed-released",
    "greso",
    "greso-released",
    "mopps",
    "mopps-released",
    "cures",
    "cures-released",
    "gvm",
    "oracle",
)
METRICS = ("realised", "expected")  # columns of a record

Found = dict[tuple[str, str, str], Estimate]  # by world, system, metric


def per_rollout(
    world: str, system: str, seeds: int, steps: int = SIZES.steps
) -> dict[str, Float[np.ndarray, "S"]]:
    """Signal per generated rollout of each seed's run, by metric."""
    name, sizes = WORLDS[world]
    settled = replace(plan(place(name, sizes), strategy(system, sizes), sizes), steps=steps)
    runs = [simulate(settled, seed) for seed in range(seeds)]
    return {
        metric: np.array([one[f"signal_{metric}"][-1] / one["rollouts"][-1] for one in runs])
        for metric in METRICS
    }


def compare(seeds: int, steps: int = SIZES.steps) -> Found:
    """Every system over uniform selection."""
    found: Found = {}
    for world in WORLDS:
        base = per_rollout(world, BASELINE, seeds, steps)
        for system in SYSTEMS:
            ours = per_rollout(world, system, seeds, steps)
            for metric in METRICS:
                found[world, system, metric] = ratio(ours[metric], base[metric])
    return found


def signal(fraction: float) -> Drawn:
    """Signal per rollout by world and system."""
    found = compare(share(fraction, SEEDS), share(5.0 * fraction, SIZES.steps, least=10))
    with column(6.6) as figure:
        panels = figure.subplots(len(WORLDS), 1, sharex=True)
        for panel, world in zip(panels, WORLDS, strict=True):
            _panel(panel, world, found)
        panels[-1].set_xlabel("signal per generated rollout (1 = uniform)")
        legend(figure, panels, 3)
    numbers = pd.DataFrame(
        [
            {"world": world, "system": system, "metric": metric, **columns_of(estimate)}
            for (world, system, metric), estimate in found.items()
        ]
    )
    return Drawn(figure=figure, numbers=numbers, remarks=_moral(found))


def _panel(panel: Axes, world: str, found: Found) -> None:
    known = looks(SYSTEMS)
    for place_, system in enumerate(SYSTEMS):
        for metric, lane in zip(METRICS, (-0.16, 0.16), strict=True):
            hollow = metric == "expected"
            dot(
                panel, found[world, system, metric], place_ + lane, known[system], hollow=hollow
            )
    for metric, fill in zip(METRICS, ("#555555", "white"), strict=True):
        panel.plot([], [], "o", color="#555555", mfc=fill, ms=4.5, label=metric)
    if world in LIMITED:
        limit = selection_limit(Beta(*FITTED[LIMITED[world]]))
        panel.axvline(limit, color="#000000", lw=0.9, ls=(0, (1, 1)), label="limit (expected)")
    panel.axvline(1.0, color="#555555", linewidth=0.8)
    panel.set_title(world)
    rows(panel, SYSTEMS)


def _moral(found: Found) -> str:
    said: list[str] = []
    for metric in METRICS:
        spans: list[str] = []
        for system in ("dynamic", "speed", "mopps", "cures", "gvm"):
            values = [found[world, system, metric].value for world in WORLDS]
            spans.append(f"{system} {min(values):.2f} to {max(values):.2f}")
        said.append(f"{metric}: {', '.join(spans)}")
    return f"Over the three worlds, {'; '.join(said)}."


FIGURES: dict[str, Entry] = {
    "across-signal": Entry(
        paper="across",
        title="Signal per generated rollout of every system, under both metrics",
        source="pass rates published by the authors of SPEED and of One-Shot RLVR",
        how="simulation",
        seconds=6.0,
        make=signal,
    ),
}

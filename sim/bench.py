"""How fast the simulator is, beside the work that no simulator of these worlds can avoid.

The unavoidable per training step is one draw of passes for every group of a batch and the
look-up of their pass rates (in the coupled world, the product that gives them). Both are timed
in the same run, so that the ratio does not depend on the machine.
"""

import time
from collections.abc import Callable

import numpy as np
from rich.table import Table

from selection.strategies import STRATEGIES, Sizes, strategy
from sim.catalogue import Place, place, plan
from sim.run import train

# The coupled world learns slowly enough here for 1,000 steps to stay within its useful range.
WORLD_NAMES = ("static-1.5b", "replay", "coupled:step=0.5")


def table(sizes: Sizes) -> Table:
    """Seconds of each strategy in each world, and the ratio to the bare draws."""
    rows = Table(
        "strategy",
        *(f"{world}\ns (x bare)" for world in WORLD_NAMES),
        title=f"{sizes.steps:,} steps of {sizes.groups} groups over {sizes.prompts:,} prompts",
    )
    places = {name: place(name, sizes) for name in WORLD_NAMES}
    bare = {name: seconds(bare_run(places[name], sizes)) for name in WORLD_NAMES}
    rows.add_row("bare draws", *(f"{bare[name]:.3f} (1)" for name in WORLD_NAMES))
    for name in STRATEGIES:
        cells = [_cell(name, places[world], sizes, bare[world]) for world in WORLD_NAMES]
        rows.add_row(name, *cells)
    return rows


def _cell(name: str, where: Place, sizes: Sizes, bare: float) -> str:
    spent = seconds(full_run(name, where, sizes))
    return f"{spent:.2f} ({spent / bare:.1f})"


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def full_run(name: str, where: Place, sizes: Sizes) -> Callable[[], object]:
    """All steps of a strategy in a world whose prompts are drawn already."""
    planned = plan(where, strategy(name, sizes), sizes)
    prompts, outcomes, choice = np.random.default_rng(0).spawn(3)
    policy = where.world.begin(prompts)
    return lambda: train(planned, policy, outcomes, choice)


def bare_run(where: Place, sizes: Sizes) -> Callable[[], object]:
    """Pass rates and draws of as many groups, whatever they are used for."""
    rng = np.random.default_rng(0)
    policy = where.world.begin(rng)
    batches = rng.integers(sizes.prompts, size=(sizes.steps, sizes.groups))
    return lambda: [
        rng.binomial(sizes.rollouts, policy.pass_rates(batch)).sum() for batch in batches
    ]

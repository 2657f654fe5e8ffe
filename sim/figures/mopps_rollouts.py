r"""Rollouts to a target: MoPPS, uniform selection and dynamic sampling.

The paper's runs reach equal averages with a quarter of the rollouts of dynamic sampling
(second-hand: 737k for 2,933k, and 287k for 1,147k). Two pictures of that:

- *The coupled world* (`sim.coupled`), where pass rates move because they are trained. It is
  no model of these runs; its ratios hold there.
- *Orders of dynamic sampling a training step*, exactly, by the share of mixed groups
  (`theory.refilling`). A batch of B groups by whole orders of B prompts takes 4 orders where
  the share lies between 1/4 and 1/3, and the released scripts let no fifth order follow. Either
  implies a quarter of the rollouts, whatever MoPPS selects; which of the two was at work cannot
  be told from outside.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.aggregate import Estimate, Times, paired_ratio
from report.style import Look, looks
from selection.strategies import Sizes, strategy
from sim.catalogue import place, plan
from sim.figures.entry import Drawn, Value, share
from sim.figures.layout import PAGE, band, grid, legend_below, level
from sim.run import simulate
from theory.published import reported
from theory.refilling import capped_rounds, expected_rounds

SIZES = Sizes(groups=64, rollouts=8, prompts=2000, steps=250)
GOAL = 0.5  # mean pass rate of held-out prompts
CAP = 4
STRATEGIES: Mapping[str, tuple[str, Look]] = MappingProxyType(
    {
        "uniform": ("uniform", looks(["uniform"])["uniform"]),
        "DS, at most 4 orders": ("dynamic-rounds:rounds=4", looks(["dynamic"])["dynamic"]),
        "MoPPS": ("mopps", looks(["mopps"])["mopps"]),
    }
)
UNIFORM, DS, MOPPS = STRATEGIES
SHARES = np.linspace(0.12, 1.0, 177)  # of mixed groups
THOUSAND = 1e3
PRINTED = ("1.5B", "7B")


@cache
def records(name: str, seeds: int) -> list[dict[str, Float[np.ndarray, "T"]]]:
    """Columns of the record of each seed of a strategy in the coupled world."""
    made = plan(place("coupled", SIZES), strategy(STRATEGIES[name][0], SIZES), SIZES)
    return [simulate(made, seed) for seed in range(seeds)]


def times(name: str, seeds: int) -> Times:
    """Rollouts at which each seed reached the target."""
    reached: list[float] = []
    for made in records(name, seeds):
        there = made["accuracy"] >= GOAL
        reached.append(made["rollouts"][there.argmax()] if there.any() else np.inf)
    return Times(
        np.array(reached), np.array([made["rollouts"][-1] for made in records(name, seeds)])
    )


def saving(name: str, seeds: int) -> Estimate:
    """Rollouts of a strategy to the target over those of MoPPS, seed by seed."""
    return paired_ratio(times(name, seeds), times(MOPPS, seeds))


def orders_in_print(model: str) -> float:
    """Rollouts of dynamic sampling over those of MoPPS."""
    return reported(f"mopps.ds_rollouts_{model}") / reported(f"mopps.rollouts_{model}")


def rollouts(fraction: float) -> Drawn:
    """Accuracy by rollouts in the coupled world; orders of dynamic sampling by mixed share."""
    seeds = share(fraction, 10)
    figure, axes = grid(PAGE, 3.5, 1, 2)
    parts = [_progress(axes[0][0], name, seeds) for name in STRATEGIES]
    level(axes[0][0], GOAL, label="target")
    axes[0][0].set(xlabel="rollouts (thousands)", ylabel="mean pass rate, held-out prompts")
    axes[0][0].set(title="coupled world", ylim=(0.0, None))
    parts.append(_orders(axes[0][1]))
    legend_below(figure, axes[0], 3)
    return Drawn(
        figure=figure,
        numbers=pd.concat(parts),
        values=[*_order_values(), *_saving_values(seeds)],
        remarks=_remarks(seeds),
    )


def _progress(panel: Axes, name: str, seeds: int) -> pd.DataFrame:
    """A strategy's mean accuracy at rollouts that every seed has spent."""
    made = records(name, seeds)
    spent = np.linspace(0.0, min(one["rollouts"][-1] for one in made), 60)
    samples = np.stack([np.interp(spent, one["rollouts"], one["accuracy"]) for one in made])
    middle, low, high = band(panel, spent / THOUSAND, samples, STRATEGIES[name][1], name)
    columns = {"rollouts": spent, "accuracy": middle, "low": low, "high": high}
    return pd.DataFrame({"of": name} | columns)


def _orders(panel: Axes) -> pd.DataFrame:
    """Mean orders of a batch, with and without the cap, and those in print."""
    groups = int(reported("mopps.prompts"))
    capped = capped_rounds(groups, groups, SHARES, CAP)
    free = expected_rounds(groups, groups, SHARES)
    color = STRATEGIES[DS][1].color
    panel.plot(SHARES, free, color=color, linestyle=(0, (1, 1)), label="DS, no cap")
    panel.plot(SHARES, capped, color=color)
    printed = [orders_in_print(model) for model in PRINTED]
    label = "in print: " + ", ".join(
        f"{orders:.2f} ({model})" for orders, model in zip(printed, PRINTED, strict=True)
    )
    panel.plot(
        [SHARES[0], SHARES[-1]], [np.mean(printed)] * 2, "k-.", linewidth=0.9, label=label
    )
    panel.set(xlabel="share of mixed groups", ylabel="orders a training step")
    panel.set(title="dynamic sampling, exactly", ylim=(0.0, 8.5))
    return pd.DataFrame(
        {"of": "orders", "mixed_share": SHARES, "orders": capped, "orders_uncapped": free}
    )


def _order_values() -> list[Value]:
    """Orders in print beside the cap."""
    values: list[Value] = []
    for model in PRINTED:
        counts = [reported(f"mopps.{kind}rollouts_{model}") for kind in ("ds_", "")]
        printed = orders_in_print(model)
        values.append(
            Value(
                what=f"rollouts of DS over those of MoPPS, R1-Distill-{model} on MATH",
                published=printed,
                here=float(CAP),
                tolerance=printed * sum(0.5 / count for count in counts),
                note="second-hand, in thousands; here the cap of the released scripts on orders"
                " a step, which is also what a mixed share of 1/4 to 1/3 takes",
            )
        )
    return values


def _saving_values(seeds: int) -> list[Value]:
    """Ratios of the coupled world beside those in print."""
    against_ds, against_uniform = saving(DS, seeds), saving(UNIFORM, seeds)
    note = "second-hand; here the coupled world, which is no model of the published runs"
    return [
        Value(
            what="rollouts of DS to the target over those of MoPPS, at most in print",
            published=1.0 / (1.0 - 0.7846),
            here=against_ds.value,
            tolerance=_reach(against_ds) + 0.05,
            against="ratio",
            note=note + "; in print 'up to 78.46 % fewer'",
        ),
        Value(
            what="speedup of MoPPS over uniform selection, in training steps to the target",
            published=1.8,
            here=against_uniform.value,
            tolerance=_reach(against_uniform) + 0.05,
            against="ratio",
            note=note + "; both spend the same rollouts a step",
        ),
    ]


def _reach(found: Estimate) -> float:
    """Half the interval of a ratio, relative to it."""
    return (found.high - found.low) / 2.0 / found.value


def share_behind(orders: float) -> float:
    """Largest constant mixed share that takes so many orders under the cap."""
    groups = int(reported("mopps.prompts"))
    fine = np.linspace(0.25, 0.4, 1501)
    enough = capped_rounds(groups, groups, fine, CAP) >= orders
    return float(fine[enough].max())


def _remarks(seeds: int) -> str:
    """What the two pictures say."""
    ds, uniform = saving(DS, seeds), saving(UNIFORM, seeds)
    most = share_behind(orders_in_print("1.5B"))
    return (
        "In the coupled world dynamic sampling takes"
        f" {ds.value:.2f} [{ds.low:.2f}, {ds.high:.2f}] times the rollouts of MoPPS to the"
        f" target, uniform selection {uniform.value:.2f} [{uniform.low:.2f},"
        f" {uniform.high:.2f}] times. In print it is four orders a step: the cap, or a mixed"
        f" share of at most {most:.2f}."
    )

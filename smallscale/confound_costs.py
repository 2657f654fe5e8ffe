r"""What the arms of the update confound paid for each target, and how they compare.

The table of runs, a row per run and target, is all that anything else is made from. An arm is
compared with another under the same seeds, over the seeds that both have. Of an apparent
speedup T_base / T_arm the share that a control has as well is

$$ \ln(T_\text{base} / T_\text{control}) / \ln(T_\text{base} / T_\text{arm}). $$

**Modelled seconds** put a language model's prices on what the tiny one did, since its own
seconds say nothing: a round of generation lasts as long as its longest rollout, every rollout
has tokens to generate and maybe to train on, and an update has a price. `Prices` states them
per round, rollout and update for the 7B model of SPEED (arXiv 2506.09016), as the simulator's
cost preset `speed-7b` does for rounds of 256 rollouts of which 4 of 10 pass: 3,043 decoding
steps at .0204 s; 780 tokens on average, at 2.89e-5 s generated and 9.52e-5 s trained on. Rounds
that only refill a batch are cheaper than that by up to a fifth: dynamic sampling is charged
too much.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from report.aggregate import UNKNOWN, Estimate, Times, geometric_mean, mean, paired_ratio
from report.currencies import time_to_target
from report.record import Record
from smallscale.confound import BASE, SETTINGS, TARGETS, UNIFORM, Arm

CURRENCIES: Mapping[str, str] = MappingProxyType(
    {
        "step": "training steps",
        "rollouts": "rollouts",
        "trained_rollouts": "trained rollouts",
        "updates": "optimizer updates",
        "rounds": "serial rounds",
        "modelled": "modelled seconds",
    }
)
SIMULATED = ", simulated"  # follows the name of the setting that a world stands for
Paid = Mapping[tuple[str, str, float], Mapping[int, Mapping[Any, Any]]]
Row = dict[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Seconds of a 7B model on the machines of its source; see the module."""

    round_seconds: float = 62.1
    rollout_seconds: float = 0.0225
    trained_rollout_seconds: float = 0.0743
    update_seconds: float = 3.32

    def seconds(self, columns: Mapping[str, Float[np.ndarray, "T"]]) -> Float[np.ndarray, "T"]:
        """Modelled seconds at each row of a record."""
        return (
            self.round_seconds * columns["rounds"]
            + self.rollout_seconds * columns["rollouts"]
            + self.trained_rollout_seconds * columns["trained_rollouts"]
            + self.update_seconds * columns["updates"]
        )


def costs(
    runs: Iterable[tuple[str, Arm, Record]], prices: Prices | None = None
) -> pd.DataFrame:
    """One row per run and target: what it paid in every currency.

    A run that did not reach a target has `reached` False, and what it spent in all.
    """
    rows: list[Row] = []
    for setting, arm, record in runs:
        columns = dict(record.columns)
        columns["modelled"] = (prices or Prices()).seconds(columns)
        named = {"setting": setting, "arm": arm.name, "strategy": arm.strategy}
        knobs = {"faster": arm.faster, "seed": record.seed}
        for target in TARGETS:
            paid = {
                name: time_to_target(columns["accuracy"], columns[name], target)
                for name in CURRENCIES
            }
            reached = paid["step"] < inf
            spent = {name: float(columns[name][-1]) for name in CURRENCIES}
            mixed = float(columns["mixed"][-1])
            about: Row = {"target": target, "reached": reached, "mixed": mixed}
            rows.append({**named, **knobs, **about, **(paid if reached else spent)})
    return pd.DataFrame(rows)


def indexed(runs: pd.DataFrame) -> Paid:
    """The costs of every arm in every setting for every target, by seed."""
    paid: dict[tuple[str, str, float], dict[int, Mapping[Any, Any]]] = {}
    for row in runs.to_dict("records"):
        key = (row["setting"], row["arm"], row["target"])
        paid.setdefault(key, {})[row["seed"]] = row
    return paid


def paired(
    paid: Paid, setting: str, arms: Sequence[str], target: float, currency: str
) -> list[Times]:
    """The costs of some arms in one setting, over the seeds that all of them have."""
    found = [paid.get((setting, arm, target), {}) for arm in arms]
    seeds = sorted(set.intersection(*(set(one) for one in found)))
    return [
        Times(
            np.array([one[s][currency] if one[s]["reached"] else inf for s in seeds]),
            np.array([one[s][currency] for s in seeds]),
        )
        for one in found
    ]


def ratio(
    paid: Paid, setting: str, arm: str, base: str, target: float, currency: str
) -> tuple[Estimate, int]:
    """What an arm pays relative to another, and how many seeds say so."""
    one, other = paired(paid, setting, [arm, base], target, currency)
    seeds = one.reached.size
    if not seeds:
        return UNKNOWN, 0
    return (Estimate(1.0, 1.0, 1.0) if arm == base else paired_ratio(one, other)), seeds


def explained(
    paid: Paid, setting: str, control: str, arm: str, target: float, currency: str
) -> tuple[Estimate, int]:
    """The share of an arm's apparent speedup over `BASE` that a control has as well.

    The mean over seeds of the shares; unknown where some seed did not reach the target, began
    beyond it, or shows no speedup to have a share of.
    """
    found = paired(paid, setting, [BASE, control, arm], target, currency)
    seeds = found[0].reached.size
    times = np.array([one.reached for one in found])
    if not seeds or not ((times > 0.0) & (times < inf)).all():
        return UNKNOWN, seeds
    base, controlled, claimed = np.log(times)
    if (base == claimed).any():
        return UNKNOWN, seeds
    return mean((base - controlled) / (base - claimed)), seeds


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, arm, target and currency: the cost, and it relative to others.

    `apparent` is relative to uniform selection at one update, `matched` relative to it at as
    many updates as the arm makes; both with 95% intervals, Student's t on logs over seeds.
    """
    rows, paid = list[Row](), indexed(runs)
    for setting, arm in present(runs):
        same = f"uniform:updates={arm.updates}"
        for target, currency in product(TARGETS, CURRENCIES):
            (cost,) = paired(paid, setting, [arm.name], target, currency)
            row: Row = {"setting": setting, "arm": arm.name, "target": target}
            row |= {"currency": currency, "seeds": cost.reached.size}
            row |= {"reached": int((~cost.censored).sum())} | _columns(
                "cost", geometric_mean(cost)
            )
            for name, base in (("apparent", BASE), ("matched", same)):
                found, seeds = ratio(paid, setting, arm.name, base, target, currency)
                row |= _columns(name, found) | {
                    f"{name}_bound": found.bound,
                    f"{name}_seeds": seeds,
                }
            rows.append(row)
    return pd.DataFrame(rows)


def shares(runs: pd.DataFrame, currency: str = "step") -> pd.DataFrame:
    """One row per control and arm: how much of the arm's speedup the control has as well.

    Uniform selection at six updates is the control of the other rules at six; other learning
    rates and mini-batches of uniform selection are controls of it at six updates.
    """
    six = UNIFORM[1].name
    rows, paid = list[Row](), indexed(runs)
    for setting, arm in present(runs):
        plain = arm.strategy == "uniform"
        if arm.name in (BASE, six) or (not plain and arm.updates != 6):
            continue
        control, claimed = (arm.name, six) if plain else (six, arm.name)
        for target in TARGETS:
            found, seeds = explained(paid, setting, control, claimed, target, currency)
            row: Row = {"setting": setting, "control": control, "arm": claimed}
            row |= {"target": target, "currency": currency, "seeds": seeds}
            rows.append(row | _columns("share", found))
    return pd.DataFrame(rows)


def present(runs: pd.DataFrame) -> list[tuple[str, Arm]]:
    """The settings and arms that there are runs of, in the order of the experiment."""
    there = set(zip(runs["setting"], runs["arm"], strict=True))
    every = (
        (name + where, arm)
        for name, setting in SETTINGS.items()
        for where in ("", SIMULATED)
        for arm in setting.arms
    )
    return [(name, arm) for name, arm in every if (name, arm.name) in there]


def _columns(name: str, found: Estimate) -> Row:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}

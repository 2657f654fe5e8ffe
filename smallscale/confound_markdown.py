"""The update confound's tables and verdicts for a reader, in Markdown.

All numbers are made by the functions that make `summary.csv` and `shares.csv`. Settings, arms
and tables that there are no runs of are left out.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from report.aggregate import Estimate, geometric_mean
from smallscale.confound import (
    BASE,
    CORE,
    FRESH,
    MIDDLE,
    SETTINGS,
    SPEED,
    TARGETS,
    UNIFORM,
    Arm,
)
from smallscale.confound_cells import (
    cell,
    count,
    heads,
    label,
    section,
    span,
    table,
    told,
)
from smallscale.confound_costs import (
    SIMULATED,
    Paid,
    explained,
    indexed,
    paired,
    present,
    ratio,
)
from smallscale.confound_hypotheses import HYPOTHESES
from smallscale.confound_verdicts import wholes

Arms = Sequence[tuple[str, Arm]]
UNITS = {
    "step": "steps",
    "rollouts": "rollouts",
    "updates": "updates",
    "modelled": "modelled s",
}
ONE, SIX = UNIFORM
SPEED_SIX, FRESH_SIX = SPEED[1], FRESH[1]
TABLES = """\
# The update confound: tables

Written by `passband confound`. Geometric means over seeds of the cost at which held-out
prompts first reach a pass rate, with 95% intervals, Student's t on logs; ratios are paired by
seed, over the seeds that both have. One seed gives no interval. Numbers after a rule are
optimizer updates per training step. Every number, in every currency, is in `summary.csv`,
`shares.csv` and `runs.csv`."""
VERDICTS = """\
# The update confound: verdicts on the hypotheses

Written by `passband confound`. The hypotheses are those of the project's log, written down
before any run. **Confirmed**: to every target the whole 95% interval lies in the range.
**Refuted**: to some target it lies wholly outside. **Undecided**: neither. A hypothesis is
refuted if one of its claims is, confirmed if all are, not run if none was, and undecided
otherwise. How its words were read: `smallscale/confound_hypotheses.py`. All numbers in full:
`verdicts.csv`."""


def tables(runs: pd.DataFrame) -> str:
    """Every table that there are runs for.

    Args:
        runs: A row per run and target, see `confound_costs.costs`.
    """
    paid, arms = indexed(runs), present(runs)
    network = [name for name in SETTINGS if name in {setting for setting, _ in arms}]
    matched = "Relative to uniform selection at as many updates"
    parts = (
        section("How much of SPEED's apparent speedup is updates", _shares(paid, arms)),
        *(section(f"Costs: {told(name)}", _costs(paid, name, arms)) for name in network),
        section(matched, _matched(paid, arms, ("step", "rollouts"))),
        section(f"{matched}, modelled seconds", _matched(paid, arms, ("modelled",))),
        section("Does tuning the baseline close the gap?", _tuning(paid, arms)),
        section("Other ratios", _others(paid, arms)),
        section("Network and coupled world: uniform, 1", _worlds(paid, network)),
    )
    return "\n\n".join([TABLES, *filter(None, parts)]) + "\n"


def ruling(found: pd.DataFrame) -> str:
    """The verdicts, hypothesis by hypothesis.

    Args:
        found: A row per claim and target, see `confound_verdicts.verdicts`.
    """
    parts = [VERDICTS]
    for hypothesis, whole in wholes(found).items():
        rows = found.loc[found["hypothesis"] == hypothesis, :]
        claims = rows.groupby(["claim", "setting"], sort=False)
        shown = table(
            ["claim", "setting", "range", "seeds", *heads(""), "verdict"],
            [_claim(claim.to_dict("records")) for _, claim in claims],
        )
        said = f"> {HYPOTHESES[hypothesis]}"
        parts.append(section(f"Hypothesis {hypothesis}: {whole}", f"{said}\n\n{shown}"))
    return "\n\n".join(parts) + "\n"


def _claim(rows: Sequence[dict[Any, Any]]) -> list[str]:
    """The row of a claim, from those of its targets."""
    first = rows[0]
    how = f" ({first['how']})" if first["how"] else ""
    return [
        first["claim"],
        told(first["setting"]),
        span(first["least"], first["most"]),
        count(row["seeds"] for row in rows),
        *(cell(Estimate(r["value"], r["low"], r["high"], r["bound"])) for r in rows),
        first["verdict"] + how,
    ]


def _shares(paid: Paid, arms: Arms) -> str:
    """How many times faster SPEED and uniform selection at six are, and the share."""
    headings = [
        "setting",
        "seeds",
        f"SPEED, 6, times fewer steps than uniform, 1, to {MIDDLE:g}",
        "uniform, 6, likewise",
        *heads("share"),
    ]
    rows: list[list[str]] = []
    for setting in (where for where, arm in arms if arm == SPEED_SIX and (where, ONE) in arms):
        faster = [ratio(paid, setting, BASE, a.name, MIDDLE, "step") for a in (SPEED_SIX, SIX)]
        shares = [
            explained(paid, setting, SIX.name, SPEED_SIX.name, t, "step") for t in TARGETS
        ]
        seeds = count(seeds for _, seeds in (*faster, *shares))
        rows.append([told(setting), seeds, *(cell(one) for one, _ in (*faster, *shares))])
    return table(headings, rows)


def _costs(paid: Paid, setting: str, arms: Arms) -> str:
    """What the core arms of a setting paid."""
    others = [name for name in UNITS if name != "step"]
    columns = [("step", t) for t in TARGETS] + [(name, MIDDLE) for name in others]
    units = [f"{UNITS[name]} to {MIDDLE:g}" for name in others]
    rows: list[list[str]] = []
    for arm in (arm for where, arm in arms if where == setting and _rule(arm)):
        costs = [paired(paid, setting, [arm.name], t, unit)[0] for unit, t in columns]
        seeds = count(cost.reached.size for cost in costs)
        rows.append([label(arm), seeds, *(cell(geometric_mean(cost)) for cost in costs)])
    return table(["rule, updates", "seeds", *heads("steps"), *units], rows)


def _matched(paid: Paid, arms: Arms, currencies: Sequence[str]) -> str:
    """Ratios of every rule but uniform selection to it."""
    headings = [head for name in currencies for head in heads(UNITS[name])]
    rows = (
        [told(setting), label(arm), *_ratios(paid, setting, arm.name, base.name, currencies)]
        for setting, arm in arms
        if (base := Arm(strategy="uniform", updates=arm.updates)).strategy != arm.strategy
    )
    return table(["setting", "rule, updates", "seeds", *headings], rows)


def _tuning(paid: Paid, arms: Arms) -> str:
    """How far other learning rates and mini-batches bring uniform selection."""
    headings = ["AdamW, RLOO", "seeds", *heads("times fewer steps than uniform, 1,")]
    headings += heads("share of the gap to uniform, 6,")
    here = [arm for where, arm in arms if where == "adam"]
    tried = [arm for arm in here if arm.strategy == "uniform" and arm.name != BASE]
    rows: list[list[str]] = []
    for arm in (*sorted(tried, key=lambda a: (a.updates, a.faster)), *_last(here)):
        faster = _ratios(paid, "adam", BASE, arm.name, ("step",))
        shares = [explained(paid, "adam", arm.name, SIX.name, t, "step")[0] for t in TARGETS]
        gap = [cell(one) if arm.strategy == "uniform" else "" for one in shares]
        rows.append([label(arm), *faster, *gap])
    return table(headings, rows if tried else [])


def _last(arms: Sequence[Arm]) -> Iterator[Arm]:
    """What tuned baselines are held against."""
    return (arm for arm in (SPEED_SIX, FRESH_SIX) if arm in arms)


def _others(paid: Paid, arms: Arms) -> str:
    """Ratios that are quoted and stand in no other table."""
    rows: list[list[str]] = []
    for setting in (where for where, arm in arms if arm == SIX and (where, ONE) in arms):
        found = _ratios(paid, setting, SIX.name, BASE, ("updates",))
        rows.append([told(setting), "updates of uniform, 6 : uniform, 1", *found])
    for setting, arm in arms:
        if arm.strategy == FRESH_SIX.strategy:
            released = Arm(strategy=SPEED_SIX.strategy, updates=arm.updates)
            found = _ratios(paid, setting, arm.name, released.name, ("step",))
            pair = f"steps of {label(arm)} : {label(released)}"
            rows.append([told(setting), pair, *found])
    return table(["setting", "ratio", "seeds", *heads("")], rows)


def _worlds(paid: Paid, network: Sequence[str]) -> str:
    """Absolute times of both kinds, which ratios do not show."""
    rows: list[list[str]] = []
    for setting in network:
        both = [
            [geometric_mean(paired(paid, where, [BASE], t, "step")[0]) for t in TARGETS]
            for where in (setting, setting + SIMULATED)
            if (where, BASE, MIDDLE) in paid
        ]
        if len(both) == 2:
            rows.append([told(setting), *(cell(one) for times in both for one in times)])
    return table(["setting", *heads("network: steps"), *heads("coupled world: steps")], rows)


def _ratios(
    paid: Paid, setting: str, arm: str, base: str, currencies: Sequence[str]
) -> list[str]:
    """The seeds of a row, and its ratios to every target."""
    found = [ratio(paid, setting, arm, base, t, name) for name in currencies for t in TARGETS]
    return [count(seeds for _, seeds in found), *(cell(one) for one, _ in found)]


def _rule(arm: Arm) -> bool:
    """Whether an arm is a rule as it is, not a baseline tuned."""
    return arm in CORE or arm.strategy not in {one.strategy for one in CORE}

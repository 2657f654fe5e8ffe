r"""What the measured world predicts a real run to cost, before it is run.

Every strategy is simulated under many seeds; the predicted ratio to uniform selection is the
geometric mean over seeds, paired. Its interval is meant for the ratio that a mean over
`runs` real seeds will show, so it holds three variances of logs:

$$
\sigma^2 = \tau^2 + s^2 / \text{runs} + s^2 / \text{seeds},
$$

s the standard deviation of a seed's log ratio, and $\tau$ the `doubt`, the world's own error.
Its default .10 is what such a world, its constants measured at the start, was wrong by (root
mean square of logs, .07 to .10) on the runs on which its equations were found.

A run goes on until the highest target is passed, not to the number of steps of the real ones:
absolute times are known to be wrong by up to a factor of 3, which no ratio may suffer from.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import exp, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from report import atomic
from report.agreement import COUNTED
from report.currencies import SMOOTHING, Currency
from report.record import Record
from report.runs import check_pairing, times
from report.summary import write_csv
from selection.checks import counts, within
from selection.settings import SettingError
from selection.strategies import Sizes, strategy
from sim.compare import code_digest
from sim.measured import Measured
from sim.run import Plan, simulate

Row = dict[str, str | float]
BASELINE = "uniform"
BEYOND = 0.01  # how far past the highest target a run goes on
NORMAL = 1.959964  # the normal distribution's 97.5 % quantile


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is to be predicted.

    Attributes:
        world: The measured world, with the learner of the real runs.
        name: What the world is called in records.
        strategies: Settings; the baseline is added.
        targets: Held-out pass rates.
        seeds: Simulated seeds.
        runs: Seeds of the real runs that the interval is meant for.
        doubt: Standard deviation of the world's own error, in logs.
        steps: Training steps at most.
    """

    world: Measured
    name: str
    strategies: tuple[str, ...]
    targets: tuple[float, ...]
    seeds: int = 20
    runs: int = 5
    doubt: float = 0.1
    steps: int = 2000
    sizes: Sizes = field(init=False)

    def __post_init__(self) -> None:
        counts(seeds=self.seeds, runs=self.runs, steps=self.steps)
        within(0.0, 10.0, doubt=self.doubt)
        if not self.targets or not all(0.0 < target < 1.0 for target in self.targets):
            raise SettingError(f"targets={self.targets} must be pass rates between 0 and 1")
        learner = self.world.learner
        sizes = Sizes(
            groups=learner.groups,
            rollouts=learner.rollouts,
            prompts=self.world.prompts,
            steps=self.steps,
        )
        object.__setattr__(self, "sizes", sizes)
        for name in self.strategies:
            strategy(name, sizes)

    @property
    def contestants(self) -> tuple[str, ...]:
        """The strategies, the baseline first."""
        return (BASELINE, *(name for name in self.strategies if name != BASELINE))


def simulated(what: Prediction) -> Iterator[Record]:
    """The record of every strategy and seed."""
    for seed in range(what.seeds):
        for name in what.contestants:
            yield run(what, name, seed)


def run(what: Prediction, name: str, seed: int) -> Record:
    """The record of one simulated run.

    Raises:
        StarvedError: The strategy cannot fill its first training batch.
    """
    who, top = strategy(name, what.sizes), max(what.targets)
    plan = Plan(
        world=what.world,
        strategy=lambda policy: who.build(what.sizes, policy.pass_rates),
        groups=what.sizes.groups,
        steps=what.steps,
        surplus=who.entry.surplus,
        norms=who.entry.norms,
        enough=min(top + BEYOND, (1.0 + top) / 2.0),
    )
    setting = {
        "world": what.name,
        "strategy": name,
        "seed": seed,
        "world_knobs": repr(what.world),
        "strategy_knobs": who.knobs(what.sizes),
        "code": code_digest(),
    }
    return Record(setting=setting, columns=simulate(plan, seed), target=top)


def predictions(records: Sequence[Record], what: Prediction) -> pd.DataFrame:
    """A row per strategy, countable currency and target.

    Columns: `ratio` to the baseline with `low` and `high`; `luck`, the standard deviation of
    one seed's log ratio; `cost`, the geometric mean of the strategy's own cost.

    Raises:
        ValueError: A run never reached a target.
    """
    runs: dict[str, list[Record]] = {}
    for record in records:
        runs.setdefault(record.strategy, []).append(record)
    check_pairing(what.name, runs, BASELINE)
    rows: list[Row] = []
    for target in what.targets:
        for currency in COUNTED:
            logs = {name: _log_costs(group, currency, target) for name, group in runs.items()}
            for name in what.contestants:
                row = {"strategy": name, "currency": currency.column, "target": target}
                ratio = interval(logs[name] - logs[BASELINE], what, exact=name == BASELINE)
                rows.append(row | ratio | {"cost": exp(logs[name].mean())})
    return pd.DataFrame(rows)


def interval(logs: Float[np.ndarray, "S"], what: Prediction, *, exact: bool = False) -> Row:
    """Ratio, interval and luck from log ratios by seed; an `exact` one has no doubt."""
    middle, luck = float(logs.mean()), float(logs.std(ddof=1)) if logs.size > 1 else 0.0
    doubt = 0.0 if exact else what.doubt
    reach = NORMAL * sqrt(doubt**2 + luck**2 / what.runs + luck**2 / logs.size)
    ends = {"low": exp(middle - reach), "high": exp(middle + reach)}
    return {"ratio": exp(middle), **ends, "luck": luck}


def _log_costs(
    group: Sequence[Record], currency: Currency, target: float
) -> Float[np.ndarray, "S"]:
    """Log cost of the target of each seed."""
    aimed = [replace(one, target=target) for one in group]
    reached = times(aimed, currency, "first", SMOOTHING).reached
    if not (np.isfinite(reached) & (reached > 0.0)).all():
        curve = group[0].columns["accuracy"]
        raise SettingError(
            f"target={target} must lie between the start, {curve[0]:.3f}, and what"
            f" {group[0].strategy} reaches, {curve.max():.3f}: change it, or allow more steps"
        )
    return np.log(reached)


def write(
    records: Sequence[Record], what: Prediction, out: Path, told: Mapping[str, object]
) -> pd.DataFrame:
    """Write `predictions.csv`, and `prediction.json` with all that it depends on.

    Returns:
        The predictions.
    """
    found = predictions(records, what)
    atomic.folder(out)
    write_csv(found, out / "predictions.csv")
    known = {
        "name": what.name,
        "strategies": what.contestants,
        "targets": what.targets,
        "seeds": what.seeds,
        "runs": what.runs,
        "doubt": what.doubt,
        "world": asdict(what.world),
        "code": code_digest(),
    }
    atomic.write(out / "prediction.json", json.dumps(known | dict(told), indent=1) + "\n")
    return found

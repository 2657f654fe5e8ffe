"""The two tables that everything else shows: every row of every run, and the comparison.

`tidy` is comparison.csv, `summarize` is summary.csv. Both depend on the records alone, not on
their order, so equal records give equal bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from report import atomic
from report.aggregate import Estimate, Times, geometric_mean, mean, paired_ratio, ratio
from report.currencies import CURRENCIES, SMOOTHING, Definition
from report.record import COLUMNS, Record
from report.runs import by_world, check_pairing, in_order, ordered, times

NO_ORACLE = "no oracle"
NOT_BETTER = "the oracle is not better than the baseline"
UNMEASURED = "some seed never reached the target, or began beyond it"

Row = dict[str, object]


def tidy(records: Iterable[Record]) -> pd.DataFrame:
    """One row per world, strategy, seed and step, with every column of every record.

    A column that some record lacks is NaN in its rows.
    """
    frames = [_frame(record) for record in in_order(records)]
    together = pd.concat(frames, ignore_index=True)
    identity = ["world", "strategy", "seed"]
    names = [str(name) for name in together]
    extra = sorted(set(names) - set(identity) - set(COLUMNS))
    known = [name for name in COLUMNS if name in names]
    return together.reindex(columns=identity + known + extra)


def summarize(
    records: Iterable[Record],
    *,
    baseline: str = "uniform",
    oracle: str = "oracle",
    definition: Definition = "first",
    smoothing: float = SMOOTHING,
) -> pd.DataFrame:
    """One row per world, strategy and currency; the baseline first, the oracle last.

    Columns, apart from those that say what was compared:
        time, low, high: Geometric mean over seeds of the cost at which the target was
            reached, in the currency's unit; a lower bound where `reached` < `seeds`.
        ratio, ratio_low, ratio_high: Geometric mean of the ratio to the baseline, paired by
            seed; `ratio_bound` says "at least" where some seed of the strategy never reached
            the target, "at most" where some seed of the baseline did not, "unknown" where
            both happened, "exact" otherwise.
        reached, seeds: Seeds that reached the target, out of how many.
        oracle_gain: Share of the oracle's saving captured, (1 - ratio) / (1 - oracle's
            ratio): (T_baseline - T) / (T_baseline - T_oracle) of the geometric means. NaN
            where `oracle_note` says why: the oracle's own interval must lie below 1.
        mixed, mixed_low, mixed_high: Share of mixed groups among the groups trained on.
        signal_ratio_expected, signal_ratio_realised: Learning signal per generated rollout,
            relative to the baseline (`_low`, `_high` are its interval). Over the whole run,
            which may go on beyond the target (a simulated one does, by a margin), while
            `ratio` stops at the target: the two need not agree where a strategy's worth
            changes on the way.

    Intervals are 95%, Student's t over seeds; NaN for a single seed.

    Raises:
        ValueError: a world lacks the baseline; two runs share a seed; a strategy's seeds are
            not the baseline's; or runs of one world disagree on progress or target.
    """
    rows: list[Row] = []
    for world, runs in by_world(records).items():
        check_pairing(world, runs, baseline)
        costs = {
            currency.column: {
                name: times(group, currency, definition, smoothing)
                for name, group in runs.items()
            }
            for currency in CURRENCIES
        }
        for strategy in ordered(runs, first=baseline, last=oracle):
            worth = _worth(runs[strategy], runs[baseline])
            for column, cost in costs.items():
                subject = _subject(runs[strategy][0], baseline, definition, column)
                rows.append(subject | _price(cost, strategy, baseline, oracle) | worth)
    return pd.DataFrame(rows)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all; every float reads back as it was."""
    atomic.write(path, frame.to_csv(index=False, lineterminator="\n"))


def _frame(record: Record) -> pd.DataFrame:
    """The rows of one record."""
    frame = pd.DataFrame(dict(record.columns))
    identity = {key: record.setting[key] for key in ("world", "strategy", "seed")}
    return frame.assign(**identity)


def _subject(record: Record, baseline: str, definition: Definition, currency: str) -> Row:
    """What a row of the summary is about."""
    return {
        "world": record.world,
        "strategy": record.strategy,
        "currency": currency,
        "baseline": baseline,
        "progress": record.progress,
        "target": record.target,
        "definition": definition,
    }


def _price(costs: Mapping[str, Times], strategy: str, baseline: str, oracle: str) -> Row:
    """What the target cost a strategy, in the one currency that `costs` are in."""
    cost = costs[strategy]
    time = geometric_mean(cost)
    against = _against(costs, strategy, baseline)
    best = _against(costs, oracle, baseline) if oracle in costs else None
    gain, note = _oracle_gain(against, best)
    return {
        "time": time.value,
        "low": time.low,
        "high": time.high,
        **_columns("ratio", against),
        "ratio_bound": against.bound,
        "reached": int((~cost.censored).sum()),
        "seeds": cost.reached.size,
        "oracle_gain": gain,
        "oracle_note": note,
    }


def _against(costs: Mapping[str, Times], strategy: str, baseline: str) -> Estimate:
    """Ratio to the baseline; the baseline's own is 1 even where it never reached."""
    if strategy == baseline:
        return Estimate(1.0, 1.0, 1.0)
    return paired_ratio(costs[strategy], costs[baseline])


def _oracle_gain(against: Estimate, best: Estimate | None) -> tuple[float, str]:
    """Share of the oracle's saving captured, or NaN and why there is none.

    An oracle whose interval reaches 1 has shown no saving: its share would be noise divided
    by noise.
    """
    if best is None:
        return nan, NO_ORACLE
    if best.bound != "exact" or against.bound != "exact":
        return nan, UNMEASURED
    if best.value >= 1.0 or best.high >= 1.0:
        return nan, NOT_BETTER
    return (1.0 - against.value) / (1.0 - best.value), ""


def _worth(group: Sequence[Record], baseline: Sequence[Record]) -> Row:
    """What the generated rollouts were worth, over the whole run."""
    mixed = mean(_last(group, "mixed"))
    share = Estimate(mixed.value, max(mixed.low, 0.0), min(mixed.high, 1.0))
    row = _columns("mixed", share)
    for kind in ("expected", "realised"):
        column = f"signal_{kind}"
        signal = ratio(_per_rollout(group, column), _per_rollout(baseline, column))
        row |= _columns(f"signal_ratio_{kind}", signal)
    return row


def _per_rollout(group: Sequence[Record], column: str) -> Float[np.ndarray, "S"]:
    """A column's total per generated rollout, NaN where nothing was generated."""
    with np.errstate(invalid="ignore"):
        return _last(group, column) / _last(group, "rollouts")


def _last(group: Sequence[Record], column: str) -> Float[np.ndarray, "S"]:
    """A column at the end of each run, NaN where the run did not record it."""
    return np.array(
        [one.columns[column][-1] if column in one.columns else nan for one in group]
    )


def _columns(name: str, estimate: Estimate) -> Row:
    """An estimate as three columns."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}

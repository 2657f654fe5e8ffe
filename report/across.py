"""One number per strategy over all worlds, for a first look only.

Worlds differ in what they reward, so a strategy's typical ratio says less than its ratios;
the interquartile mean keeps one extreme world from deciding it.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float

from report.aggregate import interquartile_mean, stratified_bootstrap
from report.currencies import CURRENCIES, SMOOTHING, Definition
from report.record import Record
from report.runs import by_world, check_pairing, times

LogRatios = Float[np.ndarray, "S"]


def across_worlds(
    records: Iterable[Record],
    rng: np.random.Generator,
    *,
    baseline: str = "uniform",
    definition: Definition = "first",
    smoothing: float = SMOOTHING,
) -> pd.DataFrame:
    """One row per strategy and currency: its typical ratio to the baseline.

    Columns `ratio`, `low`, `high`: interquartile mean of the log ratios of all seeds of all
    worlds, with the 95% bootstrap interval stratified by world, so it speaks of these worlds
    with new seeds. A quarter of the ratios at either end may be infinite or 0 (one of the pair
    never reached the target); NaN where both never did. `worlds` counts where the strategy ran:
    compare only strategies that ran in the same ones.

    Raises:
        ValueError: as `summarize` does.
    """
    strata: dict[tuple[str, str], list[LogRatios]] = {}
    for key, logs in _log_ratios(records, baseline, definition, smoothing):
        strata.setdefault(key, []).append(logs)
    rows: list[dict[str, object]] = []
    for (strategy, currency), worlds in sorted(strata.items()):
        pooled = stratified_bootstrap(worlds, interquartile_mean, rng)
        value, low, high = (float(np.exp(x)) for x in (pooled.value, pooled.low, pooled.high))
        row: dict[str, object] = {"strategy": strategy, "currency": currency}
        rows.append(row | {"ratio": value, "low": low, "high": high, "worlds": len(worlds)})
    return pd.DataFrame(rows)


def _log_ratios(
    records: Iterable[Record], baseline: str, definition: Definition, smoothing: float
) -> Iterator[tuple[tuple[str, str], LogRatios]]:
    """Log ratios over seeds, for every world, strategy and currency."""
    for world, runs in by_world(records).items():
        check_pairing(world, runs, baseline)
        for currency in CURRENCIES:
            base = times(runs[baseline], currency, definition, smoothing)
            for strategy, group in runs.items():
                cost = times(group, currency, definition, smoothing)
                with np.errstate(invalid="ignore", divide="ignore"):
                    logs = np.log(cost.reached) - np.log(base.reached)
                yield (strategy, currency.column), logs

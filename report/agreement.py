r"""Predictions made before runs, held against the runs.

A prediction is a ratio to the baseline of the cost of a target, per strategy and currency, with
the interval that the measured ratio should fall into. Three questions, each with its number:

* *How far off?* $e = \ln(\text{predicted} / \text{measured})$; "close" is within 15 % of the
  measured ratio.
* *Do the intervals mean what they say?* The share of measured ratios inside the predicted
  intervals: 95 % ones should hold about 95 %. Ratios of one set of runs share their luck, so
  the share is a description and gets no interval of its own.
* *Is the ranking right where strategies truly differ?* Pairs whose measured intervals do not
  overlap, the baseline among them with its ratio of exactly 1, and whether the prediction
  orders them alike. Pairs of several currencies or targets are not independent.

Seconds are left out: a prediction counts rollouts, and what those cost in time is another
machine's business.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from math import log, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from report.currencies import CURRENCIES, Currency, time_to_target
from report.record import Record
from report.runs import in_order
from report.summary import summarize

Row = dict[str, Any]
COUNTED: tuple[Currency, ...] = tuple(one for one in CURRENCIES if one.unit != "s")
CLOSE = 0.15  # the error, relative to what was measured, that is aimed at
KEY = ["strategy", "currency", "target"]
PREDICTED = [*KEY, "ratio", "low", "high"]


def measured(
    records: Iterable[Record], targets: Sequence[float], *, baseline: str = "uniform"
) -> pd.DataFrame:
    """Measured ratios to the baseline, a row per strategy, countable currency and target.

    Columns `measured`, `measured_low`, `measured_high` (Student's t over seeds, paired),
    `bound`, `reached` and `seeds` (see `report.summary.summarize`); the baseline is left out.

    Raises:
        ValueError: The records are of several worlds, or cannot be paired by seed.
    """
    records = list(records)
    if len(worlds := sorted({record.world for record in records})) > 1:
        raise ValueError(
            f"runs are of several worlds ({'; '.join(worlds)}): judge one at a time"
        )
    tables = [
        summarize([replace(one, target=target) for one in records], baseline=baseline)
        for target in targets
    ]
    together = pd.concat(tables, ignore_index=True)
    counted = together["currency"].isin([one.column for one in COUNTED])
    kept = together.loc[counted & (together["strategy"] != baseline), :]
    names = {
        "ratio": "measured",
        "ratio_low": "measured_low",
        "ratio_high": "measured_high",
        "ratio_bound": "bound",
    }
    columns = [*KEY, *names.values(), "reached", "seeds"]
    return kept.rename(columns=names)[columns].reset_index(drop=True)


def costs(records: Iterable[Record], targets: Sequence[float]) -> pd.DataFrame:
    """What every single run paid for each target; infinite where it never reached it."""
    rows = [
        {"strategy": one.strategy, "seed": one.seed, "target": target}
        | {currency.column: _cost(one, currency, target) for currency in COUNTED}
        for one in in_order(records)
        for target in targets
    ]
    return pd.DataFrame(rows)


def _cost(record: Record, currency: Currency, target: float) -> float:
    columns = record.columns
    return time_to_target(columns[record.progress], columns[currency.column], target)


def load(path: Path) -> pd.DataFrame:
    """The predictions in a CSV file.

    Raises:
        ValueError: It lacks a column, holds a ratio that is none, or predicts one thing twice.
        FileNotFoundError: There is no such file.
    """
    try:
        found = pd.read_csv(path)
    except pd.errors.ParserError as error:
        raise ValueError(f"{path} is no table ({error}): predict again") from error
    if missing := [name for name in PREDICTED if name not in found.columns]:
        raise ValueError(f"{path} lacks the columns {missing}: predict again")
    ratios = found[["low", "ratio", "high"]].to_numpy(float)
    if not ((ratios > 0).all() and (np.diff(ratios) >= 0).all()):
        raise ValueError(f"{path} must have 0 < low <= ratio <= high in every row")
    if found.duplicated(KEY).any():
        raise ValueError(f"{path} predicts a strategy, currency and target twice")
    return found


def agreement(predictions: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Predicted and measured ratios side by side, where both exist, in the predicted order.

    Columns besides those of `measured`: `predicted`, `predicted_low`, `predicted_high`;
    `error` = ln(predicted / measured), `inside`, and `close`. Where the measured ratio is only
    a bound, those three are judged by nothing and stay empty.

    Args:
        predictions: Columns `strategy, currency, target, ratio, low, high`.
        found: What `measured` returns.

    Raises:
        ValueError: They have nothing in common.
    """
    columns = [*KEY, "predicted", "predicted_low", "predicted_high"]
    both = predictions[PREDICTED].set_axis(columns, axis=1).merge(found, on=KEY, how="inner")
    if both.empty:
        raise ValueError("predictions and runs share no strategy, currency and target")
    exact = both["bound"] == "exact"
    ratio = (both["predicted"] / both["measured"]).where(exact)
    within = both["measured"].between(both["predicted_low"], both["predicted_high"])
    return both.assign(
        error=np.log(ratio),
        inside=within.astype(object).where(exact),
        close=((ratio - 1.0).abs() <= CLOSE).astype(object).where(exact),
    )


def rankings(table: pd.DataFrame, *, baseline: str = "uniform") -> pd.DataFrame:
    """Pairs of strategies that truly differ: measured intervals that do not overlap.

    A row per pair, currency and target: `cheaper` and `dearer` as measured, `gap` and
    `predicted_gap` (logs of dearer over cheaper), and whether they `agree` in sign.
    """
    ours = {"strategy": baseline, "bound": "exact", "predicted": 1.0, "measured": 1.0}
    ours |= {"measured_low": 1.0, "measured_high": 1.0}
    contests: dict[tuple[str, float], list[Row]] = {}
    for row in _rows(table):
        here = contests.setdefault((row["currency"], row["target"]), [ours])
        here += [row] * (row["bound"] == "exact")
    found = [
        {"currency": currency, "target": target} | _contest(*pair)
        for (currency, target), here in contests.items()
        for pair in combinations(here, 2)
        if _apart(*pair)
    ]
    columns = ["currency", "target", "cheaper", "dearer", "gap", "predicted_gap", "agree"]
    return pd.DataFrame(found, columns=columns)


def verdicts(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """How the prediction did, a row per currency and one for all of them.

    Columns: `ratios` judged, `rms` and `worst` error (logs; the sign says too high or low),
    `close` and `inside` (how many), `pairs` that differ and `agree`, how many of them were
    ordered alike.
    """
    rows, contests = _rows(table), _rows(pairs)
    names = dict.fromkeys(str(row["currency"]) for row in rows)
    found = [
        {"currency": name}
        | _verdict(
            [row for row in rows if row["currency"] == name and row["bound"] == "exact"],
            [pair for pair in contests if pair["currency"] == name],
        )
        for name in names
    ]
    exact = [row for row in rows if row["bound"] == "exact"]
    return pd.DataFrame([*found, {"currency": "all"} | _verdict(exact, contests)])


def _rows(frame: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _apart(one: Row, other: Row) -> bool:
    """Whether two measured intervals have no ratio in common."""
    low, high = sorted((one, other), key=lambda row: row["measured"])
    return low["measured_high"] < high["measured_low"]


def _contest(one: Row, other: Row) -> Row:
    low, high = sorted((one, other), key=lambda row: row["measured"])
    gap, expected = (log(high[name] / low[name]) for name in ("measured", "predicted"))
    names = {"cheaper": low["strategy"], "dearer": high["strategy"]}
    return names | {"gap": gap, "predicted_gap": expected, "agree": expected > 0}


def _verdict(rows: list[Row], contests: list[Row]) -> Row:
    errors = np.array([row["error"] for row in rows])
    return {
        "ratios": errors.size,
        "rms": float(np.sqrt((errors**2).mean())) if rows else nan,
        "worst": float(errors[np.abs(errors).argmax()]) if rows else nan,
        "close": sum(bool(row["close"]) for row in rows),
        "inside": sum(bool(row["inside"]) for row in rows),
        "pairs": len(contests),
        "agree": sum(bool(pair["agree"]) for pair in contests),
    }

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, isnan, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.across import across_worlds
from report.aggregate import ratio
from report.currencies import CURRENCIES
from report.record import COLUMNS, Record
from report.summary import (
    NO_ORACLE,
    NOT_BETTER,
    UNMEASURED,
    summarize,
    tidy,
    write_csv,
)
from tests.report.runs import PER_STEP, STEPS, columns, run, trio

Row = Mapping[Any, Any]
TRIO = trio()


def row(summary: pd.DataFrame, strategy: str, currency: str = "rollouts") -> Row:
    every: Sequence[Row] = summary.to_dict(orient="records")
    (found,) = (x for x in every if (x["strategy"], x["currency"]) == (strategy, currency))
    return found


def test_every_number_of_a_simple_comparison() -> None:
    """10 and 8 and 5 steps, divided by a luck of 1, 1.2 and 1.4: ratios of exactly .8, .5."""
    summary = summarize(TRIO)
    luck = np.cbrt(1.2 * 1.4)
    for currency in CURRENCIES:
        per_step = PER_STEP.get(currency.column, 1.0)
        for strategy, steps in (("uniform", 10.0), ("mopps", 8.0), ("oracle", 5.0)):
            found = row(summary, strategy, currency.column)
            assert found["time"] == pytest.approx(steps * per_step / luck)
            assert found["low"] < found["time"] < found["high"]
            for end in ("ratio", "ratio_low", "ratio_high"):  # common luck leaves no spread
                assert found[end] == pytest.approx(steps / 10.0)
            assert found["ratio_bound"] == "exact"
            assert (found["reached"], found["seeds"]) == (3, 3)
            assert found["oracle_gain"] == pytest.approx((10.0 - steps) / (10.0 - 5.0))
            assert found["oracle_note"] == ""
            assert (found["mixed"], found["mixed_low"], found["mixed_high"]) == (0.5, 0.5, 0.5)
            assert found["target"] == 0.3


def test_rows_come_baseline_first_oracle_last() -> None:
    records = [*TRIO, *trio("dale"), *(run("zeal", seed, speed=1.1) for seed in range(3))]
    summary = summarize(records)
    subjects = summary[["world", "strategy"]].drop_duplicates().to_numpy().tolist()
    assert subjects == [
        *(["dale", name] for name in ("uniform", "mopps", "oracle")),
        *(["hill", name] for name in ("uniform", "mopps", "zeal", "oracle")),
    ]
    assert list(summary["currency"][:6]) == [currency.column for currency in CURRENCIES]


@settings(max_examples=10)
@given(st.permutations(TRIO))
def test_the_order_of_records_does_not_matter(records: list[Record]) -> None:
    pd.testing.assert_frame_equal(summarize(records), summarize(TRIO), check_exact=True)
    pd.testing.assert_frame_equal(tidy(records), tidy(TRIO), check_exact=True)


def test_ratios_are_paired_by_seed_and_have_the_t_interval() -> None:
    speeds = {"uniform": (1.0, 2.0), "mopps": (1.5, 2.5)}
    records = [run(n, seed, speed=x) for n, xs in speeds.items() for seed, x in enumerate(xs)]
    found = row(summarize(records), "mopps", "step")
    base = 10.0 / np.array(speeds["uniform"])
    expected = ratio(10.0 / np.array(speeds["mopps"]), base)
    measured = (found["ratio"], found["ratio_low"], found["ratio_high"])
    assert measured == pytest.approx((expected.value, expected.low, expected.high))


def test_the_price_of_a_step_shows_in_its_currencies_alone() -> None:
    records = [run("uniform", seed) for seed in range(2)]
    records += [run("speed", seed, price=3.0) for seed in range(2)]
    summary = summarize(records)
    assert row(summary, "speed", "step")["ratio"] == pytest.approx(1.0)
    for currency in CURRENCIES[1:]:
        assert row(summary, "speed", currency.column)["ratio"] == pytest.approx(3.0)


def test_seeds_that_never_arrive_are_counted_and_bound_the_ratio() -> None:
    records = [run("uniform", seed) for seed in range(2)]
    records += [run("mopps", 0, speed=2.0), run("mopps", 1, speed=0.1)]
    found = row(summarize(records), "mopps", "step")
    assert (found["reached"], found["seeds"], found["ratio_bound"]) == (1, 2, "at least")
    assert found["ratio"] == pytest.approx(sqrt(0.5 * STEPS / 10.0))
    assert found["time"] == pytest.approx(sqrt(5.0 * STEPS))
    assert (found["high"], found["ratio_high"]) == (inf, inf)


def test_a_baseline_that_never_arrives_keeps_its_own_ratio() -> None:
    records = [run("uniform", speed=0.1), run("mopps")]
    summary = summarize(records)
    assert row(summary, "uniform")["ratio"] == 1.0
    assert row(summary, "uniform")["reached"] == 0
    assert row(summary, "mopps")["ratio_bound"] == "at most"
    assert row(summary, "mopps")["ratio"] == pytest.approx(10.0 / STEPS)


@pytest.mark.parametrize(
    ("oracle", "note"),
    [
        ([], NO_ORACLE),
        ([run("oracle", 0, speed=0.9), run("oracle", 1, speed=0.9)], NOT_BETTER),
        ([run("oracle", 0, speed=9.0), run("oracle", 1, speed=0.9)], NOT_BETTER),  # by luck
        ([run("oracle", 0, speed=9.0), run("oracle", 1, speed=0.1)], UNMEASURED),
    ],
)
def test_an_oracle_gain_that_means_nothing_is_left_out(oracle: list[Record], note: str) -> None:
    records = [run(name, seed) for name in ("uniform", "mopps") for seed in (0, 1)]
    found = row(summarize(records + oracle), "mopps")
    assert isnan(found["oracle_gain"])
    assert found["oracle_note"] == note


def test_one_seed_has_gains_and_no_intervals() -> None:
    found = row(summarize(trio(seeds=1)), "mopps")
    assert found["oracle_gain"] == pytest.approx(0.4)
    assert all(isnan(found[end]) for end in ("low", "high", "ratio_low", "mixed_high"))


def test_signal_is_counted_per_generated_rollout() -> None:
    """Thrice the cost and thrice the signal: the same worth; half the rollouts, twice."""
    thrifty = columns(1.0)
    thrifty["rollouts"] = thrifty["rollouts"] / 2
    setting = {"world": "hill", "strategy": "mopps", "seed": 0}
    records = [run(), run("speed", price=3.0)]
    records.append(Record(setting=setting, columns=thrifty, target=0.3))
    summary = summarize(records)
    for kind in ("expected", "realised"):
        assert row(summary, "speed")[f"signal_ratio_{kind}"] == pytest.approx(1.0)
        assert row(summary, "mopps")[f"signal_ratio_{kind}"] == pytest.approx(2.0)


def test_what_was_not_recorded_or_not_run_is_absent_and_no_error() -> None:
    """A run that does not know pass rates, and runs that stopped before their first step."""
    real = {name: column for name, column in columns(1.0).items() if name != "signal_expected"}
    records = [replace(one, columns=real) for one in TRIO]
    assert isnan(row(summarize(records), "mopps")["signal_ratio_expected"])
    assert "signal_expected" not in tidy(records)
    known = tidy([*records[:-1], TRIO[-1]])["signal_expected"].to_numpy()
    assert np.isnan(known).sum() == 8 * (STEPS + 1)
    start = {name: column[:1] for name, column in columns(1.0).items()}
    found = row(summarize([replace(one, columns=start) for one in TRIO]), "mopps")
    assert (found["reached"], found["time"]) == (0, 0.0)
    assert isnan(found["ratio"])
    assert isnan(found["signal_ratio_realised"])


def test_mixed_shares_stay_shares() -> None:
    records = [run(seed=seed) for seed in range(2)]
    shares = [0.9, 1.0]
    records = [
        replace(one, columns={**one.columns, "mixed": np.full(STEPS + 1, share)})
        for one, share in zip(records, shares, strict=True)
    ]
    found = row(summarize(records), "uniform")
    assert found["mixed"] == pytest.approx(0.95)
    assert (found["mixed_low"] < 0.9, found["mixed_high"]) == (True, 1.0)


def test_definitions_reach_the_numbers() -> None:
    lucky = columns(1.0)
    lucky["accuracy"] = np.where(lucky["step"] == 2, 0.9, lucky["accuracy"])
    setting = {"world": "hill", "strategy": "uniform", "seed": 0}
    record = Record(setting=setting, columns=lucky, target=0.3)
    reached = {
        name: row(summarize([record], definition=name), "uniform", "step")["time"]
        for name in ("first", "sustained", "smoothed")
    }
    assert reached["first"] == pytest.approx(1.0 + 0.09 / 0.69)
    assert reached["sustained"] == pytest.approx(10.0)
    bare = summarize([record], definition="smoothed", smoothing=0.0)
    assert row(bare, "uniform", "step")["time"] == pytest.approx(reached["first"])
    assert reached["smoothed"] > reached["first"]


def test_tidy_has_every_row_of_every_run() -> None:
    records = [
        replace(one, columns={**one.columns, "loss": one.columns["step"]}) for one in TRIO
    ]
    frame = tidy(records)
    assert list(frame) == ["world", "strategy", "seed", *COLUMNS, "loss"]
    assert len(frame) == 9 * (STEPS + 1)
    one = frame[(frame["strategy"] == "mopps") & (frame["seed"] == 2)]
    expected = next(r for r in records if (r.strategy, r.seed) == ("mopps", 2))
    for name in COLUMNS:
        np.testing.assert_array_equal(one[name], expected.columns[name])


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "no records"),
        ([run(), run()], r"two records of one world.*\('hill', 'uniform', 0\)"),
        ([run("mopps")], "no runs of the baseline uniform"),
        ([run(), run("mopps"), run("mopps", 1)], r"mopps has the seeds \[0, 1\], uniform has"),
        ([run(), run("mopps", target=0.4)], "disagree on their goal"),
    ],
)
def test_what_cannot_be_compared_is_refused(records: list[Record], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        summarize(records)


def test_csv_reads_back_to_the_last_bit(tmp_path: Path) -> None:
    for name, frame in (("summary", summarize(TRIO)), ("comparison", tidy(TRIO))):
        path = tmp_path / f"{name}.csv"
        write_csv(frame, path)
        text = path.read_text()
        rows = list(csv.DictReader(io.StringIO(text)))
        for column in frame.select_dtypes("number"):
            read = np.array([float(row[column] or "nan") for row in rows])
            np.testing.assert_array_equal(read, frame[column])
        write_csv(frame, path)
        assert path.read_text() == text
    assert {file.name for file in tmp_path.iterdir()} == {"summary.csv", "comparison.csv"}


def test_across_worlds_pools_log_ratios() -> None:
    records = [*TRIO, *trio("dale")]
    frame = across_worlds(records, np.random.default_rng(0))
    found = row(frame, "mopps")
    assert (found["ratio"], found["low"], found["high"]) == pytest.approx((0.8, 0.8, 0.8))
    assert found["worlds"] == 2
    assert len(frame) == 3 * len(CURRENCIES)


def test_across_worlds_one_hopeless_world_of_four_changes_no_typical_ratio() -> None:
    records = [*TRIO, *trio("dale"), *trio("moor"), run(world="wall")]
    records += [run("uniform", seed, world="wall") for seed in (1, 2)]
    records += [run("mopps", seed, world="wall", speed=0.1) for seed in (0, 1, 2)]
    found = row(across_worlds(records, np.random.default_rng(0)), "mopps")
    assert found["ratio"] == pytest.approx(0.8)
    assert found["worlds"] == 4

import json
from contextlib import suppress
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.record import COLUMNS, INSTANTANEOUS, REQUIRED, CorruptRecord, Record, label, load
from tests.report.runs import columns, run

SETTING = {"world": "hill", "strategy": "uniform", "seed": 0}


def altered(**changes: object) -> dict[str, Any]:
    """The JSON of a valid record, changed at the top level."""
    data = {
        "setting": SETTING,
        "columns": {name: column.tolist() for name, column in columns(1.0).items()},
        "progress": "accuracy",
        "target": 0.5,
    }
    return data | changes


def with_column(name: str, values: object) -> dict[str, Any]:
    data = altered()
    data["columns"][name] = values
    return data


def same(one: Record, other: Record) -> bool:
    return (
        (one.setting, one.progress, one.target) == (other.setting, other.progress, other.target)
        and set(one.columns) == set(other.columns)
        and all(np.array_equal(one.columns[name], other.columns[name]) for name in one.columns)
    )


def test_a_made_up_run_has_every_documented_column() -> None:
    assert set(columns(1.0)) == set(COLUMNS)
    assert set(COLUMNS) > REQUIRED
    assert set(COLUMNS) > INSTANTANEOUS


@given(
    st.lists(st.floats(0, 1e300), min_size=1, max_size=9),
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans())),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_saved_record_is_loaded_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory,
    seconds: list[float],
    extra: dict[str, str | int | bool],
    target: float,
) -> None:
    path = tmp_path_factory.mktemp("records") / "one.json"
    rows = len(seconds)
    short = {name: column[:rows] for name, column in columns(1.0).items()}
    short |= {"seconds": np.cumsum(np.array(seconds) / rows), "reward": -short["step"] / 3}
    saved = Record(setting=extra | SETTING, columns=short, progress="reward", target=target)
    saved.save(path)
    assert same(load(path), saved)


def test_equal_records_give_equal_bytes(tmp_path: Path) -> None:
    """Whatever the order of their columns and settings."""
    forward = run()
    backward = Record(
        setting=dict(reversed(list(forward.setting.items()))),
        columns=dict(reversed(list(forward.columns.items()))),
        target=forward.target,
    )
    for name, record in (("a", forward), ("b", backward)):
        record.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_who_ran_what() -> None:
    record = run("mopps", 3, world="valley")
    assert (record.world, record.strategy, record.seed) == ("valley", "mopps", 3)


def test_a_run_of_a_real_model_need_not_know_pass_rates(tmp_path: Path) -> None:
    known = {name: column for name, column in columns(1.0).items() if name != "signal_expected"}
    Record(setting=SETTING, columns=known, target=0.5).save(tmp_path / "real.json")
    assert "signal_expected" not in load(tmp_path / "real.json").columns


ROWS = len(columns(1.0)["step"])
FLAT = [0.0] * ROWS
INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "target that is not finite": (altered(target=nan), "target must be finite"),
    "no seed": (altered(setting={"world": "w", "strategy": "s"}), "setting needs seed"),
    "seed that is a bool": (altered(setting=SETTING | {"seed": True}), "setting needs seed"),
    "setting of a list": (
        altered(setting=SETTING | {"prompts": [1]}),
        "prompts must be",
    ),
    "line break in a name": (altered(setting=SETTING | {"a\nb": [1]}), "setting a"),
    "infinite setting": (altered(setting=SETTING | {"lr": inf}), "setting lr must be finite"),
    "unknown progress": (altered(progress="reward"), "progress names no column: 'reward'"),
    "missing column": (altered(columns={}), "missing columns"),
    "short column": (with_column("rounds", [0.0]), r"column rounds has shape \(1,\)"),
    "not a number": (
        with_column("rounds", [*FLAT[1:], nan]),
        "value that is not finite",
    ),
    "negative": (with_column("rounds", [-1.0, *FLAT[1:]]), "rounds holds a negative value"),
    "falling": (with_column("rounds", [*FLAT[1:-1], 2.0, 1.0]), "rounds is cumulative"),
    "share above 1": (with_column("mixed", [*FLAT[1:], 1.5]), "mixed holds a share above 1"),
    "late start": (with_column("step", list(range(1, ROWS + 1))), "step must start at 0"),
    "repeated step": (with_column("step", [*FLAT]), "step must start at 0 and rise"),
    "identity": (with_column("seed", FLAT), "columns may not be named"),
    "text for a number": (with_column("rounds", ["1.5"] * ROWS), "not a list of numbers"),
    "bool for a number": (with_column("rounds", [True] * ROWS), "not a list of numbers"),
    "nothing for a number": (with_column("rounds", [None] * ROWS), "not a list of numbers"),
    "number for a list": (with_column("rounds", 3.0), "not a list of numbers"),
    "table for a list": (with_column("rounds", [[0.0]] * ROWS), "not a list of numbers"),
    "integer beyond floats": (with_column("rounds", [*FLAT[1:], 10**400]), "too large"),
    "text for the target": (altered(target="high"), "target is a str, not a float"),
    "list for the setting": (altered(setting=[]), "setting is a list, not a dict"),
    "another key": (altered(version=1), "expected the keys"),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_file_of_an_impossible_record_is_refused(name: str, tmp_path: Path) -> None:
    data, reason = INVALID[name]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(data))
    with pytest.raises(CorruptRecord, match=reason) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is no valid record (")
    assert message.endswith("): delete the file and run again")
    assert "\n" not in message


def test_an_impossible_record_cannot_be_made() -> None:
    falling = columns(1.0) | {"rounds": np.arange(float(ROWS))[::-1]}
    with pytest.raises(ValueError, match="rounds is cumulative"):
        Record(setting=SETTING, columns=falling, target=0.5)


def test_a_record_without_rows_is_refused() -> None:
    empty = {name: column[:0] for name, column in columns(1.0).items()}
    with pytest.raises(ValueError, match="shape"):
        Record(setting=SETTING, columns=empty, target=0.5)


@given(st.data())
def test_a_damaged_file_is_refused_or_still_a_record(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever byte a disk changes or loses: a `CorruptRecord`, or a value that may be."""
    path = tmp_path_factory.mktemp("damaged") / "run.json"
    run().save(path)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 2))
    garbage = data.draw(st.binary(max_size=3))
    path.write_bytes(
        whole[:cut] + garbage + data.draw(st.sampled_from([b"", whole[cut + 1 :]]))
    )
    with suppress(CorruptRecord):
        load(path)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_file_of_something_else_is_refused(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(CorruptRecord, match="delete the file"):
        load(tmp_path / "run.json")


def test_a_missing_file_is_not_a_corrupt_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        ("accuracy", "mean held-out pass rate"),
        ("signal_realised", "learning signal (sum of K(N−K)/(N−1))"),
        ("mean_reward", "mean reward"),
    ],
)
def test_progress_has_a_name_for_readers(progress: str, shown: str) -> None:
    assert label(progress) == shown

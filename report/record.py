"""The record of one run: its setting, and one row per training step.

A simulated run and a run of a real model write the same record, so one report compares either
or both. Rows are evaluations, at most one per training step; row 0 is the state before the
first step. Everything is cumulative since the start of the run unless `COLUMNS` says otherwise.

Axis legend: T rows.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from report import atomic

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "step": "training steps completed",
        "rollouts": "rollouts generated, whether trained on or not",
        "trained_rollouts": "rollouts trained on",
        "updates": "optimizer updates: changes of the parameters",
        "rounds": "serial rounds of generation: inference calls that had to wait for another",
        "seconds": "wall-clock seconds spent generating and training, evaluation excluded",
        "accuracy": "mean pass rate of held-out prompts at this row; true or evaluated",
        "mixed": "share of mixed groups among the groups trained on so far; 0 before the first",
        "signal_expected": "sum over trained rollouts of p(1-p), p the prompt's true pass rate",
        "signal_realised": "sum over trained groups of K(N-K)/(N-1), K of N rollouts passing",
    }
)
LABELS: Mapping[str, str] = MappingProxyType(  # of the columns that measure progress
    {
        "accuracy": "mean held-out pass rate",
        "mixed": "share of mixed groups",
        "signal_expected": "expected learning signal (sum of p(1−p))",
        "signal_realised": "learning signal (sum of K(N−K)/(N−1))",
    }
)
# What fresh rollouts would be worth is known only where pass rates are: in a simulation.
REQUIRED = frozenset(COLUMNS) - {"signal_expected"}
INSTANTANEOUS = frozenset({"accuracy", "mixed"})

Scalar = str | int | float | bool


class CorruptRecord(ValueError):  # noqa: N818 - the noun says what was found
    """A file that is not a whole, valid record."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One run.

    Attributes:
        setting: What was run: `world`, `strategy`, `seed`, and whatever else tells the run
            from others.
        columns: The columns of `COLUMNS`, equally long, and any others; all finite.
        progress: The column that measures progress.
        target: The progress to reach.

    Raises:
        ValueError: a column or a key is missing, or a value is impossible.
    """

    setting: Mapping[str, Scalar]
    columns: Mapping[str, Float[np.ndarray, "T"]]
    progress: str = "accuracy"
    target: float

    def __post_init__(self) -> None:
        _check_setting(self.setting)
        _check_columns(self.columns)
        if self.progress not in self.columns:
            raise ValueError(f"progress names no column: {self.progress!r}")
        if not math.isfinite(self.target):
            raise ValueError(f"target must be finite, got {self.target}")

    @property
    def world(self) -> str:
        """The world the run was in."""
        return str(self.setting["world"])

    @property
    def strategy(self) -> str:
        """The strategy that chose its prompts."""
        return str(self.setting["strategy"])

    @property
    def seed(self) -> int:
        """The seed of its luck, shared by the runs it is compared with."""
        return int(self.setting["seed"])

    def save(self, path: Path) -> None:
        """Write the record as JSON; equal records give equal bytes, and floats are exact."""
        data = {
            "setting": dict(self.setting),
            "columns": {name: column.tolist() for name, column in self.columns.items()},
            "progress": self.progress,
            "target": float(self.target),
        }
        atomic.write(path, json.dumps(data, sort_keys=True, allow_nan=False) + "\n")


def label(progress: str) -> str:
    """What a column that measures progress is called on an axis and in a title."""
    return LABELS.get(progress, progress.replace("_", " "))


def load(path: Path) -> Record:
    """The record saved at `path`.

    Raises:
        CorruptRecord: the file holds no valid record; the message says why and what to do.
        FileNotFoundError: there is no such file.
    """
    text = path.read_bytes()
    try:
        return _parse(json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise CorruptRecord(
            f"{path} is no valid record ({reason}): delete the file and run again"
        ) from error


def _parse(data: object) -> Record:
    """The record that parsed JSON describes; types are checked here, values by the record."""
    if not isinstance(data, dict):
        raise TypeError(f"expected an object, found {type(data).__name__}")
    wanted = {"setting": dict, "columns": dict, "progress": str, "target": float}
    if set(data) != set(wanted):
        raise ValueError(f"expected the keys {sorted(wanted)}, found {sorted(data)}")
    for key, kind in wanted.items():
        if not isinstance(data[key], kind):
            raise TypeError(f"{key} is a {type(data[key]).__name__}, not a {kind.__name__}")
    return Record(
        setting=data["setting"],
        columns={name: _column(name, values) for name, values in data["columns"].items()},
        progress=data["progress"],
        target=data["target"],
    )


def _column(name: str, values: object) -> Float[np.ndarray, "T"]:
    """A column from a JSON list, refusing what numpy would quietly turn into a number."""
    if not isinstance(values, list) or any(type(x) not in (float, int) for x in values):
        raise TypeError(f"column {name} is not a list of numbers")
    return np.array(values, float)


def _check_setting(setting: Mapping[str, Scalar]) -> None:
    for key, kind in {"world": str, "strategy": str, "seed": int}.items():
        if type(setting.get(key)) is not kind:
            raise ValueError(
                f"setting needs {key}, a {kind.__name__}: got {setting.get(key)!r}"
            )
    for key, value in setting.items():
        if type(value) not in (str, int, float, bool):
            raise ValueError(f"setting {key} must be text, a number or a bool: got {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"setting {key} must be finite, got {value}")


def _check_columns(columns: Mapping[str, Float[np.ndarray, "T"]]) -> None:
    if missing := sorted(REQUIRED - set(columns)):
        raise ValueError(f"missing columns {missing}")
    if taken := sorted({"world", "strategy", "seed"} & set(columns)):
        raise ValueError(f"columns may not be named {taken}")
    for name, column in columns.items():
        if column.shape != columns["step"].shape or not column.size:
            raise ValueError(f"column {name} has shape {column.shape}, unlike step or empty")
        if not np.isfinite(column).all():
            raise ValueError(f"column {name} holds a value that is not finite")
        if name in COLUMNS and (column < 0).any():
            raise ValueError(f"column {name} holds a negative value: {column.min()}")
        if name in INSTANTANEOUS and (column > 1).any():
            raise ValueError(f"column {name} holds a share above 1: {column.max()}")
        if name in COLUMNS and name not in INSTANTANEOUS and (np.diff(column) < 0).any():
            raise ValueError(f"column {name} is cumulative and must not fall")
    if columns["step"][0] != 0 or (np.diff(columns["step"]) <= 0).any():
        raise ValueError("column step must start at 0 and rise")

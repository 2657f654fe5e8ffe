"""Numbers that others published, as `theory/data` holds them; its README names the sources."""

import csv
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float, Int

BENCHMARKS = ("DAPO-1k", "MATH500", "AMC2023", "AIME")  # of SPEED's validation curves
FITTED = {"1.5B": (0.399, 2.477), "7B": (0.508, 2.197)}  # Beta, to `dapo1k_passes`
Run = tuple[str, str, str, str]  # model, data, algorithm, and base or SPEED


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """Rows of a table of `theory/data`, one dict each."""
    text = files("theory").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def _reported() -> dict[str, float]:
    return {row["name"]: float(row["value"]) for row in table("reported")}


def reported(name: str) -> float:
    """A single number that a paper or a script states.

    Raises:
        KeyError: If `reported.csv` has no such name.
    """
    return _reported()[name]


def column(name: str, key: str) -> Float[np.ndarray, "R"]:
    """One column of a table, as numbers; NaN where it is empty."""
    return np.array([float(row[key] or "nan") for row in table(name)])


@cache
def speed_curve(run: Run) -> Float[np.ndarray, "E 6"]:
    """Training step, hours and accuracy on `BENCHMARKS` of a run, per evaluation.

    Raises:
        KeyError: If there is no such run.
    """
    keys = ("model", "data", "algo", "variant")
    found = [
        row
        for row in table("speed_validation_curves")
        if tuple(row[key] for key in keys) == run
    ]
    if not found:
        raise KeyError(run)
    return np.array(
        [[float(row[key]) for key in ("step", "hours", *BENCHMARKS)] for row in found]
    )


def speed_pairs() -> Iterator[tuple[str, str, str]]:
    """Model, data and algorithm of each row of SPEED's Table 1."""
    yield from dict.fromkeys(
        (row["model"], row["data"], row["algo"]) for row in table("speed_table1")
    )


def dapo1k_passes(model: str) -> Int[np.ndarray, "M"]:
    """Passes of 32 rollouts of the 1,000 held-out prompts, in increasing order."""
    rows = [row for row in table("dapo1k_passes") if row["model"] == f"Qwen2.5-Math-{model}"]
    return np.repeat(np.arange(len(rows)), [int(row["prompts"]) for row in rows])


def dsr_transitions() -> Int[np.ndarray, "9 9"]:
    """Visits by passes now (rows) and at the next visit (columns), of 8 rollouts each."""
    keys = [f"next_{passes}" for passes in range(9)]
    return np.array([[int(row[key]) for key in keys] for row in table("dsr_sub_transitions")])

"""Records sorted into comparisons: by world, then by strategy, paired by seed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from report.aggregate import Times
from report.currencies import Currency, Definition, time_to_target
from report.record import Record

Runs = Mapping[str, Sequence[Record]]  # records of each strategy of one world, by seed
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def in_order(records: Iterable[Record]) -> list[Record]:
    """Records by world, strategy and seed, whatever order they come in.

    Raises:
        ValueError: there are none, or two of the same world, strategy and seed.
    """
    known = sorted(records, key=_key)
    if not known:
        raise ValueError("no records")
    for one, other in pairwise(known):
        if _key(one) == _key(other):
            raise ValueError(f"two records of one world, strategy and seed: {_key(one)}")
    return known


def _key(record: Record) -> tuple[str, str, int]:
    return record.world, record.strategy, record.seed


def by_world(records: Iterable[Record]) -> dict[str, dict[str, list[Record]]]:
    """The records of each world's strategies, one per seed, seeds ascending.

    Raises:
        ValueError: there are none, two share a seed, or records of one world disagree on the
            column that measures progress, or on the target.
    """
    worlds: dict[str, dict[str, list[Record]]] = {}
    for record in in_order(records):
        worlds.setdefault(record.world, {}).setdefault(record.strategy, []).append(record)
    for world, runs in worlds.items():
        _check_goals(world, runs)
    return worlds


def _check_goals(world: str, runs: Runs) -> None:
    """Refuse runs towards different goals; the message names one run of each."""
    goals: dict[tuple[str, float], str] = {}
    for strategy, group in runs.items():
        for one in group:
            goals.setdefault((one.progress, one.target), f"{strategy} with seed {one.seed}")
    if len(goals) > 1:
        found = ", ".join(f"{p} >= {t:g} in {run}" for (p, t), run in goals.items())
        raise ValueError(
            f"world {world}: runs disagree on their goal ({found}): delete the files of one"
            " goal's runs and run again, or write to another folder"
        )


def check_pairing(world: str, runs: Runs, baseline: str) -> None:
    """Refuse runs that cannot be compared with the baseline seed by seed.

    Raises:
        ValueError: the baseline is missing, or some strategy's seeds are not the baseline's.
    """
    if baseline not in runs:
        raise ValueError(f"world {world}: no runs of the baseline {baseline}: {sorted(runs)}")
    wanted = [one.seed for one in runs[baseline]]
    for strategy, group in runs.items():
        if (seeds := [one.seed for one in group]) != wanted:
            raise ValueError(
                f"world {world}: {strategy} has the seeds {seeds}, {baseline} has {wanted}:"
                " run the missing ones, or leave them out of both"
            )


def ordered(strategies: Iterable[str], *, first: str, last: str = "oracle") -> list[str]:
    """Strategies in `natural` order, but the baseline first and the oracle last."""
    return sorted(strategies, key=lambda name: (name != first, name == last, natural(name)))


def natural(name: str) -> tuple[tuple[str | float, ...], str]:
    """A key that sorts numbers within names by their value: `n=8` before `n=12`."""
    pieces = NUMBER.split(name)
    return tuple(float(x) if place % 2 else x for place, x in enumerate(pieces)), name


def arranged(found: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """What was found: what was wanted in that order, then the rest in its own."""
    known = list(dict.fromkeys(found))
    first = [name for name in dict.fromkeys(wanted) if name in known]
    return first + [name for name in known if name not in first]


def times(
    group: Sequence[Record],
    currency: Currency,
    definition: Definition,
    smoothing: float,
) -> Times:
    """The cost, in one currency, at which each record's progress reached its target."""
    columns = [one.columns for one in group]
    reached = [
        time_to_target(
            progress=column[one.progress],
            cost=column[currency.column],
            target=one.target,
            definition=definition,
            smoothing=smoothing,
        )
        for one, column in zip(group, columns, strict=True)
    ]
    spent = [float(column[currency.column][-1]) for column in columns]
    return Times(np.array(reached), np.array(spent))

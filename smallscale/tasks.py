"""The built-in tasks by name, and their prompts.

Whether a prompt is for training or held out is settled by its text alone, so the two never
meet, whatever the seeds and numbers of two runs.
"""

import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from selection.checks import counts
from selection.settings import change, nearest, parse
from smallscale.problems import Problem, Task
from smallscale.prompts import Prompts
from smallscale.strings import Strings
from smallscale.sums import Sums

Split = Literal["training", "held-out"]
HELD_OUT = 8  # one text in so many is held out
PATIENCE = 20_000  # draws in a row without a new one, until a family counts as exhausted

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "strings": Strings(),
        "letters": Strings(symbols="letters"),
        "signs": Strings(symbols="signs"),
        "sums": Sums(),
    }
)


def task(text: str) -> Task:
    """The task that a setting names, such as `strings:free_tokens=6,pool=hard`.

    Raises:
        SettingError: Its name or a key is unknown, or a value is wrong.
    """
    name, changes = parse(text)
    if name not in TASKS:
        raise nearest(name, list(TASKS), "task")
    return change(TASKS[name], changes)


def problems(task: Task, num: int, rng: np.random.Generator, split: Split) -> list[Problem]:
    """Distinct problems of one split, families in their shares, in random order.

    Raises:
        ValueError: A family has fewer than it should give.
    """
    counts(num=num)
    found: dict[str, Problem] = {}
    for family, wanted in _whole(task.shares, num).items():
        lacking, idle = wanted, 0
        while lacking and idle < PATIENCE:
            problem = task.draw(family, rng)
            idle += 1
            if split_of(problem.text) == split and problem.text not in found:
                found[problem.text] = problem
                lacking, idle = lacking - 1, 0
        if lacking:
            raise ValueError(
                f"num={num} is too many {split} prompts: no {wanted} different ones of family"
                f" {family} were found, ask for fewer"
            )
    drawn = list(found.values())
    return [drawn[i] for i in rng.permutation(len(drawn))]


def split_of(text: str) -> Split:
    """Which split a prompt's text belongs to."""
    return "held-out" if zlib.crc32(text.encode()) % HELD_OUT == 0 else "training"


def prompts(task: Task, num: int, *, seed: int, split: Split, tokenizer: Any) -> Prompts:  # noqa: ANN401
    """`num` prompts of a task; equal arguments, equal prompts.

    Args:
        task: Any of `TASKS`, changed or not.
        num: Prompts.
        seed: Of the draw. Prompts of different seeds overlap, those of the splits do not.
        split: `training` or `held-out`.
        tokenizer: A tokenizer of transformers.

    Raises:
        ValueError: There are fewer different prompts.
    """
    drawn = problems(task, num, np.random.default_rng(seed), split)
    return Prompts(
        keys=tuple(p.text for p in drawn),
        texts=tuple(p.text for p in drawn),
        tokens=tuple(np.array(tokenizer.encode(p.text), np.int64) for p in drawn),
        answers=tuple(p.answer for p in drawn),
        families=tuple(p.family for p in drawn),
    )


def _whole(shares: Mapping[str, float], num: int) -> dict[str, int]:
    """`num` dealt out in these shares: whole numbers, the largest remainders rounded up."""
    exact = np.array(list(shares.values())) * num
    whole = np.floor(exact + 1e-9).astype(
        int
    )  # a share of 1/8 of 8 is 1, whatever the rounding
    whole[np.argsort(whole - exact, kind="stable")[: num - whole.sum()]] += 1
    return dict(zip(shares, map(int, whole), strict=True))

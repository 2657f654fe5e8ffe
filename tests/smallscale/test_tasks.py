"""Tasks by name, and prompts that are distinct, split by their text, and repeatable."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from selection.settings import SettingError
from smallscale.problems import Task
from smallscale.prompts import Prompts
from smallscale.strings import POOLS, Strings
from smallscale.sums import Sums
from smallscale.tasks import HELD_OUT, TASKS, Split, problems, prompts, split_of, task
from smallscale.verifier import ExactMatch
from smallscale.vocabulary import character_tokenizer

ROOT = Path(__file__).parents[2]


def draw(which: Task, num: int = 40, *, seed: int = 0, split: Split = "training") -> Prompts:
    tokenizer = character_tokenizer(which.characters)
    return prompts(which, num, seed=seed, split=split, tokenizer=tokenizer)


def test_a_task_is_named_by_a_setting() -> None:
    assert task("strings") == Strings()
    assert task("letters") == Strings(symbols="letters")
    assert task("strings:free_tokens=6,pool=hard") == Strings(free_tokens=6, pool="hard")
    assert task("sums:digits=2/3,hardest=0.1") == Sums(digits=(2, 3), hardest=0.1)


@pytest.mark.parametrize(
    "text", ["string", "strings:pool=harder", "sums:terms=9/2", "sums:x=1"]
)
def test_unknown_settings_are_refused(text: str) -> None:
    with pytest.raises(SettingError):
        task(text)


@pytest.mark.parametrize("name", TASKS)
def test_the_splits_never_meet(name: str) -> None:
    training = {key for seed in range(3) for key in draw(TASKS[name], 120, seed=seed).keys}
    held = {
        key for s in range(3) for key in draw(TASKS[name], 120, seed=s, split="held-out").keys
    }
    assert not training & held
    assert len(training) > 300  # seeds draw anew


def test_one_text_in_eight_is_held_out() -> None:
    """10,000 texts; the share is 1/8 within five standard deviations."""
    counted = Counter(split_of(f"R{i:04d}:") for i in range(10_000))
    assert abs(counted["held-out"] - 10_000 / HELD_OUT) < 5 * 33.1
    assert split_of("R1234:") == "training"  # pinned: other runs hold the same out
    assert split_of("R0001:") == "held-out"


@pytest.mark.parametrize("name", TASKS)
def test_equal_arguments_give_equal_prompts(name: str) -> None:
    one, two, other = (draw(TASKS[name], seed=seed) for seed in (0, 0, 1))
    assert one.keys == two.keys
    assert one.answers == two.answers
    assert one.keys != other.keys


@pytest.mark.parametrize("name", TASKS)
def test_tokens_are_the_text(name: str) -> None:
    tokenizer = character_tokenizer(TASKS[name].characters)
    drawn = draw(TASKS[name])
    assert tuple(tokenizer.decode(ids) for ids in drawn.tokens) == drawn.texts
    assert drawn.keys == drawn.texts


@pytest.mark.parametrize("pool", POOLS)
def test_families_have_their_shares_exactly(pool: str) -> None:
    which = task(f"strings:pool={pool}")
    families = Counter(draw(which, 200).families)
    assert families == {f: round(200 * s) for f, s in which.shares.items() if s > 0}


def test_odd_numbers_are_dealt_to_the_largest_remainders() -> None:
    """200 / 12 each is 16.7: eight families have 17, the others 16."""
    assert sorted(Counter(draw(TASKS["sums"], 200).families).values()) == [16] * 4 + [17] * 8


def test_the_order_is_random() -> None:
    families = draw(TASKS["strings"], 80).families
    assert len({families[start : start + 10] for start in range(0, 80, 10)}) == 8
    assert len(set(families[:10])) > 2


def test_more_prompts_than_there_are_are_refused() -> None:
    short = Strings(length=2)
    assert len(draw(short, 8 * 60)) == 480
    with pytest.raises(ValueError, match="num=800 is too many training prompts"):
        draw(short, 800)
    with pytest.raises(ValueError, match="num=0"):
        draw(short, 0)


@pytest.mark.parametrize("text", ["strings", "letters", "strings:free_tokens=4", "sums"])
def test_demonstrations_fit_and_are_judged_right_as_often_as_stated(text: str) -> None:
    """The verifier's verdicts on 400 demonstrations, 5 standard deviations wide at most."""
    which, rng = task(text), np.random.default_rng(0)
    drawn = problems(which, 400, rng, "training")
    shown = [which.demonstration(p, rng) for p in drawn]
    assert max(len(each) + 1 for each in shown) <= which.max_tokens
    assert set("".join(shown) + "".join(p.text for p in drawn)) <= set(which.characters)
    with ExactMatch(which.mark) as verifier:
        passed = verifier.score(shown, [p.answer for p in drawn]).passed
    chances = np.array([which.chance(p) for p in drawn])
    assert abs(passed.mean() - chances.mean()) < 5 * np.sqrt(chances @ (1 - chances)) / 400


@pytest.mark.parametrize("text", ["strings:pool=hard,free_tokens=2", "sums"])
def test_a_lesson_has_the_same_alphabet(text: str) -> None:
    which = task(text)
    assert which.lesson().characters == which.characters
    assert which.lesson().max_tokens == which.max_tokens
    assert min(which.lesson().shares.values()) > 0


def test_tasks_load_no_torch() -> None:
    code = "import smallscale.tasks, sys; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not re.findall(r"\b(torch|transformers|tokenizers|pandas|scipy)\b", done.stdout)
